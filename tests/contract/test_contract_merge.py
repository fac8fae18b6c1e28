# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging: every style, the order in which a merge is refused, and what a refusal leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from forge_world import until

if TYPE_CHECKING:
    from forge_git import Clone
    from forge_world import Repo, World

MAIN = "refs/remotes/origin/main"
ZEROS = "0" * 40


@dataclass(frozen=True)
class Open:
    """A pull that waits to be merged: its repository, a clone, its number and head."""

    repo: Repo
    clone: Clone
    number: int
    sha: str

    @property
    def api(self) -> str:
        """Return the pull's path."""
        return f"{self.repo.api}/pulls/{self.number}"

    def read(self) -> Any:
        """Return the pull as it is now."""
        return self.repo.world.writer.must("GET", self.api)

    def main(self) -> str:
        """Return the commit of main as it is now."""
        return self.clone.fetch().sha(MAIN)

    def move_main(self, files: dict[str, str | None]) -> str:
        """Push a commit to main past the forge's pulls and return it."""
        sha = self.clone.fetch().commit(files)
        pushed = self.clone.push(f"{sha}:refs/heads/main")
        assert pushed.ok, pushed.output
        return sha


@pytest.fixture
def pull(own: Repo) -> Open:
    """Return a pull with one commit that the forge has found mergeable."""
    clone = own.clone()
    sha = own.branches(clone, {"f": {"f.txt": "by the pull\n"}})["f"]
    number = own.pull("f", "the title")
    own.checked(number)
    return Open(own, clone, number, sha)


STYLES = [("merge", 2, False), ("rebase", 1, True), ("rebase-merge", 2, False), ("squash", 1, False)]


@pytest.mark.parametrize(("style", "parents", "same_commit"), [*STYLES, ("fast-forward-only", 1, True)])
def test_each_style_on_a_base_that_stood_still(
    pull: Open, style: str, parents: int, same_commit: bool
) -> None:
    got = pull.repo.merge_when_checked(pull.number, style, head_commit_id=pull.sha)
    assert (got.status, got.raw) == (200, b"")
    tip, read = pull.main(), pull.read()
    assert len(pull.clone.parents(tip)) == parents
    assert (tip == pull.sha) is same_commit
    assert pull.clone.files(tip)["f.txt"] == "by the pull\n"
    assert (read["merged"], read["state"], read["merge_commit_sha"]) == (True, "closed", tip)
    assert read["merged_by"]["login"] == pull.repo.world.writer.login
    assert pull.repo.world.writer.get(f"{pull.api}/merge").status == 204
    assert "refs/heads/f" in pull.clone.remote(), "the branch stays unless one asks"


@pytest.mark.parametrize(("style", "parents"), [("merge", 2), ("rebase", 1), ("squash", 1)])
def test_a_head_behind_its_base_is_merged_all_the_same(pull: Open, style: str, parents: int) -> None:
    pull.move_main({"base.txt": "moved\n"})
    assert pull.repo.merge_when_checked(pull.number, style, head_commit_id=pull.sha).status == 200
    tip = pull.main()
    assert len(pull.clone.parents(tip)) == parents
    assert {"f.txt", "base.txt"} <= set(pull.clone.files(tip))


def test_fast_forward_only_behind_its_base_is_an_opaque_500_that_merges_nothing(pull: Open) -> None:
    moved = pull.move_main({"base.txt": "moved\n"})
    got = pull.repo.merge_when_checked(pull.number, "fast-forward-only", head_commit_id=pull.sha)
    assert (got.status, got.message) == (500, "")
    assert pull.main() == moved
    assert pull.read()["merged"] is False
    as_admin = pull.repo.merge_when_checked(pull.number, "fast-forward-only", pull.repo.world.admin)
    assert (as_admin.status, bool(as_admin.message)) == (500, True)


