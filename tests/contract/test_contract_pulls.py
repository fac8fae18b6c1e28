# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls: what makes one, how many there may be for a pair, what closing and updating does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forge_git import Clone
    from forge_world import Repo, World

MAIN = "refs/remotes/origin/main"


@pytest.fixture(scope="module")
def clone(repo: Repo) -> Clone:
    """Return a clone of the module's repository."""
    return repo.clone()


def branch(repo: Repo, clone: Clone) -> tuple[str, str]:
    """Push a new branch with one commit and return its name and that commit."""
    name = repo.world.unused("f")
    return name, repo.branches(clone, {name: {f"{name}.txt": "text\n"}})[name]


def test_a_pull_says_what_it_is(world: World, repo: Repo, clone: Clone) -> None:
    name, sha = branch(repo, clone)
    made = world.writer.must(
        "POST", f"{repo.api}/pulls", {"head": name, "base": "main", "title": "t", "body": "b"}
    )
    read = repo.checked(made["number"])
    assert (read["title"], read["body"], read["state"], read["user"]["login"]) == (
        "t",
        "b",
        "open",
        world.writer.login,
    )
    assert (read["head"]["ref"], read["head"]["sha"], read["base"]["ref"]) == (name, sha, "main")
    assert read["base"]["sha"] == read["merge_base"] == clone.sha(MAIN)
    assert (read["mergeable"], read["merged"], read["draft"], read["merge_commit_sha"]) == (
        True,
        False,
        False,
        None,
    )
    assert clone.remote(f"refs/pull/{made['number']}/head") == {f"refs/pull/{made['number']}/head": sha}


def test_one_open_pull_for_a_pair(world: World, repo: Repo, clone: Clone) -> None:
    name, _sha = branch(repo, clone)
    number = repo.pull(name)
    for head in (name, f"{world.org}:{name}", f"refs/heads/{name}"):
        got = world.writer.post(f"{repo.api}/pulls", {"head": head, "base": "main", "title": "again"})
        assert got.status == 409, head
        assert f"issue_id: {number}" in got.message or name in got.message
    for head in (name, f"{world.org}:{name}"):
        assert world.writer.get(f"{repo.api}/pulls/main/{head}").json["number"] == number


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"head": "no-such", "base": "main", "title": "t"}, 404),
    ({"head": "{name}", "base": "no-such", "title": "t"}, 404),
    ({"head": "main", "base": "main", "title": "t"}, 422),
    ({"head": "{name}", "base": "main"}, 422),
    ({"head": "{name}", "base": "main", "title": ""}, 422),
    ({"base": "main", "title": "t"}, 422),
    ({"head": "{sha}", "base": "main", "title": "t"}, 422),
    ({"head": "{name}", "base": "main", "title": "t", "assignees": ["nobody-has-this"]}, 422),
]


@pytest.mark.parametrize(("body", "status"), REFUSED)
def test_a_pull_is_refused_and_none_is_made(
    repo: Repo, clone: Clone, body: dict[str, Any], status: int
) -> None:
    name, sha = branch(repo, clone)
    filled = {
        key: value.format(name=name, sha=sha) if isinstance(value, str) else value
        for key, value in body.items()
    }
    assert repo.world.writer.post(f"{repo.api}/pulls", filled).status == status
    assert repo.world.writer.get(f"{repo.api}/pulls/main/{name}").status == 404


def test_a_reader_with_a_role_opens_a_pull_between_branches_and_others_do_not(
    world: World, repo: Repo, clone: Clone
) -> None:
    name, _sha = branch(repo, clone)
    body = {"head": name, "base": "main", "title": "t"}
    got = world.outsider.post(f"{repo.api}/pulls", body)
    assert (got.status, got.message) == (403, "user must be a collaborator")
    assert world.anonymous.post(f"{repo.api}/pulls", body).status == 401
    assert world.writer.get(f"{repo.api}/pulls/main/{name}").status == 404
    assert repo.pull(name, actor=world.reader) > 0
    assert world.outsider.post(f"{repo.api}/pulls", body).status == 409, (
        "the pair is looked at before the role"
    )


