# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories: made once, found by any case, moved with a redirect for every method, archived, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_world import Repo, World


@pytest.mark.parametrize(
    ("body", "status"), [({"name": "a b"}, 422), ({}, 422), ({"name": ""}, 422), ({"name": "a/b"}, 422)]
)
def test_a_repository_needs_a_plain_name(world: World, body: dict[str, Any], status: int) -> None:
    assert world.admin.post(f"/orgs/{world.org}/repos", body).status == status


def test_a_name_is_used_once_in_any_case(world: World, repo: Repo) -> None:
    for name in (repo.name, repo.name.upper()):
        assert world.admin.post(f"/orgs/{world.org}/repos", {"name": name}).status == 409


def test_names_are_found_in_any_case(world: World, repo: Repo) -> None:
    got = world.writer.get(f"/repos/{world.org.upper()}/{repo.name.upper()}")
    assert (got.status, got.json["full_name"]) == (200, f"{world.org}/{repo.name}")


def test_only_owners_make_repositories_in_an_organisation(world: World) -> None:
    assert world.writer.post(f"/orgs/{world.org}/repos", {"name": "by-writer"}).status == 403


def test_a_repository_says_what_the_asker_may_do(world: World, repo: Repo) -> None:
    rights = {
        part: world.people[part].get(repo.api).json["permissions"]
        for part in ("writer", "reader", "outsider")
    }
    reads = {"admin": False, "push": False, "pull": True}
    assert rights == {"writer": {**reads, "push": True}, "reader": reads, "outsider": reads}
    assert world.admin.get(repo.api).json["permissions"] == {"admin": True, "push": True, "pull": True}


def test_a_change_of_settings_leaves_the_others(world: World, own: Repo) -> None:
    before = world.admin.get(own.api).json
    after = world.admin.must("PATCH", own.api, {"description": "new", "allow_squash_merge": False})
    changed = {key for key in before if before[key] != after[key]}
    assert (
        {"description", "allow_squash_merge"}
        <= changed
        <= {"description", "allow_squash_merge", "updated_at"}
    )


def test_a_default_branch_that_is_not_there_is_left_out(world: World, own: Repo) -> None:
    got = world.admin.patch(own.api, {"default_branch": "no-such", "description": "new"})
    assert (got.status, got.json["default_branch"], got.json["description"]) == (200, "main", "new")
    empty = world.admin.must("POST", f"/orgs/{world.org}/repos", {"name": world.unused("empty")})
    path = f"/repos/{empty['full_name']}"
    assert world.admin.patch(path, {"default_branch": "trunk"}).json["default_branch"] == "trunk"
    world.admin.must("DELETE", path)


def test_how_pulls_merge_goes_with_them_and_brings_them_back(world: World, own: Repo) -> None:
    world.admin.must("PATCH", own.api, {"allow_rebase": False})
    off = world.admin.must("PATCH", own.api, {"has_pull_requests": False})
    assert [off[key] for key in ("has_pull_requests", "allow_squash_merge", "allow_merge_commits")] == [
        False
    ] * 3
    on = world.admin.must("PATCH", own.api, {"allow_squash_merge": False})
    keys = ("has_pull_requests", "allow_squash_merge", "allow_rebase", "allow_merge_commits")
    assert [on[key] for key in keys] == [True, False, True, True]


class TestTransfer:
    """A repository changes hands at once where the doer may make one there; else it is offered."""

    @pytest.fixture
    def other(self, world: World) -> Iterator[str]:
        """Return another organisation."""
        name = world.unused("other")
        world.admin.must("POST", "/orgs", {"username": name})
        yield name
        for row in world.admin.must("GET", f"/orgs/{name}/repos"):
            world.admin.must("DELETE", f"/repos/{row['full_name']}")
        world.admin.must("DELETE", f"/orgs/{name}")

    def test_a_site_admin_moves_it_and_the_old_name_points_there(
        self, world: World, own: Repo, other: str
    ) -> None:
        got = world.admin.post(f"{own.api}/transfer", {"new_owner": other})
        assert (got.status, got.json["full_name"]) == (202, f"{other}/{own.name}")
        old = world.writer.get(own.api)
        assert (old.status, old.headers["location"]) == (301, f"/api/v1/repos/{other}/{own.name}")
        assert world.admin.get(f"/repos/{other}/{own.name}").json["empty"] is False

    def test_it_is_refused_where_it_cannot_be(self, world: World, own: Repo, other: str) -> None:
        path = f"{own.api}/transfer"
        assert world.admin.post(path, {"new_owner": "nobody-has-this"}).status == 404
        assert world.writer.post(path, {"new_owner": world.writer.login}).status == 403
        assert world.admin.post(path, {"new_owner": world.org}).status == 422
        world.admin.must("POST", f"/orgs/{other}/repos", {"name": own.name})
        assert world.admin.post(path, {"new_owner": other}).status == 422

    def test_it_is_offered_to_those_who_did_not_ask(self, world: World) -> None:
        giver, taker = world.account("giver"), world.account("taker")
        giver.must("POST", "/user/repos", {"name": "gift"})
        old, new = f"/repos/{giver.login}/gift", f"/repos/{taker.login}/gift"
        for turn, (verb, status) in enumerate((("reject", 200), ("accept", 202))):
            got = giver.post(f"{old}/transfer", {"new_owner": taker.login})
            assert (got.status, got.json["full_name"]) == (201, f"{giver.login}/gift")
            assert giver.get(old).json["repo_transfer"]["recipient"]["login"] == taker.login
            assert giver.post(f"{old}/transfer", {"new_owner": taker.login}).status == 409
            assert taker.post(f"{old}/transfer/{verb}").status == status
            assert giver.get(old).status == (200, 301)[turn]
        assert taker.get(new).status == 200
        assert taker.post(f"{new}/transfer/accept").status == 404
        taker.must("DELETE", new)


