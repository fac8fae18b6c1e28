# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded exchanges, replayed: a forge answers as the real one did, and the client reads the answers."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_admin_types import BranchProtection, Hook
from ansible_collections.timmy.config.plugins.module_utils.gitea_decode import (
    decode,
    decode_list,
    moment,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import answer_error
from ansible_collections.timmy.config.plugins.module_utils.gitea_types import (
    ChangedFile,
    Comment,
    Issue,
    Label,
    PullRequest,
    Repo,
    Status,
    User,
)
from forge_recordings import EMPTY, Exchange, differences, exchanges, fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from forge_world import World

RECORDED = exchanges()
KINDS: dict[str, type[Any]] = {
    "issues": Issue,
    "content_version": Issue,
    "labels": Label,
    "comments": Comment,
    "pulls": PullRequest,
    "status": Status,
    "protection": BranchProtection,
    "hooks": Hook,
}
INNER = {"labels": "name", "assignees": "login"}
SPECIAL = {"files of a PR": ChangedFile, "user get by anonymous": User, "repo get": Repo}


def kind_of(exchange: Exchange) -> type[Any] | None:
    """Return what the client reads an answer as."""
    if exchange.step.startswith("combined"):
        return None  # the client reads the statuses themselves
    return SPECIAL.get(exchange.step) or KINDS.get(exchange.file)


GOOD = [one for one in RECORDED if one.status < 300 and one.body not in (EMPTY, None) and kind_of(one)]
BAD = [one for one in RECORDED if one.status >= 400]


@pytest.fixture(scope="module")
def situation(world: World) -> Callable[[Exchange], dict[str, Any]]:
    """Return a function that makes what an exchange names, in one repository for each file."""
    made: dict[str, dict[str, Any]] = {}

    def prepare(file: str) -> dict[str, Any]:
        repo = world.repo(file.replace("_", "-"))
        labels = {
            name: repo.label(name, exclusive="/" in name, description=name) for name in ("bug", "ready")
        }
        labels |= {name: repo.label(name, exclusive=True) for name in ("fleet/queued", "fleet/claimed")}
        logins = {part: actor.login for part, actor in world.people.items()}
        names = {**labels, **logins, "repo": repo.api, "org": world.org, "name": repo.name}
        if file in {"pulls", "merge", "status"}:
            heads = repo.branches(repo.clone(), {"head-f1": {"a.txt": "a\n"}, "fresh-f4": {"b.txt": "b\n"}})
            names |= {"head": "head-f1", "fresh": "fresh-f4", "sha": heads["fresh-f4"]}
        if file in {"pulls", "merge"}:
            names["number"] = repo.pull("head-f1", "first", body="text")
            repo.checked(names["number"])
        made[file] = {"names": names, "repo": repo}
        return made[file]

    def situation_of(exchange: Exchange) -> dict[str, Any]:
        here = made.get(exchange.file) or prepare(exchange.file)
        names, repo = dict(here["names"]), here["repo"]
        path = exchange.request["path"]
        if "{number}" in path and "number" not in names:
            names["number"] = repo.issue("as recorded")
        if "{comment}" in path:
            body = {"body": "as recorded"}
            made_comment = world.reader.must("POST", f"{repo.api}/issues/{repo.issue()}/comments", body)
            names["comment"] = made_comment["id"]
        return names

    return situation_of


@pytest.mark.parametrize("exchange", RECORDED, ids=str)
def test_the_forge_answers_as_recorded(
    world: World, situation: Callable[[Exchange], dict[str, Any]], exchange: Exchange
) -> None:
    names = situation(exchange)
    actor = getattr(world, exchange.actor)
    request = fill(exchange.request, names)
    answer = actor.send(request["method"], request["path"], request.get("body"))
    assert differences(exchange, answer, names) == []


@pytest.mark.parametrize("exchange", GOOD, ids=str)
def test_the_client_reads_what_was_recorded(exchange: Exchange) -> None:
    kind, raw = kind_of(exchange), exchange.body
    assert kind is not None
    read = decode_list(kind, raw) if isinstance(raw, list) else (decode(kind, raw),)
    rows = raw if isinstance(raw, list) else [raw]
    assert len(read) == len(rows)
    plain = {one.name for one in fields(kind) if one.type in ("int", "str", "bool") and not one.metadata}
    for one, row in zip(read, rows, strict=True):
        seen = {name: row[name] for name in plain if row.get(name) is not None}
        assert {name: getattr(one, name) for name in seen} == seen
        inner = {name: within for name, within in INNER.items() if name in row}
        for name, within in inner.items():
            assert [getattr(each, within) for each in getattr(one, name)] == [
                each[within] for each in row[name] or []
            ]
        if "due_date" in row and hasattr(one, "due_date"):
            assert one.due_date == moment(row["due_date"])
        assert seen or inner or "due_date" in row or row.get("milestone", "") is None, "nothing was compared"


@pytest.mark.parametrize("exchange", BAD, ids=str)
def test_the_client_names_a_recorded_refusal(exchange: Exchange) -> None:
    method, path = exchange.request["method"], exchange.request["path"]
    error = answer_error(method, path, exchange.status, exchange.message)
    text = str(error)
    assert method in text
    assert path in text
    assert str(exchange.status) in text
    assert exchange.message in text or len(exchange.message) > 100


def test_recordings_hold_no_more_than_they_need() -> None:
    for exchange in RECORDED:
        text = str(exchange.request) + str(exchange.response)
        assert "/tmp/" not in text
        assert "/home/" not in text
        assert len(text) < 20_000
