# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organisations and teams: who exists twice, what a team's units mean, and how names move on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_world import World


@pytest.fixture
def org(world: World) -> Iterator[str]:
    """Return an organisation for one test."""
    name = world.unused("org")
    assert world.admin.post("/orgs", {"username": name, "description": "d"}).status == 201
    yield name
    world.admin.delete(f"/orgs/{name}")


def test_an_organisation_is_made_once(world: World, org: str) -> None:
    assert world.admin.get(f"/orgs/{org}").json["username"] == org
    assert world.admin.post("/orgs", {"username": org}).status == 422
    assert world.admin.post("/orgs", {"username": world.writer.login}).status == 422
    assert world.admin.get("/orgs/nobody-has-this").status == 404


def test_an_organisation_is_changed_by_its_owners(world: World, org: str) -> None:
    assert world.writer.patch(f"/orgs/{org}", {"description": "no"}).status == 403
    assert world.admin.patch(f"/orgs/{org}", {"description": "yes"}).status == 200
    assert world.admin.get(f"/orgs/{org}").json["description"] == "yes"


def test_a_renamed_organisation_points_to_its_new_name(world: World, org: str) -> None:
    world.admin.must("POST", f"/orgs/{org}/repos", {"name": "r"})
    new = world.unused("moved")
    assert world.admin.post(f"/orgs/{org}/rename", {"new_name": new}).status == 204
    try:
        for path in (f"/orgs/{org}", f"/orgs/{org}/repos", f"/repos/{org}/r"):
            got = world.admin.get(path)
            assert got.status == 307, path
            assert got.headers["location"].startswith("/"), "the address is relative"
            assert f"/{new}" in got.headers["location"]
    finally:
        world.admin.delete(f"/repos/{new}/r")
        world.admin.delete(f"/orgs/{new}")


def test_an_organisation_goes_when_it_is_empty(world: World, org: str) -> None:
    world.admin.must("POST", f"/orgs/{org}/repos", {"name": "r"})
    assert world.admin.delete(f"/orgs/{org}").status >= 400
    assert world.admin.delete(f"/repos/{org}/r").status == 204
    assert world.admin.delete(f"/orgs/{org}").status == 204
    assert world.admin.get(f"/orgs/{org}").status == 404


def test_a_team_is_made_once_and_says_what_it_may(world: World, org: str) -> None:
    units = {"repo.code": "read", "repo.issues": "write"}
    body = {"name": "tm", "permission": "read", "units_map": units}
    made = world.admin.post(f"/orgs/{org}/teams", body)
    assert (made.status, made.json["units_map"]) == (201, units)
    assert world.admin.post(f"/orgs/{org}/teams", body).status == 422
    assert world.admin.post(f"/orgs/{org}/teams", {"permission": "read"}).status == 422
    assert world.admin.get(f"/teams/{made.json['id']}").json["name"] == "tm"
    assert world.writer.post(f"/orgs/{org}/teams", {**body, "name": "other"}).status == 403


def test_a_team_without_units_is_an_error_unless_it_is_an_admin_team(world: World, org: str) -> None:
    assert world.admin.post(f"/orgs/{org}/teams", {"name": "tn", "permission": "write"}).status == 500
    got = world.admin.post(f"/orgs/{org}/teams", {"name": "ta", "permission": "admin"})
    assert (got.status, got.json["permission"]) == (201, "admin")


def test_all_repositories_only_changes_beside_a_permission(world: World, org: str) -> None:
    body = {"name": "tm", "permission": "read", "units_map": {"repo.code": "read"}}
    team = world.admin.must("POST", f"/orgs/{org}/teams", body)["id"]
    world.admin.must("PATCH", f"/teams/{team}", {"name": "tm", "includes_all_repositories": True})
    assert world.admin.get(f"/teams/{team}").json["includes_all_repositories"] is False
    world.admin.must("PATCH", f"/teams/{team}", {**body, "includes_all_repositories": True})
    assert world.admin.get(f"/teams/{team}").json["includes_all_repositories"] is True


