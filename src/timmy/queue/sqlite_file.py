# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One SQLite file as a place for jobs: opened with care, written by one at a time, durable at each commit."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from timmy.queue.model import SCHEMA, QueueError, QueueUnavailable

# Others may read along or run a checkpoint; our own writers wait for the flock and never meet here.
_BUSY_S = 30.0

_TABLES = (
    """create table job (
        seq integer primary key autoincrement,
        id text not null unique,
        name text not null,
        state text not null check (state in ('ready', 'leased', 'done', 'dead')),
        priority real not null,
        at real not null,
        token text not null default '',
        boot text not null default '',
        lease real not null default 0,
        failures integer not null default 0,
        deaths integer not null default 0,
        payload blob not null,
        reason text not null default '',
        since real not null
    )""",
    "create index job_next on job (priority desc, seq) where state = 'ready' and at = 0",
    "create index job_wait on job (at) where state = 'ready' and at > 0",
    "create index job_leased on job (lease) where state = 'leased'",
    "create index job_token on job (token) where state = 'leased'",
    "create index job_done on job (since) where state = 'done'",
    "create index job_dead on job (since) where state = 'dead'",
    """create table kv (
        key text primary key,
        value blob not null,
        result integer not null,
        since real not null
    )""",
    "create index kv_result on kv (since) where result",
    "create table counter (key text primary key, value integer not null)",
    "create table lock (name text primary key, token text not null, boot text not null, lease real not null)",
)


@dataclass
class _Room:
    """What one thread of one process has open."""

    pid: int
    db: sqlite3.Connection
    lock: int

    def close(self) -> None:
        """Close both, once."""
        if self.lock >= 0:
            self.db.close()
            os.close(self.lock)
            self.lock = -1

    def __del__(self) -> None:
        """Close with the thread that opened it."""
        if self.pid == os.getpid():
            self.close()


# After a fork a connection is not even closed: that is the parent's business.
_of_parents: list[_Room] = []


class SqliteFile:
    """Connections by thread, and the two ways to use one: `read` and `write`."""

    def __init__(self, path: Path, trouble: Callable[[], None]) -> None:
        """Open nothing yet. `trouble` is called whenever the file could not be used."""
        self.path = path
        self._trouble = trouble
        self._local = threading.local()

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a connection; errors become QueueError."""
        with self._told():
            yield self._room().db

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a transaction, durable once this ends without an error.

        SQLite's busy time-out polls, and who polls at the wrong moments starves for seconds. A flock
        is a queue in the kernel: each writer's turn comes.
        """
        with self._told():
            room = self._room()
            fcntl.flock(room.lock, fcntl.LOCK_EX)
            try:
                room.db.execute("begin immediate")
                try:
                    yield room.db
                    room.db.execute("commit")
                except BaseException:
                    with contextlib.suppress(sqlite3.Error):
                        room.db.execute("rollback")
                    raise
            finally:
                fcntl.flock(room.lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close what this thread has open."""
        room: _Room | None = getattr(self._local, "room", None)
        self._local.room = None
        if room is not None:
            if room.pid == os.getpid():
                room.close()
            else:
                _of_parents.append(room)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            self._trouble()
            raise QueueUnavailable(f"{self.path}: {error}", "nothing was changed") from None
        except sqlite3.DatabaseError as error:
            self._trouble()
            raise QueueError(f"{self.path}: {error}", "move the file away, or bring back a copy") from None
        except OSError as error:
            self._trouble()
            where = error.filename or self.path
            raise QueueUnavailable(f"{where}: {error.strerror}", "nothing was changed") from None

    def _room(self) -> _Room:
        room: _Room | None = getattr(self._local, "room", None)
        # a connection must not cross a fork
        if room is not None and room.pid != os.getpid():
            _of_parents.append(room)
            room = None
        if room is None:
            self._local.room = room = self._open()
        return room

    def _open(self) -> _Room:
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(f"{self.path}.lock", flags, 0o600)
        db = None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._make()
            db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            db.execute("pragma synchronous = full")
            self._settle_schema(db)
            fcntl.flock(lock, fcntl.LOCK_UN)
        except BaseException:
            if db is not None:
                db.close()
            os.close(lock)
            raise
        return _Room(os.getpid(), db, lock)

    def _make(self) -> None:
        """Make an empty file of our mode. One that exists is never opened here, not even to look.

        Closing any descriptor of a file drops all locks that this process has on it, those of SQLite in
        other threads included; the next process to leave would then unlink the log under their feet.
        """
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            if self.path.is_symlink():
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(self.path)) from None

    def _settle_schema(self, db: sqlite3.Connection) -> None:
        """Make the tables in an empty file; refuse, before anything is written, what is not ours to write."""
        found = db.execute("pragma user_version").fetchone()[0]
        if found > SCHEMA:
            raise QueueError(
                f"{self.path}: schema {found} is newer than this timmy knows ({SCHEMA})",
                "deploy the release that wrote it; nothing was changed",
            )
        if found < SCHEMA:
            if db.execute("select count(*) from sqlite_master").fetchone()[0]:
                raise QueueError(f"{self.path}: is no queue", "name another file; nothing was changed")
            db.execute("pragma journal_mode = wal")
            db.execute("begin immediate")
            for statement in _TABLES:
                db.execute(statement)
            db.execute(f"pragma user_version = {SCHEMA}")
            db.execute("commit")
            self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
