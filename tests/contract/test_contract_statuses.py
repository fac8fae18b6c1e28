# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statuses of a commit: any word is taken, the newest of a context counts, the sum is made page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forge_git import Clone
    from forge_world import Repo, World

CONTEXTS = 55


@pytest.fixture(scope="module")
def clone(repo: Repo) -> Clone:
    """Return a clone of the module's repository."""
    return repo.clone()


@pytest.fixture
def sha(repo: Repo, clone: Clone) -> str:
    """Return a commit that the forge has and that has no status."""
    made = clone.unique("work")
    assert clone.push(f"{made}:refs/heads/{repo.world.unused('b')}").ok
    return made


def combined(world: World, repo: Repo, sha: str, query: str = "") -> Any:
    """Return the combined status."""
    return world.reader.must("GET", f"{repo.api}/commits/{sha}/status{query}")


def newest_first(rows: list[Any]) -> list[Any]:
    """Return rows by their id, the newest first."""
    return sorted(rows, key=lambda row: int(row["id"]), reverse=True)


def test_a_status_names_its_creator(world: World, repo: Repo, sha: str) -> None:
    body = {"state": "success", "context": "ci/a", "target_url": "http://forge.test/x", "description": "d"}
    made = world.writer.must("POST", f"{repo.api}/statuses/{sha}", body)
    assert (made["status"], made["context"], made["description"]) == ("success", "ci/a", "d")
    assert made["target_url"] == "http://forge.test/x"
    repo.status(sha, "ci/a", "failure", world.writer2)
    rows = world.reader.must("GET", f"{repo.api}/statuses/{sha}")
    by = [(row["status"], row["creator"]["login"]) for row in newest_first(rows)]
    assert by == [("failure", world.writer2.login), ("success", world.writer.login)]
    assert combined(world, repo, sha)["statuses"][0]["creator"]["login"] == world.writer2.login


def test_who_may_not_write_posts_none(world: World, repo: Repo, sha: str) -> None:
    body = {"state": "success", "context": "ci/a"}
    for actor, status in ((world.reader, 403), (world.outsider, 403), (world.anonymous, 401)):
        assert actor.post(f"{repo.api}/statuses/{sha}", body).status == status
    assert combined(world, repo, sha)["total_count"] == 0


def test_without_any_the_sum_is_pending_and_null(world: World, repo: Repo, sha: str) -> None:
    got = combined(world, repo, sha)
    assert (got["state"], got["total_count"], got["statuses"], got["sha"]) == ("pending", 0, None, sha)


SUMS = [
    (["pending"], "pending"),
    (["success"], "success"),
    (["failure"], "failure"),
    (["error"], "failure"),
    (["warning"], "failure"),
    (["skipped"], "success"),
    (["success", "success"], "success"),
    (["success", "pending"], "pending"),
    (["success", "skipped"], "success"),
    (["success", "warning"], "failure"),
    (["success", "failure"], "failure"),
    (["success", "error"], "failure"),
    (["pending", "failure"], "failure"),
    (["pending", "warning"], "failure"),
    (["pending", "skipped"], "pending"),
    (["skipped", "skipped"], "success"),
    (["skipped", "failure"], "failure"),
]


@pytest.mark.parametrize(
    ("states", "total"), SUMS, ids=lambda value: "+".join(value) if isinstance(value, list) else ""
)
def test_the_sum_of_states(world: World, repo: Repo, sha: str, states: list[str], total: str) -> None:
    for at, state in enumerate(states):
        repo.status(sha, f"c{at}", state)
    got = combined(world, repo, sha)
    assert (got["state"], got["total_count"]) == (total, len(states))


def test_the_newest_of_a_context_counts(world: World, repo: Repo, sha: str) -> None:
    for state in ("pending", "failure", "success"):
        repo.status(sha, "one", state)
    got = combined(world, repo, sha)
    assert (got["state"], got["total_count"]) == ("success", 1)
    # The list is ordered by whole seconds: only the ids tell which of one second is the newest.
    for path in (f"commits/{sha}/statuses", f"statuses/{sha}"):
        rows = newest_first(world.reader.must("GET", f"{repo.api}/{path}"))
        assert [row["status"] for row in rows] == ["success", "failure", "pending"]
    failed = world.reader.must("GET", f"{repo.api}/statuses/{sha}?state=failure")
    assert [row["status"] for row in failed] == ["failure"]


@pytest.mark.parametrize("body", [{"state": "bogus"}, {}, {"status": "success"}, {"state": "SUCCESS"}])
def test_any_word_is_taken_and_only_known_ones_are_good(
    world: World, repo: Repo, sha: str, body: dict[str, str]
) -> None:
    assert world.writer.post(f"{repo.api}/statuses/{sha}", {"context": "c", **body}).status == 201
    assert combined(world, repo, sha)["state"] != "success"


def test_a_commit_is_named_in_several_ways(world: World, repo: Repo, clone: Clone) -> None:
    name = world.unused("b")
    full = clone.unique()
    assert clone.push(f"{full}:refs/heads/{name}").ok
    for word in (full, full[:10], name):
        assert (
            world.writer.post(f"{repo.api}/statuses/{word}", {"state": "success", "context": word}).status
            == 201
        )
        assert combined(world, repo, word)["sha"] == full
    assert {row["context"] for row in combined(world, repo, full)["statuses"]} == {full, full[:10], name}


def test_an_unknown_commit_is_an_opaque_500_and_an_unknown_name_404(world: World, repo: Repo) -> None:
    unknown = f"{repo.api}/statuses/{'0' * 39}1"
    got = world.writer.post(unknown, {"state": "success", "context": "c"})
    assert (got.status, got.message) == (500, "")
    assert world.admin.post(unknown, {"state": "success", "context": "c"}).message
    assert world.reader.get(f"{repo.api}/commits/no-such/status").status == 404


def test_a_commit_that_only_a_free_ref_holds_can_have_one(world: World, repo: Repo, clone: Clone) -> None:
    made = clone.unique()
    assert clone.push(f"{made}:refs/fleet/{world.unused('held')}").ok
    repo.status(made, "c")
    assert combined(world, repo, made)["state"] == "success"


def test_the_sum_is_made_of_the_page_alone(world: World, repo: Repo, sha: str) -> None:
    for at in range(CONTEXTS):
        repo.status(sha, f"k{at:02}", "failure" if at == 0 else "success")
    wanted = {
        "": (30, "success"),
        "?limit=50": (50, "success"),
        "?limit=1000": (50, "success"),
        "?limit=50&page=2": (5, "failure"),
        "?limit=5&page=11": (5, "failure"),
    }
    got = {query: combined(world, repo, sha, query) for query in wanted}
    assert {query: (one["total_count"], one["state"]) for query, one in got.items()} == wanted
    rows = [row["context"] for query in ("?limit=50", "?limit=50&page=2") for row in got[query]["statuses"]]
    assert sorted(rows) == [f"k{at:02}" for at in range(CONTEXTS)]
    answer = world.reader.get(f"{repo.api}/commits/{sha}/status")
    assert answer.headers["x-total-count"] == str(CONTEXTS)
    assert 'rel="last"' in answer.headers["link"]
    assert combined(world, repo, sha, "?page=9")["statuses"] is None
