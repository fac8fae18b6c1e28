# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are full or read-only, files that are no queue: one clear line, and nothing destroyed.

The disks are real file systems of their own, in a mount namespace of the child.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from timmy.queue.model import End, NewJob, QueueError, QueueUnavailable
from timmy.queue.sqlite_jobs import SqliteJobs

SRC = Path(__file__).resolve().parents[2] / "src"
# Not even root may do so in a container.
MOUNTS = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
ROOT = pytest.mark.skipif(not MOUNTS, reason="may not mount file systems here")


def on_disk(tmp_path: Path, code: str, options: str = "size=2m") -> list[str]:
    """Run Python beside a small file system at `disk`; return its lines."""
    script = tmp_path / "script.py"
    head = f"import os, sys, subprocess\nsys.path.insert(0, {str(SRC)!r})\nfrom timmy.queue.model import *\n"
    head += "from timmy.queue.sqlite_jobs import SqliteJobs\nfrom pathlib import Path\ndisk = Path('disk')\n"
    script.write_text(head + code)
    shell = f'mkdir -p disk && mount -t tmpfs -o {options} tmpfs disk && exec "$0" script.py'
    argv = ["unshare", "--mount", "sh", "-c", shell, sys.executable]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@ROOT
def test_a_full_disk(tmp_path: Path) -> None:
    printed = on_disk(
        tmp_path,
        """
jobs = SqliteJobs(disk.resolve() / "queue.db")
told = 0
jobs.add([NewJob("first", b"x")])
lease = jobs.claim()
try:
    while True:
        jobs.add([NewJob(str(told), b"x" * 5000)])
        told += 1
except QueueUnavailable as error:
    print(error.message.replace(str(disk.resolve()), "DISK"), "|", error.hint)
print(len(jobs.listing(["ready"], 100000)) == told, told > 50)
try:
    for _ in range(50):
        jobs.add([NewJob("more", b"x" * 500000)])
except QueueUnavailable:
    print("still full")
# somebody makes room: everything is there, and goes on
jobs.close()
subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
again = SqliteJobs(disk.resolve() / "queue.db")
print(again.settle(lease, End("done")), again.add([NewJob("last", b"x")]))
print(again.counts()["ready"] == told + 1)
""",
    )
    assert printed[0] == "DISK/queue.db: database or disk is full | nothing was changed"
    assert printed[1:] == ["True True", "still full", "True 1", "True"]


@ROOT
def test_a_read_only_disk(tmp_path: Path) -> None:
    printed = on_disk(
        tmp_path,
        """
jobs = SqliteJobs(disk.resolve() / "queue.db")
jobs.add([NewJob("first", b"x")])
jobs.close()
before = (disk / "queue.db").read_bytes()
subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
for store in (SqliteJobs(disk.resolve() / "queue.db"), SqliteJobs(disk.resolve() / "new.db")):
    try:
        store.add([NewJob("second", b"x")])
    except QueueUnavailable as error:
        print(error.message.replace(str(disk.resolve()), "DISK"))
print((disk / "queue.db").read_bytes() == before, sorted(os.listdir(disk)))
""",
    )
    assert printed[:2] == [
        "DISK/queue.db.lock: Read-only file system",
        "DISK/new.db.lock: Read-only file system",
    ]
    assert printed[2] == "True ['queue.db', 'queue.db.lock']"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    path.write_bytes(b"these are somebody's notes\n" * 100)
    before = path.read_bytes()
    with pytest.raises(QueueError, match="file is not a database") as error:
        SqliteJobs(path).add([NewJob("a", b"x")])
    assert not isinstance(error.value, QueueUnavailable), "waiting does not help"
    assert path.read_bytes() == before


def test_a_database_of_others(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with sqlite3.connect(path) as db:
        db.execute("create table mine (a)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(QueueError, match="is no queue"):
        SqliteJobs(path).add([NewJob("a", b"x")])
    assert path.read_bytes() == before


def test_a_link_in_place_of_the_queue_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    (tmp_path / "queue.db").symlink_to(target)
    with pytest.raises(QueueUnavailable, match="symbolic links"):
        SqliteJobs(tmp_path / "queue.db").counts()
    assert target.read_bytes() == b""


def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        jobs = SqliteJobs(tmp_path / "room" / "queue.db")
        jobs.add([NewJob("a", b"x")])
    finally:
        os.umask(old)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "room").iterdir()}
    assert modes["queue.db"] == modes["queue.db.lock"] == modes["queue.db-wal"] == "0o600"
    jobs.close()
    assert (tmp_path / "room").stat().st_mode & 0o777 == 0o700