def test_a_pull_takes_labels_and_assignees(world: World, repo: Repo, clone: Clone) -> None:
    name, _sha = branch(repo, clone)
    label = repo.label(world.unused("l"))
    number = repo.pull(name, labels=[label], assignees=[world.writer2.login])
    read = world.reader.must("GET", f"{repo.api}/pulls/{number}")
    assert [row["id"] for row in read["labels"]] == [label]
    assert [row["login"] for row in read["assignees"]] == [world.writer2.login]
    assert world.writer.patch(f"{repo.api}/pulls/{number}", {"labels": []}).json["labels"] == []


def test_an_unknown_assignee_of_a_pull_is_422(world: World, repo: Repo, clone: Clone) -> None:
    number = repo.pull(branch(repo, clone)[0])
    assert world.writer.patch(f"{repo.api}/pulls/{number}", {"assignees": ["nobody-has-this"]}).status == 422


def test_a_closed_pull_can_be_followed_by_another_and_reopened(
    world: World, repo: Repo, clone: Clone
) -> None:
    name, _sha = branch(repo, clone)
    first = repo.pull(name)
    path = f"{repo.api}/pulls/{first}"
    assert world.writer.patch(path, {"state": "bogus"}).status == 412
    assert world.writer.patch(path, {"state": "closed"}).json["state"] == "closed"
    assert repo.merge(first).status == 404, "a closed pull is not there for a merge"
    assert world.writer.get(f"{repo.api}/pulls/main/{name}").json["number"] == first, (
        "closed ones are found as well"
    )
    second = repo.pull(name)
    assert world.writer.get(f"{repo.api}/pulls/main/{name}").json["number"] in {first, second}
    assert world.writer.patch(path, {"state": "open"}).status == 201
    rows = world.reader.must("GET", f"{repo.api}/pulls?state=open&limit=50")
    assert [row["number"] for row in rows if row["head"]["ref"] == name] == [second, first], (
        "two for one pair"
    )


def test_a_pull_closes_through_the_issue_as_well(world: World, repo: Repo, clone: Clone) -> None:
    number = repo.pull(branch(repo, clone)[0])
    world.writer.must("PATCH", f"{repo.api}/issues/{number}", {"state": "closed"})
    assert world.reader.must("GET", f"{repo.api}/pulls/{number}")["state"] == "closed"


def test_a_title_makes_a_draft(world: World, repo: Repo, clone: Clone) -> None:
    for title in ("WIP: not yet", "[wip] not yet"):
        number = repo.pull(branch(repo, clone)[0], title)
        read = world.reader.must("GET", f"{repo.api}/pulls/{number}")
        assert (read["draft"], read["mergeable"]) == (True, False)
        got = repo.merge(number)
        assert (got.status, "Work in progress" in got.message) == (405, True)
        assert repo.merge(number, actor=world.admin, force_merge=True).status == 405
        world.writer.must("PATCH", f"{repo.api}/pulls/{number}", {"title": "ready"})
        assert repo.checked(number)["draft"] is False


def test_the_list_filters_by_base_and_poster(world: World, own: Repo) -> None:
    clone = own.clone()
    own.branches(clone, {"one": {"1.txt": "1\n"}, "two": {"2.txt": "2\n"}})
    one, two = own.pull("one"), own.pull("two", actor=world.reader)
    read = world.reader.must
    assert [row["number"] for row in read("GET", f"{own.api}/pulls")] == [two, one]
    assert [row["number"] for row in read("GET", f"{own.api}/pulls?poster={world.reader.login}")] == [two]
    assert read("GET", f"{own.api}/pulls?base_branch=no-such") == []
    assert [row["number"] for row in read("GET", f"{own.api}/pulls?sort=oldest")] == [one, two]
    assert world.reader.get(f"{own.api}/pulls?poster=nobody-has-this").status == 400
    assert world.reader.get(f"{own.api}/pulls/9999").status == 404


def test_a_pull_lists_its_files_and_commits(world: World, repo: Repo, clone: Clone) -> None:
    name, sha = branch(repo, clone)
    number = repo.pull(name)
    files = world.reader.must("GET", f"{repo.api}/pulls/{number}/files")
    assert [(row["filename"], row["status"], row["additions"]) for row in files] == [
        (f"{name}.txt", "added", 1)
    ]
    commits = world.reader.must("GET", f"{repo.api}/pulls/{number}/commits")
    assert [row["sha"] for row in commits] == [sha]


