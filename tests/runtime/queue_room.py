# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the queue stand on: stores in a file and on a real server, clocks by hand, consumers."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from timmy.queue.clock import Clock
from timmy.queue.redis_jobs import RedisJobs
from timmy.queue.sqlite_jobs import SqliteJobs

HERE = Path(__file__).resolve().parent
SRC = HERE.parents[1] / "src"
START = """
import sys
sys.path[:0] = sys.argv[1:3]
del sys.argv[1:3]
from timmy.cli import main
sys.exit(main(sys.argv[1:]))
"""
FULL = os.environ.get("TIMMY_FAULTS") == "full"


def need_redis() -> str:
    """Return the path of the server; where CI has none, that is an error and no skip."""
    found = shutil.which("redis-server")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is missing; .ci/run installs it")
        pytest.skip("needs redis-server")
    return found


class RedisServer:
    """A real server with a socket and an append-only file of its own."""

    def __init__(self, *options: str) -> None:
        """Start it, durable unless the options say otherwise."""
        self._program = need_redis()
        self.dir = Path(tempfile.mkdtemp(prefix="timmy-redis-"))
        self.url = f"unix://{self.dir}/s"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start the server and wait until it has read its file."""
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        place = ["--port", "0", "--unixsocket", f"{self.dir}/s", "--dir", str(self.dir), "--save", ""]
        argv = [self._program, *place, *durable, *self._options]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 20
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.RedisError:
                    assert time.monotonic() < until, "redis-server did not start"
                    time.sleep(0.05)

    def kill(self) -> None:
        """Kill it where it stands."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it for good."""
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


@dataclass
class Hands:
    """A clock moved by hand."""

    wall: float = 1_800_000_000.0
    boot: float = 1000.0
    awake: float = 1000.0
    boot_id: str = "boot-1"

    def clock(self) -> Clock:
        """Return the clock that follows these hands."""
        return Clock(lambda: self.wall, lambda: self.boot, lambda: self.awake, self.boot_id)

    def pass_(self, seconds: float) -> None:
        """Let time pass for everybody."""
        self.wall += seconds
        self.boot += seconds
        self.awake += seconds

    def sleep(self, seconds: float) -> None:
        """Let the box sleep."""
        self.wall += seconds
        self.boot += seconds


@dataclass
class Consumer:
    """A running consumer of queue_app."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, number: int = signal.SIGTERM, wait: float = 60) -> int:
        """Send a signal, once it has begun, and return the exit code."""
        until = time.monotonic() + 30
        while b"commands are available" not in self.log.read_bytes() and time.monotonic() < until:
            time.sleep(0.1)
        self.process.send_signal(number)
        return self.process.wait(wait)

    def kill(self) -> None:
        """Kill it where it stands."""
        self.process.kill()
        self.process.wait()


@dataclass
class Room:
    """A queue with its effects, and consumers of it."""

    path: Path
    url: str
    lease_s: float = 2.0
    running: list[Consumer] = field(default_factory=list)

    @property
    def effects(self) -> Path:
        """Return the file where tasks leave their effects."""
        return self.path / "effects.db"

    def env(self) -> dict[str, str]:
        """Return what consumers and producers are told."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path),
            "TIMMY_QUEUE_URL": self.url,
            "QUEUE_APP_EFFECTS": str(self.effects),
            "QUEUE_APP_LEASE": str(self.lease_s),
        }

    def argv(self, *args: str) -> list[str]:
        """Return a command line of timmy that can import queue_app."""
        return [sys.executable, "-c", START, str(SRC), str(HERE), *args]

    def consume(self, *options: str) -> Consumer:
        """Start a consumer."""
        log = self.path / f"consumer-{len(self.running)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                self.argv("queue", "consume", "queue_app.huey", "-w", "2", "-k", "thread", *options),
                env=self.env(),
                stdout=stream,
                stderr=stream,
                cwd=self.path,
            )
        self.running.append(Consumer(process, log))
        return self.running[-1]

    def add(self, code: str) -> str:
        """Run Python with queue_app imported, and return what it prints."""
        start = "import sys; sys.path[:0] = sys.argv[1:3]\nfrom queue_app import *\n"
        done = subprocess.run(
            [sys.executable, "-c", start + code, str(SRC), str(HERE)],
            env=self.env(),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    def rows(self, sql: str) -> list[Any]:
        """Ask the effects."""
        if not self.effects.exists():
            return []
        with sqlite3.connect(self.effects, timeout=30) as db:
            try:
                return db.execute(sql).fetchall()
            except sqlite3.OperationalError:
                return []
            finally:
                db.rollback()

    def jobs(self) -> SqliteJobs | RedisJobs:
        """Return the store."""
        if self.url.startswith("/"):
            return SqliteJobs(self.url)
        return RedisJobs(self.url, "app")

    def wait(self, done: Callable[[], bool], seconds: float = 60) -> float:
        """Wait until it is so; return how long that took."""
        start = time.monotonic()
        while not done():
            if time.monotonic() - start > seconds:
                logs = "\n".join(one.log.read_text()[-3000:] for one in self.running)
                pytest.fail(f"not within {seconds} s; {self.jobs().counts()}\n{logs}")
            time.sleep(0.1)
        return time.monotonic() - start

    def idle(self) -> bool:
        """Return whether nothing waits or runs."""
        counts = self.jobs().counts()
        return not (counts["ready"] or counts["leased"] or counts["waiting"])

    def close(self) -> None:
        """Kill what runs."""
        for one in self.running:
            if one.process.poll() is None:
                one.kill()
