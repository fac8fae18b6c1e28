# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the forge's runner is given: secrets that nobody reads and variables that many do, of three owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from timmy.core import gitea_keep_secret
from timmy.core.gitea_actions import name_of
from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_ensure import Fields, KeepError, settle
from timmy.core.gitea_url import ME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_wire import Actor
    from forge_world import Repo, World


@pytest.fixture(scope="module")
def own_account(world: World) -> Actor:
    """Return an account of this module."""
    return world.account("runner")


@pytest.fixture(scope="module")
def client(world: World, own_account: Actor) -> Iterator[GiteaClient]:
    """Return the client of that account."""
    with GiteaClient(world.forge.url, own_account.token) as made:
        yield made


@pytest.fixture(params=["repo", "org", "user"])
def place(request: pytest.FixtureRequest, world: World, own: Repo, own_account: Actor) -> tuple[Actor, str]:
    """Return who may and the path before /actions."""
    paths = {
        "repo": (world.admin, own.api),
        "org": (world.admin, f"/orgs/{world.org}"),
        "user": (own_account, "/user"),
    }
    return paths[request.param]


def test_a_secret_is_written_and_never_read(place: tuple[Actor, str]) -> None:
    who, path = place
    there = f"{path}/actions/secrets"
    sent = [{"data": "x", "description": "d"}, {"data": "y"}, {"data": "z", "description": " e\r\n"}]
    shown = []
    for status, body in zip((201, 204, 204), sent, strict=True):
        assert who.put(f"{there}/Some_Name", body).status == status
        listed = who.get(there)
        if path == "/user":
            assert listed.status == 404, "nobody lists those of an account"
            continue
        (row,) = [row for row in listed.json if row["name"] == "SOME_NAME"]
        shown.append(row["description"])
        assert set(row) == {"name", "description", "created_at"}
    assert shown in ([], ["d", "", " e\r\n"])
    assert who.put(f"{there}/SOME_NAME", {"data": ""}).status == 422
    assert who.put(f"{there}/SOME_NAME", {"data": "x" * 65537}).status == 400
    assert [who.delete(f"{there}/some_name").status for _turn in range(2)] == [204, 404]


def test_a_variable_is_there_once_and_is_read(place: tuple[Actor, str]) -> None:
    who, path = place
    there = f"{path}/actions/variables/Some_Name"
    assert who.post(there, {"value": "x", "description": "d"}).status == 201
    assert who.post(there.lower(), {"value": "y"}).status == 409
    steps: list[tuple[dict[str, str], tuple[str, str]]] = [
        ({"value": " y\r\nz\n", "description": "e"}, (" y\nz\n", "e")),
        ({"value": "y"}, ("y", "")),
        ({"value": "y", "description": "x" * 5000}, ("y", "x" * 4096)),
    ]
    for body, wanted in steps:
        assert who.put(there, body).status == 204
        read = who.must("GET", there)
        assert (read["name"], read["data"], read["description"]) == ("SOME_NAME", *wanted)
    assert "SOME_NAME" in [row["name"] for row in who.must("GET", f"{path}/actions/variables")]
    assert who.put(there, {"value": ""}).status == 422
    assert who.put(there, {"value": "x" * 65537}).status == 400
    assert who.put(f"{path}/actions/variables/NONE_SUCH", {"value": "x"}).status == 404
    assert [who.delete(there).status for _turn in range(2)] == [204, 404]


@pytest.mark.parametrize(
    "name",
    ["GITEA_X", "github_x", "1A", "A-B", "CI", "ci", "A B", "GITHUB_", "Ä", "gitea", "_x", "CI_", "a" * 300],
)
def test_the_names_that_we_refuse_are_those_that_the_forge_refuses(
    world: World, own: Repo, name: str
) -> None:
    good = True
    try:
        name_of(name)
    except KeepError:
        good = False
    quoted = quote(name, safe="")
    secret = world.admin.put(f"{own.api}/actions/secrets/{quoted}", {"data": "x"})
    variable = world.admin.post(f"{own.api}/actions/variables/{quoted}", {"value": "x"})
    assert (secret.status, variable.status) == ((201, 201) if good else (400, 400))


def test_the_client_knows_the_account_that_asks(client: GiteaClient, own_account: Actor) -> None:
    client.create_variable(ME, "MINE", "x", description="d")
    assert [(one.name, one.data, one.description) for one in client.list_variables(ME)] == [
        ("MINE", "x", "d")
    ]
    client.update_variable(ME, "MINE", "y")
    assert own_account.must("GET", "/user/actions/variables/MINE")["data"] == "y"
    client.delete_variable(ME, "MINE")
    assert client.list_variables(ME) == []


def keep(client: GiteaClient, check: bool = False, **given: Any) -> Fields:
    """Keep a secret of an account and return the module's result."""
    blank: dict[str, Any] = dict.fromkeys(gitea_keep_secret.ARGUMENTS)
    fixed = {"name": "mine", "state": "present", "update_secret": "on_change"}
    return settle(gitea_keep_secret.wish(client, {**blank, **fixed, **given}), check)


def test_a_secret_of_an_account_is_written_in_each_run(client: GiteaClient, own_account: Actor) -> None:
    common = {"user": own_account.login.upper(), "value": "a secret value"}
    turns = [keep(client, check, **common) for check in (True, False, True, False)]
    assert [turn["changed"] for turn in turns] == [True] * 4
    assert {turn["secret"]["name"] for turn in turns} == {"MINE"}
    assert all("does not list" in turn["warnings"][0] for turn in turns)
    assert "a secret value" not in str(turns)
    assert own_account.put("/user/actions/secrets/MINE", {"data": "x"}).status == 204, "it is there"
    for _turn in range(2):
        assert keep(client, user=own_account.login, state="absent")["changed"] is True
    assert own_account.delete("/user/actions/secrets/MINE").status == 404, "it is gone"
    with pytest.raises(KeepError, match="cannot be told whether there is one"):
        keep(client, **common, update_secret="on_create")
    with pytest.raises(KeepError, match="the token is of"):
        keep(client, **{**common, "user": "somebody-else"})
