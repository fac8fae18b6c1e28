# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure `timmy --help`, from a tree shaped as a release, against `python3 -c pass`: one JSON line.

The two take turns, so that a busy machine slows both alike, and the medians are compared.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
ROUNDS = 25


def seconds(argv: list[str]) -> float:
    """Return how long one run of a program takes."""
    started = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return time.perf_counter() - started


def measure() -> dict[str, object]:
    """Return the figure."""
    with tempfile.TemporaryDirectory(prefix="timmy-bench-") as name:
        release = Path(name)
        (release / "bin").mkdir()
        shutil.copy(ROOT / "overlay/bin/timmy", release / "bin/timmy")
        shutil.copytree(
            ROOT / "src/timmy", release / "lib/timmy", ignore=shutil.ignore_patterns("__pycache__")
        )
        ours, bare = [str(release / "bin/timmy"), "--help"], [PYTHON, "-c", "pass"]
        for argv in (ours, bare):
            seconds(argv)
        pairs = [(seconds(ours), seconds(bare)) for _round in range(ROUNDS)]
    value = statistics.median(pair[0] for pair in pairs)
    versus = statistics.median(pair[1] for pair in pairs)
    return {
        "name": "cli.startup",
        "value": round(value, 5),
        "unit": "s",
        "versus": {"name": "python3 -c pass", "value": round(versus, 5)},
        "ratio": round(value / versus, 3),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()) + "\n")
