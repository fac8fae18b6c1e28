# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: made by password only, shown once, and held to their scopes by route group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forge_wire import Actor
    from forge_world import Repo, World


@pytest.fixture(scope="module")
def person(world: World) -> Actor:
    """Return an account of this module."""
    return world.account("holder")


def tokens(person: Actor) -> str:
    """Return the path of somebody's tokens."""
    return f"/users/{person.login}/tokens"


def test_a_token_is_shown_once(world: World, person: Actor) -> None:
    name = world.unused("t")
    made = person.by_password("POST", tokens(person), {"name": name, "scopes": ["read:user"]})
    assert made.status == 201
    secret = made.json["sha1"]
    assert len(secret) == 40
    rows = person.by_password("GET", tokens(person)).json
    row = next(row for row in rows if row["name"] == name)
    assert row["token_last_eight"] == secret[-8:]
    assert row["scopes"] == ["read:user"]
    assert secret not in str(rows)


def test_a_token_cannot_make_or_list_tokens(person: Actor) -> None:
    assert person.post(tokens(person), {"name": "x", "scopes": ["all"]}).status == 401
    assert person.get(tokens(person)).status == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "bad", "scopes": ["repo"]}, 400),
        ({"name": "bad", "scopes": ["repo", "write:issue"]}, 400),
        ({"name": "bad", "scopes": []}, 400),
        ({"name": "bad"}, 400),
        ({"scopes": ["all"]}, 422),
    ],
)
def test_a_token_needs_a_name_and_known_scopes(person: Actor, body: dict[str, Any], status: int) -> None:
    assert person.by_password("POST", tokens(person), body).status == status


ALL_WRITES = [
    f"write:{name}"
    for name in (
        *("activitypub", "admin", "issue", "misc", "notification"),
        *("organization", "package", "repository", "user"),
    )
]


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        (["read:user", "write:user"], {"write:user"}),
        (["read:issue", "read:issue"], {"read:issue"}),
        (["write:issue", "read:user", "public-only"], {"write:issue", "read:user", "public-only"}),
        (["all", "read:user"], {"all"}),
        (["all", "public-only"], {"all", "public-only"}),
        (["public-only"], {"public-only"}),
        (ALL_WRITES, {"all"}),
        ([scope.replace("write", "read") for scope in ALL_WRITES], None),
    ],
    ids=lambda scopes: f"{len(scopes)}-{min(scopes)}" if scopes else "the same",
)
def test_scopes_come_back_without_what_others_imply(
    world: World, person: Actor, asked: list[str], held: set[str] | None
) -> None:
    name = world.unused("t")
    made = person.by_password("POST", tokens(person), {"name": name, "scopes": asked})
    assert (made.status, set(made.json["scopes"])) == (201, held or set(asked))
    assert len(made.json["scopes"]) == len(set(made.json["scopes"]))
    rows = person.by_password("GET", f"{tokens(person)}?limit=50").json
    assert next(row for row in rows if row["name"] == name)["scopes"] == made.json["scopes"]


def test_a_site_admin_makes_tokens_for_others_by_password_or_by_a_token_in_its_place(
    world: World, person: Actor
) -> None:
    name = world.unused("t")
    body = {"name": name, "scopes": ["read:user"]}
    made = world.admin.by_password("POST", tokens(person), body, password=world.admin.token)
    assert made.status == 201
    got = world.anonymous.send("GET", "/user", headers={"Authorization": f"token {made.json['sha1']}"})
    assert got.json["login"] == person.login
    answer = world.admin.by_password("DELETE", f"{tokens(person)}/{name}", password=world.admin.token)
    assert answer.status == 204


def test_a_name_is_used_once(world: World, person: Actor) -> None:
    body = {"name": world.unused("t"), "scopes": ["read:user"]}
    assert person.by_password("POST", tokens(person), body).status == 201
    assert person.by_password("POST", tokens(person), body).status == 400


def test_tokens_of_others_are_for_site_admins(world: World, person: Actor) -> None:
    body = {"name": world.unused("t"), "scopes": ["read:user"]}
    assert world.writer.by_password("POST", tokens(person), body).status == 403
    assert world.anonymous.post(tokens(person), body).status == 403
    assert person.by_password("POST", tokens(person), body, password="not-it").status == 401


