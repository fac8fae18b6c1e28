# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills, damage and many writers: what continuity has confirmed is there afterwards, whole.

`TIMMY_FAULTS=full` (or --full) tries everything; the short form tries every kill and a sample of the rest.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import atomic_scale
import atomic_trace
import continuity_drive
import pytest
from atomic_tree import TRACE
from continuity_drive import LOG, STATE, row

from timmy.core import continuity, continuity_frame

PYTHON = "/usr/bin/python3"
DRIVE = Path(__file__).with_name("continuity_drive.py")
# What is done before the program that is killed, and the program.
PROGRAMS = {
    "first-append": ([], ["append", "0", "2", "1"]),
    "append": ([["append", "0", "6", "1"]], ["append", "6", "5", "2"]),
    "append-to-torn": ([["append", "0", "6", "1"], ["tear"]], ["append", "6", "2", "1"]),
    "compact": ([["append", "0", "9", "3"], ["tear"]], ["compact"]),
    "first-write": ([], ["write", "1", "2"]),
    "write": ([["write", "1", "5"]], ["write", "6", "3"]),
    "repair": ([["write", "1", "5"], ["append", "0", "6", "1"], ["tear"], ["damage"]], ["repair"]),
}


@pytest.fixture(scope="module")
def full(request: pytest.FixtureRequest) -> bool:
    """Return whether everything is to be tried."""
    return atomic_scale.chosen(full=bool(request.config.getoption("--full", default=False))).name == "full"


