# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Milestones: a time at creation is a day after a change, and gone after a change that does not name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forge_world import Repo, World

DUE = "2030-06-30T03:04:05Z"
DAY = "2030-06-30T23:59:59Z"


def test_titles_may_be_equal_or_empty_and_are_stripped(world: World, own: Repo) -> None:
    titles = [" t ", "t", ""]
    made = [world.writer.must("POST", f"{own.api}/milestones", {"title": title}) for title in titles]
    assert [row["title"] for row in made] == ["t", "t", ""]
    assert len({row["id"] for row in made}) == 3
    assert {row["state"] for row in made} == {"open"}
    assert world.reader.post(f"{own.api}/milestones", {"title": "r"}).status == 403


def test_creation_takes_the_time_and_the_state_as_they_are(world: World, own: Repo) -> None:
    body = {"title": "t", "due_on": DUE, "state": "closed", "description": "a\r\nb"}
    made = world.writer.must("POST", f"{own.api}/milestones", body)
    assert (made["due_on"], made["state"], made["description"]) == (DUE, "closed", "a\r\nb")
    assert world.writer.must("GET", f"{own.api}/milestones") == []
    assert len(world.writer.must("GET", f"{own.api}/milestones?state=all")) == 1
    assert (
        world.writer.must("POST", f"{own.api}/milestones", {"title": "t", "state": "bogus"})["state"]
        == "open"
    )


CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"due_on": DUE}, {"due_on": DAY}),
    ({"due_on": "2030-06-30T00:00:00Z"}, {"due_on": DAY}),
    ({"title": "u"}, {"title": "u", "due_on": None}),
    ({"title": "", "due_on": DUE}, {"title": "t", "due_on": DAY}),
    ({"title": " u ", "due_on": None}, {"title": "u", "due_on": None}),
    ({"due_on": "1970-01-01T00:00:00Z"}, {"due_on": None}),
    ({"description": "", "due_on": DUE}, {"description": "", "due_on": DAY, "state": "closed"}),
    ({"description": None}, {"description": "d"}),
    ({"state": "open"}, {"state": "open", "closed_at": None}),
    ({"state": "bogus"}, {"state": "open"}),
    ({}, {"state": "closed", "due_on": None}),
]


@pytest.mark.parametrize(("change", "wanted"), CHANGES, ids=[str(change) for change, _wanted in CHANGES])
def test_a_change(world: World, own: Repo, change: dict[str, Any], wanted: dict[str, Any]) -> None:
    body = {"title": "t", "description": "d", "due_on": DUE, "state": "closed"}
    made = world.writer.must("POST", f"{own.api}/milestones", body)
    read = world.writer.must("PATCH", f"{own.api}/milestones/{made['id']}", change)
    assert {name: read[name] for name in wanted} == wanted
    assert world.writer.delete(f"{own.api}/milestones/{made['id']}").status == 204
    assert world.writer.delete(f"{own.api}/milestones/{made['id']}").status == 404
