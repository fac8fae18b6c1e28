# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What everything below this process waits for: a forge that was started here is among it."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

PROC = Path("/proc")
ARGUMENTS = 160  # characters of a command line that are shown


def stuck() -> str:
    """Return one line for each thread below this process: id, state, where in the kernel, command."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in PROC.glob("[0-9]*"):
        try:
            children[_stat(entry)[1]].append(int(entry.name))
        except OSError:  # it has ended meanwhile
            continue
    lines, left = [], [(os.getpid(), 0)]
    while left:
        pid, depth = left.pop()
        lines += _threads(PROC / str(pid), "  " * depth)
        left += [(child, depth + 1) for child in children[pid]]
    return "\n".join(lines)


def _stat(entry: Path) -> tuple[str, int]:
    """Return state and parent. The name before them may hold blanks and parentheses."""
    state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
    return state, int(parent)


def _threads(process: Path, indent: str) -> list[str]:
    found = []
    try:
        command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        for thread in sorted((process / "task").iterdir(), key=lambda entry: int(entry.name)):
            where = (thread / "wchan").read_text()
            found.append(f"{indent}{thread.name} {_stat(thread)[0]} {where} {command[:ARGUMENTS]}")
    except OSError:  # it has ended meanwhile, or its kernel does not say
        found.append(f"{indent}{process.name} ?")
    return found
