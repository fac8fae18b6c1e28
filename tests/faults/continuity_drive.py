# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is killed in the trials of continuity: one program, one verb. It says a thing only once it is durable.

continuity_drive.py FOLDER append FIRST COUNT GROUP   rows with these numbers, a line for each group
continuity_drive.py FOLDER write FIRST COUNT          the snapshot with these numbers
continuity_drive.py FOLDER compact                    drops what is noise, moves bad lines aside
continuity_drive.py FOLDER repair                     log and snapshot
continuity_drive.py FOLDER storm NAME COUNT           rows of a writer; goes on after what it had confirmed
continuity_drive.py FOLDER noise                      appends noise and compacts, until it is killed
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from timmy.core import continuity

LOG, STATE = "log.jsonl", "state.json"


def say(line: str, handle: int = 1) -> None:
    """Confirm something, in one write."""
    os.write(handle, f"{line}\n".encode())


def row(number: int) -> dict[str, object]:
    """Return the row of a number; every third is noise."""
    return {"id": number, "kind": "noise" if number % 3 == 0 else "decision", "text": "*J\n" * (number % 7)}


def append(folder: Path, first: int, count: int, group: int) -> None:
    """Append rows in groups."""
    for start in range(first, first + count, group):
        numbers = range(start, min(start + group, first + count))
        continuity.append_jsonl(folder / LOG, [row(number) for number in numbers])
        say(" ".join(map(str, numbers)))


def write(folder: Path, first: int, count: int) -> None:
    """Write snapshots."""
    for number in range(first, first + count):
        continuity.write_json(folder / STATE, {"n": number, "text": "*J\n" * 5})
        say(str(number))


def compact(folder: Path) -> None:
    """Keep what is no noise."""
    continuity.compact_jsonl(
        folder / LOG, lambda rows: [at for at, one in enumerate(rows) if one["kind"] != "noise"]
    )


def repair(folder: Path) -> None:
    """Repair both."""
    for name in (LOG, STATE):
        for line in continuity.repair(folder / name):
            say(line)


def storm(folder: Path, name: str, count: int) -> None:
    """Append rows one by one; what was confirmed is in a file of this writer."""
    acks = folder / f"acks-{name}"
    handle = os.open(acks, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    begin = len(acks.read_bytes().splitlines())
    for number in range(begin, count):
        record = {"id": f"{name}-{number}", "kind": "decision", "text": "x" * (number % 200)}
        continuity.append_jsonl(folder / LOG, record)
        say(str(number), handle)


def noise(folder: Path) -> None:
    """Make something to compact, and compact it."""
    while True:
        continuity.append_jsonl(folder / LOG, [{"id": "", "kind": "noise"}] * 20)
        compact(folder)
        time.sleep(0.05)


def main(argv: list[str]) -> int:
    """Do one thing. An error of continuity is one line and code 3."""
    folder, verb = Path(argv[0]), argv[1]
    try:
        if verb == "storm":
            storm(folder, argv[2], int(argv[3]))
        else:
            numbers = [int(one) for one in argv[2:]]
            {"append": append, "write": write, "compact": compact, "repair": repair, "noise": noise}[verb](
                folder, *numbers
            )
    except continuity.ContinuityError as error:
        sys.stderr.write(json.dumps({"error": type(error).__name__, "line": str(error)}) + "\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