def drive(folder: Path, *argv: str, trace: tuple[str, str] | None = None) -> tuple[int, list[int], str]:
    """Run the program; its code, the numbers that it confirmed, and what it said about errors."""
    before = [PYTHON, "-I", "-S", "-B"]
    traced = [*before, str(TRACE), *trace] if trace else []
    done = subprocess.run(
        [*traced, *before, str(DRIVE), str(folder), *argv],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = [int(one) for one in done.stdout.split() if one.isdigit()] if argv[0] != "repair" else []
    return done.returncode, said, done.stderr


def prepare(folder: Path, steps: list[list[str]]) -> list[int]:
    """Bring a folder to where a program starts; returns the rows that it has."""
    folder.mkdir()
    said: list[int] = []
    for verb, *numbers in steps:
        if verb == "tear":
            with (folder / LOG).open("ab") as log:
                log.write(continuity_frame.seal(row(999))[:-9])
        elif verb == "damage":
            (folder / STATE).write_bytes(b"torn")
        elif verb == "write":
            for number in range(1, int(numbers[1]) + 1):
                continuity.write_json(folder / STATE, {"n": number})
        else:
            said += range(int(numbers[1]))
            continuity.append_jsonl(folder / LOG, [row(number) for number in said])
    return said


def judge_log(folder: Path, confirmed: list[int]) -> None:
    """Everything confirmed is there, in order and as it was written; noise may have gone."""
    rows = continuity.load_jsonl(folder / LOG)
    assert all(one == row(int(str(one["id"]))) for one in rows)
    there = {one["id"] for one in rows}
    lost = [number for number in confirmed if number not in there and row(number)["kind"] != "noise"]
    assert not lost, f"lost: {lost}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_kill_at_any_change_loses_nothing_confirmed(tmp_path: Path, name: str) -> None:
    if not atomic_trace.supported():
        pytest.skip("the system calls of this machine are not known here")
    steps, program = PROGRAMS[name]
    number, killed = 0, True
    while killed:
        number += 1
        folder, calls = tmp_path / str(number), tmp_path / f"calls-{number}"
        rows = prepare(folder, steps)
        code, said, error = drive(folder, *program, trace=(str(calls), "kill", str(number)))
        killed = code == atomic_trace.KILLED
        assert killed or code == 0, error
        if program[0] == "write":
            judge_state(folder, [5 if steps else 0, *said][-1])
        elif program[0] == "repair" and killed:
            with pytest.raises(continuity.UnreadableError) if state_is_bad(folder) else _fine():
                continuity.read_json(folder / STATE)
        if program[0] != "write":
            judge_log(folder, rows + said)
        # Whoever comes next finishes the work, and finds nothing in the way.
        assert continuity_drive.main([str(folder), *program]) == 0
        left = [
            path.name
            for path in folder.iterdir()
            if path.name.startswith(".") and "settling" not in path.name
        ]
        assert not left or program[0] == "append", left
        if program[0] == "repair":
            assert continuity.read_json(folder / STATE)["n"] == 4
            assert continuity.verify(folder / LOG).ok
            assert continuity.verify(folder / STATE).ok
        elif program[0] == "compact":
            assert [one["id"] for one in continuity.load_jsonl(folder / LOG)] == [1, 2, 4, 5, 7, 8]
            (aside,) = folder.glob(f"{LOG}.bad-*")
            assert aside.read_bytes() == continuity_frame.seal(row(999))[:-9] + b"\n"
    assert number > 4, f"only {number} changes were seen"


class _fine:  # noqa: N801 - stands where a context manager of pytest stands
    def __enter__(self) -> None: ...

    def __exit__(self, *_error: object) -> None: ...


def state_is_bad(folder: Path) -> bool:
    """Whether the snapshot is still as it was damaged, or on its way."""
    path = folder / STATE
    return not path.exists() or path.read_bytes() == b"torn"


def judge_state(folder: Path, confirmed: int) -> None:
    """The snapshot is the one confirmed last or the one after it; all older generations are whole."""
    found = continuity.read_json(folder / STATE, {"n": 0})["n"]
    assert found in {confirmed, confirmed + 1}, f"{found} after {confirmed} was confirmed"
    if found:
        verdict = continuity.verify_snapshot(folder / STATE)
        assert verdict.ok, verdict
        # A killed writer may have given the standing one its second name already.
        assert len(verdict.good) >= min(2, found - 1)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a log of 200 records."""
    path = tmp_path_factory.mktemp("small") / LOG
    assert continuity.append_jsonl(path, [row(number) for number in range(200)]) == 200
    return path


def cuts(size: int, full: bool) -> Iterator[int]:
    """Lengths to cut to, the longest first."""
    return (at for at in range(size, -1, -1) if full or size - at < 300 or at % 11 == 0)


def test_cutting_a_log_at_any_byte_costs_at_most_the_record_cut(
    small: Path, tmp_path: Path, full: bool
) -> None:
    content = small.read_bytes()
    path = tmp_path / LOG
    path.write_bytes(content)
    tried = 0
    for size in cuts(len(content), full):
        os.truncate(path, size)
        rows = continuity.load_jsonl(path)
        # A record is complete once its last brace is there; the newline may be missing.
        complete = content[: size + 1].count(b"\n")
        rest = content[:size].rpartition(b"\n")[2]
        torn = bool(rest) and content[size : size + 1] != b"\n"
        assert list(rows) == [row(number) for number in range(complete)], f"cut to {size} bytes"
        assert (rows.bad, rows.sealed) == (int(torn), not rest), f"cut to {size} bytes"
        if size % 97 == 0:
            other = tmp_path / f"cut-{size}.jsonl"
            other.write_bytes(path.read_bytes())
            continuity.append_jsonl(other, row(500))
            assert list(continuity.load_jsonl(other)) == [*rows, row(500)]
        tried += 1
    print(f"{tried} cuts of {len(content) + 1}")


def test_every_single_bit_that_flips_is_noticed(small: Path, tmp_path: Path, full: bool) -> None:
    seed = atomic_scale.seed()
    for name, content in (
        ("three", b"".join(continuity_frame.seal(row(n)) for n in (4, 5, 6))),
        ("200", small.read_bytes()),
    ):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(content)
        count = len(continuity.load_jsonl(path))
        bits = list(range(8 * len(content)))
        if not full and name == "200":
            bits = random.Random(seed).sample(bits, 400)  # noqa: S311
        with path.open("r+b", buffering=0) as raw:
            for bit in bits:
                at, mask = divmod(bit, 8)
                os.pwrite(raw.fileno(), bytes([content[at] ^ 1 << mask]), at)
                rows = continuity.load_jsonl(path)
                assert rows.bad, (
                    f"bit {mask} of byte {at} ({content[at : at + 1]!r}) flipped unnoticed, seed {seed}"
                )
                assert count - 2 <= len(rows) < count
                assert all(one == row(int(str(one["id"]))) for one in rows)
                os.pwrite(raw.fileno(), content[at : at + 1], at)
        assert continuity.load_jsonl(path).bad == 0
        print(f"{len(bits)} bits of {8 * len(content)} in the log of {name}")


def test_every_single_bit_of_a_snapshot_that_flips_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / STATE
    for number in (1, 2):
        continuity.write_json(path, {"n": number})
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        at, mask = divmod(bit, 8)
        flipped = content[:at] + bytes([content[at] ^ 1 << mask]) + content[at + 1 :]
        path.write_bytes(flipped)
        with pytest.raises(continuity.UnreadableError) as caught:
            continuity.read_json(path, {})
        assert caught.value.generation == 1


def test_many_writers_that_are_killed_lose_nothing_confirmed(tmp_path: Path, full: bool) -> None:
    writers, count = (8, 10_000) if full else (8, 300)
    chance = random.Random(seed := atomic_scale.seed())  # noqa: S311
    end = time.monotonic() + (3600 if full else 300)
    busy: dict[str, subprocess.Popen[bytes]] = {}
    kills = 0

    def start(name: str) -> None:
        argv = ["noise"] if name == "noise" else ["storm", name, str(count)]
        busy[name] = subprocess.Popen([PYTHON, "-I", "-S", "-B", str(DRIVE), str(tmp_path), *argv])

    names = [f"w{number}" for number in range(writers)]
    try:
        for name in [*names, "noise"]:
            start(name)
        while any(name in busy for name in names):
            assert time.monotonic() < end, f"not done in time, seed {seed}"
            # A short form is over in a second or two; it has its kills all the same.
            time.sleep(chance.uniform(0.5, 1.5) if full else chance.uniform(0.03, 0.1))
            for name in [name for name in names if name in busy and busy[name].poll() is not None]:
                assert busy.pop(name).returncode == 0
            for name in chance.sample(sorted(busy), min(1, len(busy))):
                busy[name].send_signal(signal.SIGKILL)
                if busy[name].wait() == -signal.SIGKILL:
                    kills += 1
                    start(name)
    finally:
        for process in busy.values():
            process.kill()
            process.wait()
    rows = continuity.load_jsonl(tmp_path / LOG)
    there = {one["id"] for one in rows}
    lost = [
        f"{name}-{number}" for name in names for number in range(count) if f"{name}-{number}" not in there
    ]
    aside = sum(path.read_bytes().count(b"\n") for path in tmp_path.glob(f"{LOG}.bad-*"))
    print(
        f"{kills} kills, {len(rows)} rows, {rows.bad + aside} torn unconfirmed, {len(lost)} lost, seed {seed}"
    )
    assert kills > 3
    assert not lost, f"{len(lost)} lost, seed {seed}: {lost[:10]}"
    for path in [tmp_path / f"acks-{name}" for name in names]:
        assert len(path.read_bytes().splitlines()) == count
