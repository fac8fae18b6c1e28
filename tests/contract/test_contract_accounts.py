# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asking: forms of credentials, what a wrong one costs, accounts that may not ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from forge_wire import Actor, basic

if TYPE_CHECKING:
    from forge_world import Repo, World

UNKNOWN = "0" * 40


@pytest.fixture(scope="module")
def private(world: World) -> Repo:
    """Return a private repository."""
    return world.repo("private", private=True)


def header(text: str) -> dict[str, dict[str, str]]:
    """Return an Authorization header."""
    return {"headers": {"Authorization": text}}


def test_a_public_repository_is_read_without_credentials(world: World, repo: Repo) -> None:
    got = world.anonymous.get(repo.api)
    assert (got.status, got.json["name"]) == (200, repo.name)


@pytest.mark.parametrize("word", ["token", "Bearer", "TOKEN"])
def test_a_token_is_taken_in_each_form_of_the_header(world: World, word: str) -> None:
    got = world.anonymous.send("GET", "/user", **header(f"{word} {world.writer.token}"))
    assert got.json["login"] == world.writer.login


@pytest.mark.parametrize(
    ("user", "password"),
    [("{login}", "{token}"), ("{token}", ""), ("{token}", "x-oauth-basic"), ("someone-else", "{token}")],
)
def test_a_token_is_taken_as_part_of_a_basic_login(world: World, user: str, password: str) -> None:
    values = {"login": world.writer.login, "token": world.writer.token}
    got = world.anonymous.send(
        "GET", "/user", headers=basic(user.format(**values), password.format(**values))
    )
    assert (got.status, got.json.get("login")) == (200, world.writer.login)


def test_a_wrong_token_is_refused_even_where_none_is_needed(world: World, repo: Repo) -> None:
    for path in (repo.api, "/user"):
        assert world.anonymous.send("GET", path, **header(f"token {UNKNOWN}")).status == 401, path


def test_a_wrong_password_is_refused_even_where_none_is_needed(world: World, repo: Repo) -> None:
    for path in (repo.api, "/user"):
        assert world.writer.by_password("GET", path, password="not-it").status == 401, path


def test_an_unknown_scheme_counts_as_no_credentials(world: World, repo: Repo) -> None:
    sent = header(f"Unknown {world.writer.token}")
    assert world.anonymous.send("GET", repo.api, **sent).status == 200
    assert world.anonymous.send("GET", "/user", **sent).status == 401


def test_three_fields_count_as_no_credentials(world: World) -> None:
    assert world.anonymous.send("GET", "/user", **header(f"token {world.writer.token} more")).status == 401


def test_a_private_repository_looks_absent_to_others(world: World, private: Repo) -> None:
    for actor in (world.anonymous, world.outsider):
        for path in (private.api, f"{private.api}/issues", f"{private.api}/pulls"):
            assert actor.get(path).status == 404, (actor.login, path)
    assert world.reader.get(private.api).status == 200


def test_an_issue_needs_credentials(world: World, repo: Repo, private: Repo) -> None:
    assert world.anonymous.post(f"{repo.api}/issues", {"title": "x"}).status == 401
    assert world.anonymous.post(f"{private.api}/issues", {"title": "x"}).status == 404


def test_settings_of_a_repository_belong_to_its_admins(world: World, repo: Repo) -> None:
    for actor in (world.reader, world.writer):
        assert actor.patch(repo.api, {"description": "no"}).status == 403, actor.login
        assert actor.get(f"{repo.api}/hooks").status == 403
        assert actor.get(f"{repo.api}/branch_protections").status == 403
    assert world.admin.get(repo.api).json["description"] != "no"


def test_a_collaborator_with_admin_right_may_change_settings(world: World, own: Repo) -> None:
    assert world.outsider.patch(own.api, {"description": "mine"}).status == 403
    world.admin.must("PUT", f"{own.api}/collaborators/{world.outsider.login}", {"permission": "admin"})
    assert world.outsider.patch(own.api, {"description": "mine"}).status == 200
    assert world.admin.get(own.api).json["description"] == "mine"


def test_admin_routes_belong_to_site_admins(world: World) -> None:
    assert world.admin.get("/admin/users").status == 200
    assert world.writer.get("/admin/users").status == 403
    assert world.anonymous.get("/admin/users").status == 401


def test_a_site_admin_may_ask_as_somebody_else(world: World) -> None:
    got = world.admin.send("GET", "/user", headers={"Sudo": world.writer.login})
    assert got.json["login"] == world.writer.login
    assert world.admin.get(f"/user?sudo={world.writer.login}").json["login"] == world.writer.login
    assert world.writer.send("GET", "/user", headers={"Sudo": world.admin.login}).status == 403
    assert world.admin.send("GET", "/user", headers={"Sudo": "nobody-has-this-name"}).status == 404


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        ({"must_change_password": True}, False),
        ({"prohibit_login": True}, False),
        ({"active": False}, False),
        ({}, True),
    ],
)
def test_an_account_that_may_not_log_in_is_refused_everywhere(
    world: World, repo: Repo, change: dict[str, bool], allowed: bool
) -> None:
    person = world.account("blocked")
    body = {"source_id": 0, "login_name": person.login, **change}
    assert world.admin.patch(f"/admin/users/{person.login}", body).status == 200
    wanted = 200 if allowed else 403
    assert person.get("/user").status == wanted
    assert person.get(repo.api).status == wanted


