# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test finds on the forge: one organisation with accounts of each right, and repositories."""

from __future__ import annotations

import itertools
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from forge_git import Clone
from forge_wire import Actor, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from forge_servers import Forge
    from forge_wire import Answer

T = TypeVar("T")

UNITS = ("repo.code", "repo.issues", "repo.pulls", "repo.releases")
TRY_LATER = "try again later"
CHECK_S = 90  # how long a forge may take to look at a pull, on a busy machine


@dataclass
class Repo:
    """One repository of the world's organisation."""

    world: World = field(repr=False)
    name: str
    _clones: Any = field(default_factory=itertools.count, repr=False)

    @property
    def api(self) -> str:
        """Return the path of its API."""
        return f"/repos/{self.world.org}/{self.name}"

    def label(self, name: str, **more: Any) -> int:
        """Define a label and return its id."""
        body = {"name": name, "color": "#00aabb", **more}
        return int(self.world.writer.must("POST", f"{self.api}/labels", body)["id"])

    def issue(self, title: str = "an issue", actor: Actor | None = None, **more: Any) -> int:
        """Open an issue and return its number."""
        body = {"title": title, **more}
        return int((actor or self.world.writer).must("POST", f"{self.api}/issues", body)["number"])

    def clone(self, actor: Actor | None = None) -> Clone:
        """Return a new clone under an account, by default the writer's."""
        path = self.world.folder / f"{self.name}-{next(self._clones)}.git"
        url = f"{self.world.forge.url}/{self.world.org}/{self.name}.git"
        return Clone(path, url, actor or self.world.writer).start()

    def branches(self, clone: Clone, heads: Mapping[str, Mapping[str, str | None]]) -> dict[str, str]:
        """Push one commit on top of main for each branch, all in one push, and return the commits."""
        made = {name: clone.commit(files, message=f"work on {name}") for name, files in heads.items()}
        pushed = clone.push(*(f"{sha}:refs/heads/{name}" for name, sha in made.items()))
        assert pushed.ok, pushed.output
        return made

    def pull(self, head: str, title: str = "", actor: Actor | None = None, **more: Any) -> int:
        """Open a pull of a branch into main and return its number."""
        body = {"head": head, "base": "main", "title": title or f"pull of {head}", **more}
        return int((actor or self.world.writer).must("POST", f"{self.api}/pulls", body)["number"])

    def merge(self, number: int, do: str = "merge", actor: Actor | None = None, **more: Any) -> Answer:
        """Ask once to merge."""
        return (actor or self.world.writer).post(f"{self.api}/pulls/{number}/merge", {"Do": do, **more})

    def merge_when_checked(
        self, number: int, do: str = "merge", actor: Actor | None = None, **more: Any
    ) -> Answer:
        """Ask to merge until the forge no longer says that it is still looking at the pull."""
        return until(lambda: self.merge(number, do, actor, **more), lambda answer: not still_checking(answer))

    def checked(self, number: int, mergeable: bool = True) -> Any:
        """Wait until a pull reads mergeable, or not, and return it."""
        read = f"{self.api}/pulls/{number}"
        return until(lambda: self.world.writer.must("GET", read), lambda pull: pull["mergeable"] is mergeable)

    def status(self, sha: str, context: str, state: str = "success", actor: Actor | None = None) -> Any:
        """Post a status."""
        body = {"state": state, "context": context}
        return (actor or self.world.writer).must("POST", f"{self.api}/statuses/{sha}", body)

    def protect(self, **more: Any) -> Any:
        """Lay a rule on main."""
        return self.world.admin.must("POST", f"{self.api}/branch_protections", {"rule_name": "main", **more})


