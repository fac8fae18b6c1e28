# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure durable appends to one log against bare processes that write and fsync the same bytes: JSON lines.

The two take turns, so that a busy machine slows both alike, and the medians are compared. A file system in
memory has no disk to wait for, so it is refused; `TIMMY_BENCH_DIR` names a folder on a disk (else build/).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from timmy.core import continuity, continuity_frame  # noqa: E402 - the path above leads to it

ROUNDS = 15
WRITERS, ROWS = 8, 400
GROUP, GROUPS = 64, 20
RECORD = {"id": "0" * 32, "at": "2026-01-01T00:00:00Z", "kind": "decision", "text": "x" * 160}
LINE = continuity_frame.seal(RECORD)
IN_MEMORY = {"tmpfs", "ramfs"}

Work = Callable[[str, Any], None]


def ours(path: str, count: int) -> None:
    """Append this many records, each durable by itself."""
    for _row in range(count):
        continuity.append_jsonl(path, RECORD)


def bare(path: str, count: int) -> None:
    """Write the same bytes, and make each line durable by itself."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _row in range(count):
        os.write(handle, LINE)
        os.fsync(handle)
    os.close(handle)


def grouped(path: str, count: int) -> None:
    """Append groups of records, each group durable by itself."""
    for _group in range(count // GROUP):
        continuity.append_jsonl(path, [RECORD] * GROUP)


def _writer(work: Work, path: str, count: int, gate: Any) -> None:
    gate.wait()
    work(path, count)


def rows_per_s(work: Work, path: Path, writers: int, count: int) -> float:
    """Return how many rows a number of processes write to one file in a second, and check that they did."""
    gate = multiprocessing.Barrier(writers + 1)
    running = [
        multiprocessing.Process(target=_writer, args=(work, str(path), count, gate))
        for _one in range(writers)
    ]
    for process in running:
        process.start()
    gate.wait()
    began = time.perf_counter()
    for process in running:
        process.join()
    took = time.perf_counter() - began
    found = path.read_bytes().count(LINE)
    if any(process.exitcode for process in running) or found != writers * count:
        raise RuntimeError(f"{work.__name__}: {found} of {writers * count} rows are there")
    path.unlink()
    return writers * count / took


def figure(name: str, values: list[float], versus: str, others: list[float]) -> dict[str, object]:
    """Return a figure in rows a second beside what was measured in turns with it."""
    value, other = statistics.median(values), statistics.median(others)
    return {
        "name": name,
        "value": round(value, 1),
        "unit": "rows/s",
        "versus": {"name": versus, "value": round(other, 1)},
        "ratio": round(value / other, 3),
    }


def turns(
    path: Path, one: tuple[Work, int, int], other: tuple[Work, int, int]
) -> tuple[list[float], list[float]]:
    """Return what both reach, measured by turns; who begins changes too."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for place in (0, 1) if number % 2 else (1, 0):
            speed = rows_per_s(
                path=path, **dict(zip(("work", "writers", "count"), (one, other)[place], strict=True))
            )
            if number:  # the first round only warms up
                found[place].append(speed)
    return found


def file_system(path: Path) -> str:
    """Return the type of the file system that a path is on."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines()]
    number = path.stat().st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    return next((row[row.index("-") + 1] for row in mounts if row[2] == wanted), "unknown")


def main() -> int:
    """Print the figures; return the exit code."""
    place = Path(os.environ.get("TIMMY_BENCH_DIR") or ROOT / "build")
    place.mkdir(parents=True, exist_ok=True)
    kind = file_system(place)
    if kind in IN_MEMORY:
        sys.stderr.write(f"continuity_append: {place} is on {kind}, which is no disk; set TIMMY_BENCH_DIR\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="timmy-bench-", dir=place) as name:
        path = Path(name) / "log.jsonl"
        found = turns(path, (ours, WRITERS, ROWS), (bare, WRITERS, ROWS))
        print(
            json.dumps(figure("continuity.append", found[0], f"{WRITERS} bare writers", found[1])), flush=True
        )
        found = turns(path, (grouped, 1, GROUP * GROUPS), (bare, 1, ROWS))
        print(json.dumps(figure("continuity.append_grouped", found[0], "one bare writer", found[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
