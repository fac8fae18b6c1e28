# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The half of going back that the guard cannot do by itself: homes and units follow the link.

The guard runs this from a copy outside every release, at the end of a window, at a failure, or early in a
boot. Each step reads the host as it is and may be repeated.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from . import hermes_home, release, release_drift, release_lock, wizard_units
from .release_format import ReleaseError
from .release_homes import Homes
from .release_state import FLEET, Records, Result, Settings, env_path, read, read_json
from .release_units import Gateways

HOMES = "homes"
UNITS = "units"
PATIENCE_S = 15.0
WELL_S = 30.0
ASK_S = 25.0


class Undo:
    """One step of going back, after the guard has put back the link and the files."""

    def __init__(self, facts: Mapping[str, Any], runner: wizard_units.Runner = wizard_units.run) -> None:
        self.settings = Settings(
            root=facts["root"],
            hermes_root=facts["hermes_root"],
            config_dir=facts["config_dir"],
            units=facts["units"],
            ask_timeout_s=ASK_S,
        )
        self.facts = facts
        self.runner = runner
        self.records = Records(self.settings.root)
        name = str(facts["from"])
        self.manifest = self._manifest(name)
        # The newer release's directory answers for Hermes where there is no older one.
        self.directory = os.path.join(self.settings.root, release.RELEASES, name or str(facts["to"]))
        agents = [dict(agent) for agent in facts["agents"]]
        # The guard put the older fleet.json back before: it has the ports of the older release.
        fleet = read_json(os.path.join(self.settings.config_dir, FLEET)) or {}
        ports = {one.get("name"): one.get("api_port") for one in fleet.get("wizards") or []}
        for agent in agents:
            agent["api_port"] = ports.get(agent["name"])
        self.known = [agent for agent in agents if agent["name"] in self.manifest.get("agents", [])]
        self.strange = [agent for agent in agents if agent not in self.known]

    def _manifest(self, name: str) -> dict[str, Any]:
        if not name:
            return {}
        manifest = release.load_manifest(os.path.join(self.settings.root, release.RELEASES, name))
        if not manifest:
            raise ReleaseError(f"release {name} cannot be read")
        return manifest

    def homes(self) -> None:
        """Links, seeds, keys and jobs of each home; one home that fails does not keep the others back."""
        strangers = [str(agent["name"]) for agent in self.strange]
        if self.settings.units:
            # Without its managed layer an agent must not run; this also holds early in a boot.
            wizard_units.leave_at_boot(strangers, self.runner)
        self._gateways().flipped_under(self.manifest)
        work = Homes(self.settings, self.records, Result())
        failed = []
        for agent in self.known + self.strange:
            account = hermes_home.account(str(agent["name"]), str(agent.get("home") or ""))
            if account is None:
                continue
            try:
                if agent in self.known:
                    release_drift.forget(self.records, account.name)
                    work.settle(account.name, self.manifest, self.directory, account)
                else:
                    work.clear(account, self.directory)
            except (hermes_home.HomeError, OSError) as error:
                failed.append(str(error))
        if failed:
            raise hermes_home.HomeError("; ".join(failed))

    def units(self) -> None:
        """Gateways run with the release that is current now, and say that they are well."""
        if not self.settings.units:
            return
        wizard_units.disable([str(agent["name"]) for agent in self.strange], self.runner)
        if not self.known:
            return
        gateways = self._gateways()
        due = gateways.due(self.manifest)
        if due:
            gateways.restart(due)
        gateways.well(self.manifest, WELL_S)

    def _gateways(self) -> Gateways:
        def env_of(name: str) -> bytes:
            return read(env_path(self.settings, name)) or b""

        return Gateways(self.settings, self.records, self.known, env_of, self.runner)


def facts_of(settings: Settings, before: str, after: str, agents: list[dict[str, Any]]) -> dict[str, Any]:
    """All that an undo has to know; it becomes part of the guard's record."""
    kept = ("name", "home")
    return {
        "from": before,
        "to": after,
        "root": settings.root,
        "hermes_root": settings.hermes_root,
        "config_dir": settings.config_dir,
        "units": settings.units,
        "agents": [{key: agent[key] for key in kept if agent.get(key)} for agent in agents],
    }


def run(step: str, facts: Mapping[str, Any], runner: wizard_units.Runner = wizard_units.run) -> int:
    """Carry out a step; the exit code for the guard, the reason on standard error."""
    os.umask(0o022)
    try:
        undo = Undo(facts, runner)
        with release_lock.locked_for_undo(undo.settings.root, PATIENCE_S):
            steps: dict[str, Callable[[], None]] = {HOMES: undo.homes, UNITS: undo.units}
            steps[step]()
    except (ReleaseError, hermes_home.HomeError, wizard_units.UnitError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def main(arguments: list[str]) -> int:
    """Two words: the step, and the facts as JSON."""
    return run(arguments[0], json.loads(arguments[1]))
