# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks for leases. The wall clock jumps, the monotonic one stands still in sleep; a lease does neither."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# A sleep shorter than this costs nobody a lease.
_ASLEEP_S = 1.0


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _boot_time() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Clock:
    """Seconds of the wall, since boot with sleep, since boot without sleep; and which boot it is."""

    wall: Callable[[], float] = time.time
    boot: Callable[[], float] = _boot_time
    awake: Callable[[], float] = time.monotonic
    boot_id: str = field(default_factory=_boot_id)


class Watch:
    """Whether this process may call a lease dead.

    When a box wakes up, or a server is back, every lease looks run out for a moment although its holder is
    there to renew it. So one is taken only after the time of two beats in which nothing came between.
    """

    def __init__(self, clock: Clock, beat_s: float) -> None:
        """Begin to watch."""
        self._clock = clock
        self._need = 2 * beat_s
        self._asleep = clock.boot() - clock.awake()
        self._since = clock.awake()

    def disturbed(self) -> None:
        """Begin anew: the store did not answer."""
        self._since = self._clock.awake()

    def long_enough(self) -> bool:
        """Return whether holders had time to renew since the start, a sleep, or a disturbance."""
        now = self._clock.awake()
        asleep = self._clock.boot() - now
        if asleep - self._asleep > _ASLEEP_S:
            self._asleep, self._since = asleep, now
        return now - self._since >= self._need