@dataclass
class World:
    """An organisation and its people: writer and writer2 write, reader reads, outsider has no role."""

    forge: Forge
    folder: Path = field(repr=False)
    admin: Actor = field(repr=False)
    org: str
    people: dict[str, Actor] = field(repr=False)
    version: tuple[int, ...]
    _names: Any = field(default_factory=itertools.count, repr=False)

    def __getattr__(self, name: str) -> Actor:
        """Return an account by its part."""
        try:
            return self.__dict__["people"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def anonymous(self) -> Actor:
        """Return nobody."""
        return Actor(self.admin.wire)

    def unused(self, stem: str = "x") -> str:
        """Return a name that was not used before."""
        return f"{stem}-{next(self._names)}-{secrets.token_hex(3)}"

    def repo(self, stem: str = "r", **more: Any) -> Repo:
        """Make a repository with one commit on main."""
        name = self.unused(stem)
        body = {"name": name, "auto_init": True, "default_branch": "main", **more}
        self.admin.must("POST", f"/orgs/{self.org}/repos", body)
        return Repo(self, name)

    def account(self, stem: str, **more: Any) -> Actor:
        """Make an account with a password and a token of all scopes."""
        login, password = self.unused(stem), secrets.token_urlsafe(15)
        body = {
            "username": login,
            "email": f"{login}@forge.test",
            "password": password,
            "must_change_password": False,
        }
        self.admin.must("POST", "/admin/users", {**body, **more})
        return Actor(self.admin.wire, login, mint(self.admin.wire, login, password, ["all"]), password)

    def with_scopes(self, actor: Actor, *scopes: str) -> Actor:
        """Return the same account with a token of these scopes only."""
        token = mint(self.admin.wire, actor.login, actor.password, list(scopes))
        return Actor(actor.wire, actor.login, token, actor.password)

    def team(self, name: str, permission: str, members: list[Actor]) -> int:
        """Make a team that holds every repository of the organisation."""
        body = {"name": name, "permission": permission, "units_map": dict.fromkeys(UNITS, permission)}
        made = self.admin.must("POST", f"/orgs/{self.org}/teams", {**body, "includes_all_repositories": True})
        for actor in members:
            self.admin.must("PUT", f"/teams/{made['id']}/members/{actor.login}")
        return int(made["id"])


def make_world(forge: Forge, wire: Wire, folder: Path) -> World:
    """Make the organisation and its accounts."""
    admin = Actor(wire, "", forge.token)
    login = admin.must("GET", "/user")["login"]
    text = admin.must("GET", "/version")["version"]
    version = tuple(
        int(part) for part in text.partition("+")[0].partition("-")[0].split(".") if part.isdigit()
    )
    world = World(
        forge, folder, Actor(wire, login, forge.token), f"fleet-{secrets.token_hex(4)}", {}, version
    )
    admin.must("POST", "/orgs", {"username": world.org})
    for part in ("writer", "writer2", "reader", "outsider"):
        world.people[part] = world.account(part)
    world.team("writers", "write", [world.writer, world.writer2])
    world.team("readers", "read", [world.reader])
    return world


def remove_world(world: World) -> None:
    """Take away what a run made on a forge that stays."""
    while rows := world.admin.get(f"/orgs/{world.org}/repos?limit=50").json:
        for row in rows:
            world.admin.delete(f"/repos/{row['full_name']}")
    world.admin.delete(f"/orgs/{world.org}")
    for person in world.people.values():
        world.admin.delete(f"/admin/users/{person.login}?purge=true")


def mint(wire: Wire, login: str, password: str, scopes: list[str]) -> str:
    """Return a new token of an account, made by its password."""
    actor = Actor(wire, login, password=password)
    answer = actor.by_password(
        "POST", f"/users/{login}/tokens", {"name": secrets.token_hex(6), "scopes": scopes}
    )
    assert answer.status == 201, answer
    return str(answer.json["sha1"])


def still_checking(answer: Answer) -> bool:
    """Return whether a merge was refused because the pull is still being looked at, or is in conflict."""
    return answer.status == 405 and TRY_LATER in answer.message.lower()


def until(ask: Callable[[], T], good: Callable[[T], bool], seconds: float = CHECK_S) -> T:
    """Ask again until the answer is good, and return the last one either way."""
    end, pause = time.monotonic() + seconds, 0.05
    while True:
        got = ask()
        if good(got) or time.monotonic() > end:
            return got
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