def test_commits_are_durable(tmp_path: Path) -> None:
    """Each enqueue, claim and end is followed by an fsync of the log before it returns."""
    strace = "/usr/bin/strace"
    if not os.path.exists(strace):
        pytest.skip("needs strace")
    code = (
        "import sys, os; sys.path.insert(0, sys.argv[1])\nfrom timmy.queue.model import *\n"
        "from timmy.queue.sqlite_jobs import SqliteJobs\njobs = SqliteJobs(sys.argv[2]); jobs.counts()\n"
        "os.write(2, b'MARK'); jobs.add([NewJob('a', b'x')]); os.write(2, b'MARK')\n"
        "lease = jobs.claim(); os.write(2, b'MARK')\n"
        "jobs.settle(lease, End('done')); os.write(2, b'MARK')\n"
    )
    log = tmp_path / "trace"
    argv = [strace, "-f", "-o", str(log), "-e", "trace=fsync,fdatasync,write", sys.executable, "-c", code]
    subprocess.run([*argv, str(SRC), str(tmp_path / "queue.db")], check=True, capture_output=True, timeout=60)
    parts = log.read_text().split("MARK")[1:-1]
    assert len(parts) == 3
    for part in parts:
        assert "sync(" in part


def test_two_openers_at_once_make_one_queue(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom timmy.queue.model import *\n"
        "from timmy.queue.sqlite_jobs import SqliteJobs\njobs = SqliteJobs(sys.argv[2])\n"
        "jobs.add([NewJob(sys.argv[3], b'x')])"
    )
    argv = [sys.executable, "-c", code, str(SRC), str(tmp_path / "queue.db")]
    running = [subprocess.Popen([*argv, str(number)]) for number in range(8)]
    assert [one.wait(60) for one in running] == [0] * 8
    assert SqliteJobs(tmp_path / "queue.db").counts()["ready"] == 8


def test_writers_stand_in_line_at_the_lock(tmp_path: Path) -> None:
    """The kernel's queue decides who writes next, not who polls at the right moment."""
    jobs = SqliteJobs(tmp_path / "queue.db")
    jobs.add([NewJob("a", b"x")])
    with (tmp_path / "queue.db.lock").open("rb") as lock:
        is_open, go = threading.Event(), threading.Event()

        def write() -> None:
            jobs.counts()
            is_open.set()
            go.wait(20)
            jobs.add([NewJob("b", b"x")])

        thread = threading.Thread(target=write)
        thread.start()
        assert is_open.wait(20)
        fcntl.flock(lock, fcntl.LOCK_EX)
        go.set()
        thread.join(0.7)
        assert thread.is_alive()
        assert jobs.counts()["ready"] == 1, "readers do not wait"
    thread.join(20)
    assert jobs.counts()["ready"] == 2


def test_a_fork_opens_its_own(tmp_path: Path) -> None:
    jobs = SqliteJobs(tmp_path / "queue.db")
    jobs.add([NewJob("a", b"x"), NewJob("b", b"x")])
    child = os.fork()
    if child == 0:
        lease = jobs.claim()
        os._exit(0 if lease and jobs.settle(lease, End("done")) else 1)
    assert os.waitpid(child, 0)[1] == 0
    lease = jobs.claim()
    assert lease is not None
    assert lease.id == "b"


def test_a_thread_that_opens_does_not_cut_the_others_off(tmp_path: Path) -> None:
    """Closing any descriptor of the file drops everybody's locks; the next to leave would unlink the log."""
    jobs = SqliteJobs(tmp_path / "queue.db")
    jobs.add([NewJob("first", b"x")])
    thread = threading.Thread(target=jobs.counts)
    thread.start()
    thread.join()
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\nfrom timmy.queue.sqlite_jobs import SqliteJobs\n"
        "jobs = SqliteJobs(sys.argv[2]); print(jobs.counts()['ready']); jobs.close()"
    )
    argv = [sys.executable, "-c", code, str(SRC), str(tmp_path / "queue.db")]
    assert subprocess.check_output(argv).strip() == b"1"
    jobs.add([NewJob("second", b"x")])
    assert subprocess.check_output(argv).strip() == b"2"
