"""The guard under real kills: whole processes, SIGKILL at random moments, the host's own command line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUARD = ROOT / "plugins" / "module_utils" / "guard.py"
NAMES = ("a", "b", "c", "d")

# Changes four files and a link under the guard, again and again; each second change is confirmed, the others
# are undone.
WORKER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("guard", sys.argv[1])
guard = importlib.util.module_from_spec(spec)
spec.loader.exec_module(guard)
store, home, number = sys.argv[2], sys.argv[3], int(sys.argv[4])
paths = [home + "/" + name for name in "abcd"]
while True:
    number += 1
    text = "value %d" % number
    print("try", number, flush=True)
    undo = [guard.undo_of(path) for path in paths + [home + "/link"]]
    guard.arm(store, "g", undo, 3600, "a trial", timer=guard.no_timer)
    for path in paths:
        with guard.while_armed(store, "g"):
            guard.write_file(path, text.encode() * 50, 0o644)
    with guard.while_armed(store, "g"):
        guard.set_link(home + "/link", text)
    if number % 2:
        guard.undo_now(store, "g", "the other half of the trials")
    else:
        guard.confirm(store, "g")
        print("confirmed", number, flush=True)
"""


def host_guard(store: Path, *verb: str) -> subprocess.CompletedProcess[str]:
    """Run the guard as a host does: isolated, from its one file."""
    argv = [sys.executable, "-I", str(GUARD), "--dir", str(store), "--no-timer", *verb]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def value_of(home: Path) -> int:
    """The one value that all files and the link carry; a mixture or a torn file fails."""
    texts = {(home / name).read_text() for name in NAMES}
    link = os.readlink(home / "link")
    assert texts == {link * 50}, "some files are old and some are new, or one is torn"
    return int(link.split()[1])


def kill_at(worker: subprocess.Popen[str], delay: float) -> list[str]:
    assert worker.stdout is not None
    first = worker.stdout.readline()
    time.sleep(delay)
    worker.kill()
    rest, _errors = worker.communicate()
    return [first, *rest.splitlines()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    for name in NAMES:
        (place / name).write_text("value 0" * 50)
    (place / "link").symlink_to("value 0")
    return place


def interrupted_undo(store: Path, delay: float) -> None:
    """Kill the host's own undo as well, before it may finish."""
    argv = [sys.executable, "-I", str(GUARD), "--dir", str(store), "--no-timer", "boot"]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        time.sleep(delay)
        process.kill()


def test_kills_at_any_moment_leave_the_old_or_the_new_state(home: Path, tmp_path: Path) -> None:
    trials = int(os.environ.get("GUARD_KILLS", "60"))
    store = tmp_path / "guard"
    chance = random.Random(20261122)  # noqa: S311 (moments of kills, no secret)
    number = confirmed = 0
    undone = found_armed = 0
    for _trial in range(trials):
        argv = [sys.executable, "-c", WORKER, str(GUARD), str(store), str(home), str(number)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as worker:
            lines = kill_at(worker, chance.uniform(0, 0.06))
        number = max([int(line.split()[1]) for line in lines if line.startswith("try ")], default=number)
        confirmed = max(
            [confirmed, *(int(line.split()[1]) for line in lines if line.startswith("confirmed "))]
        )
        found_armed += (store / "g.json").exists()
        if chance.random() < 0.5:
            interrupted_undo(store, chance.uniform(0.02, 0.06))
        done = host_guard(store, "boot")
        assert done.returncode == 0, done.stderr
        host_guard(store, "tick")

        value = value_of(home)
        # A kill inside confirm may hide the line of a confirmation that counts; nothing else may be new.
        assert value == confirmed or (value == number and number % 2 == 0)
        undone += value != number
        confirmed = value
        assert not (store / "g.json").exists()
        assert not (store / "g.d").exists()
        assert sorted(os.listdir(home)) == sorted([*NAMES, "link"]), "a temporary file was left behind"
    assert found_armed > trials // 10, "the kills missed the window: this trial proves nothing"
    assert undone > trials // 10


def test_the_host_undoes_when_nobody_confirms(home: Path, tmp_path: Path) -> None:
    store = tmp_path / "guard"
    path = home / "a"
    undo = [{"do": "restore_file", "path": str(path)}]
    request = json.dumps({"id": "g", "undo": undo, "window_s": 0.5, "reason": "a trial"})
    argv = [sys.executable, "-I", str(GUARD), "--dir", str(store), "--no-timer", "arm"]
    armed = subprocess.run(argv, input=request, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(armed.stdout)["id"] == "g"
    path.write_text("changed")
    deadline = time.monotonic() + 20
    while path.read_text() == "changed":
        assert time.monotonic() < deadline
        assert host_guard(store, "tick").returncode == 0
    late = host_guard(store, "confirm", "g")
    assert late.returncode == 1
    assert "was undone: nobody confirmed" in late.stderr
    assert len(late.stderr.strip().splitlines()) == 1


def test_one_id_is_armed_by_one_process_only(home: Path, tmp_path: Path) -> None:
    """Two processes arm the same id at the same moment: exactly one may."""
    store = tmp_path / "guard"
    argv = [sys.executable, "-I", str(GUARD), "--dir", str(store), "--no-timer", "arm"]
    workers = []
    for number in range(6):
        undo = [{"do": "set_link", "path": str(home / "link"), "target": f"by {number}"}]
        worker = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert worker.stdin is not None
        worker.stdin.write(json.dumps({"id": "g", "undo": undo, "window_s": 60, "reason": f"trial {number}"}))
        workers.append(worker)
    codes = []
    for worker in workers:
        worker.communicate(timeout=30)
        codes.append(worker.returncode)
    assert sorted(codes) == [0, 1, 1, 1, 1, 1]
