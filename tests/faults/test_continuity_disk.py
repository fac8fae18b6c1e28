# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Power cuts and disks that are full or read-only: what continuity has confirmed outlives them."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
from pathlib import Path

import atomic_scale
import continuity_power
import pytest
from continuity_drive import LOG, STATE, row

from timmy.core import continuity

HERE = Path(__file__).parent
DRIVE = ["/usr/bin/python3", "-I", "-S", "-B", str(HERE / "continuity_drive.py")]
LIMIT_S = 120


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the library that notes what a program changes."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler here; install gcc to try power cuts")
    library = tmp_path_factory.mktemp("shim") / "power.so"
    argv = [
        compiler,
        "-O1",
        "-Wall",
        "-Werror",
        "-shared",
        "-fPIC",
        "-o",
        str(library),
        str(HERE / "continuity_power.c"),
    ]
    done = subprocess.run([*argv, "-ldl"], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return library


def run(shim: Path, folder: Path, trace: Path, *argv: str, kill: int = 0) -> int:
    """Run the program below the shim; its exit code."""
    env = {"LD_PRELOAD": str(shim), "POWER_DIR": str(folder), "POWER_TRACE": str(trace)}
    if kill:
        env["POWER_KILL"] = str(kill)
    done = subprocess.run(
        [*DRIVE, str(folder), *argv], env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode in ({0, -signal.SIGKILL} if kill else {0}), done.stderr
    return done.returncode


def cut_everywhere(trace: Path, folder: Path, chance: random.Random, begin: int = 0) -> int:
    """Cut the power after each change from one on; returns how many folders were judged."""
    disk, tried = continuity_power.Disk(), 0
    for number, line in enumerate(trace.read_text().splitlines()):
        disk.apply(line)
        if number < begin:
            continue
        for files in disk.worlds(chance):
            place = folder / f"{tried}"
            continuity_power.lay(place, files)
            confirmed = disk.said.decode().split("|")
            judge(place, confirmed, f"cut after change {number}: {line[:60]}")
            shutil.rmtree(place)
            tried += 1
    return tried


def judge(place: Path, said: list[str], where: str) -> None:
    """All rows and the last snapshot that were confirmed are there, and the next writer gets on."""
    words = " ".join(said).split()
    rows = continuity.load_jsonl(place / LOG)
    there = {one["id"] for one in rows}
    assert all(one == row(int(str(one["id"]))) for one in rows), where
    confirmed = {int(word) for word in words}
    lost = {number for number in confirmed if number < 1000 and row(number)["kind"] != "noise"} - there
    assert not lost, f"{where}: lost {sorted(lost)}"
    last = max((number - 1000 for number in confirmed if number > 1000), default=0)
    found = continuity.read_json(place / STATE, {"n": 1000})["n"] - 1000
    assert found >= last, f"{where}: snapshot {found} after {last} was confirmed"
    continuity.append_jsonl(place / LOG, row(500))
    assert continuity.load_jsonl(place / LOG)[-1] == row(500), where
    continuity.write_json(place / STATE, {"n": 1})


def test_a_power_cut_loses_nothing_confirmed(shim: Path, tmp_path: Path) -> None:
    chance = random.Random(seed := atomic_scale.seed())  # noqa: S311
    folder, trace = tmp_path / "folder", tmp_path / "trace"
    folder.mkdir()
    for argv in (
        ["append", "0", "5", "1"], ["write", "1001", "5"], ["append", "5", "6", "3"],
        ["compact"], ["append", "11", "3", "1"], ["write", "1006", "1"],
    ):  # fmt: skip
        run(shim, folder, trace, *argv)
    tried = cut_everywhere(trace, tmp_path, chance)
    print(f"{tried} folders after power cuts, seed {seed}")
    assert tried > 100


def test_a_kill_and_then_a_power_cut_lose_nothing_confirmed(shim: Path, tmp_path: Path) -> None:
    chance = random.Random(seed := atomic_scale.seed())  # noqa: S311
    tried, number, killed = 0, 0, True
    while killed:
        number += 1
        folder, trace = tmp_path / f"folder-{number}", tmp_path / f"trace-{number}"
        folder.mkdir()
        if number % 2:
            run(shim, folder, trace, "append", "0", "7", "7")
            begin = len(trace.read_text().splitlines())
            code = run(shim, folder, trace, "compact", kill=(number + 1) // 2)
        else:
            begin = 0
            code = run(shim, folder, trace, "append", "0", "1", "1", kill=number // 2)
        killed = code != 0 or number % 2 == 0
        # It goes on at once, and relies on names that the killed one may not have made durable.
        run(shim, folder, trace, "append", "7", "3", "1")
        tried += cut_everywhere(trace, tmp_path, chance, begin)
    print(f"{number - 1} kills and {tried} folders after power cuts, seed {seed}")
    assert number > 12


# -- disks -------------------------------------------------------------------------------------


def below_tmpfs(place: Path, script: str, size: str = "96k") -> subprocess.CompletedProcess[str]:
    """Run a shell script with a small file system of its own at a place; skips where none can be mounted."""
    mount = f'mount -t tmpfs -o size={size},mode=0700 small "$1"'
    argv = ["unshare", "--mount", "sh", "-euc"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*argv, mount, "sh", str(place)], capture_output=True, timeout=LIMIT_S, check=False
        ).returncode
    ):
        pytest.skip("no file system can be mounted here; that takes root")
    return subprocess.run(
        [*argv, f'{mount}\ncd "$1"\nshift\n{script}', "sh", str(place), *DRIVE],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    done = below_tmpfs(
        tmp_path,
        """
        "$@" . append 0 20 5; "$@" . write 1 2
        dd if=/dev/zero of=ballast bs=1024 count=500 2>/dev/null || true
        log=$(cksum <log.jsonl) state=$(cksum <state.json)
        while line=$("$@" . append 20 60 60 2>&1 >/dev/null); do log=$(cksum <log.jsonl); done
        echo "$line"
        for verb in "write 3 1" compact; do "$@" . $verb 2>&1 >/dev/null || true; done
        [ "$(cksum <log.jsonl)" = "$log" ]; [ "$(cksum <state.json)" = "$state" ]
        ls -A
        rm ballast
        "$@" . append 80 3 1; "$@" . write 3 1; "$@" . compact
        tail -c 200 log.jsonl | grep -q '"id":82'
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    errors = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one["error"] for one in errors] == ["StorageError"] * 3, done.stdout
    for one in errors:
        assert "the disk is full" in one["line"] or "found room" in one["line"]
        assert "as it was" in one["line"]
    assert ".tmp" not in done.stdout, "a draft that found no room was left behind"


def test_a_read_only_disk_can_be_read_and_says_so(tmp_path: Path) -> None:
    done = below_tmpfs(
        tmp_path,
        """
        "$@" . append 0 3 1; "$@" . write 1 1
        mount -o remount,ro small .
        for verb in "append 3 1 1" "write 2 1" compact; do "$@" . $verb 2>&1 >/dev/null || true; done
        """,
    )
    assert done.returncode == 0, done.stderr
    errors = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one["error"] for one in errors] == ["StorageError"] * 3, done.stdout
    assert all("the file system is read-only" in one["line"] for one in errors)
