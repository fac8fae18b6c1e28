# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Huey with jobs that survive: what it decides of a task is settled in one step, by the lease's holder."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
from collections.abc import Iterator
from typing import Any

from huey import signals
from huey.api import Huey, Task, TaskLock
from huey.exceptions import RetryTask, TaskLockedException
from huey.utils import Error

from timmy.queue.consumer import DurableConsumer
from timmy.queue.model import DEAD, End, Jobs, Lease, QueueError, QueueUnavailable, new_token, one_line
from timmy.queue.payload import JsonSerializer, Payload, PayloadError
from timmy.queue.storage import DurableStorage

_log = logging.getLogger("huey.timmy")
LOCKED_RETRY_S = 5.0
# How far back a scheduler looks for slots that it slept through.
CATCH_UP = dt.timedelta(days=7)
_MINUTE = dt.timedelta(minutes=1)
_LAST_SLOT = "periodic:last"


class DurableLock(TaskLock):  # type: ignore[misc] # Huey has no types
    """A lock whose holder alone can free it, and that ends with its holder."""

    def __init__(self, huey: DurableHuey, name: str, ttl: float | None = None) -> None:
        """Name the lock; with a ttl in seconds it ends then even if its holder lives."""
        super().__init__(huey, name, ttl)
        self._mine = threading.local()

    def acquire(self) -> bool:
        """Take the lock or raise TaskLockedException."""
        token = new_token()
        if not self._huey.storage.jobs.lock(self._key, token, self._ttl):
            raise TaskLockedException(f"unable to acquire lock {self._name}")
        if self._ttl is None:
            self._huey.storage.keeper.hold(token)
        self._mine.token = token
        return True

    def __exit__(self, *_error: object) -> None:
        """Free what `with` took."""
        self.clear()

    def clear(self) -> bool:
        """Free the lock if this thread holds it."""
        token, self._mine.token = getattr(self._mine, "token", None), None
        if token is None:
            return False
        self._huey.storage.keeper.let_go(token)
        freed: bool = self._huey.storage.jobs.unlock(self._key, token)
        return freed

    release = clear

    def is_locked(self) -> bool:
        """Return whether somebody alive holds it."""
        held: bool = self._huey.storage.jobs.locked(self._key)
        return held

    locked = is_locked


