# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateways of one host: which must restart for a release, which are busy, and whether they are well."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from . import env_file, ownership, release, wizard_units
from .hermes_home import HomeError
from .release_format import SHORT
from .release_state import Records, Settings

EnvOf = Callable[[str], bytes]


class Gateways:
    """Drives the units of some agents; the env files are asked for through `env_of`."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        agents: list[dict[str, Any]],
        env_of: EnvOf,
        runner: wizard_units.Runner,
    ) -> None:
        self.settings = settings
        self.records = records
        self.agents = agents
        self.names = [str(agent["name"]) for agent in agents]
        self.env_of = env_of
        self.runner = runner

    def due(self, manifest: Mapping[str, Any]) -> list[str]:
        """Agents whose gateway does not run, or runs with what only a restart can replace."""
        states = wizard_units.states(self.names, self.runner)
        found = []
        for name in self.names:
            state, record = states[name], self.records.load(name)
            running = str(record.get("running") or "")
            stale = self._stale(name, running, manifest)
            env_seen = record.get("env") == env_file.digest(self.env_of(name))
            if not state.enabled or not (state.active or state.activating) or stale or not env_seen:
                found.append(name)
        return found

    def _stale(self, name: str, running: str, manifest: Mapping[str, Any]) -> bool:
        if running == manifest["hash"]:
            return False
        known = self._files_of(running[:SHORT]) if running else {}
        return not known or ownership.reload_for(known, manifest["files"], name) == "restart"

    def flipped_under(self, manifest: Mapping[str, Any]) -> None:
        """Put on record what an undo without a restart means: what a gateway took along, or nobody knows."""
        for name in self.names:
            running = str(self.records.load(name).get("running") or "")
            if self._stale(name, running, manifest):
                self.forget_running([name])
            elif running != manifest["hash"]:
                self.records.save(name, running=manifest["hash"])

    def _files_of(self, name: str) -> Mapping[str, Any]:
        directory = os.path.join(self.settings.root, release.RELEASES, name)
        return dict(release.load_manifest(directory).get("files", {}))

    def restart(self, due: list[str]) -> None:
        """Start the units afresh. A kill between here and `well` leaves on record that nothing is known."""
        missing = [name for name, state in wizard_units.states(due, self.runner).items() if not state.loaded]
        if missing:
            raise HomeError(
                f"{wizard_units.unit_of(missing[0])} does not exist; the role hermes_agent makes it"
            )
        self.forget_running(due)
        wizard_units.enable_and_restart(due, self.runner)

    def forget_running(self, names: list[str]) -> None:
        """Put on record that nobody knows what these gateways run with."""
        for name in names:
            self.records.save(name, running="", env="")

    def well(self, manifest: Mapping[str, Any], timeout_s: float) -> dict[str, dict[str, Any]]:
        """The answers of all gateways; raises where one is not well within the time."""
        answers = wizard_units.wait_healthy(self.doors(), timeout_s)
        ill = {name: answer["reason"] for name, answer in answers.items() if not answer["ok"]}
        if ill:
            name, reason = next(iter(sorted(ill.items())))
            raise HomeError(f"{name}: the gateway is not well after {timeout_s:.0f} s: {reason}")
        for name in self.names:
            self.records.save(name, running=manifest["hash"], env=env_file.digest(self.env_of(name)))
        return answers

    def answers(self) -> dict[str, dict[str, Any]]:
        """What each gateway says right now."""
        return wizard_units.wait_healthy(self.doors(), 0)

    def doors(self) -> dict[str, tuple[int, str]]:
        """Port and key of each gateway that has a key."""
        found = {}
        for agent in self.agents:
            key = env_file.value_of(self.env_of(str(agent["name"])), "API_SERVER_KEY")
            if key:
                found[str(agent["name"])] = (int(agent.get("api_port") or 8642), key)
        return found

    def busy(self, names: list[str], patience_s: float) -> dict[str, int]:
        """Turns that still run in these gateways when the patience is over; {} as soon as there are none."""
        doors = {name: door for name, door in self.doors().items() if name in names}
        return wizard_units.wait_idle(doors, patience_s)