def test_a_team_of_all_repositories_keeps_them_when_it_is_one_no_longer(world: World, org: str) -> None:
    world.admin.must("POST", f"/orgs/{org}/repos", {"name": "before"})
    form = {"name": "tm", "permission": "read", "units_map": {"repo.code": "read"}}
    all_of_them = {**form, "includes_all_repositories": True}
    team = world.admin.must("POST", f"/orgs/{org}/teams", all_of_them)["id"]
    world.admin.must("POST", f"/orgs/{org}/repos", {"name": "after"})
    for body in (all_of_them, {**form, "includes_all_repositories": False}):
        world.admin.must("PATCH", f"/teams/{team}", body)
        names = {row["name"] for row in world.admin.must("GET", f"/teams/{team}/repos")}
        assert names == {"before", "after"}
    world.admin.must("POST", f"/orgs/{org}/repos", {"name": "later"})
    assert len(world.admin.must("GET", f"/teams/{team}/repos")) == 2
    for name in ("before", "after", "later"):
        world.admin.must("DELETE", f"/repos/{org}/{name}")


def test_the_owners_stay_what_they_are_and_keep_their_last_member(world: World, org: str) -> None:
    owners = world.admin.must("GET", f"/orgs/{org}/teams")[0]
    change = {"name": "Owners", "permission": "read", "units_map": {"repo.code": "read"}, "description": "d"}
    world.admin.must("PATCH", f"/teams/{owners['id']}", {**change, "can_create_org_repo": False})
    there = world.admin.must("GET", f"/teams/{owners['id']}")
    assert (there["permission"], there["can_create_org_repo"], there["description"]) == ("owner", True, "d")
    assert world.admin.delete(f"/teams/{owners['id']}/members/{world.admin.login}").status == 500


def test_membership_is_set_and_taken_as_often_as_one_likes(world: World, org: str) -> None:
    body = {"name": "tm", "permission": "read", "units_map": {"repo.code": "read"}}
    team = world.admin.must("POST", f"/orgs/{org}/teams", body)["id"]
    member = f"/teams/{team}/members/{world.outsider.login}"
    for _turn in range(2):
        assert world.admin.put(member).status == 204
    assert [row["login"] for row in world.admin.get(f"/teams/{team}/members").json] == [world.outsider.login]
    for _turn in range(2):
        assert world.admin.delete(member).status == 204
    assert world.admin.get(f"/teams/{team}/members").json == []
    assert world.admin.put(f"/teams/{team}/members/nobody-has-this").status == 404


def test_a_team_gives_its_members_a_private_repository(world: World, org: str) -> None:
    world.admin.must("POST", f"/orgs/{org}/repos", {"name": "r", "private": True, "auto_init": True})
    body = {"name": "tm", "permission": "read", "units_map": {"repo.code": "read", "repo.issues": "write"}}
    team = world.admin.must("POST", f"/orgs/{org}/teams", body)["id"]
    world.admin.must("PUT", f"/teams/{team}/members/{world.outsider.login}")
    assert world.outsider.get(f"/repos/{org}/r").status == 404
    assert world.admin.put(f"/teams/{team}/repos/{org}/r").status == 204
    assert world.outsider.get(f"/repos/{org}/r").json["permissions"] == {
        "admin": False,
        "push": False,
        "pull": True,
    }
    assert [row["name"] for row in world.admin.get(f"/teams/{team}/repos").json] == ["r"]
    assert world.admin.delete(f"/teams/{team}/repos/{org}/r").status == 204
    assert world.outsider.get(f"/repos/{org}/r").status == 404
    world.admin.delete(f"/repos/{org}/r")


def test_a_member_for_issues_alone_sees_no_pulls(world: World, org: str) -> None:
    world.admin.must("POST", f"/orgs/{org}/repos", {"name": "r", "private": True, "auto_init": True})
    body = {"name": "tm", "permission": "read", "units_map": {"repo.issues": "write"}}
    team = world.admin.must("POST", f"/orgs/{org}/teams", {**body, "includes_all_repositories": True})["id"]
    world.admin.must("PUT", f"/teams/{team}/members/{world.outsider.login}")
    path = f"/repos/{org}/r"
    asked = {
        f"{path}/issues?type=issues": 200,
        f"{path}/issues": 200,
        f"{path}/issues?type=pulls": 404,
        f"{path}/pulls": 404,
        path: 200,
        f"{path}/branches": 403,
    }
    assert {place: world.outsider.get(place).status for place in asked} == asked
    world.admin.delete(path)


def test_a_team_is_removed_once(world: World, org: str) -> None:
    body = {"name": "tm", "permission": "read", "units_map": {"repo.code": "read"}}
    team = world.admin.must("POST", f"/orgs/{org}/teams", body)["id"]
    assert "tm" in [row["name"] for row in world.admin.get(f"/orgs/{org}/teams").json]
    assert world.admin.delete(f"/teams/{team}").status == 204
    assert world.admin.delete(f"/teams/{team}").status == 404
