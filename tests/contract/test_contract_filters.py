# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the issue list: what narrows it, and what silently does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from forge_world import Repo, World


@pytest.fixture(scope="module")
def issues(world: World, repo: Repo) -> dict[str, int]:
    """Open issues with labels a, b, both and none; one is the reader's, one is assigned, one is closed."""
    a, b = repo.label("a"), repo.label("b")
    made = {
        "a": repo.issue(labels=[a]),
        "b": repo.issue(labels=[b], assignees=[world.writer2.login]),
        "ab": repo.issue(labels=[a, b]),
        "none": repo.issue(actor=world.reader),
        "closed": repo.issue(labels=[a]),
    }
    world.writer.must("PATCH", f"{repo.api}/issues/{made['closed']}", {"state": "closed"})
    return made


OPEN = {"a", "b", "ab", "none"}
CASES = [
    ("", OPEN),
    ("labels=a", {"a", "ab"}),
    ("labels=a,b", {"ab"}),
    ("labels=no-such", OPEN),
    ("labels=a,no-such", {"a", "ab"}),
    ("labels=A", OPEN),
    ("labels=", OPEN),
    ("labels=a,", {"a", "ab"}),
    ("lables=a", OPEN),
    ("state=closed", {"closed"}),
    ("state=all", {*OPEN, "closed"}),
    ("state=bogus", OPEN),
    ("state=all&labels=a", {"a", "ab", "closed"}),
    ("type=bogus", OPEN),
    ("type=issues", OPEN),
    ("type=pulls", set()),
    ("milestones=no-such", OPEN),
    ("created_by={reader}", {"none"}),
    ("created_by={writer}", OPEN - {"none"}),
    ("assigned_by={writer2}", {"b"}),
    ("since=2099-01-01T00:00:00Z", set()),
    ("since=2001-01-01T00:00:00Z", OPEN),
    ("before=2001-01-01T00:00:00Z", set()),
]


@pytest.mark.parametrize(("query", "wanted"), CASES)
def test_the_list_holds(
    world: World, repo: Repo, issues: dict[str, int], query: str, wanted: set[str]
) -> None:
    filled = query.format(**{part: actor.login for part, actor in world.people.items()})
    rows = world.reader.must("GET", f"{repo.api}/issues?{filled}")
    assert {row["number"] for row in rows} == {issues[name] for name in wanted}


def test_a_label_is_no_filter_by_its_id(world: World, repo: Repo, issues: dict[str, int]) -> None:
    ids = {row["name"]: row["id"] for row in world.reader.must("GET", f"{repo.api}/labels")}
    assert len(world.reader.must("GET", f"{repo.api}/issues?labels={ids['a']}")) == len(OPEN)


@pytest.mark.parametrize("query", ["created_by=nobody-has-this", "assigned_by=nobody-has-this"])
def test_an_unknown_person_is_404(world: World, repo: Repo, issues: dict[str, int], query: str) -> None:
    assert world.reader.get(f"{repo.api}/issues?{query}").status == 404


def test_a_bad_time_is_422(world: World, repo: Repo, issues: dict[str, int]) -> None:
    got = world.reader.get(f"{repo.api}/issues?since=yesterday")
    assert got.status == 422
    assert "yesterday" in got.message


def test_since_takes_the_moment_itself(world: World, repo: Repo, issues: dict[str, int]) -> None:
    row = world.reader.must("GET", f"{repo.api}/issues/{issues['none']}")
    rows = world.reader.must("GET", f"{repo.api}/issues?since={row['updated_at'].replace('+', '%2B')}")
    assert issues["none"] in {one["number"] for one in rows}


def test_the_newest_comes_first(world: World, repo: Repo, issues: dict[str, int]) -> None:
    numbers = [row["number"] for row in world.reader.must("GET", f"{repo.api}/issues?state=all")]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize(("path", "body"), [("labels", {"labels": ["a"]}), ("comments", {"body": "hi"})])
def test_what_happens_to_an_issue_moves_its_time(world: World, own: Repo, path: str, body: object) -> None:
    own.label("a")
    issue = f"{own.api}/issues/{own.issue()}"
    before = world.reader.must("GET", issue)["updated_at"]
    time.sleep(1.1)  # these times have whole seconds
    world.writer.must("POST", f"{issue}/{path}", body)
    assert world.reader.must("GET", issue)["updated_at"] > before


def test_search_takes_any_of_the_labels_and_loses_the_filter_too(
    world: World, repo: Repo, issues: dict[str, int]
) -> None:
    def found(labels: str) -> set[int]:
        rows = world.reader.must("GET", f"/repos/issues/search?owner={world.org}&limit=1000&labels={labels}")
        return {row["number"] for row in rows if row["repository"]["name"] == repo.name}

    assert found("a,b") == {issues["a"], issues["b"], issues["ab"]}
    assert found("no-such") == {issues[name] for name in OPEN}