class TestRename:
    """After a rename, every method at the old name is a redirect, before any right is looked at."""

    @pytest.fixture
    def moved(self, world: World, own: Repo) -> tuple[str, str]:
        """Return the old path and the new name."""
        old = own.api
        own.issue()
        new = world.unused("moved")
        world.admin.must("PATCH", old, {"name": new})
        own.name = new
        return old, new

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "", None),
            ("GET", "/issues?state=all&page=1", None),
            ("POST", "/issues", {"title": "x"}),
            ("PATCH", "/issues/1", {"title": "x"}),
            ("PUT", "/issues/1/labels", {"labels": []}),
            ("DELETE", "/branches/x", None),
        ],
    )
    def test_each_method_is_sent_on(
        self, world: World, moved: tuple[str, str], method: str, path: str, body: Any
    ) -> None:
        old, new = moved
        got = world.writer.send(method, old + path, body)
        assert got.status == 301
        assert got.headers["location"] == f"/api/v1/repos/{world.org}/{new}{path}"
        if method == "POST":
            assert got.raw == b"", "nothing that could pass for an answer"
        rows = world.writer.must("GET", f"/repos/{world.org}/{new}/issues?state=all")
        assert [row["title"] for row in rows] == ["an issue"], "the redirect did nothing"

    def test_the_old_name_can_be_taken_again(self, world: World, moved: tuple[str, str]) -> None:
        old, _new = moved
        world.admin.must("POST", f"/orgs/{world.org}/repos", {"name": old.rpartition("/")[2]})
        got = world.writer.get(old)
        assert (got.status, got.json["name"]) == (200, old.rpartition("/")[2])

    def test_git_follows_the_old_name(self, world: World, own: Repo) -> None:
        clone = own.clone()
        world.admin.must("PATCH", own.api, {"name": world.unused("moved")})
        assert "refs/heads/main" in clone.remote()

    def test_a_private_name_is_told_to_anybody(self, world: World) -> None:
        private = world.repo("secret", private=True)
        world.admin.must("PATCH", private.api, {"name": world.unused("moved")})
        for actor in (world.outsider, world.anonymous):
            assert actor.get(private.api).status == 301


def test_an_archived_repository_refuses_some_and_takes_some(world: World, own: Repo) -> None:
    number, label = own.issue(), own.label("l")
    clone = own.clone()
    own.branches(clone, {"f": {"f.txt": "f\n"}})
    pull = own.pull("f")
    world.admin.must("PATCH", own.api, {"archived": True})
    writer, path = world.writer, own.api
    assert writer.post(f"{path}/issues", {"title": "x"}).status == 423
    assert writer.post(f"{path}/issues/{number}/comments", {"body": "x"}).status == 423
    assert writer.post(f"{path}/pulls", {"head": "f", "base": "main", "title": "x"}).status == 423
    assert own.merge(pull).status == 423
    assert writer.post(f"{path}/branches", {"new_branch_name": "b", "old_branch_name": "main"}).status == 423
    assert writer.patch(f"{path}/issues/{number}", {"title": "changed"}).status == 201
    assert writer.post(f"{path}/issues/{number}/labels", {"labels": [label]}).status == 200
    assert writer.post(f"{path}/statuses/main", {"state": "success", "context": "c"}).status == 201
    assert world.admin.patch(path, {"description": "d"}).status == 200
    for ref in ("refs/heads/new", "refs/fleet/claims/1"):
        pushed = clone.push(f"{clone.unique()}:{ref}")
        assert not pushed.ok
        assert "archived" in pushed.output
    world.admin.must("PATCH", path, {"archived": False})
    assert writer.post(f"{path}/issues", {"title": "x"}).status == 201


