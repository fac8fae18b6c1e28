# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared rights, scopes, topics and names in the forge's own form, and what is none of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import KeepError
from ansible_collections.timmy.config.plugins.module_utils.gitea_keep_repo import parts_of, topics_of
from ansible_collections.timmy.config.plugins.module_utils.gitea_keep_team import UNITS, rights_of
from ansible_collections.timmy.config.plugins.module_utils.gitea_keep_token import (
    CATEGORIES,
    SCOPES,
    scopes_of,
)


@pytest.mark.parametrize(
    ("permission", "units_map", "rights"),
    [
        (None, None, {}),
        ("admin", None, {"permission": "admin"}),
        ("admin", {}, {"permission": "admin"}),
        ("read", None, {"permission": "none", "units_map": dict.fromkeys(UNITS, "read")}),
        (None, {"repo.code": "write"}, {"permission": "none", "units_map": {"repo.code": "write"}}),
        (
            None,
            {"repo.code": "read", "repo.wiki": "none"},
            {"permission": "none", "units_map": {"repo.code": "read"}},
        ),
    ],
)
def test_rights_of_a_team(
    permission: str | None, units_map: dict[str, Any] | None, rights: dict[str, Any]
) -> None:
    assert rights_of(permission, units_map) == rights


def test_a_named_unit_stands_before_the_permission_of_all() -> None:
    units = rights_of("write", {"repo.wiki": "none", "repo.code": "read"})["units_map"]
    assert units == {**dict.fromkeys(set(UNITS) - {"repo.wiki"}, "write"), "repo.code": "read"}


@pytest.mark.parametrize(
    ("permission", "units_map", "said"),
    [
        ("admin", {"repo.code": "read"}, "leave it out"),
        (None, {}, "one unit at least"),
        (None, {"repo.code": "none"}, "one unit at least"),
        (None, {"code": "read"}, "'code' is no unit"),
        ("read", {"repo.code": "admin"}, "cannot be 'admin'"),
        (None, {"repo.code": None}, "cannot be None"),
    ],
)
def test_rights_that_are_none(permission: str | None, units_map: dict[str, Any], said: str) -> None:
    with pytest.raises(KeepError, match=said):
        rights_of(permission, units_map)


@pytest.mark.parametrize(
    ("given", "scopes"),
    [
        (["read:user"], ["read:user"]),
        (["write:user", "read:user", "read:user"], ["write:user"]),
        (["write:issue", "read:user"], ["read:user", "write:issue"]),
        (["read:user", "all"], ["all"]),
        (["public-only", "all"], ["all", "public-only"]),
        (["public-only", "read:misc"], ["public-only", "read:misc"]),
        ([f"write:{name}" for name in CATEGORIES], ["all"]),
        ([f"read:{name}" for name in CATEGORIES], sorted(f"read:{name}" for name in CATEGORIES)),
        (list(SCOPES), ["all", "public-only"]),
    ],
)
def test_scopes_without_what_others_imply(given: list[str], scopes: list[str]) -> None:
    assert scopes_of(given) == scopes


@pytest.mark.parametrize("given", [[], ["public-only"]])
def test_scopes_that_give_no_right(given: list[str]) -> None:
    with pytest.raises(KeepError, match="name one"):
        scopes_of(given)


def test_topics_are_lower_case() -> None:
    assert topics_of([" Fleet", "a.b-c", "9"]) == ["fleet", "a.b-c", "9"]
    for wrong in ("", "-a", "a b", "a/b", "a" * 36):
        with pytest.raises(KeepError, match="topics: "):
            topics_of([wrong])


def test_a_repository_has_an_owner_and_a_name() -> None:
    assert parts_of("repo", "fleet/work") == ("fleet", "work")
    for wrong in ("", "fleet", "/", "fleet/", "/work", "a/b/c"):
        with pytest.raises(KeepError, match=r"was: .* write owner/name"):
            parts_of("was", wrong)