class DurableHuey(Huey):  # type: ignore[misc] # Huey has no types
    """Huey on a store of jobs."""

    storage_class = DurableStorage
    storage: DurableStorage

    def __init__(self, name: str, jobs: Jobs, **options: Any) -> None:
        """Take the store; times are UTC, payloads JSON."""
        super().__init__(name, utc=True, serializer=JsonSerializer(), jobs=jobs, **options)

    def create_consumer(self, **options: Any) -> DurableConsumer:
        """Return a consumer that stops without losing what it runs."""
        return DurableConsumer(self, **options)

    # --- in ---

    def serialize_task(self, task: Task) -> Payload:
        """Return the message with its labels."""
        message = self._registry.create_message(task)
        return Payload.of(self.serializer.serialize(message), message)

    def dequeue(self) -> Task | None:
        """Lease the next task. What cannot be read, or has no such task here, goes to the dead letters."""
        while (lease := self.storage.claim()) is not None:
            try:
                task = self.deserialize_task(lease.payload)
            except Exception as error:
                # whatever a payload does, it must not come back for ever
                _log.error("job %s cannot be read: %s", lease.id, error)
                self.storage.settle(lease, End(DEAD, reason=str(error)))
                continue
            # an id inside a payload that differs would let one row settle under another's name
            task.id = lease.id
            task.revoke_id = f"r:{lease.id}"
            task.timmy_lease = lease
            return task
        return None

    # --- run ---

    def execute(self, task: Task, timestamp: dt.datetime | None = None) -> Any:
        """Run a task that was claimed, and settle its lease."""
        lease: Lease | None = task.__dict__.pop("timmy_lease", None)
        if lease is None:
            return super().execute(task, timestamp)
        settlement = self.storage.begin(lease)
        try:
            return super().execute(task, timestamp)
        except (QueueUnavailable, KeyboardInterrupt):
            # the store went away in the middle, or somebody stops us: again, later
            settlement.undone = True
            raise
        except BaseException as error:
            # not the task: a hook, a next step that is no JSON, or an exit in the middle of it
            settlement.broken = repr(error)
            raise
        finally:
            kept = self.storage.finish(settlement)
            if kept:
                for signal, about, args, kwargs in settlement.signals:
                    super()._emit(signal, about, *args, **kwargs)
            else:
                _log.error("job %s lost its lease; nothing of this run was kept", lease.id)

    @contextlib.contextmanager
    def _timeout_context(self, task: Task) -> Iterator[None]:
        """Stand around the task function alone: what follows it is collected."""
        settlement = self.storage.settlement if not self.immediate else None
        try:
            with super()._timeout_context(task):
                yield
        except TaskLockedException as error:
            if settlement is None:
                raise
            later = RetryTask(str(error), delay=LOCKED_RETRY_S)
            settlement.close(later)
            self._emit(signals.SIGNAL_LOCKED, task)
            raise later from error
        except BaseException as error:
            if settlement is not None:
                settlement.close(error)
            raise
        else:
            if settlement is not None:
                settlement.close(None)

    def _emit(self, signal: str, task: Task, *args: Any, **kwargs: Any) -> None:
        """Tell of an outcome when it is one: after it was settled."""
        settlement = self.storage.settlement if not self.immediate else None
        if settlement is None:
            super()._emit(signal, task, *args, **kwargs)
            return
        if signal in (signals.SIGNAL_REVOKED, signals.SIGNAL_EXPIRED, signals.SIGNAL_CANCELED):
            settlement.note = signal
        if settlement.closing:
            settlement.signals.append((signal, task, args, kwargs))
        else:
            super()._emit(signal, task, *args, **kwargs)

    def put_result(self, key: str, data: Any) -> Any:
        """Keep a result; one that is no JSON is told as such, for the task itself has done its work."""
        try:
            return super().put_result(key, data)
        except PayloadError as error:
            _log.error("result of %s: %s", key, error)
            told = {"error": str(error), "retries": 0, "traceback": "", "task_id": key}
            return super().put_result(key, Error(told))

    def _check_chord(self, config: Any, value: Any) -> None:
        """Note a member's value, and start the callback once all are there.

        Noted before looking, and noting twice changes nothing, so a member that is run again after a kill
        counts once; the callback has one id, so it is added once.
        """
        if self.immediate:
            super()._check_chord(config, value)
            return
        keys = [f"chord:{config.cid}:{number}" for number in range(config.size)]
        self.storage.put_now(keys[config.idx], self.serializer.serialize(value))
        found = self.storage.peek_many(keys)
        if len(found) < config.size:
            return
        config.callback.extend_data(([self.serializer.deserialize(found[key]) for key in keys],))
        for key in keys:
            self.delete(key)
        self.enqueue(config.callback)

    # --- locks ---

    def lock_task(self, lock_name: str, ttl: float | None = None) -> DurableLock:
        """Return a lock. A task that finds it taken waits its turn and is not counted as failed."""
        return DurableLock(self, lock_name, ttl)

    def is_locked(self, lock_name: str) -> bool:
        """Return whether somebody alive holds the lock."""
        return DurableLock(self, lock_name).is_locked()

    def flush_locks(self, *_names: str) -> set[str]:
        """Free nothing: a lock ends with its holder, and that of a living one is not ours to take."""
        return set()

    # --- periodic ---

    def enqueue_periodic(self, now: dt.datetime | None = None) -> list[str]:
        """Add what is due since the last look: each task once, for its latest slot, under the id `task@slot`.

        The ids make it harmless that two consumers look, that one is started anew within the minute, and
        that a clock is put back. Slots are minutes of UTC; tasks are asked in local time.
        """
        minute = (now or self._get_timestamp()).replace(second=0, microsecond=0)
        last = self._last_slot(minute)
        added = []
        for kind in list(self._registry._periodic_tasks):
            task = kind()
            slot = self._latest_slot(task, last, minute)
            if slot is None:
                continue
            task.id = f"{self._registry.task_to_string(kind)}@{slot:%Y-%m-%dT%H:%MZ}"
            task.revoke_id = f"r:{task.id}"
            try:
                self.enqueue(task)
                added.append(task.id)
            except PayloadError as error:
                _log.error("periodic task %s: %s", task.id, error)
        self.storage.jobs.put(_LAST_SLOT, minute.isoformat().encode(), result=False)
        return added

    def _last_slot(self, minute: dt.datetime) -> dt.datetime:
        known = self.storage.jobs.get_many([_LAST_SLOT]).get(_LAST_SLOT)
        last = minute - _MINUTE if known is None else dt.datetime.fromisoformat(known.decode())
        if last > minute:
            # the clock was put back; ids keep what was done from being done again
            last = minute - _MINUTE
        return max(last, minute - CATCH_UP)

    @staticmethod
    def _latest_slot(task: Task, last: dt.datetime, minute: dt.datetime) -> dt.datetime | None:
        slot = minute
        while slot > last:
            if task.validate_datetime(slot.replace(tzinfo=dt.UTC).astimezone().replace(tzinfo=None)):
                return slot
            slot -= _MINUTE
        return None

    def enqueue_once(self, task: Task, key: str) -> bool:
        """Add a task under a natural key such as `job@slot`; False when it was used in the last 7 days."""
        if not key or not key.isprintable():
            raise QueueError(
                f"{one_line(key)!r} is no key for a job", "use a name and a slot, such as nightly@2026-01-31"
            )
        task.id, task.revoke_id = key, f"r:{key}"
        if self.immediate:
            self.enqueue(task)
            return True
        if task.expires:
            task.resolve_expires(self.utc)
        data = self.serialize_task(task)
        return self.storage.add_new(data)
