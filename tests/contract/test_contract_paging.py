# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists: which say how many there are, which follow `page`, and which shift while one reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forge_wire import Answer
    from forge_world import Repo, World

ISSUES, LABELS = 54, 53


@pytest.fixture(scope="module")
def issues(world: World, repo: Repo) -> list[int]:
    """Open more issues than a page can hold."""
    return [repo.issue(f"i{n}") for n in range(ISSUES)]


@pytest.fixture(scope="module")
def labels(repo: Repo) -> list[int]:
    """Define more labels than a page can hold."""
    return [repo.label(f"l{n:02}") for n in range(LABELS)]


def links(answer: Answer) -> dict[str, str]:
    """Return the pages that a Link header names, relation to page."""
    found = re.findall(r'<([^>]*)>; *rel="(\w+)"', answer.headers.get("link", ""))
    return {rel: re.search(r"[?&]page=(\d+)", url)[1] for url, rel in found}  # type: ignore[index]


def test_the_server_says_its_sizes_without_credentials(world: World) -> None:
    got = world.anonymous.get("/settings/api").json
    assert got["max_response_items"] == 50
    assert got["default_paging_num"] == 30


PAGES: list[tuple[str, int, dict[str, str]]] = [
    ("", 30, {"next": "2", "last": "2"}),
    ("?limit=1000", 50, {"next": "2", "last": "2"}),
    ("?limit=20&page=2", 20, {"next": "3", "last": "3", "first": "1", "prev": "1"}),
    ("?limit=20&page=3", ISSUES - 40, {"first": "1", "prev": "2"}),
    ("?limit=50&page=3", 0, {"first": "1", "prev": "1"}),  # as on the last page
    ("?limit=0", 30, {"next": "2", "last": "2"}),
    ("?limit=-1", 30, {"next": "2", "last": "2"}),
    ("?limit=abc", 30, {"next": "2", "last": "2"}),
    ("?page=0&limit=5", 5, {"next": "2", "last": "11"}),
    ("?page=-1&limit=5", 5, {"next": "2", "last": "11"}),
]


@pytest.mark.parametrize(("query", "rows", "pages"), PAGES)
def test_issues_are_paged_with_a_total_and_links(
    repo: Repo, issues: list[int], query: str, rows: int, pages: dict[str, str]
) -> None:
    got = repo.world.reader.get(f"{repo.api}/issues{query}")
    assert len(got.json) == rows
    assert got.headers["x-total-count"] == str(ISSUES)
    assert links(got) == pages


def test_the_pages_hold_every_issue_once(world: World, repo: Repo, issues: list[int]) -> None:
    rows = [
        row for page in (1, 2) for row in world.reader.must("GET", f"{repo.api}/issues?limit=50&page={page}")
    ]
    assert [row["number"] for row in rows] == sorted(issues, reverse=True)


def test_labels_have_a_total_and_no_links(world: World, repo: Repo, labels: list[int]) -> None:
    found: list[int] = []
    for page, size in ((1, 50), (2, LABELS - 50), (9, 0)):
        got = world.reader.get(f"{repo.api}/labels?limit=50&page={page}")
        assert (len(got.json), got.headers["x-total-count"]) == (size, str(LABELS))
        assert "link" not in got.headers
        found += [row["id"] for row in got.json]
    assert sorted(found) == sorted(labels)


EMPTY: list[tuple[str, Any]] = [
    ("pulls", []),
    ("milestones", []),
    ("issues?state=closed", []),
    ("commits/main/statuses", []),
    ("hooks", []),
    ("collaborators", []),
    ("branch_protections", []),
    ("keys", []),
]


@pytest.mark.parametrize(("path", "body"), EMPTY)
def test_an_empty_list_is_a_list(world: World, own: Repo, path: str, body: Any) -> None:
    assert world.admin.must("GET", f"{own.api}/{path}") == body


def test_repositories_that_one_may_not_see_are_counted_and_left_out(world: World) -> None:
    org = world.unused("mixed")
    world.admin.must("POST", "/orgs", {"username": org})
    names = [f"r{n}" for n in range(6)]
    hidden = {"r1", "r2", "r3"}
    for name in names:
        world.admin.must("POST", f"/orgs/{org}/repos", {"name": name, "private": name in hidden})
    try:
        pages = [world.outsider.get(f"/orgs/{org}/repos?limit=2&page={page}") for page in (1, 2, 3, 4)]
        assert [answer.headers["x-total-count"] for answer in pages] == ["6"] * 4
        assert [len(answer.json) for answer in pages] == [1, 0, 2, 0], "an empty page is not the end"
        assert links(pages[0]) == {"next": "2", "last": "3"}
        seen = [row["name"] for answer in pages for row in answer.json]
        assert seen == [name for name in names if name not in hidden]
        assert len(world.admin.must("GET", f"/orgs/{org}/repos")) == 6
    finally:
        for name in names:
            world.admin.delete(f"/repos/{org}/{name}")
        world.admin.delete(f"/orgs/{org}")


def test_closing_while_paging_skips_rows(world: World, own: Repo) -> None:
    made = [own.issue(f"i{n}") for n in range(12)]
    handled: list[int] = []
    for page in range(1, 5):
        rows = world.writer.must("GET", f"{own.api}/issues?state=open&limit=4&page={page}")
        for row in rows:
            world.writer.must("PATCH", f"{own.api}/issues/{row['number']}", {"state": "closed"})
        handled += [row["number"] for row in rows]
    assert set(made) - set(handled) == set(made[4:8])


def test_opening_while_paging_doubles_rows(world: World, own: Repo) -> None:
    made = [own.issue(f"i{n}") for n in range(4)]
    first = world.writer.must("GET", f"{own.api}/issues?limit=2&page=1")
    own.issue("in between")
    second = world.writer.must("GET", f"{own.api}/issues?limit=2&page=2")
    assert [row["number"] for row in first + second] == [made[3], made[2], made[2], made[1]]


def test_the_search_does_not_clamp(world: World, repo: Repo, issues: list[int]) -> None:
    got = world.reader.get(f"/repos/issues/search?owner={world.org}&limit=1000")
    numbers = {row["number"] for row in got.json if row["repository"]["name"] == repo.name}
    assert numbers == set(issues)


def test_refs_come_in_one_answer(world: World, own: Repo) -> None:
    clone = own.clone()
    sha = clone.sha("refs/remotes/origin/main")
    names = [f"refs/fleet/many/{n:02}" for n in range(35)]
    assert clone.push(*(f"{sha}:{name}" for name in names)).ok
    rows = world.reader.must("GET", f"{own.api}/git/refs?limit=5")
    assert {row["ref"] for row in rows} == {*names, "refs/heads/main"}
    rows = world.reader.must("GET", f"{own.api}/git/refs/fleet/many")
    assert [row["ref"] for row in rows] == names
    assert {row["object"]["sha"] for row in rows} == {sha}
    assert world.reader.get(f"{own.api}/git/refs/heads/nosuch").status == 404
