# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Huey's storage on a store of jobs.

While a task runs, its thread has a *settlement*. Until the task function returns, calls go straight through.
From then on whatever Huey does about the outcome (result, next step, retry, handler) is collected, and takes
effect in one step together with the end of the lease, or not at all.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from huey.constants import EmptyData
from huey.exceptions import RETRYING_EXCEPTIONS, CancelExecution
from huey.storage import BaseStorage

from timmy.queue.keeper import Keeper
from timmy.queue.model import DEAD, DONE, READY, End, Jobs, Lease, NewJob, QueueError, QueueUnavailable
from timmy.queue.payload import Payload

_log = logging.getLogger("huey.timmy")
# Longer than a server takes to be restarted.
_SETTLE_S = 120.0
_AGAIN_S = 0.5


@dataclass
class Settlement:
    """What is known so far of how a lease ends."""

    lease: Lease
    closing: bool = False
    error: BaseException | None = None
    note: str = ""
    broken: str = ""
    undone: bool = False
    again: NewJob | None = None
    jobs: list[NewJob] = field(default_factory=list)
    puts: dict[str, bytes] = field(default_factory=dict)
    deletes: list[str] = field(default_factory=list)
    signals: list[tuple[Any, ...]] = field(default_factory=list)

    def close(self, error: BaseException | None) -> None:
        """The task function is over."""
        self.closing, self.error = True, error

    def end(self) -> End:
        """Decide."""
        out = (tuple(self.jobs), tuple(self.puts.items()), tuple(self.deletes))
        if self.undone or isinstance(self.error, KeyboardInterrupt):
            return End(READY)
        if self.broken:
            return End(DEAD, reason=self.broken, failed=True)
        if self.again is not None:
            counts = self.error is not None and not isinstance(self.error, RETRYING_EXCEPTIONS)
            reason = repr(self.error) if counts else ""
            return End(READY, self.again.at, self.again.payload, reason, counts, *out)
        if self.error is not None and not isinstance(self.error, CancelExecution):
            return End(DEAD, reason=repr(self.error), failed=True, jobs=out[0], puts=out[1], deletes=out[2])
        return End(DONE, reason=self.note, jobs=out[0], puts=out[1], deletes=out[2])


def _key(key: str | bytes) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)


def _job(data: bytes, priority: float | None) -> NewJob:
    if not isinstance(data, Payload):
        return NewJob(str(uuid.uuid4()), bytes(data), priority=priority or 0.0)
    at = data.at if data.at > time.time() else 0.0
    return NewJob(data.id, bytes(data), data.name, data.priority, at)