def test_collaborators_are_set_and_taken_as_often_as_one_likes(world: World, own: Repo) -> None:
    person = f"{own.api}/collaborators/{world.outsider.login}"
    assert world.admin.get(person).status == 404
    for body, right in (({}, "write"), ({"permission": "read"}, "read"), ({"permission": "admin"}, "admin")):
        assert world.admin.put(person, body).status == 204
        assert world.admin.get(f"{person}/permission").json["permission"] == right
    assert world.admin.get(person).status == 204
    assert [row["login"] for row in world.admin.get(f"{own.api}/collaborators").json] == [
        world.outsider.login
    ]
    for _turn in range(2):
        assert world.admin.delete(person).status == 204
    assert world.admin.get(person).status == 404


def test_a_permission_counts_what_holds_for_the_whole_repository(world: World) -> None:
    person, org = world.account("part"), world.unused("org")
    world.admin.must("POST", "/orgs", {"username": org})
    world.admin.must("POST", f"/orgs/{org}/repos", {"name": "r", "private": True})
    asked = f"/repos/{org}/r/collaborators/{person.login}"
    form = {"name": "t", "includes_all_repositories": True}
    rights: list[tuple[dict[str, Any], str, str]] = [
        ({"permission": "write", "units_map": {"repo.code": "write"}}, "none", "read"),
        ({"permission": "admin"}, "owner", "owner"),
    ]
    team = world.admin.must("POST", f"/orgs/{org}/teams", {**form, "units_map": {"repo.code": "read"}})["id"]
    world.admin.must("PUT", f"/teams/{team}/members/{person.login}")
    for change, alone, beside in rights:
        world.admin.must("PATCH", f"/teams/{team}", {**form, **change})
        assert world.admin.must("GET", f"{asked}/permission")["permission"] == alone, change
        world.admin.must("PUT", asked, {"permission": "read"})
        assert world.admin.must("GET", f"{asked}/permission")["permission"] == beside, change
        world.admin.must("DELETE", asked)
    assert (
        world.admin.must("GET", f"/repos/{org}/r/collaborators/{world.admin.login}/permission")["permission"]
        == "owner"
    )
    assert person.delete(f"/repos/{org}/r").status == 204, "an admin team may do what owners may"
    world.admin.must("DELETE", f"/orgs/{org}")


def test_collaborators_have_to_exist_and_the_word_has_to_be_known(world: World, own: Repo) -> None:
    unknown = f"{own.api}/collaborators/nobody-has-this"
    assert world.admin.put(unknown, {"permission": "read"}).status == 422
    assert world.admin.delete(unknown).status == 422
    person = f"{own.api}/collaborators/{world.outsider.login}"
    assert world.admin.put(person, {"permission": "bogus"}).status == 500
    assert world.admin.get(person).status == 404
    assert world.writer.put(person, {"permission": "read"}).status == 403


def test_a_repository_is_removed_by_its_owners_once(world: World, own: Repo) -> None:
    assert world.writer.delete(own.api).status == 403
    assert world.admin.delete(own.api).status == 204
    assert world.admin.get(own.api).status == 404
    assert world.admin.delete(own.api).status == 404


def test_branches_are_made_once_and_removed_once(world: World, own: Repo) -> None:
    make = f"{own.api}/branches"
    body = {"new_branch_name": "b", "old_branch_name": "main"}
    assert world.writer.post(make, body).status == 201
    assert world.writer.post(make, body).status == 409
    assert world.writer.post(make, {"new_branch_name": "b/x", "old_branch_name": "main"}).status == 409
    assert world.writer.post(make, {"new_branch_name": "c", "old_branch_name": "no-such"}).status == 404
    assert world.writer.post(make, {"new_branch_name": "a..b", "old_branch_name": "main"}).status == 422
    assert world.reader.post(make, {"new_branch_name": "d", "old_branch_name": "main"}).status == 403
    row = world.reader.must("GET", f"{make}/b")
    assert (row["name"], row["protected"]) == ("b", False)
    assert row["commit"]["id"] == world.reader.must("GET", f"{make}/main")["commit"]["id"]
    assert {one["name"] for one in world.reader.must("GET", make)} == {"main", "b"}
    assert world.writer.delete(f"{make}/b").status == 204
    assert world.writer.delete(f"{make}/b").status == 404
    assert world.writer.delete(f"{make}/main").status == 403
