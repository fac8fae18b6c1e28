# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy under the guard: what it promises to take back.

The part beyond files is done by the host tool, which holds the very code of the deploy that arms: an undo
never depends on the release that it undoes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from . import guard, release, release_program, release_state, release_undo
from .release_state import Settings

GUARD_ID = "sidecar-release"
GUARD_PROGRAM = "guard.py"
WINDOW_MAX_S = 60.0
MARGIN_S = 30.0
HOMES_S = 120.0
UNITS_S = 180.0


def window_of(limit_s: float, stop_s: float, start_s: float) -> float:
    """How long a flip may stay unconfirmed: what the units may take and a margin, within the limit."""
    return min(stop_s + start_s + MARGIN_S, limit_s, WINDOW_MAX_S)


def health_limit(left_s: float, window_s: float, wanted_s: float) -> float:
    """How long to wait for gateways, so that there is time left to confirm."""
    return max(min(wanted_s, left_s - min(10.0, window_s / 4)), 0.0)


def state(settings: Settings) -> dict[str, Any]:
    """What the guard knows about the last flip."""
    return guard.describe(settings.record_dir, GUARD_ID, guard.boot_time(), guard.boot_id())


def arm(settings: Settings, facts: Mapping[str, Any], files: list[str], window_s: float) -> None:
    """Have the guard go back unless somebody confirms. The link comes first: it takes most with it."""
    if settings.timer is guard.systemd_timer and not os.path.exists(
        os.path.join(settings.lib_dir, GUARD_PROGRAM)
    ):
        raise release_state.DeployError(
            f"{settings.lib_dir}/{GUARD_PROGRAM} is missing: nothing could take a bad release back; "
            "the role common makes it"
        )
    argv = [release_program.PYTHON, *release_program.FLAGS, release_program.install(settings.lib_dir)]
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
