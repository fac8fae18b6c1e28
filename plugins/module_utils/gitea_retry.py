# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried again, after which pause, and for how long.

By meaning, not by method name alone: what may have happened and must not happen twice is `gitea_once`'s.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from .gitea_errors import ForgeError, LostError, ServerError, ThrottledError, UnreachableError

R = TypeVar("R")

# What a pause may reach by doubling; what a server asks for is only bounded by the total.
_DOUBLINGS = 16


@dataclass(frozen=True)
class Patience:
    """How often, and how many seconds at most between two attempts and over all pauses of one request.

    `settle_s` is how long to look for the effect of a write whose answer was lost.
    """

    attempts: int = 5
    base_s: float = 0.5
    cap_s: float = 30.0
    total_s: float = 120.0
    settle_s: float = 8.0


def transient(error: ForgeError) -> bool:
    """Return whether the same request may succeed later, as it is."""
    if isinstance(error, UnreachableError):
        return not error.permanent
    if isinstance(error, ServerError):
        return error.status != 501
    return isinstance(error, (ThrottledError, LostError))


def pause(
    attempt: int, asked: float | None, spent: float, patience: Patience, rng: random.Random
) -> float | None:
    """Return how long to wait after this attempt, counted from 1; None when it was the last.

    A server's own wish is kept, with a little more, so that not everybody comes back at the same moment.
    """
    if attempt >= patience.attempts:
        return None
    if asked is not None:
        wait = asked + rng.uniform(0.0, patience.base_s)
    else:
        wait = min(patience.cap_s, patience.base_s * 2 ** min(attempt - 1, _DOUBLINGS)) * rng.uniform(
            0.5, 1.0
        )
    return wait if spent + wait <= patience.total_s else None


@dataclass
class Retry:
    """Patience with the clock's pauses and the chance that spreads them."""

    patience: Patience = field(default_factory=Patience)
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random = field(default_factory=random.SystemRandom)

    def rounds(self) -> Rounds:
        """Return the attempts of one request."""
        return Rounds(self)

    def run(self, attempt: Callable[[], R]) -> R:
        """Return what an attempt that may be repeated returns. Raises the last attempt's ForgeError."""
        rounds = self.rounds()
        while True:
            try:
                return attempt()
            except ForgeError as error:
                if not transient(error) or not rounds.wait(error):
                    raise


class Rounds:
    """The attempts of one request, and the time that their pauses took."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.attempt = 1
        self.spent = 0.0

    def wait(self, error: ForgeError) -> bool:
        """Pause before the next attempt; False, at once, when there is none."""
        asked = error.retry_after if isinstance(error, ThrottledError) else None
        wait = pause(self.attempt, asked, self.spent, self._retry.patience, self._retry.rng)
        if wait is None:
            return False
        self._retry.sleep(wait)
        self.attempt += 1
        self.spent += wait
        return True
