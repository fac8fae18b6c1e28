# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real git pushes: refs of our own beside branches, leases, all or nothing, and one winner of a race."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from forge_git import Clone, Push
    from forge_world import Repo, World

CLONES, ROUNDS = 6, 2


@pytest.fixture(scope="module")
def clone(repo: Repo) -> Clone:
    """Return the writer's clone of the module's repository."""
    return repo.clone()


@pytest.fixture
def ref(world: World) -> str:
    """Return a ref of our own that nobody has used."""
    return f"refs/fleet/claims/{world.unused('c')}"


def lease(ref: str, sha: str = "") -> tuple[str, ...]:
    """Return the option that lets a push through only while the ref stands at `sha`, or is absent."""
    return (f"--force-with-lease={ref}:{sha}",)


def test_a_free_ref_is_made_moved_and_removed_by_writers(
    world: World, repo: Repo, clone: Clone, ref: str
) -> None:
    first, second = clone.unique(), clone.unique()
    assert clone.push(f"{first}:{ref}").flags == {ref: "*"}
    assert clone.remote(ref) == {ref: first}
    row = world.reader.must("GET", f"{repo.api}/git/{ref}")[0]
    assert (row["ref"], row["object"]["sha"]) == (ref, first)
    assert not clone.push(f"{second}:{ref}").ok, "not a fast-forward"
    other = repo.clone(world.writer2)
    moved = other.push(f"{other.unique()}:{ref}", options=("--force",))
    assert moved.flags == {ref: "+"}
    assert other.push(f":{ref}").flags == {ref: "-"}
    assert clone.remote(ref) == {}
    branches = {row["name"] for row in world.reader.must("GET", f"{repo.api}/branches?limit=50")}
    assert not any("claims" in name for name in branches)


@pytest.mark.parametrize("part", ["reader", "outsider", "anonymous"])
def test_who_may_not_write_pushes_nothing(world: World, repo: Repo, ref: str, part: str) -> None:
    clone = repo.clone(getattr(world, part))
    for target in (ref, f"refs/heads/{world.unused('b')}"):
        assert not clone.push(f"{clone.unique()}:{target}").ok
        assert clone.remote(target) == {}


def test_a_private_repository_is_not_there_for_others(world: World) -> None:
    private = world.repo("hidden", private=True)
    assert "refs/heads/main" in private.clone(world.reader).remote()
    for actor in (world.outsider, world.anonymous):
        with pytest.raises(AssertionError, match="git fetch failed"):
            private.clone(actor)


def test_the_api_neither_makes_nor_removes_refs(world: World, repo: Repo, clone: Clone, ref: str) -> None:
    sha = clone.unique()
    assert clone.push(f"{sha}:{ref}").ok
    assert world.writer.delete(f"{repo.api}/git/{ref}").status == 405
    assert world.writer.post(f"{repo.api}/git/refs", {"ref": f"{ref}-2", "sha": sha}).status == 405
    assert clone.remote(f"{ref}*") == {ref: sha}


def test_removing_a_missing_ref_is_a_success(clone: Clone, ref: str) -> None:
    assert clone.push(f":{ref}").ok, "so a removal proves nothing"


@pytest.mark.parametrize("name", ["refs/pull/99/head", "refs/fleet"])
def test_some_names_are_refused(clone: Clone, ref: str, name: str) -> None:
    assert clone.push(f"{clone.unique()}:{ref}").ok
    assert not clone.push(f"{clone.unique()}:{name}").ok
    assert name not in clone.remote()


def test_a_lease_on_an_absent_ref(clone: Clone, ref: str) -> None:
    first = clone.unique()
    assert clone.push(f"{first}:{ref}", options=lease(ref)).flags == {ref: "*"}
    late = clone.push(f"{clone.unique()}:{ref}", options=lease(ref))
    assert (late.ok, late.flags, "stale info" in late.output) == (False, {ref: "!"}, True)
    assert clone.remote(ref) == {ref: first}


def test_the_very_commit_that_is_there_is_no_claim(clone: Clone, ref: str) -> None:
    sha = clone.unique()
    assert clone.push(f"{sha}:{ref}", options=lease(ref)).flags == {ref: "*"}
    again = clone.push(f"{sha}:{ref}", options=lease(ref))
    assert (again.ok, again.flags) == (True, {ref: "="}), (
        "the exit code says success, the flag says the truth"
    )


def test_a_plus_overrides_a_lease(repo: Repo, world: World, clone: Clone, ref: str) -> None:
    held = clone.unique()
    assert clone.push(f"{held}:{ref}").ok
    other = repo.clone(world.writer2)
    taken = other.unique()
    assert other.push(f"{taken}:{ref}", options=lease(ref, held)).ok
    stale = clone.unique()
    assert not clone.push(f"{stale}:{ref}", options=lease(ref, held)).ok
    assert clone.remote(ref) == {ref: taken}
    assert clone.push(f"+{stale}:{ref}", options=lease(ref, held)).ok
    assert clone.remote(ref) == {ref: stale}