def test_a_removed_token_is_refused(world: World, person: Actor) -> None:
    name = world.unused("t")
    secret = person.by_password("POST", tokens(person), {"name": name, "scopes": ["all"]}).json["sha1"]
    bearer = {"headers": {"Authorization": f"token {secret}"}}
    assert world.anonymous.send("GET", "/user", **bearer).status == 200
    assert person.by_password("DELETE", f"{tokens(person)}/{name}").status == 204
    assert world.anonymous.send("GET", "/user", **bearer).status == 401
    assert person.by_password("DELETE", f"{tokens(person)}/{name}").status == 404


def test_a_token_is_removed_by_id_and_digits_are_an_id(person: Actor) -> None:
    named = {"name": "12345", "scopes": ["read:user"]}
    made = person.by_password("POST", tokens(person), named)
    assert made.status == 201
    assert person.by_password("DELETE", f"{tokens(person)}/12345").status == 404
    assert person.by_password("DELETE", f"{tokens(person)}/{made.json['id']}").status == 204


REFUSED = [
    ("read:repository", "GET", "{repo}/issues", None),
    ("read:repository", "GET", "{repo}/labels", None),
    ("read:repository", "POST", "{repo}/pulls", {"head": "x", "base": "main", "title": "t"}),
    ("read:repository", "GET", "/user", None),
    ("read:repository", "GET", "/orgs/{org}/repos", None),
    ("write:issue", "GET", "{repo}", None),
    ("write:issue", "GET", "{repo}/pulls", None),
    ("write:issue", "POST", "{repo}/pulls/1/merge", {"Do": "merge"}),
    ("read:issue", "POST", "{repo}/issues", {"title": "t"}),
    ("write:repository", "POST", "{repo}/issues/1/comments", {"body": "hi"}),
    ("write:repository", "POST", "/orgs/{org}/repos", {"name": "zz"}),
    ("write:repository", "POST", "/user/repos", {"name": "zz"}),
    ("write:user", "GET", "/admin/users", None),
]
ALLOWED = [
    ("read:repository", "GET", "{repo}", None, 200),
    ("read:repository", "GET", "{repo}/pulls", None, 200),
    ("read:repository", "GET", "{repo}/commits/main/status", None, 200),
    ("read:repository", "GET", "{repo}/branches/main", None, 200),
    ("read:repository", "GET", "/version", None, 200),
    ("read:repository", "GET", "/settings/api", None, 200),
    ("write:issue", "GET", "{repo}/issues", None, 200),
    ("write:issue", "POST", "{repo}/issues", {"title": "t"}, 201),
    ("write:issue", "POST", "{repo}/labels", {"name": "by-token", "color": "#00ff00"}, 201),
    ("read:issue", "GET", "{repo}/issues", None, 200),
    ("read:organization", "GET", "/orgs/{org}/repos", None, 200),
    ("read:user", "GET", "/user", None, 200),
    ("write:repository", "POST", "{repo}/statuses/main", {"state": "success", "context": "c"}, 201),
]


def place(world: World, repo: Repo, path: str) -> str:
    """Fill in a path of a table."""
    return path.format(repo=repo.api, org=world.org)


@pytest.mark.parametrize("call", REFUSED, ids=lambda call: " ".join(call[:3]))
def test_a_missing_scope_is_named(world: World, repo: Repo, call: tuple[str, str, str, Any]) -> None:
    scope, method, path, body = call
    repo.issue()
    got = world.with_scopes(world.writer, scope).send(method, place(world, repo, path), body)
    assert got.status == 403, got
    assert "required=[" in got.message
    assert scope in got.message


@pytest.mark.parametrize("call", ALLOWED, ids=lambda call: " ".join(call[:3]))
def test_a_scope_is_enough(world: World, repo: Repo, call: tuple[str, str, str, Any, int]) -> None:
    scope, method, path, body, status = call
    got = world.with_scopes(world.writer, scope).send(method, place(world, repo, path), body)
    assert got.status == status, got


def test_no_scope_gives_a_right_that_the_account_has_not(world: World, repo: Repo) -> None:
    assert world.with_scopes(world.reader, "all").patch(repo.api, {"description": "no"}).status == 403
    assert world.with_scopes(world.writer, "write:admin").get("/admin/users").status == 403


def test_a_public_only_token_sees_nothing_private(world: World, repo: Repo) -> None:
    private = world.repo("hidden", private=True)
    actor = world.with_scopes(
        world.writer, "public-only", "read:repository", "read:issue", "read:organization"
    )
    assert actor.get(repo.api).status == 200
    assert actor.get(private.api).status == 404
    assert actor.get(f"{private.api}/issues").status == 404
    names = [row["name"] for row in actor.get(f"/orgs/{world.org}/repos?limit=50").json]
    assert private.name not in names