class DurableStorage(BaseStorage):  # type: ignore[misc] # Huey has no types
    """Huey's view of a store of jobs."""

    blocking = False
    priority = True

    def __init__(self, name: str = "timmy", *, jobs: Jobs) -> None:
        """Take the store."""
        super().__init__(name)
        self.jobs = jobs
        self.keeper = Keeper(jobs.renew, jobs.beat_s)
        self._local = threading.local()
        self._running: dict[str, Lease] = {}

    # --- leases ---

    @property
    def settlement(self) -> Settlement | None:
        """Return that of this thread."""
        return getattr(self._local, "settlement", None)

    def claim(self) -> Lease | None:
        """Lease the next job, and keep the lease alive."""
        lease = self.jobs.claim()
        if lease is not None:
            self._running[lease.token] = lease
            self.keeper.hold(lease.token)
        return lease

    def begin(self, lease: Lease) -> Settlement:
        """Collect for this lease from now on."""
        self._local.settlement = Settlement(lease)
        return self._local.settlement  # type: ignore[no-any-return]

    def finish(self, settlement: Settlement) -> bool:
        """Settle a lease; False when it was lost. A store that is away is waited for."""
        self._local.settlement = None
        return self.settle(settlement.lease, settlement.end())

    def settle(self, lease: Lease, end: End) -> bool:
        """End a lease in this way."""
        until = time.monotonic() + _SETTLE_S
        try:
            while True:
                try:
                    return self.jobs.settle(lease, end)
                except QueueUnavailable as error:
                    if time.monotonic() >= until:
                        raise
                    _log.warning("job %s is over but not settled yet: %s", lease.id, error)
                    time.sleep(_AGAIN_S)
        finally:
            self.keeper.let_go(lease.token)
            self._running.pop(lease.token, None)

    def give_back(self) -> list[str]:
        """Make everything that this process still runs ready for others; return the ids."""
        given = []
        for lease in list(self._running.values()):
            try:
                self.jobs.settle(lease, End(READY))
            except QueueError as error:
                _log.warning("job %s comes back when its lease runs out: %s", lease.id, error)
            given.append(lease.id)
        return given

    # --- Huey's queue and schedule ---

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Add a job that is ready, or that waits for its time if it has one."""
        job = _job(data, priority)
        settlement = self.settlement
        if settlement is not None and job.id == settlement.lease.id:
            settlement.again = job
        elif settlement is not None and settlement.closing:
            settlement.jobs.append(job)
        else:
            self.jobs.add([job])

    def add_to_schedule(self, data: bytes, ts: dt.datetime) -> None:
        """Add a job that waits until then, in UTC."""
        if not isinstance(data, Payload):
            raise QueueError("only Huey's own messages can wait")
        data.at = ts.replace(tzinfo=dt.UTC).timestamp()
        self.enqueue(data)

    def add_new(self, data: Payload) -> bool:
        """Add a job at once, whatever is being collected; False when its id exists."""
        return self.jobs.add([_job(data, None)]) == 1

    def dequeue(self) -> bytes | None:
        """Lease the next job and return its payload. Its end is this storage's business, not the caller's."""
        lease = self.claim()
        return None if lease is None else lease.payload

    def read_schedule(self, ts: dt.datetime) -> list[bytes]:  # noqa: ARG002 - due by the store's clock
        """Make due jobs ready where they are. Nothing is handed out, so nothing can be lost on the way."""
        self.jobs.tend()
        return []

    def queue_size(self) -> int:
        """Return how many jobs are ready."""
        return self.jobs.counts()["ready"]

    def schedule_size(self) -> int:
        """Return how many jobs wait."""
        return self.jobs.counts()["waiting"]

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        """Return payloads of ready jobs."""
        return self.jobs.payloads(waiting=False, limit=limit)

    def scheduled_items(self, limit: int | None = None) -> list[bytes]:
        """Return payloads of jobs that wait."""
        return self.jobs.payloads(waiting=True, limit=limit)

    def flush_queue(self) -> None:
        """Remove ready jobs."""
        self.jobs.flush(waiting=False)

    def flush_schedule(self) -> None:
        """Remove waiting jobs."""
        self.jobs.flush(waiting=True)

    # --- Huey's values ---

    def put_data(self, key: str | bytes, value: bytes, is_result: bool = False) -> None:
        """Keep a value."""
        settlement = self.settlement
        if settlement is not None and settlement.closing and is_result:
            settlement.puts[_key(key)] = bytes(value)
        else:
            self.jobs.put(_key(key), bytes(value), result=is_result)

    def put_now(self, key: str, value: bytes) -> None:
        """Keep a result before anything is settled."""
        self.jobs.put(key, value, result=True)

    def peek_data(self, key: str | bytes) -> Any:
        """Return a value or EmptyData."""
        return self.jobs.get_many([_key(key)]).get(_key(key), EmptyData)

    def peek_many(self, keys: Sequence[str | bytes]) -> dict[str, bytes]:
        """Return the values that exist."""
        return self.jobs.get_many([_key(key) for key in keys])

    def pop_data(self, key: str | bytes) -> Any:
        """Return a value and forget it, or EmptyData."""
        value = self.jobs.pop(_key(key))
        return EmptyData if value is None else value

    def delete_data(self, key: str | bytes) -> bool:
        """Forget a value; of what is collected, say that it was there."""
        settlement = self.settlement
        if settlement is not None and settlement.closing:
            settlement.deletes.append(_key(key))
            return True
        return self.jobs.pop(_key(key)) is not None

    def has_data_for_key(self, key: str | bytes) -> bool:
        """Return whether there is a value."""
        return bool(self.jobs.get_many([_key(key)]))

    def put_if_empty(self, key: str | bytes, value: bytes, ttl: int | None = None) -> bool:
        """Keep a value unless there is one."""
        if ttl is not None:
            raise NotImplementedError("use lock_task, whose locks know a ttl")
        return self.jobs.put_new(_key(key), bytes(value))

    def incr(self, key: str | bytes, amount: int = 1) -> int:
        """Add to a counter."""
        return self.jobs.incr(_key(key), amount)

    def delete_counter(self, key: str | bytes) -> None:
        """Remove a counter."""
        self.jobs.uncount(_key(key))

    def result_store_size(self) -> int:
        """Return the number of values."""
        return len(self.jobs.results())

    def result_items(self) -> dict[str, bytes]:
        """Return all values."""
        return dict(self.jobs.results())

    def flush_results(self) -> None:
        """Forget all values."""
        self.jobs.forget()

    def flush_counters(self) -> None:
        """Remove all counters."""
        self.jobs.uncount(None)

    def close(self) -> None:
        """Let go of what this thread has open."""
        self.jobs.close()
