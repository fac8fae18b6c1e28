# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contained runs: what a program starts is gone with it, whoever is killed, and what it prints is bounded."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from timmy import process, process_tree
from timmy.errors import LaunchError
from timmy.process import Command, Completed

if TYPE_CHECKING:
    from collections.abc import Iterator

SRC = str(Path(process.__file__).parents[1])
# leaves its session, is orphaned twice, ignores what can be ignored, and says who it is
DAEMON = """import os, signal, sys, time
for _fork in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
os.close(0); os.close(1); os.close(2)
open(sys.argv[1] + "/" + str(os.getpid()), "w").close()
time.sleep(120)
"""


def contained(script: str, timeout_s: float = 20.0, pauses: tuple[float, float] = (0.3, 0.3)) -> Completed:
    """Run a shell script under a keeper."""
    command = Command(("/bin/sh", "-c", script), timeout_s, contain=True, stop_after=pauses)
    return process.run(command, time.monotonic)


def living(pids: list[int]) -> list[int]:
    """Return those of them that live."""
    parents = process_tree.parents()
    return [pid for pid in pids if pid in parents]


def await_pids(folder: Path, count: int) -> list[int]:
    """Return the daemons that said who they are, once there are so many."""
    limit = time.monotonic() + 15
    while len(list(folder.iterdir())) < count and time.monotonic() < limit:
        time.sleep(0.05)
    found = [int(path.name) for path in folder.iterdir()]
    assert len(found) == count, found
    return found