def test_an_atomic_push_moves_all_or_nothing(repo: Repo, world: World, clone: Clone, ref: str) -> None:
    held, branch = clone.unique(), f"refs/heads/agent/{world.unused('b')}"
    assert clone.push(f"{held}:{ref}").ok
    work = clone.unique("work")

    def publish(by: Clone, expected: str) -> Push:
        following = by.unique("next claim")
        return by.push(f"{following}:{ref}", f"{work}:{branch}", options=("--atomic", *lease(ref, expected)))

    other = repo.clone(world.writer2)
    other.git("fetch", "--quiet", str(clone.path), f"{work}:refs/made/work")
    lost = publish(other, clone.unique())
    assert not lost.ok
    assert clone.remote(branch) == {}
    assert clone.remote(ref) == {ref: held}
    assert publish(clone, held).ok
    assert clone.remote(branch) == {branch: work}
    assert clone.remote(ref)[ref] != held


def test_an_atomic_push_fails_whole_when_the_forge_refuses_one_ref(own: Repo, ref: str) -> None:
    clone = own.clone()
    own.protect()
    refused = clone.push(
        f"{clone.commit({'a.txt': 'a'})}:refs/heads/main", f"{clone.unique()}:{ref}", options=("--atomic",)
    )
    assert not refused.ok
    assert clone.remote(ref) == {}


def test_protection_of_branches_does_not_hold_free_refs(world: World, own: Repo, ref: str) -> None:
    world.admin.must("POST", f"{own.api}/branch_protections", {"rule_name": "**"})
    clone = own.clone()
    assert not clone.push(f"{clone.unique()}:refs/heads/b").ok
    assert clone.push(f"{clone.unique()}:{ref}").ok
    assert clone.push(f"+{clone.unique()}:{ref}").ok
    assert clone.push(f":{ref}").ok


@pytest.mark.parametrize("space", ["refs/fleet/claims", "refs/heads"])
def test_one_of_many_wins_a_new_ref_with_commits_of_their_own(
    world: World, own: Repo, at_once: Any, space: str
) -> None:
    clones = [own.clone() for _turn in range(CLONES)]
    for turn in range(ROUNDS):
        ref = f"{space}/race-{turn}"
        commits = [clone.unique() for clone in clones]
        pushes = at_once(
            [
                lambda clone=clone, sha=sha, ref=ref: clone.push(f"{sha}:{ref}", options=lease(ref))
                for clone, sha in zip(clones, commits, strict=True)
            ]
        )
        won = [sha for sha, push in zip(commits, pushes, strict=True) if push.ok]
        assert len(won) == 1, [push.output for push in pushes]
        assert clones[0].remote(ref) == {ref: won[0]}
        assert Counter(push.flags.get(ref, "!") for push in pushes) == {"*": 1, "!": CLONES - 1}


def test_many_who_push_the_very_same_commit_cannot_tell_who_won(own: Repo, at_once: Any) -> None:
    """One makes the ref; "up to date" is a success as well, so that a claim needs a commit of its own."""
    clones = [own.clone() for _turn in range(CLONES)]
    sha = clones[0].sha("refs/remotes/origin/main")
    for turn in range(ROUNDS):
        ref = f"refs/fleet/claims/equal-{turn}"
        pushes = at_once(
            [lambda clone=clone, ref=ref: clone.push(f"{sha}:{ref}", options=lease(ref)) for clone in clones]
        )
        flags = Counter(push.flags.get(ref, "!") for push in pushes)
        assert flags["*"] == 1, [push.output for push in pushes]
        assert set(flags) <= {"*", "=", "!"}
        assert all(push.ok is (push.flags.get(ref, "!") != "!") for push in pushes)
        assert clones[0].remote(ref) == {ref: sha}


def test_a_publish_and_a_takeover_never_both_win(world: World, own: Repo, at_once: Any) -> None:
    holder, taker = own.clone(), own.clone(world.writer2)
    for turn in range(2 * ROUNDS):
        ref, branch = f"refs/fleet/claims/{turn}", f"refs/heads/agent/{turn}"
        held, work = holder.unique(), holder.unique("work")
        assert holder.push(f"{held}:{ref}").ok
        following, taken = holder.unique("next"), taker.unique("taken")
        published, took = at_once(
            [
                lambda ref=ref, branch=branch, held=held, work=work, following=following: holder.push(
                    f"{following}:{ref}", f"{work}:{branch}", options=("--atomic", *lease(ref, held))
                ),
                lambda ref=ref, held=held, taken=taken: taker.push(
                    f"{taken}:{ref}", options=lease(ref, held)
                ),
            ]
        )
        assert published.ok is not took.ok, (published.output, took.output)
        assert (branch in holder.remote(branch)) is published.ok
        assert holder.remote(ref)[ref] == (following if published.ok else taken)


def test_branches_of_one_name_are_made_once_at_the_same_time(world: World, own: Repo, at_once: Any) -> None:
    for turn in range(ROUNDS):
        body = {"new_branch_name": f"b{turn}", "old_branch_name": "main"}
        answers = at_once([lambda body=body: world.writer.post(f"{own.api}/branches", body)] * CLONES)
        statuses = Counter(answer.status for answer in answers)
        assert statuses[201] == 1
        assert set(statuses) <= {201, 409, 500}


def test_a_whole_repository_can_be_read_back(own: Repo, tmp_path: Path) -> None:
    clone = own.clone()
    sha = clone.commit({f"d/{n}.txt": f"{n}\n" * 50 for n in range(40)})
    assert clone.push(f"{sha}:refs/heads/main").ok
    again = own.clone()
    assert again.sha("refs/remotes/origin/main") == sha
    assert again.files(sha)["d/7.txt"] == "7\n" * 50
    assert again.git("fsck", "--strict", "--no-dangling").returncode == 0
