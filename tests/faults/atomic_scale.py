# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a trial of atomicity runs: --full or TIMMY_FAULTS=full for all of it, else the short form."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The numbers of one form."""

    name: str
    # Kills at one change each, of every program that is tried; 0 for all changes.
    steps: int
    # Kills at random moments.
    kills: int
    flips: int
    # Host trees that are tried at the same time.
    beside: int


SHORT = Scale("short", steps=4, kills=8, flips=500, beside=2)
FULL = Scale("full", steps=0, kills=500, flips=10_000, beside=2)


def chosen(*, full: bool = False) -> Scale:
    """Return the form that was asked for: by pytest's --full, where that exists, or by the environment."""
    forms = {form.name: form for form in (SHORT, FULL)}
    name = FULL.name if full else os.environ.get("TIMMY_FAULTS", SHORT.name)
    assert name in forms, f"TIMMY_FAULTS is {name!r}; set it to one of {', '.join(forms)}"
    return forms[name]


def seed() -> int:
    """Return the seed of all chance in a trial: TIMMY_FAULTS_SEED repeats an earlier one."""
    return int(os.environ.get("TIMMY_FAULTS_SEED") or random.SystemRandom().randrange(10**9))
