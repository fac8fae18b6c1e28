# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure, and append one JSON object per figure to build/bench.jsonl.

    python scripts/bench.py                    everything
    python scripts/bench.py cli_startup site   these groups

A figure is never alone: `versus` says what was measured beside it in the same run, and `ratio` is the one
divided by the other. A group is a program in tests/bench that prints one JSON object per line, or `site`,
which needs a fleet and stands here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "bench.jsonl"
PROGRAMS = ROOT / "tests" / "bench"
# A fleet of the bench's own: a sandbox that stands is left alone.
FLEET = "bench"
KEYS = {"name", "value", "unit", "versus", "ratio"}

Figure = dict[str, Any]


class BenchError(Exception):
    """Something that was to be measured did not work; a figure of it would be a lie."""


def output_of(argv: list[str], env: dict[str, str] | None = None) -> str:
    """Run a command that must succeed and return what it printed."""
    full = {**os.environ, **(env or {})}
    done = subprocess.run(argv, cwd=ROOT, env=full, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise BenchError(f"{' '.join(argv)} ended with {done.returncode}:\n{tail}")
    return done.stdout


def fleet(verb: str) -> float:
    """Time `make up` or `make down` on the fleet of the bench."""
    start = time.monotonic()
    output_of(["make", verb], {"SANDBOX": FLEET})
    return time.monotonic() - start


def figure(name: str, value: float, versus: str, other: float) -> Figure:
    """Return a figure in seconds."""
    against = {"name": versus, "value": round(other, 3)}
    ratio = round(value / other, 3)
    return {"name": name, "value": round(value, 3), "unit": "s", "versus": against, "ratio": ratio}


def site() -> Iterator[Figure]:
    """Measure a whole fleet from nothing, and the same again when nothing is to be done."""
    fleet("down")
    try:
        first = fleet("up")
        second = fleet("up")
    finally:
        fleet("down")
    yield figure("site.first_s", first, "make up again", second)
    yield figure("site.second_s", second, "make up from nothing", first)


def program(path: Path) -> Iterator[Figure]:
    """Run a program of tests/bench and read its lines."""
    for line in output_of([sys.executable, str(path)]).splitlines():
        try:
            read = json.loads(line)
        except ValueError as error:
            raise BenchError(f"{path.name} printed no JSON: {line}") from error
        if not isinstance(read, dict) or set(read) != KEYS:
            raise BenchError(f"{path.name}: a figure has the keys {', '.join(sorted(KEYS))}: {line}")
        yield read


def figures(group: str) -> Iterator[Figure]:
    """Return the figures of a group."""
    return site() if group == "site" else program(PROGRAMS / f"{group}.py")


def main(names: list[str]) -> int:
    """Measure the named groups, or all; one that fails is named and does not stop the others."""
    known = [path.stem for path in sorted(PROGRAMS.glob("*.py"))] + ["site"]
    unknown = set(names) - set(known)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; there are: {' '.join(known)}", file=sys.stderr)
        return 2
    RESULTS.parent.mkdir(exist_ok=True)
    status = 0
    for group in names or known:
        try:
            for one in figures(group):
                with RESULTS.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(one) + "\n")
                against = f"{one['ratio']} x {one['versus']['name']}"
                print(f"{one['name']:<18} {one['value']:>10} {one['unit']:<3} {against}", flush=True)
        except BenchError as error:
            print(f"{group}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
