# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a deploy that no release holds: the agents' env files, and the runtime's view of the fleet."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

from . import env_file, hermes_home, release
from .release_state import (
    FLEET,
    DeployError,
    Result,
    Settings,
    Wanted,
    diff_of,
    env_path,
    owned_as,
    owner,
    read,
    text_of,
)

# Root writes it, the agent's group reads it, nobody else does.
ENV_MODE = 0o640


class HostFiles:
    """Env files and fleet.json of one host. With a kept release they stay as they are."""

    def __init__(self, settings: Settings, wanted: Wanted, result: Result) -> None:
        self.settings = settings
        self.wanted = wanted
        self.result = result
        self.fleet = os.path.join(settings.config_dir, FLEET)

    def env_path(self, name: str) -> str:
        """Where the env file of an agent lives."""
        return env_path(self.settings, name)

    def env_content(self, name: str) -> bytes:
        """What is to stand in the env file of an agent."""
        if self.wanted.kept:
            return read(self.env_path(name)) or b""
        try:
            return env_file.render(self.wanted.secrets.get(name) or {})
        except env_file.EnvError as error:
            raise DeployError(f"{name}: {error}") from error

    def fleet_content(self) -> bytes:
        """What is to stand in fleet.json."""
        if self.wanted.kept:
            return read(self.fleet) or b""
        text = json.dumps(self.wanted.fleet, indent=2, sort_keys=True, ensure_ascii=False)
        return f"{text}\n".encode()

    def differ(self, names: Iterable[str]) -> bool:
        """Whether any of them is not as wanted."""
        if self.wanted.kept:
            return False
        return any(read(self.env_path(name)) != self.env_content(name) for name in names) or (
            read(self.fleet) != self.fleet_content()
        )

    def write(self, homes: Mapping[str, str]) -> None:
        """Bring them up to date; they stand before the flip, so a new release never meets old ones."""
        if self.wanted.kept:
            return
        # Each file is for one agent's group; the folder only has to be passed through.
        os.makedirs(os.path.join(self.settings.config_dir, "agents"), mode=0o755, exist_ok=True)
        for name, home in homes.items():
            before, content, gid = self._env(name, home)
            if not self._env_stands(name, before, content, gid):
                release.write_file(self.env_path(name), content, ENV_MODE, **owner(0, gid))
                self._note_env(name, before, content)
        content, before = self.fleet_content(), read(self.fleet)
        if before != content:
            release.write_file(self.fleet, content, 0o644)
            self._note_fleet(before, content)

    def predict(self, homes: Mapping[str, str]) -> None:
        """Note what `write` would do."""
        if self.wanted.kept:
            return
        for name, home in homes.items():
            before, content, gid = self._env(name, home)
            if not self._env_stands(name, before, content, gid):
                self._note_env(name, before, content)
        before, content = read(self.fleet), self.fleet_content()
        if before != content:
            self._note_fleet(before, content)

    def _env(self, name: str, home: str) -> tuple[bytes | None, bytes, int]:
        """The env file of an agent as it is, as it is to be, and the group that reads it."""
        account = hermes_home.account(name, home)
        return read(self.env_path(name)), self.env_content(name), account.gid if account else 0

    def _env_stands(self, name: str, before: bytes | None, content: bytes, gid: int) -> bool:
        return before == content and owned_as(self.env_path(name), 0, gid, ENV_MODE)

    def _note_env(self, name: str, before: bytes | None, content: bytes) -> None:
        self.result.changed = True
        self.result.add("env", name, env_file.changes(before, content))
        if self.settings.diff_mode:
            was = env_file.masked(before) if before else ""
            self.result.diff.append(diff_of(self.env_path(name), was, env_file.masked(content)))

    def _note_fleet(self, before: bytes | None, content: bytes) -> None:
        self.result.changed = True
        self.result.paths.setdefault("managed", []).append(self.fleet)
        if self.settings.diff_mode:
            self.result.diff.append(diff_of(self.fleet, text_of(before), text_of(content)))
