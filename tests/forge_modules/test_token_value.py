# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token's value is shown once or kept in a file; one that is lost is replaced by a new token."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_token, gitea_module
from forge_recorder import recording
from forge_wire import Actor
from module_life import CASES, Case, live, read_case
from test_modules import values_for

if TYPE_CHECKING:
    from pathlib import Path

    from forge_world import World


class RefusedError(Exception):
    """The module ended with a failure."""


class Module:
    """What the adapter uses of Ansible's module object."""

    def __init__(self, params: dict[str, Any], check: bool) -> None:
        self.params = params
        self.check_mode = check
        self.no_log_values: set[str] = set()

    def fail_json(self, msg: str, **_more: Any) -> NoReturn:
        """End the module with a failure."""
        raise RefusedError(msg)


class Keeper:
    """One token of an account, kept by the module's own code."""

    def __init__(self, world: World, path: Path) -> None:
        self.world = world
        self.person = world.account("keeper")
        self.path = path
        spec = gitea_module.arguments(gitea_keep_token.ARGUMENTS)
        self.params = {
            **{name: one.get("default") for name, one in spec.items()},
            "url": world.forge.url,
            "login_user": self.person.login,
            "login_password": self.person.password,
            "name": world.unused("t"),
            "scopes": ["read:user"],
            "path": str(path),
        }

    def run(self, check: bool = False, **more: Any) -> dict[str, Any]:
        """Run the module and return its result."""
        return gitea_module.keep(Module({**self.params, **more}, check), gitea_keep_token.wish)

    def value(self) -> str:
        """Return what the file holds."""
        return self.path.read_text(encoding="ascii").strip()

    def status(self, value: str) -> int:
        """Return how the forge answers to a token."""
        return Actor(self.person.wire, token=value).get("/user").status


@pytest.fixture
def keeper(world: World, tmp_path: Path) -> Keeper:
    """Return a token that is not there yet."""
    return Keeper(world, tmp_path / "token")


def test_the_value_goes_to_a_private_file_and_nowhere_else(keeper: Keeper) -> None:
    result = keeper.run()
    value = keeper.value()
    assert keeper.status(value) == 200
    assert stat.S_IMODE(keeper.path.stat().st_mode) == 0o600
    assert value not in str(result)
    assert result["token"]["last_eight"] == value[-8:]
    assert keeper.run()["changed"] is False
    assert keeper.value() == value
    assert [one.name for one in keeper.path.parent.iterdir()] == ["token"]


def test_without_a_file_the_value_is_returned_once(keeper: Keeper) -> None:
    foretold = keeper.run(check=True, path=None)
    done = keeper.run(path=None)
    assert (foretold["changed"], foretold["token"]["value"]) == (True, "")
    assert keeper.status(done["token"]["value"]) == 200
    assert done["token"]["value"] not in str(done["diff"])
    again = keeper.run(path=None)
    assert (again["changed"], again["token"]["value"]) == (False, "")
    assert not keeper.path.exists()


def test_a_rotated_token_is_another_and_the_old_one_is_refused(keeper: Keeper) -> None:
    keeper.run()
    old = keeper.value()
    assert keeper.run(check=True, rotate=True)["changed"] is True
    assert (keeper.value(), keeper.status(old)) == (old, 200)
    rotated = keeper.run(rotate=True, scopes=None)
    assert rotated["token"]["scopes"] == ["read:user"]
    assert rotated["diff"]["before"] != rotated["diff"]["after"]
    assert (keeper.status(old), keeper.status(keeper.value())) == (401, 200)


def test_other_scopes_are_another_token(keeper: Keeper) -> None:
    keeper.run()
    old = keeper.value()
    assert keeper.run(scopes=["read:misc"])["diff"]["after"]["scopes"] == ["read:misc"]
    assert keeper.status(old) == 401
    assert keeper.status(keeper.value()) == 403, "it is known, and has no scope for this"
    assert keeper.run(scopes=["read:misc"])["changed"] is False


@pytest.mark.parametrize("lost", ["gone", "empty", "another", "made anew elsewhere"])
def test_a_lost_value_is_made_anew(keeper: Keeper, lost: str) -> None:
    keeper.run()
    old = keeper.value()
    if lost == "gone":
        keeper.path.unlink()
    elif lost == "made anew elsewhere":
        keeper.run(rotate=True, path=None)
    else:
        keeper.path.write_text("" if lost == "empty" else "0" * 40, encoding="ascii")
    assert keeper.run(check=True)["changed"] is True
    assert keeper.run()["changed"] is True
    assert keeper.status(keeper.value()) == 200
    assert keeper.status(old) == 401
    assert keeper.run()["changed"] is False


def test_a_value_of_the_same_ending_is_tried(keeper: Keeper) -> None:
    keeper.run()
    keeper.path.write_text("0" * 32 + keeper.value()[-8:], encoding="ascii")
    keeper.path.chmod(0o600)
    assert keeper.run()["changed"] is True
    assert keeper.status(keeper.value()) == 200


def test_a_file_for_everybody_is_closed_and_its_token_stays(keeper: Keeper) -> None:
    keeper.run()
    value = keeper.value()
    keeper.path.chmod(0o644)
    assert keeper.run(check=True)["changed"] is True
    assert keeper.run()["changed"] is True
    assert (keeper.value(), stat.S_IMODE(keeper.path.stat().st_mode)) == (value, 0o600)
    assert keeper.run()["changed"] is False


def test_no_other_file_is_written_over_or_removed(keeper: Keeper) -> None:
    keeper.path.write_text("root:x:0:0\n", encoding="ascii")
    link = keeper.path.with_name("link")
    link.symlink_to(keeper.path)
    for state in ("present", "absent"):
        for path, said in ((keeper.path, "something else"), (link, "is a link")):
            with pytest.raises(RefusedError, match=said):
                keeper.run(state=state, path=str(path))
    with pytest.raises(RefusedError, match="does not begin at /"):
        keeper.run(path="token")
    assert keeper.path.read_text(encoding="ascii") == "root:x:0:0\n"
    assert keeper.person.by_password("GET", f"/users/{keeper.person.login}/tokens").json[0]["name"]
    assert keeper.params["name"] not in str(
        keeper.person.by_password("GET", f"/users/{keeper.person.login}/tokens").json
    )


def test_with_the_token_its_file_goes(keeper: Keeper) -> None:
    keeper.run()
    value = keeper.value()
    assert keeper.run(check=True, state="absent")["changed"] is True
    assert keeper.status(value) == 200
    keeper.run(path=None, state="absent")
    assert keeper.status(value) == 401
    assert keeper.run(state="absent")["changed"] is True
    assert not keeper.path.exists()
    assert keeper.run(state="absent")["changed"] is False


def test_the_value_is_in_no_output_of_a_run_that_keeps_a_file(world: World, tmp_path: Path) -> None:
    case = read_case(CASES / "gitea_token.yml")
    phases: list[dict[str, Any]] = [{"name": "create", "args": {"scopes": ["all"]}}]
    values = values_for(world, tmp_path)
    with recording(world.forge.url) as recorder:
        alone = Case(**{**vars(case), "phases": phases})
        life = live(alone, recorder, values, tmp_path)
    value = (tmp_path / "token-made").read_text(encoding="ascii").strip()
    assert len(value) == 40
    assert value[-8:] in life.output, "the run did show which token it is"
    assert value not in life.output
