# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trials of the forge's client have in common: how many, how long, and who asks.

TIMMY_FAULTS=full makes 1,000 trials of each cell and 10,000 fuzzed answers of each kind, and once waits for
real: some seconds of Retry-After, a stall of 30 s. Otherwise a few, with every waiting time scaled down.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gitea_peer import Fault, Peer

from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_retry import Patience
from timmy.core.gitea_transport import Limits

FULL = os.environ.get("TIMMY_FAULTS", "short") == "full"
TRIALS = 1000 if FULL else 8
FUZZED = 10_000 if FULL else 400
# With a few trials each one counts, so that a busy machine is given more room.
STALL_S = 0.05 if FULL else 0.4
# What breaks at once is not to look like a stall, however busy the machine is.
PATIENT_S = 120.0
TOKEN = "0123456789abcdef0123456789abcdef01234567"
REPO = "o/r"
# A stall is slept through, so that some fit beside each other.
BESIDE = 4


class Naps:
    """A sleep that is shorter, and remembers what it was asked for."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.asked: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        time.sleep(seconds * self.scale)


def client(
    peer: Peer, naps: Naps, *, request_s: float = PATIENT_S, slow_s: float | None = None, seed: int = 0
) -> GiteaClient:
    """Return a client that naps instead of sleeping; git work has as much time as the rest unless told."""
    limits = Limits(request_s=request_s, slow_s=request_s if slow_s is None else slow_s)
    rng = random.Random(seed)  # noqa: S311 - it is to be repeatable
    return GiteaClient(peer.url, TOKEN, limits=limits, patience=Patience(), sleep=naps, rng=rng)


def answer(status: int, **more: Any) -> Fault:
    """Return an answer of a server that repeats what it was sent: that must not make us say it."""
    return Fault("answer", status=status, reason=f"it broke, Authorization: token {TOKEN}", **more)


def beside(trials: int, some: Callable[[range], int]) -> int:
    """Share trials out to threads and return the sum of what they counted; the first error is raised."""
    with ThreadPoolExecutor(BESIDE) as pool:
        return sum(pool.map(some, (range(share, trials, BESIDE) for share in range(BESIDE))))
