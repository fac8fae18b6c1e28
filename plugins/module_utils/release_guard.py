# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy under the guard: what it promises to take back, and the program that does the part beyond files.

That program is one file beside the guard, named after its content. It holds the very code of the deploy that
arms, so an undo never depends on the release that it undoes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from . import guard, hermes_home, release, release_state, release_undo
from .release_state import Settings

GUARD_ID = "sidecar-release"
GUARD_PROGRAM = "guard.py"
WINDOW_MAX_S = 60.0
MARGIN_S = 30.0
HOMES_S = 120.0
UNITS_S = 180.0
_PACKAGE = "timmy_undo"
_MAIN = f"""import sys

from {_PACKAGE} import release_undo

sys.exit(release_undo.main(sys.argv[1:]))
"""


def window_of(limit_s: float, stop_s: float, start_s: float) -> float:
    """How long a flip may stay unconfirmed: what the units may take and a margin, within the limit."""
    return min(stop_s + start_s + MARGIN_S, limit_s, WINDOW_MAX_S)


def health_limit(left_s: float, window_s: float, wanted_s: float) -> float:
    """How long to wait for gateways, so that there is time left to confirm."""
    return max(min(wanted_s, left_s - min(10.0, window_s / 4)), 0.0)


def state(settings: Settings) -> dict[str, Any]:
    """What the guard knows about the last flip."""
    return guard.describe(settings.record_dir, GUARD_ID, guard.boot_time(), guard.boot_id())


def program() -> bytes:
    """The undo program as one file; equal code gives equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        sources = [(f"{_PACKAGE}/__init__.py", ""), ("__main__.py", _MAIN)]
        # What this process has loaded of our package holds all that the undo imports, for it is among it.
        head = f"{release_undo.__name__.rpartition('.')[0]}."
        for full in sorted(name for name in sys.modules if name.startswith(head)):
            text = hermes_home.source_of(sys.modules[full])
            sources.append((f"{_PACKAGE}/{full.removeprefix(head)}.py", text))
        for name, text in sources:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return buffer.getvalue()


def install_program(lib_dir: str) -> str:
    """Put the undo program in place and drop older ones, which no record needs: only one flip is armed."""
    content = program()
    path = os.path.join(lib_dir, f"release-undo-{hashlib.sha256(content).hexdigest()[:12]}.pyz")
    if release_state.read(path) != content:
        os.makedirs(lib_dir, mode=0o755, exist_ok=True)
        release.write_file(path, content, 0o644)
    remove_programs(lib_dir, path)
    return path


def remove_programs(lib_dir: str, keep: str = "") -> None:
    """Remove undo programs but the given one."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(lib_dir):
            full = os.path.join(lib_dir, name)
            if re.fullmatch(r"release-undo-[0-9a-f]{12}\.pyz", name) and full != keep:
                release_state.unlink(full)


def arm(settings: Settings, facts: Mapping[str, Any], files: list[str], window_s: float) -> None:
    """Have the guard go back unless somebody confirms. The link comes first: it takes most with it."""
    if settings.timer is guard.systemd_timer and not os.path.exists(
        os.path.join(settings.lib_dir, GUARD_PROGRAM)
    ):
        raise release_state.DeployError(
            f"{settings.lib_dir}/{GUARD_PROGRAM} is missing: nothing could take a bad release back; "
            "the role common makes it"
        )
    argv = ["/usr/bin/python3", "-I", install_program(settings.lib_dir)]
    text = json.dumps(facts, sort_keys=True)
    undo = [guard.undo_of(os.path.join(settings.root, release.CURRENT)), *map(guard.undo_of, files)]
    undo += [
        {
            "do": "run",
            "argv": [*argv, release_undo.HOMES, text],
            "timeout": HOMES_S,
            "at_boot": True,
        },
        # After a restart of the host the units start by themselves, behind the guard.
        {"do": "run", "argv": [*argv, release_undo.UNITS, text], "timeout": UNITS_S},
    ]
    reason = f"release {facts['to']} after {facts['from'] or '(none)'}"
    guard.arm(settings.record_dir, GUARD_ID, undo, window_s, reason, timer=settings.timer)
