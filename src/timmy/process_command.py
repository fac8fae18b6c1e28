# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to run, and how it ended."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_OUTPUT = 1024 * 1024
# what a program gets of our own environment; all else must be given
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TERM")
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Identity:
    """Whom a program runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Command:
    """What to run. `stop_after` are the pauses after SIGINT and after SIGTERM, before the next signal."""

    argv: tuple[str, ...]
    timeout_s: float
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    identity: Identity | None = None
    max_output: int = MAX_OUTPUT
    contain: bool = False
    stop_after: tuple[float, float] = (5.0, 5.0)


@dataclass(frozen=True)
class Completed:
    """How it ended. Output keeps its end, stderr its beginning too; `dropped` bytes are gone."""

    exit_code: int
    stdout: str
    stderr: str
    stderr_head: str
    timed_out: bool
    duration_s: float
    dropped: int
    swept: int


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program: the allow-list from ours, then what is given."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"PATH": STANDARD_PATH, **passed, **given}
