# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job is, which moves it makes, and what a store of jobs offers.

    ready -> leased -> done       acknowledged
                    -> ready      retry, given back, or its worker died
                    -> dead       failed for good, unreadable, or too many workers died with it
    dead  -> ready                requeued by a person

Each move out of `leased` is made by the holder of the token alone, or by whoever finds the lease run out.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from timmy.errors import TimmyError

READY, LEASED, DONE, DEAD = "ready", "leased", "done", "dead"
STATES = (READY, LEASED, DONE, DEAD)
SCHEMA = 1

LEASE_S = 30.0
BEAT_S = 5.0
# A healthy job may be hit by kills; one that takes its worker along every time must not do so for ever.
DEATHS_LIMIT = 10
RETAIN_S = 7 * 86400.0
REASON_LIMIT = 500


class QueueError(TimmyError):
    """The queue cannot be used as it is; a person has to act. The message is one line."""

    code = "queue"
    exit_code = 72


class QueueUnavailable(QueueError):  # noqa: N818 - the state is the name
    """The store did not answer or could not write. The same call may succeed later."""

    code = "queue-unavailable"
    exit_code = 75


def new_token() -> str:
    """Return a token nobody else has."""
    return uuid.uuid4().hex


def one_line(text: str) -> str:
    """Return a reason as one bounded line of printable characters."""
    line = " ".join(text.split())
    return "".join(char for char in line if char.isprintable())[:REASON_LIMIT]


@dataclass(frozen=True)
class NewJob:
    """A job to add. `at` is wall time in seconds, 0 for at once; an id that exists already adds nothing."""

    id: str
    payload: bytes
    name: str = ""
    priority: float = 0.0
    at: float = 0.0


@dataclass(frozen=True)
class Lease:
    """A claimed job: whoever knows the token may move it."""

    id: str
    token: str
    payload: bytes


@dataclass(frozen=True)
class End:
    """How a lease ends, and what becomes visible together with it, or not at all."""

    state: str
    at: float = 0.0
    payload: bytes | None = None
    reason: str = ""
    failed: bool = False
    jobs: tuple[NewJob, ...] = ()
    puts: tuple[tuple[str, bytes], ...] = ()
    deletes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A row, as people see it. `since` is the wall time of its last move."""

    id: str
    name: str
    state: str
    at: float
    failures: int
    deaths: int
    reason: str
    since: float


class Jobs(Protocol):
    """A store of jobs. Every method may raise QueueError."""

    beat_s: float

    def add(self, jobs: Iterable[NewJob]) -> int:
        """Add jobs in one step and return how many were new."""

    def claim(self) -> Lease | None:
        """Lease the next job, by priority and then by age."""

    def renew(self, tokens: Sequence[str]) -> set[str]:
        """Lengthen leases of jobs and locks; return the tokens that still hold something."""

    def settle(self, lease: Lease, end: End) -> bool:
        """End a lease; False, and nothing moved, when the token is no longer the holder's."""

    def tend(self) -> None:
        """Make due jobs ready, and free those whose worker died."""

    def counts(self) -> dict[str, int]:
        """Return the number of jobs by state, and `waiting`: ready, but not due yet."""

    def listing(self, states: Sequence[str], limit: int) -> list[Job]:
        """Return jobs of these states, those that moved last first."""

    def payloads(self, *, waiting: bool, limit: int | None) -> list[bytes]:
        """Return payloads of ready jobs, next first."""

    def requeue(self, ids: Sequence[str]) -> list[str]:
        """Make dead jobs ready again, counts cleared; return the ids that moved."""

    def drop(self, ids: Sequence[str]) -> list[str]:
        """Remove dead or ready jobs for good; return the ids that went."""

    def flush(self, *, waiting: bool) -> None:
        """Remove all jobs that are ready, or all that wait for their time."""

    def purge(self, retain_s: float = RETAIN_S) -> int:
        """Remove done jobs and results older than that, a few at a time; return how many jobs went."""

    def put(self, key: str, value: bytes, *, result: bool) -> None:
        """Keep a value; results are purged by age, others stay."""

    def put_new(self, key: str, value: bytes) -> bool:
        """Keep a value unless there is one."""

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values that exist."""

    def pop(self, key: str) -> bytes | None:
        """Return a value and forget it."""

    def results(self) -> Mapping[str, bytes]:
        """Return all values."""

    def forget(self) -> None:
        """Forget all values."""

    def incr(self, key: str, amount: int) -> int:
        """Add to a counter and return it."""

    def uncount(self, key: str | None) -> None:
        """Remove one counter, or all."""

    def lock(self, name: str, token: str, ttl: float | None) -> bool:
        """Take a lock unless somebody alive has it. Without ttl it lasts as long as it is renewed."""

    def unlock(self, name: str, token: str) -> bool:
        """Free a lock, if this token holds it."""

    def locked(self, name: str) -> bool:
        """Return whether somebody alive holds the lock."""

    def close(self) -> None:
        """Let go of what this thread has open."""