def gone_within(pids: list[int], seconds: float) -> bool:
    """Return whether none of them lives after that time at the latest."""
    limit = time.monotonic() + seconds
    while living(pids) and time.monotonic() < limit:
        time.sleep(0.05)
    return not living(pids)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Return a command that starts a daemon, and where daemons say who they are; kill what a test left."""
    program, folder = tmp_path / "daemon.py", tmp_path / "pids"
    program.write_text(DAEMON)
    folder.mkdir()
    yield f"{sys.executable} {program} {folder}", folder
    for pid in living([int(path.name) for path in folder.iterdir()]):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("cgroups", [True, False])
def test_no_daemon_outlives_its_run(
    daemons: tuple[str, Path], cgroups: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, folder = daemons
    if not cgroups:
        # a copy of the runtime that finds no control group of its own
        lib = tmp_path / "lib"
        shutil.copytree(Path(SRC, "timmy"), lib / "timmy")
        tree = lib / "timmy" / "process_tree.py"
        tree.write_text(tree.read_text().replace('startswith("0::")', 'startswith("none")'))
        monkeypatch.setattr("timmy.keeper.__file__", str(lib / "timmy" / "keeper.py"))
    wait = f"while [ $(ls {folder} | wc -l) -lt 3 ]; do sleep 0.05; done"
    done = contained(f"{start}; {start}; {start}; {wait}")
    pids = await_pids(folder, 3)
    assert (done.exit_code, done.timed_out, done.swept) == (0, False, 3)
    assert living(pids) == []


def test_a_deadline_leaves_nothing_either(daemons: tuple[str, Path]) -> None:
    start, folder = daemons
    done = contained(f"trap '' INT TERM; {start}; while :; do sleep 0.1; done", 3.0)
    assert (done.timed_out, done.exit_code) == (True, -9)
    assert living(await_pids(folder, 1)) == []


def test_runs_beside_each_other_do_not_touch_each_other(daemons: tuple[str, Path]) -> None:
    start, folder = daemons
    done: dict[str, Completed] = {}

    def slow() -> None:
        done["slow"] = contained(f"{start}; sleep 3; ls {folder}", 30.0)

    def quick() -> None:
        done["quick"] = contained("setsid sleep 60 & setsid sleep 60 & sleep 0.3")

    first = threading.Thread(target=slow)
    first.start()
    pids = await_pids(folder, 1)
    others = [threading.Thread(target=quick) for _number in range(2)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join(20)
    assert living(pids) == pids, "a run swept what belonged to another one"
    first.join(30)
    assert (done["quick"].swept, done["slow"].swept) == (2, 1)
    assert living(pids) == []


@pytest.mark.parametrize("victim", ["us", "keeper"])
def test_a_kill_of_us_or_of_the_keeper_leaves_nothing(daemons: tuple[str, Path], victim: str) -> None:
    start, folder = daemons
    # the program itself is a second one that says who it is
    script = f"{start}; touch {folder}/$$; while :; do sleep 0.1; done"
    code = (
        "import sys, time\n"
        f"sys.path.insert(0, {SRC!r})\n"
        "from timmy import errors, process\n"
        f"argv = ('/bin/sh', '-c', {script!r})\n"
        "command = process.Command(argv, 60.0, contain=True, stop_after=(0.2, 0.2))\n"
        "try:\n"
        "    process.run(command, time.monotonic)\n"
        "except errors.LaunchError as error:\n"
        "    sys.exit(str(error))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as running:
        try:
            pids = await_pids(folder, 2)
            parents = process_tree.parents()
            (keeper,) = [pid for pid, parent in parents.items() if parent == running.pid]
            os.kill(running.pid if victim == "us" else keeper, signal.SIGKILL)
            assert gone_within([*pids, keeper], 2.0), "processes were left two seconds after the kill"
            assert running.wait(10) == (-9 if victim == "us" else 1)
            assert running.stderr is not None
            told = running.stderr.read()
            assert told == ("" if victim == "us" else "/bin/sh: its keeper ended with -9 and no answer\n")
        finally:
            running.kill()


def test_a_program_ends_with_its_keeper_though_nobody_looks(tmp_path: Path) -> None:
    script = f"touch {tmp_path}/$$; while :; do sleep 0.1; done"
    code = (
        "import sys, time\n"
        f"sys.path.insert(0, {SRC!r})\n"
        "from timmy import process\n"
        f"process.run(process.Command(('/bin/sh', '-c', {script!r}), 60.0, contain=True), time.monotonic)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as running:
        try:
            (pid,) = await_pids(tmp_path, 1)
            running.send_signal(signal.SIGSTOP)
            parents = process_tree.parents()
            (keeper,) = [one for one, parent in parents.items() if parent == running.pid]
            os.kill(keeper, signal.SIGKILL)
            assert gone_within([pid], 2.0)
        finally:
            running.kill()


def test_a_gigabyte_of_output_fills_neither_memory_nor_disk(tmp_path: Path) -> None:
    script = "echo first >&2; head -c 1073741824 /dev/zero; head -c 200000000 /dev/zero >&2; echo end"
    # in a process of its own: the kernel remembers the largest child that a process ever had
    code = (
        "import json, resource, sys, time\n"
        f"sys.path.insert(0, {SRC!r})\n"
        "from dataclasses import asdict\n"
        "from timmy import process\n"
        f"command = process.Command(('/bin/sh', '-c', {script!r}), 120.0, contain=True)\n"
        "done = asdict(process.run(command, time.monotonic))\n"
        "print(json.dumps([done, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))\n"
    )
    free = shutil.disk_usage(tmp_path).free
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=150, check=True)
    done, peak_kib = json.loads(ran.stdout)
    assert (done["exit_code"], done["stdout"][-4:], len(done["stdout"])) == (0, "end\n", process.MAX_OUTPUT)
    assert (done["stderr_head"][:6], len(done["stderr_head"])) == ("first\n", 4000)
    assert done["dropped"] == 1073741824 + 4 + 200000000 + 6 - 2 * process.MAX_OUTPUT
    assert peak_kib < 100 * 1024
    assert free - shutil.disk_usage(tmp_path).free < 500_000_000


def test_an_orphaned_keeper_does_not_wait_for_a_reader(tmp_path: Path) -> None:
    """An interrupted run returns as soon as the program is gone, though nobody reads a long answer."""
    wait = "while :; do sleep 0.1; done"
    flood = f"trap 'exit 0' INT; head -c 3000000 /dev/zero; touch {tmp_path}/ready; {wait}"
    code = (
        "import signal, sys, time\n"
        f"sys.path.insert(0, {SRC!r})\n"
        "from timmy import process\n"
        "def stop(*_given):\n"
        "    raise SystemExit(7)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        f"process.run(process.Command(('/bin/sh', '-c', {flood!r}), 60.0, contain=True), time.monotonic)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as running:
        limit = time.monotonic() + 15
        while not (tmp_path / "ready").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        began = time.monotonic()
        running.terminate()
        assert running.wait(30) == 7
        assert time.monotonic() - began < 8


@pytest.mark.skipif(os.getuid() != 0, reason="only root may make a control group here")
def test_a_control_group_is_used_where_there_is_one() -> None:
    ours = process_tree._cgroup_of_ours()
    if ours is None or not (ours / "cgroup.procs").exists():
        pytest.skip("no version 2 control groups here")
    done = contained("cat /proc/self/cgroup")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("0::")]
    name = line.rpartition("/")[2]
    assert name.startswith("timmy-run-")
    assert not (ours / name).exists(), "the control group outlived its run"


def test_a_keeper_whose_request_never_comes_ends() -> None:
    code = f"import sys; sys.path.insert(0, {SRC!r}); from timmy import keeper; keeper.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"", capture_output=True, timeout=20, check=False
    )
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("argv", [("/no/such/program",), ("/etc/passwd",), ("/bin/echo", "a\0b")])
def test_what_cannot_be_started_is_one_error(argv: tuple[str, ...]) -> None:
    with pytest.raises(LaunchError, match=f"cannot start {argv[0]}"):
        process.run(Command(argv, 5.0, contain=True), time.monotonic)


def test_the_mark_of_a_run_is_in_the_environment_of_all_of_it() -> None:
    done = contained("env | grep TIMMY_RUN=; sh -c 'env | grep TIMMY_RUN='")
    first, second = done.stdout.split()
    assert first == second
    assert process_tree.marked(first) == set()
    assert os.getpid() not in process_tree.marked(json.dumps("no such mark"))
