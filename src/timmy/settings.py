# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of this host, typed, from the one file that the role `sidecar` renders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timmy.errors import NotConfigured

FLEET_FILE = Path("/etc/timmy/fleet.json")
ENV_DIR = Path("/etc/timmy/agents")
SCHEMA = 1
FLEET_QUEUE = "/var/lib/timmy/queue/queue.db"


@dataclass(frozen=True)
class Wizard:
    """An agent on this host."""

    name: str
    display_name: str
    home: Path
    api_port: int
    unit: str


@dataclass(frozen=True)
class Member:
    """A wizard of the fleet, wherever it is."""

    name: str
    host: str


@dataclass(frozen=True)
class Settings:
    """What this host knows of itself and of the fleet."""

    host: str
    release_root: Path
    wizards: tuple[Wizard, ...]
    fleet: tuple[Member, ...]
    queue_url: str = FLEET_QUEUE

    @property
    def current(self) -> Path:
        """Return the link to the live release."""
        return self.release_root / "current"

    def wizard(self, name: str | None) -> Wizard:
        """Return the wizard of that name, or the only one; raise NotConfigured with the known names."""
        known = ", ".join(one.name for one in self.wizards) or "none"
        if name is None:
            if len(self.wizards) == 1:
                return self.wizards[0]
            count = f"this host has {len(self.wizards)} wizards ({known})"
            raise NotConfigured(count, "name one with --agent")
        for one in self.wizards:
            if one.name == name:
                return one
        raise NotConfigured(f"no wizard {name!r} on this host", f"known here: {known}")


def _take(where: str, given: Any, key: str, kind: type) -> Any:
    if not isinstance(given, dict) or key not in given:
        raise NotConfigured(f"{where}: {key} is missing")
    value = given[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise NotConfigured(f"{where}: {key} must be {kind.__name__}, not {type(value).__name__}")
    return value


def _wizard(where: str, given: Any) -> Wizard:
    return Wizard(
        name=_take(where, given, "name", str),
        display_name=_take(where, given, "display_name", str),
        home=Path(_take(where, given, "home", str)),
        api_port=_take(where, given, "api_port", int),
        unit=_take(where, given, "unit", str),
    )


def parse(where: str, text: str) -> Settings:
    """Check and type the settings; raise NotConfigured naming the file and the key."""
    try:
        top = json.loads(text)
    except ValueError as error:
        raise NotConfigured(f"{where}: not JSON: {error}") from None
    schema = _take(where, top, "schema", int)
    if schema != SCHEMA:
        raise NotConfigured(f"{where}: schema {schema} is unknown, this timmy reads {SCHEMA}")
    return Settings(
        host=_take(where, top, "host", str),
        release_root=Path(_take(where, top, "release_root", str)),
        wizards=tuple(
            _wizard(f"{where}: wizards[{number}]", row)
            for number, row in enumerate(_take(where, top, "wizards", list))
        ),
        fleet=tuple(
            Member(
                _take(f"{where}: fleet[{number}]", row, "name", str),
                _take(f"{where}: fleet[{number}]", row, "host", str),
            )
            for number, row in enumerate(_take(where, top, "fleet", list))
        ),
        queue_url=_take(where, {"queue_url": FLEET_QUEUE, **top}, "queue_url", str),
    )


def load(path: Path = FLEET_FILE) -> Settings:
    """Read the settings file; raise NotConfigured where it cannot be read or used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise NotConfigured(f"{path}: cannot be read: {reason}", "site.yml writes it") from None
    return parse(str(path), text)


def read_env(text: str) -> dict[str, str]:
    """Return the names and values of an env file; later lines win, quotes around a value are dropped."""
    found = {}
    for line in text.splitlines():
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if not sign or name.startswith("#"):
            continue
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = value
    return found
