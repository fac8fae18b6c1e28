# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds which key and job, and what a declaration keeps on record."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import declarations
from ansible_collections.timmy.config.plugins.module_utils.declarations import NOTHING, Declarations, Held

JOB = {"name": "tidy", "schedule": "5 6 * * *"}


def wish(config: Mapping[str, Any] | None = None, *names: str) -> dict[str, Any]:
    return {"config": dict(config or {}), "jobs": [{**JOB, "name": name} for name in names]}


def answer(config: Mapping[str, Any], cron: Mapping[str, Any] | None = None) -> dict[str, Any]:
    part = {"base": dict(config), "made": [], "problems": []}
    return {"config": part, "cron": {"record": dict(cron or {}), "problems": []}}


@pytest.mark.parametrize(
    ("held", "wanted", "refused"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1}}, ["a.b"]),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, []),
        ({"a": {"b": 1}}, {"a": 2}, ["a"]),
        ({"a": 2}, {"a": {"b": 1, "c": 1}}, ["a.b", "a.c"]),
        ({"a": {}}, {"a": {"b": 1}}, []),
        ({"a": {"b": 1}}, {"a": {}}, []),
        ({"a": {}}, {"a": {}}, ["a"]),
        ({"a": None}, {"a": {"b": 1}}, ["a.b"]),
        ({"ab": 1}, {"a": {"b": 1}}, []),
        ({"a": {"b": [1]}}, {"a": {"b": []}}, ["a.b"]),
    ],
)
def test_one_key_has_one_owner(held: Any, wanted: Any, refused: list[str]) -> None:
    owner = declarations.held_by(wish(held, "x"))
    assert owner.refused(wish(wanted, "x", "y")) == (refused, ["x"])
    spared = owner.spare(wish(wanted, "x", "y"))
    assert declarations.held_by(wish(held, "x")).refused(spared) == ([], [])
    assert [job["name"] for job in spared["jobs"]] == ["y"]
    if not refused:
        assert spared["config"] == wanted


def test_what_the_release_took_over_is_no_past_of_a_declaration() -> None:
    record = {
        "config": {"a": {"b": 1, "c": 2}},
        "cron": {"x": {"id": "1"}, "y": {"id": "2"}},
        "pending": [wish({"a": {"b": 3, "d": 4}}, "x", "y")],
    }
    release = declarations.held_by(wish({"a": {"b": 9}}, "x"))
    request = declarations.request_for(record, wish({"a": {"c": 2}}, "y"), release)
    assert request["base"] == {"a": {"c": 2}}
    assert list(request["cron"]) == ["y"]
    assert request["pending"] == [wish({"a": {"d": 4}}, "y")]
    assert request["own_only"]


@pytest.mark.parametrize(
    ("before", "after", "keys", "jobs"),
    [
        ({}, {}, set(), set()),
        ({"config": {"a": {"b": 1}}}, {}, {("a", "b")}, set()),
        ({"config": {"a": {"b": 1}}}, {"config": {"a": {"b": 2}}}, set(), set()),
        ({"cron": {"x": {}, "y": {}}}, {"cron": {"y": {}}}, set(), {"x"}),
    ],
)
def test_what_a_release_lets_go_of(before: Any, after: Any, keys: Any, jobs: Any) -> None:
    gone = declarations.let_go(before, after)
    assert (set(gone.keys), gone.jobs) == (keys, jobs)


@pytest.fixture
def own(tmp_path: Path) -> Declarations:
    return Declarations(str(tmp_path), "ezra")


def test_the_life_of_a_record(own: Declarations) -> None:
    first, second = wish({"a": 1}), wish({"a": 2})
    assert own.begin("config", "x", first, "") == []
    assert own.begin("config", "x", second, "") == [first]
    assert own.load("config", "x")["pending"] == [first, second]
    own.keep("config", "x", second, answer({"a": 2}))
    record = own.load("config", "x")
    assert (record["declared"], record["config"], record["pending"]) == (second, {"a": 2}, [])
    path = own.records.path("config.x")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    for folder in (own.records.folder, os.path.dirname(own.records.folder)):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert declarations.agents(own.root) == ["ezra"]
    own.keep("config", "x", NOTHING, answer({}))
    assert declarations.agents(own.root) == []
    assert not os.path.exists(os.path.join(own.root, "state/declared"))


def test_a_refused_wish_leaves_what_was_known_before(own: Declarations) -> None:
    own.refuse("config", "x", own.begin("config", "x", wish({"a": 1}), ""))
    assert own.records.names() == []
    own.begin("config", "x", wish({"a": 1}), "")
    own.refuse("config", "x", own.begin("config", "x", wish({"a": 2}), ""))
    assert own.load("config", "x")["pending"] == [wish({"a": 1})]


def test_killed_runs_of_others_hold_as_well(own: Declarations) -> None:
    own.keep("config", "one", wish({"a": 1}), answer({"a": 1}))
    own.begin("config", "one", wish({"b": 1}), "")
    own.begin("cron", "one", wish(None, "x"), "")
    held = declarations.held_by(*own.others("config", "two")["one"])
    assert held.refused(wish({"a": 0, "b": 0, "c": 0}, "x", "y")) == (["a", "b"], ["x"])
    assert "one" in own.others("cron", "one")
    assert own.others("config", "one")["one"] == [NOTHING, wish(None, "x")]


class Asked:
    """Stands where Hermes is asked; keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def __call__(self, request: Mapping[str, Any], _python: str) -> dict[str, Any]:
        self.requests.append(request)
        return answer(request["config"])


@pytest.mark.parametrize(
    ("before", "after", "release", "wanted"),
    [
        ({"config": {"a": 9}}, {"config": {}}, wish(), [{"a": 1, "b": 1}]),
        ({"config": {"a": 9}}, {"config": {"a": 9}}, wish({"a": 9}), []),
        ({"config": {"c": 9}}, {"config": {}}, wish(), []),
        ({"config": {"a": 9, "b": 9}}, {"config": {"b": 9}}, wish({"b": 9}), [{"a": 1}]),
        # Moved within the release: it holds the whole section now.
        ({"config": {"a": {"x": 1}}}, {"config": {"a": 9}}, wish({"a": 9}), []),
    ],
)
def test_replay(own: Declarations, before: Any, after: Any, release: Any, wanted: list[Any]) -> None:
    own.keep("config", "x", wish({"a": 1, "b": 1}), answer({"a": 1, "b": 1}))
    asked = Asked()
    own.replay(before, after, declarations.held_by(release), asked)
    assert [request["config"] for request in asked.requests] == wanted
    # What is declared stays declared, also where the release stands in its place.
    assert own.load("config", "x")["declared"]["config"] == {"a": 1, "b": 1}


def test_clear_asks_for_nothing_and_forgets(own: Declarations) -> None:
    own.keep("config", "x", wish({"a": 1}), answer({"a": 1}))
    asked = Asked()
    own.clear(asked)
    assert (asked.requests[0]["config"], asked.requests[0]["base"]) == ({}, {"a": 1})
    assert own.records.names() == []
    own.forget()


def test_nobody_holds_nothing() -> None:
    assert Held().refused(wish({"a": 1}, "x")) == ([], [])
