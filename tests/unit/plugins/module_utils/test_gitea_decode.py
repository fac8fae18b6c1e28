# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From JSON to typed objects and back: what is missing, null, of a wrong type, or somewhere else."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_admin_types import (
    BranchProtection,
    Hook,
    Token,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_decode import (
    DecodeError,
    decode,
    decode_list,
    moment,
    plain,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_types import (
    Branch,
    Commit,
    GitRef,
    Issue,
    PullRequest,
    Repo,
    Status,
    Team,
    User,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("kind", [Issue, PullRequest, Repo, Team, Hook, BranchProtection, Token])
def test_nothing_at_all_is_every_default(kind: type[Any]) -> None:
    assert decode(kind, {}) == kind()
    assert decode(kind, {"unknown": 1, "": None}) == kind()


@pytest.mark.parametrize(
    ("kind", "raw", "field", "value"),
    [
        (Issue, {"assignees": None}, "assignees", ()),
        (Issue, {"labels": [{"id": 1, "name": "a"}, None, 5]}, "labels.0.name", "a"),
        (Issue, {"number": "7"}, "number", 0),
        (Issue, {"number": True}, "number", 0),
        (Issue, {"number": 7.0}, "number", 0),
        (Issue, {"title": 5}, "title", ""),
        (Issue, {"is_locked": "true"}, "is_locked", False),
        (Issue, {"pull_request": None}, "is_pull", False),
        (Issue, {"pull_request": {}}, "is_pull", True),
        (Issue, {"content_version": None}, "content_version", None),
        (Issue, {"content_version": 3}, "content_version", 3),
        (Issue, {"milestone": {"id": 4, "title": "m"}}, "milestone.title", "m"),
        (Issue, {"milestone": []}, "milestone", None),
        (Issue, {"repository": {"full_name": "o/r"}}, "repo", "o/r"),
        (Issue, {"repository": "o/r"}, "repo", ""),
        (PullRequest, {"head": {"sha": "a", "repo": None}}, "head.repo", ""),
        (PullRequest, {"head": None}, "head.sha", ""),
        (PullRequest, {"merge_commit_sha": None}, "merge_commit_sha", ""),
        (PullRequest, {"requested_reviewers": None}, "requested_reviewers", ()),
        (Status, {"status": "success"}, "state", "success"),
        (Status, {"state": "pending"}, "state", "pending"),
        (Status, {"status": 1, "state": "pending"}, "state", "pending"),
        (User, {"username": "u"}, "login", "u"),
        (Repo, {"owner": {"login": "o"}, "permissions": {"push": True}}, "owner", "o"),
        (Repo, {"permissions": {"push": True}}, "push", True),
        (Repo, {"owner": "o"}, "owner", "o"),
        (Branch, {"commit": {"id": "abc"}}, "sha", "abc"),
        (GitRef, {"object": {"sha": "abc"}}, "sha", "abc"),
        (Commit, {"parents": [{"sha": "a"}, {}, {"sha": "b"}]}, "parents", ("a", "b")),
        (Team, {"units_map": {"repo.code": "read", "x": 1}}, "units_map", {"repo.code": "read"}),
        (Hook, {"config": {"url": "http://x"}}, "url", "http://x"),
        (Hook, {"url": "http://y"}, "url", "http://y"),
        (BranchProtection, {"branch_name": "main"}, "rule_name", "main"),
        (Token, {"sha1": "secret"}, "value", "secret"),
    ],
)
def test_fields(kind: type[Any], raw: dict[str, Any], field: str, value: Any) -> None:
    made = decode(kind, raw)
    for step in field.split("."):
        made = made[int(step)] if step.isdigit() else getattr(made, step)
    assert made == value


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-11-22T12:00:00Z", NOON),
        ("2026-11-22T13:00:00+01:00", NOON),
        ("2026-11-22T12:00:00", NOON),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1_700_000_000, None),
    ],
)
def test_moments(text: object, when: datetime | None) -> None:
    assert moment(text) == when


@pytest.mark.parametrize("raw", [None, [], "text", 5, True])
def test_no_object_where_one_is_due_is_said(raw: object) -> None:
    with pytest.raises(DecodeError, match="no Issue but "):
        decode(Issue, raw)


def test_lists() -> None:
    assert decode_list(Issue, None) == ()
    assert [one.number for one in decode_list(Issue, [{"number": 1}, {"number": 2}])] == [1, 2]
    for wrong in ({}, "text", [None], [[]]):
        with pytest.raises(DecodeError):
            decode_list(Issue, wrong)


def test_objects_are_frozen_and_compare_by_value() -> None:
    made = decode(Issue, {"number": 1, "created_at": "2026-11-22T12:00:00Z"})
    assert made == Issue(number=1, created_at=NOON)
    assert hash(made) == hash(Issue(number=1, created_at=NOON))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.number = 2  # type: ignore[misc]


def test_plain_data_for_a_module() -> None:
    made = decode(Issue, {"number": 1, "labels": [{"name": "a"}], "created_at": "2026-11-22T12:00:00Z"})
    told = plain(made)
    assert (told["number"], told["labels"][0]["name"], told["created_at"]) == (1, "a", "2026-11-22T12:00:00Z")
    assert told["milestone"] is None
    assert plain(decode(Team, {"units_map": {"repo.code": "read"}}))["units_map"] == {"repo.code": "read"}


def test_a_tokens_value_is_not_in_its_text() -> None:
    assert "secret" not in repr(decode(Token, {"name": "t", "sha1": "secret"}))
