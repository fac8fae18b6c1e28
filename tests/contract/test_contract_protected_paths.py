# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule refuses at receive time and at merge time: pushes, people, paths, rewritten history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from forge_git import Clone
    from forge_world import Repo, World

PATTERNS = "locked/**;*.lock"
MAIN = "refs/heads/main"


@pytest.fixture(scope="module")
def open_push(world: World) -> Repo:
    """Return a repository whose main may be pushed to by all writers, but for the locked paths."""
    repo = world.repo("paths")
    repo.protect(protected_file_patterns=PATTERNS, unprotected_file_patterns="", enable_push=True)
    return repo


PATHS = [
    ("free/a.txt", True),
    ("locked/a.txt", False),
    ("LOCKED/a.txt", False),
    ("locked/deep/er/a.txt", False),
    ("top.lock", False),
    ("sub/below.lock", True),
    ("unlocked.txt", True),
]


@pytest.mark.parametrize(("path", "allowed"), PATHS)
def test_a_push_that_touches_a_locked_path_is_refused(open_push: Repo, path: str, allowed: bool) -> None:
    clone = open_push.clone()
    before = clone.remote(MAIN)
    sha = clone.commit({path: f"{clone.unique()}\n"})
    pushed = clone.push(f"{sha}:{MAIN}")
    assert pushed.ok is allowed, pushed.output
    assert clone.remote(MAIN) == ({MAIN: sha} if allowed else before)
    if not allowed:
        assert f"protected from changing file {path}".lower() in pushed.output.lower()


def test_admins_are_refused_as_well(open_push: Repo) -> None:
    clone = open_push.clone(open_push.world.admin)
    assert not clone.push(f"{clone.commit({'locked/admin.txt': 'x'})}:{MAIN}").ok
    assert clone.push(f"{clone.commit({'free/admin.txt': 'x'})}:{MAIN}").ok


def test_a_locked_path_hidden_between_others_is_found(open_push: Repo) -> None:
    clone = open_push.clone()
    touched = clone.commit({"locked/mid.txt": "x"})
    undone = clone.commit({"free/later.txt": "y"}, parent=touched)
    assert not clone.push(f"{undone}:{MAIN}").ok
    many = clone.commit({f"free/{n}.txt": "y" for n in range(20)} | {"locked/one.txt": "x"})
    assert not clone.push(f"{many}:{MAIN}").ok


def test_another_branch_takes_the_path_and_its_pull_is_refused(open_push: Repo, world: World) -> None:
    clone = open_push.clone()
    name = world.unused("f")
    open_push.branches(clone, {name: {"locked/by-pull.txt": "x\n"}})
    number = open_push.pull(name)
    assert open_push.checked(number)["mergeable"] is True, "mergeable does not say"
    for actor in (world.writer, world.admin):
        got = open_push.merge_when_checked(number, actor=actor)
        assert (got.status, "protected files" in got.message.lower()) == (405, True), got
    assert open_push.merge(number, force_merge=True).status == 405
    assert open_push.merge_when_checked(number, actor=world.admin, force_merge=True).status == 200


@pytest.mark.parametrize(("path", "status"), PATHS)
def test_a_pull_is_judged_by_the_same_patterns(open_push: Repo, path: str, status: bool) -> None:
    clone, name = open_push.clone(), open_push.world.unused("f")
    open_push.branches(clone, {name: {path: f"{clone.unique()}\n"}})
    got = open_push.merge_when_checked(open_push.pull(name))
    assert got.status == (200 if status else 405), got


class TestPush:
    """Who may push to a protected branch."""

    @pytest.fixture
    def closed(self, own: Repo) -> tuple[Repo, Clone]:
        """Return a repository whose main takes no push, and a writer's clone."""
        own.protect()
        return own, own.clone()

    def test_nobody_by_default(self, closed: tuple[Repo, Clone]) -> None:
        repo, clone = closed
        for each in (clone, repo.clone(repo.world.admin)):
            pushed = each.push(f"{each.commit({'a.txt': 'a'})}:{MAIN}")
            assert not pushed.ok
            assert "Not allowed to push to protected branch main" in pushed.output
        assert clone.push(f"{clone.commit({'a.txt': 'a'})}:refs/heads/other").ok

    def test_those_on_the_list(self, closed: tuple[Repo, Clone]) -> None:
        repo, clone = closed
        world = repo.world
        listed = {
            "enable_push": True,
            "enable_push_whitelist": True,
            "push_whitelist_usernames": [world.writer2.login],
        }
        world.admin.must("PATCH", f"{repo.api}/branch_protections/main", listed)
        assert not clone.push(f"{clone.commit({'a.txt': 'a'})}:{MAIN}").ok
        other = repo.clone(world.writer2)
        assert other.push(f"{other.commit({'a.txt': 'a'})}:{MAIN}").ok

    def test_nobody_rewrites_or_removes(self, closed: tuple[Repo, Clone]) -> None:
        repo, clone = closed
        repo.world.admin.must("PATCH", f"{repo.api}/branch_protections/main", {"enable_push": True})
        for each in (clone, repo.clone(repo.world.admin)):
            rewritten = each.push(f"+{each.unique()}:{MAIN}")
            assert not rewritten.ok
            assert "protected from force push" in rewritten.output
            assert not each.push(f":{MAIN}").ok
        assert clone.push(f"+{clone.commit({'a.txt': 'a'})}:{MAIN}").ok, (
            "a forced fast-forward rewrites nothing"
        )

    def test_a_rule_by_pattern_holds_branches_that_do_not_exist_yet(self, closed: tuple[Repo, Clone]) -> None:
        repo, clone = closed
        repo.world.admin.must("POST", f"{repo.api}/branch_protections", {"rule_name": "release/*"})
        assert not clone.push(f"{clone.unique()}:refs/heads/release/1").ok
        assert clone.push(f"{clone.unique()}:refs/heads/releases").ok


def test_the_default_branch_is_not_removed_even_without_a_rule(own: Repo) -> None:
    clone = own.clone(own.world.admin)
    assert not clone.push(f":{MAIN}").ok
    assert MAIN in clone.remote()
