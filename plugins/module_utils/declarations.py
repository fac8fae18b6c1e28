# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plays declare for an agent's home beside its release: keys of its configuration, and cron jobs.

A declaration has a name, and a record like that of a release: what is declared, and what was last applied.
Each key and each job has one owner. The release goes first: what it declares later leaves the record of a
declaration, and stands there again once the release lets go of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import adoption, home_merge
from .release_state import STATE, Records

FOLDER = "declared"
CONFIG = "config"
CRON = "cron"
NOTHING: dict[str, Any] = {"config": {}, "jobs": []}

Ask = Callable[[Mapping[str, Any], str], dict[str, Any]]


@dataclass
class Held:
    """Keys and names of jobs that somebody has, each with who that is."""

    keys: dict[home_merge.Path, Any] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)

    def add(self, wanted: Mapping[str, Any]) -> None:
        """Count all of a wish in."""
        self.keys.update(home_merge.leaves(wanted["config"]))
        self.jobs.update(str(job["name"]) for job in wanted["jobs"])

    def refused(self, wanted: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """The keys and names in a wish that are held."""
        keys = home_merge.clashes(dict(home_merge.leaves(wanted["config"])), self.keys)
        names = [str(job["name"]) for job in wanted["jobs"]]
        return [home_merge.dotted(path) for path in keys], [name for name in names if name in self.jobs]

    def spare(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """A wish without what is held."""
        jobs = [job for job in wanted["jobs"] if str(job["name"]) not in self.jobs]
        return {"config": self.spare_keys(wanted["config"]), "jobs": jobs}

    def spare_keys(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration without the keys that are held."""
        leaves = dict(home_merge.leaves(config))
        held = home_merge.clashes(leaves, self.keys)
        result: dict[str, Any] = {}
        for path, value in leaves.items():
            if path not in held:
                home_merge.place(result, path, value)
        return result


def held_by(*wishes: Mapping[str, Any]) -> Held:
    """All that some wishes hold."""
    held = Held()
    for wanted in wishes:
        held.add(wanted)
    return held


def wish_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says is declared."""
    return {**NOTHING, **(record.get("declared") or {})}


def request_for(record: Mapping[str, Any], wanted: Mapping[str, Any], release: Held) -> dict[str, Any]:
    """The request that brings a home to a wish. What the release has taken over is no past of ours."""
    past = adoption.last_applied(record)
    return {
        "do": "apply",
        **wanted,
        "base": release.spare_keys(past["base"]),
        "pending": [release.spare(one) for one in past["pending"]],
        "made": past["made"],
        "cron": {name: kept for name, kept in past["cron"].items() if name not in release.jobs},
        "own_only": True,
    }


def let_go(before: Mapping[str, Any], after: Mapping[str, Any]) -> Held:
    """What a release held by its older record and does not hold by its newer one."""
    keys = {path for path, _value in home_merge.leaves(after.get("config") or {})}
    gone = {path: 0 for path, _value in home_merge.leaves(before.get("config") or {}) if path not in keys}
    jobs = {str(name) for name in before.get("cron") or {}} - {*(after.get("cron") or {})}
    return Held(dict(gone), jobs)


class Declarations:
    """The declarations for one agent, on record where only root can read them."""

    def __init__(self, root: str, agent: str) -> None:
        self.root = root
        self.agent = agent
        self.records = Records(root, os.path.join(STATE, FOLDER, agent))

    def load(self, kind: str, name: str) -> dict[str, Any]:
        """The record of a declaration, {} where there is none."""
        return self.records.load(f"{kind}.{name}")

    def begin(self, kind: str, name: str, wanted: Mapping[str, Any], python: str) -> list[Mapping[str, Any]]:
        """Note what a run is about to do, before it does; returns what was noted until then."""
        for folder in (STATE, os.path.join(STATE, FOLDER)):
            with suppress(FileExistsError):
                os.mkdir(os.path.join(self.root, folder), 0o700)
        begun = list(self.load(kind, name).get("pending") or [])
        pending = [*(one for one in begun if one != wanted), wanted]
        self.records.save(f"{kind}.{name}", pending=pending, python=python)
        return begun

    def keep(self, kind: str, name: str, wanted: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Put the answer to a request on record; a declaration of nothing has none."""
        values = {
            "declared": dict(wanted),
            "config": answer["config"]["base"],
            "made": answer["config"]["made"],
            "cron": answer["cron"]["record"],
            "pending": [],
        }
        if home_merge.same({**NOTHING, **wanted}, NOTHING):
            self.records.forget(f"{kind}.{name}")
            self._sweep()
        else:
            self.records.save(f"{kind}.{name}", **values)

    def refuse(self, kind: str, name: str, begun: list[Mapping[str, Any]]) -> None:
        """Back to what was noted before a run that changed nothing."""
        if begun or self.load(kind, name).get("declared"):
            self.records.save(f"{kind}.{name}", pending=begun)
        else:
            self.records.forget(f"{kind}.{name}")
            self._sweep()

    def others(self, kind: str, name: str) -> dict[str, list[Mapping[str, Any]]]:
        """The wishes of each other declaration, by its name; those of runs that were killed count as well."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for whole in self.records.names():
            if whole != f"{kind}.{name}":
                record = self.records.load(whole)
                wishes = [wish_of(record), *(record.get("pending") or [])]
                found.setdefault(whole.partition(".")[2], []).extend(wishes)
        return found

    def replay(self, before: Mapping[str, Any], after: Mapping[str, Any], release: Held, ask: Ask) -> None:
        """Bring back what was hidden by a release, after another one that does without it was settled."""
        freed = let_go(before, after)
        for whole in self.records.names():
            kind, _dot, name = whole.partition(".")
            record = self.records.load(whole)
            wanted = release.spare(wish_of(record))
            if any(freed.refused(wanted)):
                begun = self.begin(kind, name, wish_of(record), str(record.get("python") or ""))
                answer = ask(request_for(record, wanted, release), "")
                if answer["config"]["problems"] or answer["cron"]["problems"]:
                    self.refuse(kind, name, begun)
                else:
                    self.keep(kind, name, wish_of(record), answer)

    def clear(self, ask: Ask) -> None:
        """Take all of it out of the home, and the records away; `ask` raises where that cannot be done."""
        for whole in self.records.names():
            record = self.records.load(whole)
            ask(request_for(record, NOTHING, Held()), str(record.get("python") or ""))
            self.records.forget(whole)
        self._sweep()

    def forget(self) -> None:
        """Drop the records of an agent whose home is gone."""
        for whole in self.records.names():
            self.records.forget(whole)
        self._sweep()

    def _sweep(self) -> None:
        with suppress(OSError):
            os.rmdir(self.records.folder)
            os.rmdir(os.path.dirname(self.records.folder))


def agents(root: str) -> list[str]:
    """The agents that anything was declared for."""
    try:
        return sorted(os.listdir(os.path.join(root, STATE, FOLDER)))
    except OSError:
        return []