def test_landing_by_rebase_and_fast_forward_keeps_main_linear(pull: Open) -> None:
    moved = pull.move_main({"base.txt": "moved\n"})
    assert pull.repo.world.writer.post(f"{pull.api}/update?style=rebase").status == 200
    head = pull.repo.checked(pull.number)["head"]["sha"]
    assert head != pull.sha
    got = pull.repo.merge_when_checked(pull.number, "fast-forward-only", head_commit_id=head)
    assert got.status == 200, got
    assert pull.main() == head
    assert pull.clone.parents(head) == [moved]


def test_title_and_message_of_a_squash(pull: Open) -> None:
    more = {"MergeTitleField": "T", "MergeMessageField": "B", "head_commit_id": pull.sha}
    assert pull.repo.merge_when_checked(pull.number, "squash", **more).status == 200
    text = pull.clone.git("log", "-1", "--format=%B", pull.main()).stdout.decode()
    assert text.startswith("T\n\nB\n")


@pytest.mark.parametrize("asked", [True, False])
def test_the_branch_goes_when_asked(pull: Open, asked: bool) -> None:
    assert pull.repo.merge_when_checked(pull.number, delete_branch_after_merge=asked).status == 200
    assert ("refs/heads/f" in pull.clone.remote()) is not asked


@pytest.mark.parametrize(
    "body",
    [{}, {"Do": ""}, {"Do": "octopus"}, {"merge_method": "merge"}, {"Do": "merge", "head_commit_id": 1}],
)
def test_a_request_without_a_known_style_is_422(pull: Open, body: dict[str, Any]) -> None:
    assert pull.repo.world.writer.post(f"{pull.api}/merge", body).status == 422
    assert pull.repo.world.writer.post(f"{pull.api}/merge").status == 422
    assert pull.read()["merged"] is False


def test_the_lower_case_key_is_taken(pull: Open) -> None:
    body = {"do": "merge", "head_commit_id": pull.sha}
    got = until(lambda: pull.repo.world.writer.post(f"{pull.api}/merge", body), lambda got: got.status != 405)
    assert got.status == 200


@pytest.mark.parametrize("part", ["reader", "outsider"])
def test_who_may_not_write_may_not_merge(pull: Open, part: str) -> None:
    got = pull.repo.merge(pull.number, actor=pull.repo.world.people[part])
    assert (got.status, got.message) == (405, "User not allowed to merge PR")
    assert pull.repo.merge(pull.number, actor=pull.repo.world.anonymous).status == 401
    assert pull.read()["merged"] is False


def head_ids(pull: Open) -> dict[str, str]:
    """Return what is not the full id of the head."""
    base = pull.clone.sha(MAIN)
    return {"zeros": ZEROS, "short": pull.sha[:10], "upper": pull.sha.upper(), "base": base}


@pytest.mark.parametrize("which", ["zeros", "short", "upper", "base"])
def test_another_head_id_is_409_and_merges_nothing(pull: Open, which: str) -> None:
    got = pull.repo.merge_when_checked(pull.number, head_commit_id=head_ids(pull)[which])
    assert (got.status, got.message) == (409, "head out of date")
    assert pull.read()["merged"] is False


def test_a_head_that_moved_is_refused_by_its_old_id_and_taken_by_its_new(pull: Open) -> None:
    new = pull.clone.commit({"more.txt": "more\n"}, parent=pull.sha)
    assert pull.clone.push(f"{new}:refs/heads/f").ok
    old = pull.repo.merge_when_checked(pull.number, head_commit_id=pull.sha)
    assert (old.status, old.message) == (409, "head out of date")
    assert pull.repo.merge_when_checked(pull.number, head_commit_id=new).status == 200
    assert "more.txt" in pull.clone.files(pull.main())


