# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take away what deploys put on a host; homes keep everything that is not ours."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from . import (
    declarations,
    hermes_home,
    release,
    release_guard,
    release_lock,
    release_program,
    wizard_units,
)
from .release_homes import Homes
from .release_state import FLEET, PREVIOUS, STATE, Records, Result, Settings, env_path, unlink


class Removal:
    """The mirror of a deploy; a run that was killed is repeated."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        home_work: Homes,
        result: Result,
        runner: wizard_units.Runner,
    ) -> None:
        self.settings = settings
        self.records = records
        self.home_work = home_work
        self.result = result
        self.runner = runner

    def run(self, homes: Mapping[str, str]) -> Result:
        """Take all of it away; `homes` names the home of an agent where its account does not."""
        root = self.settings.root
        known = sorted({*homes, *self.records.names(), *declarations.agents(root)})
        self.result.previous = release.current_name(root)
        if not self._anything(known):
            if not self.settings.check_mode:
                self._remove_places()
            return self.result
        self.result.changed = True
        self.result.retired = known
        if self.settings.check_mode:
            return self.result
        guarded = str(release_guard.state(self.settings)["state"])
        try:
            with release_lock.locked(root, self.settings.owner, guarded) as lock:
                self.result.lock_broken = lock.broken
                self._remove_all(known, homes)
        except release_lock.HeldError as error:
            self.result.held = str(error)
            return self.result
        self._remove_places()
        return self.result

    def _anything(self, known: list[str]) -> bool:
        root, config_dir = self.settings.root, self.settings.config_dir
        if not any(os.path.lexists(place) for place in (root, config_dir)):
            return False
        # The lease is left by a run that was killed, maybe while it took things away.
        left = [os.path.join(config_dir, FLEET), os.path.join(root, release_lock.LEASE)]
        left += [self.records.path(name) for name in known]
        left += [declarations.Declarations(root, name).records.folder for name in known]
        return bool(
            self.result.previous
            or release.releases(root)
            or release.leftovers(root)
            or any(os.path.lexists(path) for path in left)
        )

    def _remove_all(self, known: list[str], homes: Mapping[str, str]) -> None:
        root = self.settings.root
        if self.settings.units:
            wizard_units.disable(known, self.runner)
        for name in known:
            account = hermes_home.account(name, homes.get(name, ""))
            if account is not None and os.path.isdir(account.home):
                directory = os.path.join(root, release.RELEASES, self.result.previous)
                self.home_work.clear(account, directory)
                self.home_work.clear_declared(account, directory)
            declarations.Declarations(root, name).forget()
            for path in (env_path(self.settings, name), self.records.path(name)):
                unlink(path)
        release.flip(root, "")
        for path in (os.path.join(self.settings.config_dir, FLEET), os.path.join(root, PREVIOUS)):
            unlink(path)
        release.prune(root, 0, set())
        release_program.remove(self.settings.lib_dir)

    def _remove_places(self) -> None:
        """The last of it: what is empty now goes, what holds foreign files stays."""
        root = self.settings.root
        for path in (STATE, release.RELEASES, release_lock.LOCK, ""):
            full = os.path.join(root, path) if path else root
            with contextlib.suppress(OSError):
                os.unlink(full) if path == release_lock.LOCK else os.rmdir(full)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(self.settings.config_dir, "agents"))