def test_an_account_is_made_once(world: World) -> None:
    person = world.account("once")
    body = {"username": person.login, "email": "other@forge.test", "password": "a-long-password"}
    assert world.admin.post("/admin/users", body).status == 422
    taken = {**body, "username": world.unused("two"), "email": f"{person.login}@forge.test"}
    assert world.admin.post("/admin/users", taken).status == 422
    assert world.writer.post("/admin/users", {**body, "username": world.unused("three")}).status == 403


def test_an_account_goes_when_it_owns_nothing(world: World) -> None:
    person = world.account("leaving")
    person.must("POST", "/user/repos", {"name": "mine"})
    assert world.admin.delete(f"/admin/users/{person.login}").status == 422
    assert person.delete(f"/repos/{person.login}/mine").status == 204
    assert world.admin.delete(f"/admin/users/{person.login}").status == 204
    assert world.admin.get(f"/users/{person.login}").status == 404
    assert world.admin.delete(f"/admin/users/{person.login}").status == 404


def test_a_purge_takes_what_an_account_owns_along(world: World) -> None:
    person, org, other = world.account("purged"), world.unused("last"), world.unused("shared")
    person.must("POST", "/user/repos", {"name": "mine"})
    person.must("POST", "/orgs", {"username": org})
    person.must("POST", f"/orgs/{org}/repos", {"name": "inside"})
    world.admin.must("POST", "/orgs", {"username": other})
    owners = world.admin.must("GET", f"/orgs/{other}/teams")[0]["id"]
    world.admin.must("PUT", f"/teams/{owners}/members/{person.login}")
    assert {one["username"] for one in world.admin.must("GET", f"/users/{person.login}/orgs")} == {org, other}
    assert world.admin.delete(f"/admin/users/{person.login}").status == 422
    assert world.admin.delete(f"/admin/users/{person.login}?purge=true").status == 204
    for gone in (f"/users/{person.login}", f"/repos/{person.login}/mine", f"/orgs/{org}"):
        assert world.admin.get(gone).status == 404, gone
    assert world.admin.get(f"/orgs/{other}").status == 200, "somebody else owns it as well"
    world.admin.must("DELETE", f"/orgs/{other}")


def test_nobody_deletes_himself(world: World) -> None:
    assert world.admin.delete(f"/admin/users/{world.admin.login}").status == 422


def test_a_password_says_whether_the_account_may_log_in(world: World) -> None:
    person = world.account("locked")
    body = {"source_id": 0, "login_name": person.login}
    for change, right in (
        ({"prohibit_login": True}, 401),
        ({"prohibit_login": False, "must_change_password": True}, 403),
        ({"must_change_password": False, "active": False}, 403),
        ({"active": True}, 200),
    ):
        world.admin.must("PATCH", f"/admin/users/{person.login}", {**body, **change})
        assert person.by_password("GET", "/user").status == right, change
        assert person.by_password("GET", "/user", password="not-it").status == 401, change


def test_a_password_is_changed_by_a_site_admin_and_not_too_short(world: World) -> None:
    person = world.account("pass")
    path, body = f"/admin/users/{person.login}", {"source_id": 0, "login_name": person.login}
    assert world.admin.patch(path, {**body, "password": "seven-7"}).status == 400
    assert person.by_password("GET", "/user").status == 200
    assert world.admin.patch(path, {**body, "password": "another-long-one"}).status == 200
    assert person.by_password("GET", "/user").status == 401
    assert person.by_password("GET", "/user", password="another-long-one").status == 200
    short = {"username": world.unused("s"), "email": "s@forge.test", "password": "seven-7"}
    assert world.admin.post("/admin/users", short).status == 400


def test_a_deleted_account_cannot_ask(world: World, repo: Repo) -> None:
    person = world.account("gone")
    assert person.get(repo.api).status == 200
    world.admin.must("DELETE", f"/admin/users/{person.login}")
    assert person.get(repo.api).status == 401


def test_a_health_probe_needs_no_credentials(world: World) -> None:
    got = Actor(world.admin.wire).send("GET", "//api/healthz")
    assert (got.status, got.json["status"]) == (200, "pass")


def test_an_unknown_route_is_plain_text(world: World) -> None:
    got = world.writer.get("/no-such-route")
    assert got.status == 404
    assert got.headers["content-type"].startswith("text/plain")


def test_a_wrong_method_is_named_so(world: World, repo: Repo) -> None:
    got = world.writer.put(f"{repo.api}/issues", {})
    assert (got.status, got.raw) == (405, b"")
    assert {"GET", "POST"} <= set(got.headers["allow"].split(", "))