def test_a_failed_merge_sends_the_pull_back_to_checking(own: Repo) -> None:
    clone = own.clone()
    names = [f"f{n}" for n in range(8)]
    heads = own.branches(clone, {name: {f"{name}.txt": "text\n"} for name in names})
    seen: list[tuple[int, str]] = []
    for name in names:
        number = own.pull(name)
        own.checked(number)
        wrong = own.merge_when_checked(number, head_commit_id=ZEROS)
        assert wrong.status == 409
        at_once = own.merge(number, head_commit_id=heads[name])
        seen.append((at_once.status, at_once.message))
        if at_once.status != 200:
            assert own.merge_when_checked(number, head_commit_id=heads[name]).status == 200
        if (405, "Please try again later") in seen:
            return
    pytest.fail(f"the right merge after a failed one was never put off: {seen}")


def test_a_merged_pull_is_merged_once(pull: Open) -> None:
    assert pull.repo.world.writer.get(f"{pull.api}/merge").status == 404
    assert pull.repo.merge_when_checked(pull.number).status == 200
    tip = pull.main()
    for more in ({}, {"head_commit_id": ZEROS}, {"head_commit_id": pull.sha}):
        got = pull.repo.merge(pull.number, **more)
        assert (got.status, got.message) == (405, "The PR is already merged")
    for actor in (pull.repo.world.writer, pull.repo.world.admin):
        assert actor.patch(pull.api, {"state": "open"}).status == 412
    assert pull.main() == tip
    assert pull.repo.world.writer.patch(pull.api, {"title": "t"}).status == 201


def test_nothing_to_merge_reads_mergeable_and_is_refused(own: Repo) -> None:
    clone = own.clone()
    assert clone.push(f"{MAIN}:refs/heads/same").ok
    number = own.pull("same")
    assert own.checked(number)["mergeable"] is True
    assert own.merge(number).status == 405
    assert own.world.writer.must("GET", f"{own.api}/pulls/{number}")["merged"] is False


def test_a_conflict_is_put_off_for_ever(own: Repo, world: World) -> None:
    clone = own.clone()
    own.branches(clone, {"one": {"same.txt": "one\n"}, "two": {"same.txt": "two\n"}})
    first, second = own.pull("one"), own.pull("two")
    assert own.merge_when_checked(first).status == 200
    assert own.checked(second, mergeable=False)["mergeable"] is False
    tip = clone.fetch().sha(MAIN)
    asked: list[dict[str, Any]] = [
        {},
        {"do": "rebase"},
        {"do": "squash", "actor": world.admin, "force_merge": True},
    ]
    for more in asked:
        got = own.merge(second, **more)
        assert (got.status, got.message) == (405, "Please try again later"), more
    assert clone.fetch().sha(MAIN) == tip
    fixed = clone.commit({"same.txt": "both\n"}, parent=MAIN)
    assert clone.push(f"+{fixed}:refs/heads/two").ok
    assert own.merge_when_checked(second, head_commit_id=fixed).status == 200


def test_a_style_that_the_repository_forbids_is_405(pull: Open) -> None:
    pull.repo.world.admin.must("PATCH", pull.repo.api, {"allow_squash_merge": False})
    got = pull.repo.merge_when_checked(pull.number, "squash")
    assert (got.status, "squash" in got.message) == (405, True)
    assert pull.repo.merge_when_checked(pull.number, "merge").status == 200


def test_a_merge_closes_the_issue_that_its_title_names(own: Repo, world: World) -> None:
    issue = own.issue()
    own.branches(own.clone(), {"f": {"f.txt": "f\n"}})
    number = own.pull("f", f"Fixes #{issue}")
    assert own.merge_when_checked(number).status == 200
    read = until(
        lambda: world.writer.must("GET", f"{own.api}/issues/{issue}"),
        lambda issue: issue["state"] == "closed",
        10,
    )
    assert read["state"] == "closed"


def test_a_missing_pull_is_404(own: Repo) -> None:
    assert own.merge(9999).status == 404


def test_a_merged_head_may_be_proposed_again(pull: Open) -> None:
    assert pull.repo.merge_when_checked(pull.number).status == 200
    again = pull.repo.pull("f", "again")
    assert again > pull.number
    assert pull.repo.merge_when_checked(pull.number).status == 405