def test_a_push_moves_the_head(world: World, repo: Repo, clone: Clone) -> None:
    name, sha = branch(repo, clone)
    number = repo.pull(name)
    more = clone.commit({"more.txt": "more\n"}, parent=sha)
    assert clone.push(f"{more}:refs/heads/{name}").ok
    from_forge = repo.checked(number)
    assert from_forge["head"]["sha"] == more


def test_a_pull_outlives_its_branch(world: World, repo: Repo, clone: Clone) -> None:
    name, sha = branch(repo, clone)
    number = repo.pull(name)
    assert world.writer.delete(f"{repo.api}/branches/{name}").status == 204
    read = world.reader.must("GET", f"{repo.api}/pulls/{number}")
    assert (read["head"]["ref"], read["head"]["sha"]) == (f"refs/pull/{number}/head", sha)


class TestUpdate:
    """Bringing a pull's branch up to date with its base."""

    @pytest.fixture
    def behind(self, own: Repo) -> tuple[Clone, int, str]:
        """Return a clone, a pull whose base has moved on, and the pull's first head."""
        clone = own.clone()
        sha = own.branches(clone, {"f": {"f.txt": "f\n"}})["f"]
        number = own.pull("f")
        assert clone.push(f"{clone.commit({'base.txt': 'moved'})}:refs/heads/main").ok
        clone.fetch()
        return clone, number, sha

    def test_by_rebase_the_head_stands_on_the_base(self, own: Repo, behind: tuple[Clone, int, str]) -> None:
        clone, number, sha = behind
        assert own.world.writer.post(f"{own.api}/pulls/{number}/update?style=rebase").status == 200
        head = clone.fetch().sha("refs/remotes/origin/f")
        assert head != sha
        assert clone.parents(head) == [clone.sha(MAIN)]
        read = own.checked(number)
        assert (read["head"]["sha"], read["merge_base"]) == (head, clone.sha(MAIN))

    def test_by_merge_the_head_has_two_parents(self, own: Repo, behind: tuple[Clone, int, str]) -> None:
        clone, number, sha = behind
        for style in ("bogus", "merge"):
            got = own.world.writer.post(f"{own.api}/pulls/{number}/update?style={style}")
            assert got.status == (200 if style == "bogus" else 500), "an unknown style is taken as merge"
        head = clone.fetch().sha("refs/remotes/origin/f")
        assert clone.parents(head) == [sha, clone.sha(MAIN)]

    def test_up_to_date_is_a_500(self, own: Repo, behind: tuple[Clone, int, str]) -> None:
        _clone, number, _sha = behind
        update = f"{own.api}/pulls/{number}/update?style=rebase"
        assert own.world.writer.post(update).status == 200
        again = own.world.writer.post(update)
        assert (again.status, again.message) == (500, "")
        assert "up to date" in own.world.admin.post(update).message

    def test_who_may_not_push_may_not_update(self, own: Repo, behind: tuple[Clone, int, str]) -> None:
        clone, number, sha = behind
        assert own.world.reader.post(f"{own.api}/pulls/{number}/update?style=rebase").status == 403
        assert clone.fetch().sha("refs/remotes/origin/f") == sha

    def test_a_conflict_is_409_and_moves_nothing(self, own: Repo) -> None:
        clone = own.clone()
        sha = own.branches(clone, {"f": {"same.txt": "by the pull\n"}})["f"]
        number = own.pull("f")
        assert clone.push(f"{clone.commit({'same.txt': 'by the base'})}:refs/heads/main").ok
        for style in ("rebase", "merge"):
            assert own.world.writer.post(f"{own.api}/pulls/{number}/update?style={style}").status == 409
        assert clone.fetch().sha("refs/remotes/origin/f") == sha

    def test_a_merged_or_missing_pull_is_not_updated(self, own: Repo) -> None:
        own.branches(own.clone(), {"f": {"f.txt": "f\n"}})
        number = own.pull("f")
        assert own.merge_when_checked(number).status == 200
        assert own.world.writer.post(f"{own.api}/pulls/{number}/update").status == 422
        assert own.world.writer.post(f"{own.api}/pulls/9999/update").status == 404
