# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a worker waits for its next job when twelve want one at the same time.

12 processes take 3,000 jobs each from one SQLite queue whose done rows of 7 days are still there, every
commit durable, and settle each. Refuses a file system in memory: there a commit costs nothing. Beside it,
in the same run: as many processes that pop rows from a bare table of the same file system, kept apart by
SQLite's busy time-out alone.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from timmy.queue.model import End, NewJob  # noqa: E402
from timmy.queue.sqlite_jobs import SqliteJobs  # noqa: E402

PROCESSES = 12
EACH = int(os.environ.get("BENCH_QUEUE_JOBS", "3000"))
BARE_EACH = max(EACH // 10, 10)
DONE_ROWS = 70_000
TMPFS = ("tmpfs", "ramfs")

# (seconds of each claim, what went wrong)
Report = tuple[list[float], list[str]]


def file_system(path: Path) -> str:
    """Return the type of the file system that holds a path."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    above = [row for row in mounts if path.is_relative_to(row[1])]
    return max(above, key=lambda row: len(row[1]))[2]


def fill(path: Path) -> None:
    """Make the queue: a week of done rows, and the jobs."""
    jobs = SqliteJobs(path)
    jobs.counts()
    now = time.time()
    with sqlite3.connect(path) as db:
        db.executemany(
            "insert into job (id, name, state, priority, at, payload, since)"
            " values (?, 'bench', 'done', 0, 0, '', ?)",
            ((f"done-{number}", now - 7 * 86400 * number / DONE_ROWS) for number in range(DONE_ROWS)),
        )
    db.close()
    jobs.add(NewJob(f"job-{number}", b"{}" * 100, "bench") for number in range(PROCESSES * EACH))
    jobs.close()


def ours(path: Path) -> Report:
    """Claim and settle until nothing is left."""
    jobs = SqliteJobs(path)
    waits, wrong = [], []
    while True:
        start = time.perf_counter()
        try:
            lease = jobs.claim()
            waits.append(time.perf_counter() - start)
            if lease is None:
                return waits, wrong
            if not jobs.settle(lease, End("done")):
                wrong.append(f"{lease.id} was lost")
        except Exception as error:
            wrong.append(repr(error))
            if len(wrong) > 100:
                return waits, wrong


def bare(path: Path) -> Report:
    """Pop a row and note it as done, with a busy time-out alone."""
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    db.execute("pragma synchronous = full")
    waits, wrong = [], []
    while True:
        start = time.perf_counter()
        try:
            db.execute("begin immediate")
            row = db.execute("select id from task where done = 0 order by id limit 1").fetchone()
            if row:
                db.execute("update task set done = 1 where id = ?", row)
            db.execute("commit")
            waits.append(time.perf_counter() - start)
            if row is None:
                return waits, wrong
            db.execute("begin immediate")
            db.execute("update task set done = 2 where id = ?", row)
            db.execute("commit")
        except sqlite3.Error as error:
            wrong.append(repr(error))
            if len(wrong) > 100:
                return waits, wrong


def together(work: Callable[[Path], Report], path: Path) -> list[Report]:
    """Run it in all processes at once."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(PROCESSES)
    results: multiprocessing.Queue[Report] = context.Queue()

    def run() -> None:
        barrier.wait()
        results.put(work(path))

    running = [context.Process(target=run) for _number in range(PROCESSES)]
    for process in running:
        process.start()
    reports = [results.get(timeout=3600) for _process in running]
    for process in running:
        process.join()
    return reports


def p99(waits: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(waits)[int(len(waits) * 0.99)]


def line(name: str, value: float, unit: str, other: float) -> str:
    """Return one figure."""
    against = {"name": f"{PROCESSES} bare processes with a busy time-out", "value": round(other, 3)}
    ratio = round(value / other, 3) if other else 0.0
    return json.dumps(
        {"name": name, "value": round(value, 3), "unit": unit, "versus": against, "ratio": ratio}
    )


def main() -> None:
    """Measure both and print the figures."""
    place = ROOT / "build"
    place.mkdir(exist_ok=True)
    if file_system(place) in TMPFS:
        raise SystemExit(f"{place} is on {file_system(place)}: commits to memory say nothing")
    with tempfile.TemporaryDirectory(prefix="bench-queue-", dir=place) as name:
        queue, table = Path(name) / "queue.db", Path(name) / "bare.db"
        fill(queue)
        start = time.monotonic()
        mine = together(ours, queue)
        took = time.monotonic() - start
        with sqlite3.connect(table) as db:
            db.execute("pragma journal_mode = wal")
            db.execute("create table task (id integer primary key, done integer not null default 0)")
            db.execute("create index next on task (id) where done = 0")
            db.executemany("insert into task (id) values (?)", ((n,) for n in range(PROCESSES * BARE_EACH)))
        db.close()
        start = time.monotonic()
        theirs = together(bare, table)
        bare_took = time.monotonic() - start
    wrong = [one for report in mine for one in report[1]]
    # the last answer of each was that nothing is left: a wait like the others, but no job
    got = sum(len(report[0]) - 1 for report in mine)
    if wrong or got != PROCESSES * EACH:
        raise SystemExit(f"{len(wrong)} errors, {got} of {PROCESSES * EACH} jobs: {wrong[:3]}")
    waits = [wait for report in mine for wait in report[0]]
    others = [wait for report in theirs for wait in report[0]]
    print(line("queue.claim_max_ms", max(waits) * 1000, "ms", max(others) * 1000))
    print(line("queue.claim_p99_ms", p99(waits) * 1000, "ms", p99(others) * 1000))
    share = min(len(report[0]) - 1 for report in mine) / EACH
    print(
        line(
            "queue.claim_share_min", share, "of its share", min(len(one[0]) - 1 for one in theirs) / BARE_EACH
        )
    )
    print(line("queue.jobs_per_s", got / took, "1/s", len(others) / bare_took))


if __name__ == "__main__":
    main()
