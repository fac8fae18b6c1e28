# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pocket forge refuses while it receives a push, tried by real pushes."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest
from forge_box import Account, Box, Clone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITERS = 6


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Return a forge for all tests of this file."""
    made = Box(tmp_path_factory.mktemp("forge") / "state")
    made.create()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def writer(box: Box) -> Account:
    """Return somebody who may write."""
    return box.account("writer")


@pytest.fixture
def repo(box: Box, writer: Account, request: pytest.FixtureRequest) -> str:
    """Return a repository of the test's own."""
    return box.repo(re.sub(r"\W+", "-", request.node.name)[:70].strip("-"), (writer,))


@pytest.fixture
def clone(box: Box, repo: str, writer: Account, tmp_path: Path) -> Clone:
    """Return the writer's working copy."""
    return box.clone(repo, tmp_path / "clone", writer)


def protect(box: Box, repo: str, **rule: object) -> None:
    """Protect main."""
    box.must("POST", f"{repo}/branch_protections", {"rule_name": "main", **rule})


def tip(box: Box, repo: str, branch: str = "main") -> str:
    """Return the tip of a branch."""
    found: str = box.must("GET", f"{repo}/branches/{branch}")["commit"]["id"]
    return found


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({}, "Not allowed to push to protected branch main"),
        (
            {"enable_push": True, "enable_push_whitelist": True},
            "Not allowed to push to protected branch main",
        ),
        (
            {"enable_push": True, "protected_file_patterns": "locked/**"},
            "branch main is protected from changing file locked/a.txt",
        ),
    ],
)
def test_a_push_against_the_rule_moves_nothing(
    box: Box, repo: str, clone: Clone, rule: dict[str, object], reason: str
) -> None:
    protect(box, repo, **rule)
    before = tip(box, repo)
    clone.commit("locked/a.txt", "x")
    done = clone.git("push", "origin", "HEAD:main")
    assert done.returncode == 1
    assert f"remote: error: {reason}" in done.stderr
    assert "pre-receive hook declined" in done.stderr
    assert tip(box, repo) == before
    assert clone.git("push", "origin", "HEAD:other").returncode == 0, "the rule is only main's"


def test_a_protected_file_changed_and_changed_back_is_noticed(box: Box, repo: str, clone: Clone) -> None:
    clone.commit("locked/a.txt", "1")
    assert clone.git("push", "origin", "HEAD:main").returncode == 0
    protect(box, repo, enable_push=True, protected_file_patterns="locked/**")
    clone.commit("locked/a.txt", "2")
    clone.commit("locked/a.txt", "1")
    done = clone.git("push", "origin", "HEAD:main")
    assert "branch main is protected from changing file locked/a.txt" in done.stderr
    assert clone.git("push", "origin", "HEAD~2:main").returncode == 0


def test_who_is_on_the_push_list_may_push_and_not_rewrite(box: Box, repo: str, clone: Clone) -> None:
    protect(box, repo, enable_push=True, enable_push_whitelist=True, push_whitelist_usernames=["writer"])
    first = clone.commit("a.txt", "1")
    assert clone.git("push", "origin", "HEAD:main").returncode == 0
    assert tip(box, repo) == first
    assert clone.git("reset", "--quiet", "--hard", "HEAD~1").returncode == 0
    clone.commit("b.txt", "2")
    done = clone.git("push", "--force", "origin", "HEAD:main")
    assert "branch main is protected from force push" in done.stderr
    assert tip(box, repo) == first
    gone = clone.git("push", "origin", ":main")
    assert "branch main is the default branch and cannot be deleted" in gone.stderr


def test_a_reader_pushes_nowhere(box: Box, repo: str, tmp_path: Path) -> None:
    reader = box.account(f"reader-{abs(hash(repo)) % 10**6}")
    clone = box.clone(repo, tmp_path / "reader", reader)
    clone.commit("a.txt", "1")
    for ref in ("main", "refs/heads/other", "refs/fleet/claims/1"):
        done = clone.git("push", "origin", f"HEAD:{ref}")
        assert done.returncode == 1
        assert "User permission denied for writing." in done.stderr


def test_refs_of_the_fleet_are_free_and_those_of_pulls_are_not(box: Box, repo: str, clone: Clone) -> None:
    box.must("POST", f"{repo}/branch_protections", {"rule_name": "**"})
    clone.commit("a.txt", "1")
    assert clone.git("push", "origin", "HEAD:refs/fleet/claims/1").returncode == 0
    assert clone.git("push", "origin", ":refs/fleet/claims/1").returncode == 0
    done = clone.git("push", "origin", "HEAD:refs/pull/9/head")
    assert "(hook declined)" in done.stderr
    assert [row["ref"] for row in box.must("GET", f"{repo}/git/refs")] == ["refs/heads/main"]


def test_an_atomic_push_moves_all_or_nothing(box: Box, repo: str, clone: Clone) -> None:
    protect(box, repo)
    clone.commit("a.txt", "1")
    done = clone.git("push", "--atomic", "origin", "HEAD:refs/heads/free", "HEAD:main")
    assert done.returncode == 1
    assert box.ask("GET", f"{repo}/branches/free").status == 404
    assert (
        clone.git("push", "--atomic", "origin", "HEAD:refs/heads/free", "HEAD:refs/fleet/x").returncode == 0
    )
    stale = clone.git(
        "push",
        "--atomic",
        "--force-with-lease=refs/fleet/x:",
        "origin",
        "HEAD~1:refs/fleet/x",
        "HEAD:refs/heads/two",
    )
    assert stale.returncode == 1
    assert box.ask("GET", f"{repo}/branches/two").status == 404


def test_unique_commits_raced_to_one_ref_have_one_winner(
    box: Box, repo: str, writer: Account, tmp_path: Path
) -> None:
    clones = [box.clone(repo, tmp_path / f"racer-{number}", writer) for number in range(WRITERS)]
    for number in range(3):
        ref = f"refs/fleet/claims/{number}"
        shas = [clone.commit("claim.txt", f"{number}-{at}") for at, clone in enumerate(clones)]
        codes = [-1] * WRITERS
        gate = threading.Barrier(WRITERS)

        def push(at: int, ref: str, codes: list[int], gate: threading.Barrier) -> None:
            gate.wait()
            codes[at] = (
                clones[at].git("push", f"--force-with-lease={ref}:", "origin", f"HEAD:{ref}").returncode
            )

        threads = [threading.Thread(target=push, args=(at, ref, codes, gate)) for at in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [at for at, code in enumerate(codes) if code == 0]
        assert len(winners) == 1
        there = box.must("GET", f"{repo}/git/{ref}")[0]["object"]["sha"]
        assert there == shas[winners[0]]
