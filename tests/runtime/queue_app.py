# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application of the queue for tests: its tasks leave effects in a file of their own, once for each id."""

from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

from timmy.orchestration import is_server
from timmy.queue.durable import DurableHuey
from timmy.queue.redis_jobs import RedisJobs
from timmy.queue.sqlite_jobs import SqliteJobs

_url = os.environ["TIMMY_QUEUE_URL"]
_lease = float(os.environ["QUEUE_APP_LEASE"])
_times = {"lease_s": _lease, "beat_s": _lease / 5}
huey = DurableHuey("app", RedisJobs(_url, "app", **_times) if is_server(_url) else SqliteJobs(_url, **_times))


def note(key: str, what: str) -> None:
    """Leave an effect under this key, once, and count the tries."""
    db = sqlite3.connect(os.environ["QUEUE_APP_EFFECTS"], timeout=60, isolation_level=None)
    try:
        db.execute("create table if not exists effect (key text primary key, what text, tries integer)")
        db.execute(
            "insert into effect values (?, ?, 1) on conflict (key) do update set tries = tries + 1",
            (key, what),
        )
    finally:
        db.close()


@huey.task(context=True)
def work(number: int, seconds: float = 0.0, task: Any = None) -> int:
    """Take a while, then leave an effect."""
    time.sleep(seconds)
    note(task.id, f"work {number}")
    return number


@huey.task(context=True)
def begin(seconds: float, task: Any = None) -> None:
    """Leave an effect before taking a while, and one after."""
    note(f"{task.id} begun", "begin")
    time.sleep(seconds)
    note(f"{task.id} over", "begin")


@huey.task(context=True)
def follow(value: int, task: Any = None) -> int:
    """Be the next step."""
    note(task.id, f"follow {value}")
    return value


@huey.task(retries=2, retry_delay=1, context=True)
def flaky(number: int, task: Any = None) -> int:
    """Fail until the last try."""
    if task.retries:
        raise ValueError(f"{task.retries} tries left")
    note(task.id, f"flaky {number}")
    return number


@huey.task()
def fail() -> None:
    """Fail for good."""
    raise ValueError("no luck")
