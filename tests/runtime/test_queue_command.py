# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy queue`, the door of Huey's consumer, and what is told where Huey is missing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from queue_room import Room

from timmy.queue.model import End, NewJob
from timmy.queue.sqlite_jobs import SqliteJobs

REPO = Path(__file__).resolve().parents[2]
# What the runtime uses on a host has no packages at all.
BARE = "/usr/bin/python3"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return a release with its doors, as it lies on a host."""
    live = tmp_path / "opt/releases/one"
    (live / "bin").mkdir(parents=True)
    for name in ("timmy", "door.sh", "doors.txt"):
        shutil.copy(REPO / "overlay/bin" / name, live / "bin" / name)
        (live / "bin" / name).chmod(0o755)
    for line in (live / "bin/doors.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            (live / "bin" / line.split()[0]).symlink_to("door.sh")
    shutil.copytree(REPO / "src/timmy", live / "lib/timmy", ignore=shutil.ignore_patterns("__pycache__"))
    return live


@pytest.fixture
def jobs(tmp_path: Path) -> SqliteJobs:
    """Return a queue with a job in each state."""
    jobs = SqliteJobs(tmp_path / "queue.db")
    jobs.add([NewJob(key, b"x", f"timmy.tasks.{key}") for key in ("done", "bad", "worse", "runs", "next")])
    for state in ("done", "dead", "dead"):
        lease = jobs.claim()
        assert lease is not None
        jobs.settle(lease, End(state, reason=f"reason of {lease.id}", failed=state == "dead"))
    assert jobs.claim() is not None
    return jobs


def run(release: Path, tmp_path: Path, *args: str, door: str = "timmy") -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TIMMY_QUEUE_URL": str(tmp_path / "queue.db")}
    return subprocess.run(
        [str(release / "bin" / door), *args], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def data(done: subprocess.CompletedProcess[str]) -> Any:
    answer = json.loads(done.stdout)
    assert answer["exit_code"] == done.returncode
    assert answer["command"] == "queue"
    return answer["data"]


def test_list_counts_and_shows_what_needs_a_look(release: Path, tmp_path: Path, jobs: SqliteJobs) -> None:
    done = run(release, tmp_path, "queue", "list")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "1 ready, 0 waiting, 1 leased, 1 done, 2 dead"
    assert sorted(line.split()[3] for line in lines[1:3]) == ["bad", "worse"]
    assert "reason of bad" in done.stdout
    assert lines[-1].startswith("problem: ")
    told = data(run(release, tmp_path, "queue", "--json", "list", "--state", "leased"))
    assert told["counts"] == {"ready": 1, "waiting": 0, "leased": 1, "done": 1, "dead": 2}
    assert [(job["id"], job["state"], job["name"]) for job in told["jobs"]] == [
        ("runs", "leased", "timmy.tasks.runs")
    ]
    assert (
        data(run(release, tmp_path, "queue", "list", "--json", "--limit", "1"))["jobs"][0]["state"] == "dead"
    )


def test_requeue_and_drop(release: Path, tmp_path: Path, jobs: SqliteJobs) -> None:
    done = run(release, tmp_path, "queue", "requeue", "bad", "runs", "--json")
    assert data(done) == {"moved": ["bad"], "missed": ["runs"]}
    assert done.returncode == 1
    assert run(release, tmp_path, "queue", "drop", "--all-dead").stdout == "1 dropped\n"
    done = run(release, tmp_path, "queue", "list")
    assert done.stdout == "2 ready, 0 waiting, 1 leased, 1 done, 0 dead\n"
    assert done.returncode == 0


@pytest.mark.parametrize("args", [["requeue"], ["drop", "a", "--all-dead"], ["list", "--state", "odd"], []])
def test_what_makes_no_sense_is_refused(
    release: Path, tmp_path: Path, jobs: SqliteJobs, args: list[str]
) -> None:
    done = run(release, tmp_path, "queue", *args)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert jobs.counts()["dead"] == 2


def test_looking_makes_no_queue(release: Path, tmp_path: Path) -> None:
    done = run(release, tmp_path, "queue", "list")
    assert (done.returncode, done.stdout) == (72, "")
    assert "there is no queue" in done.stderr
    assert not (tmp_path / "queue.db").exists()


def test_the_address_is_checked(release: Path, tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TIMMY_QUEUE_URL": "http://:geheim@x"}
    argv = [str(release / "bin/timmy"), "queue", "list"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "geheim" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="looks as root")
def test_root_looks_as_the_owner(release: Path, tmp_path: Path, jobs: SqliteJobs) -> None:
    """What root's look makes beside an agent's queue belongs to the agent, and no link leads root astray."""
    jobs.close()
    home = tmp_path / "agent"
    home.mkdir()
    for part in [tmp_path, *tmp_path.parents]:
        if part != Path("/") and part.stat().st_uid == 0:
            part.chmod(part.stat().st_mode | stat.S_IXOTH)
    for path in tmp_path.glob("queue.db*"):
        path.rename(home / path.name)
    for path in (home, *home.iterdir()):
        os.chown(path, 65534, 65534)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TIMMY_QUEUE_URL": str(home / "queue.db")}
    argv = [str(release / "bin/timmy"), "queue", "list"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert {path.stat().st_uid for path in home.iterdir()} == {65534}
    (home / "queue.db").unlink()
    (home / "queue.db").symlink_to("/etc/shadow")
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "symbolic links" in done.stderr


# --- the door ---


def test_the_door_runs_by_the_environment_of_the_runtime(release: Path, tmp_path: Path) -> None:
    """The release's own Python has no Huey: the door goes on with the one that the settings lead to."""
    root = tmp_path / "opt"
    root.joinpath("runtime/bin").mkdir(parents=True)
    python = root / "runtime/bin/python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    fleet = {"schema": 1, "host": "h", "release_root": str(root), "wizards": [], "fleet": []}
    (tmp_path / "fleet.json").write_text(json.dumps(fleet))
    settings = release / "lib/timmy/settings.py"
    text = settings.read_text().replace("/etc/timmy/fleet.json", str(tmp_path / "fleet.json"))
    settings.write_text(text)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    argv = [str(release / "bin/huey_consumer.py"), "timmy.tasks.huey", "-w", "2", "-k", "thread"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd=tmp_path)
    room = Room(tmp_path, str(tmp_path / ".timmy/queue.db"))
    try:
        room.wait(lambda: b"timmy.tasks.housekeeping" in (tmp_path / "log").read_bytes(), 40)
        process.terminate()
        assert process.wait(30) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / ".timmy/queue.db").exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["os.path"], "is no durable queue"),
        (["nothing.here"], "cannot be imported"),
        ([], "name one queue"),
        (["timmy.tasks.huey", "-s", "7"], "factor of 60"),
        (["timmy.tasks.huey", "-k", "greenlet"], "use thread or process"),
    ],
)
def test_a_wrong_call_of_the_door_is_one_line(tmp_path: Path, args: list[str], told: str) -> None:
    room = Room(tmp_path, str(tmp_path / "queue.db"))
    argv = room.argv("queue", "consume", *args)
    done = subprocess.run(argv, env=room.env(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_consumer_imports_nothing_from_where_it_is_started(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    room = Room(tmp_path, str(tmp_path / "queue.db"))
    argv = [one if one else "/nowhere" for one in room.argv("queue", "consume", "evil.huey")]
    argv.insert(1, "-I")
    done = subprocess.run(
        argv, env=room.env(), capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert "imported" not in done.stderr.replace("cannot be imported", "")
    assert done.returncode == 2


def test_without_huey_one_line_says_so(release: Path, tmp_path: Path) -> None:
    done = run(release, tmp_path, "timmy.tasks.huey", door="huey_consumer.py")
    assert done.returncode == 78, done.stderr
    assert done.stderr.count("\n") == 1
    assert "fleet.json" in done.stderr


def test_tasks_are_functions_where_huey_is_missing() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\nimport timmy.tasks as t\n"
        "from timmy.errors import NotConfigured\nassert callable(t.housekeeping.call_local)\n"
        "for call in (t.housekeeping, t.housekeeping.s, lambda: t.huey.lock_task('x')):\n"
        "    try: call()\n    except NotConfigured as e: print(e.message)\n"
    )
    argv = [BARE, "-ISc", code, str(REPO / "src")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["the queue needs huey, which this Python has not"] * 3


def test_housekeeping_purges(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom timmy.tasks import huey, housekeeping\n"
        "from timmy.queue.model import *\njobs = huey.storage.jobs\njobs.add([NewJob('old', b'x')])\n"
        "jobs.settle(jobs.claim(), End('done'))\nimport sqlite3, os\n"
        "db = sqlite3.connect(os.environ['TIMMY_QUEUE_URL'])\n"
        "db.execute('update job set since = since - 8 * 86400')\n"
        "db.commit(); db.close(); housekeeping.call_local(); print(jobs.counts()['done'])"
    )
    room = Room(tmp_path, str(tmp_path / "queue.db"))
    argv = [sys.executable, "-c", code, str(REPO / "src")]
    done = subprocess.run(argv, env=room.env(), capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "0\n"


def test_hosts_get_what_the_tests_ran_with() -> None:
    from timmy.core.wheel_env import parse_lock  # noqa: PLC0415

    tried = dict(
        line.split(" ", 1)[0].split("==")
        for line in (REPO / "requirements/dev.txt").read_text().splitlines()
        if line.startswith(("huey==", "redis=="))
    )
    locks = sorted((REPO / "requirements/hosts").glob("queue-*.txt"))
    assert len(locks) == 4
    for lock in locks:
        found = {one.name: one.version for one in parse_lock(lock.read_text())}
        assert {name: found[name] for name in ("huey", "redis")} == tried, lock.name
        assert set(found) - {"huey", "redis", "pip"} <= {"async-timeout"}, lock.name
