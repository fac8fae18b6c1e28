# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of systemd units, by `systemctl show`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from timmy import process
from timmy.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = ("LoadState", "ActiveState", "SubState", "Result", "NRestarts")


@dataclass(frozen=True)
class Unit:
    """What systemd says; `active` is "unknown" where it could not be asked."""

    name: str
    load: str
    active: str
    sub: str
    result: str
    restarts: int | None


def parse(name: str, text: str) -> Unit:
    """Return the unit from lines of KEY=value; what is missing reads "unknown"."""
    given = dict(line.partition("=")[::2] for line in text.splitlines())
    load, active, sub, result, restarts = (given.get(field) or "unknown" for field in FIELDS)
    return Unit(name, load, active, sub, result, int(restarts) if restarts.isdigit() else None)


def show(name: str, monotonic: Callable[[], float]) -> Unit:
    """Ask systemd; a host without a running systemd gives "unknown"."""
    argv = ("systemctl", "show", f"--property={','.join(FIELDS)}", "--", name)
    try:
        done = process.run(process.Command(argv=argv, timeout_s=10.0), monotonic)
    except LaunchError:
        return parse(name, "")
    return parse(name, done.stdout if done.exit_code == 0 else "")
