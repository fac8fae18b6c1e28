# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure deploys on four hosts over SSH against `ansible ping` and `ansible.posix.synchronize`: JSON lines.

Every figure is a whole command. What is compared takes turns, so that a busy machine slows all of it alike,
and the medians are compared. `TIMMY_BENCH_ROUNDS` (default 7) says how often; `TIMMY_BENCH_KEEP=1` leaves the
fleet standing.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

for place in ("tests/bench", "src"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / place))

from release_fleet import overlay  # noqa: E402 - the paths above lead to it
from release_fleet.fleet import ROOT, Fleet, FleetError, say  # noqa: E402 - likewise

from timmy.core import release_arguments  # noqa: E402 - likewise

ROUNDS = int(os.environ.get("TIMMY_BENCH_ROUNDS", "7"))
KEEP = os.environ.get("TIMMY_BENCH_KEEP") == "1"
SIZES = (178, 1780, 17800)
# A link of ours that somebody replaced: reported in each run, and never overwritten.
DRIFT = "no longer our link"
PLANT = """
import os
path = "/home/bench2/.hermes/SOUL.md"
if os.path.islink(path):
    os.unlink(path)
    open(path, "w").write("somebody's own\\n")
"""
# Runs the host tool as the controller does, and watches the link beside it.
BACK = """
import glob, json, os, subprocess, sys, time
tool = glob.glob("/usr/local/lib/timmy/release-*.pyz")[0]
link = "/opt/timmy/current"
before = os.readlink(link)
call = json.loads(sys.argv[1])
call["params"]["release"] = json.load(open("/opt/timmy/previous.json"))["release"]
began = time.monotonic()
run = subprocess.Popen(["/usr/bin/python3", "-I", "-S", tool, "visit"], stdin=-1, stdout=-1)
run.stdin.write(json.dumps(call).encode() + b"\\n")
run.stdin.close()
while os.readlink(link) == before and run.poll() is None:
    time.sleep(0.001)
took = time.monotonic() - began
answer = json.loads(run.stdout.read().splitlines()[-1])
assert answer["armed"] and os.readlink(link) != before, answer
guard = ["/usr/bin/python3", "-I", "/usr/local/lib/timmy/guard.py"]
subprocess.run([*guard, "--dir", "/var/lib/timmy-guard", "confirm", "sidecar-release"], check=True)
print(took)
"""

Figure = dict[str, object]


def figure(name: str, value: float, versus: str, other: float) -> Figure:
    """A figure in seconds beside what was measured in the same run."""
    against = {"name": versus, "value": round(other, 3)}
    return {
        "name": name,
        "value": round(value, 3),
        "unit": "s",
        "versus": against,
        "ratio": round(value / other, 3),
    }


def deploys(fleet: Fleet, work: Path) -> Iterator[Figure]:
    """A changed and an unchanged deploy beside a ping and a synchronize of the same edit."""
    tree = overlay.make(ROOT / "overlay", work / "overlay")
    fleet.prepare_synchronize()
    fleet.sidecar(tree)
    fleet.synchronize(tree, facts=True)
    fleet.on("bench-2", PLANT)
    took: dict[str, list[float]] = {"ping": [], "changed": [], "unchanged": [], "play": [], "transfer": []}
    for turn in range(ROUNDS):
        say(f"round {turn + 1} of {ROUNDS}")
        took["ping"].append(fleet.ping())
        overlay.edit(tree, turn)
        seconds, text = fleet.sidecar(tree)
        if f" {len(fleet.hosts)} change(s)" not in text:
            raise FleetError(f"an edit did not change every host: {text.splitlines()[-1]}")
        took["changed"].append(seconds)
        # Each of these has an edit to bring; the tree is then as it was deployed.
        first, second = ("play", "transfer") if turn % 2 == 0 else ("transfer", "play")
        took[first].append(fleet.synchronize(tree, facts=first == "play"))
        overlay.edit(tree, ROUNDS + turn)
        took[second].append(fleet.synchronize(tree, facts=second == "play"))
        overlay.edit(tree, turn)
        seconds, text = fleet.sidecar(tree)
        if " 0 change(s)" not in text or DRIFT not in text:
            raise FleetError("the second run changed something or did not name the drift")
        took["unchanged"].append(seconds)
    middle = {name: statistics.median(values) for name, values in took.items()}
    yield figure("release.changed", middle["changed"], "ansible ping", middle["ping"])
    yield figure("release.unchanged", middle["unchanged"], "ansible ping", middle["ping"])
    yield figure("release.vs_synchronize", middle["changed"], "a play with synchronize", middle["play"])
    yield figure("release.vs_transfer", middle["changed"], "synchronize, no facts", middle["transfer"])
    yield from _back(fleet, middle["ping"])
    yield _restart(fleet, tree, middle["ping"])


def _back(fleet: Fleet, ping: float) -> Iterator[Figure]:
    params = {name: option.get("default") for name, option in release_arguments.ARGUMENTS.items()}
    params |= {"agents": [{"name": "bench1"}], "fleet_json": {}, "owner": "bench"}
    call = json.dumps({"params": params, "check_mode": False, "diff_mode": False, "archive": False})
    took = [float(fleet.on("bench-1", BACK, call)) for _turn in range(ROUNDS)]
    yield figure("release.rollback_s", statistics.median(took), "ansible ping", ping)


def _restart(fleet: Fleet, tree: Path, ping: float) -> Figure:
    took = []
    for turn in range(3):
        overlay.limit_turns(tree, 61 + turn)
        took.append(fleet.sidecar(tree)[0])
    return figure("release.restart_s", statistics.median(took), "ansible ping", ping)


def sizes(fleet: Fleet, work: Path) -> Iterator[Figure]:
    """The same edit in trees of growing size."""
    for files in SIZES:
        say(f"{files} files")
        tree = overlay.make(ROOT / "overlay", work / f"overlay-{files}", files)
        fleet.sidecar(tree)
        took, pings = [], []
        for turn in range(3):
            pings.append(fleet.ping())
            overlay.edit(tree, turn)
            took.append(fleet.sidecar(tree)[0])
        yield figure(
            f"release.files_{files}", statistics.median(took), "ansible ping", statistics.median(pings)
        )


def main() -> None:
    """Set the fleet up, measure, and remove it."""
    fleet = Fleet()
    fleet.up()
    say(f"transport: {fleet.transport()}")
    try:
        with tempfile.TemporaryDirectory(prefix="timmy-bench-") as name:
            for measure in (deploys, sizes):
                for one in measure(fleet, Path(name)):
                    sys.stdout.write(json.dumps(one) + "\n")
                    sys.stdout.flush()
    finally:
        if not KEEP:
            fleet.down()


if __name__ == "__main__":
    main()
