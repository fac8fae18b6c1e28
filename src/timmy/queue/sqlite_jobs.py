# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in one SQLite file. Each method is one transaction; DESIGN's moves are one row's moves.

A job that waits has `at` in wall time; `tend` sets it to 0 when it is due, and from then on its age counts.
So a jump of the wall clock may shift what somebody asked for by the wall clock, and nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from timmy.queue.clock import Clock, Watch
from timmy.queue.model import (
    BEAT_S,
    DEAD,
    DEATHS_LIMIT,
    LEASE_S,
    READY,
    RETAIN_S,
    End,
    Job,
    Lease,
    NewJob,
    new_token,
    one_line,
)
from timmy.queue.sqlite_file import SqliteFile

_TEND_S = 1.0
# Purging holds the lock of all writers: short turns.
_PURGE_ROWS = 500
_ADD = (
    "insert into job (id, name, state, priority, at, payload, since) values (?, ?, 'ready', ?, ?, ?, ?)"
    " on conflict (id) do nothing"
)
_NEXT = "select id, payload from job where state = 'ready' and at = 0 order by priority desc, seq limit 1"
_EXPIRED = "select id, deaths from job where state = 'leased' and (boot <> ? or lease < ?)"
_DUE = "update job set at = 0 where state = 'ready' and at > 0 and at <= ?"


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


class SqliteJobs:
    """A store of jobs in a file. Safe for threads, processes and forks."""

    def __init__(
        self,
        path: Path | str,
        *,
        lease_s: float = LEASE_S,
        beat_s: float = BEAT_S,
        clock: Clock | None = None,
    ) -> None:
        """Name the file; it is opened, and made if need be, by the first call that uses it."""
        self.beat_s = beat_s
        self._lease_s = lease_s
        self._clock = clock or Clock()
        self._watch = Watch(self._clock, beat_s)
        self._tended = float("-inf")
        self._file = SqliteFile(Path(path), self._watch.disturbed)

    # --- moves ---

    def add(self, jobs: Iterable[NewJob]) -> int:
        """See Jobs."""
        with self._file.write() as db:
            return self._add(db, jobs)

    def _add(self, db: sqlite3.Connection, jobs: Iterable[NewJob]) -> int:
        now = self._clock.wall()
        rows = [(job.id, job.name, job.priority, max(job.at, 0.0), job.payload, now) for job in jobs]
        return sum(db.execute(_ADD, row).rowcount for row in rows)

    def claim(self) -> Lease | None:
        """See Jobs."""
        if self._clock.awake() - self._tended >= _TEND_S:
            self.tend()
        with self._file.read() as db:
            # an idle worker asks often, and must not keep others from writing
            if db.execute(_NEXT).fetchone() is None:
                return None
        token = new_token()
        with self._file.write() as db:
            row = db.execute(_NEXT).fetchone()
            if row is None:
                return None
            db.execute(
                "update job set state = 'leased', token = ?, boot = ?, lease = ?, since = ? where id = ?",
                (token, self._clock.boot_id, self._until(), self._clock.wall(), row[0]),
            )
        return Lease(row[0], token, bytes(row[1]))

    def _until(self) -> float:
        return self._clock.boot() + self._lease_s

    def renew(self, tokens: Sequence[str]) -> set[str]:
        """See Jobs."""
        with self._file.write() as db:
            given = (self._until(), self._clock.boot_id)
            kept = set()
            for token in tokens:
                held = db.execute(
                    "update job set lease = ?, boot = ? where state = 'leased' and token = ?", (*given, token)
                ).rowcount
                held += db.execute(
                    "update lock set lease = ?, boot = ? where token = ?", (*given, token)
                ).rowcount
                if held:
                    kept.add(token)
        return kept

    def settle(self, lease: Lease, end: End) -> bool:
        """See Jobs. A call that is repeated because its answer got lost says True again."""
        with self._file.write() as db:
            row = db.execute(
                "select state from job where id = ? and token = ?", (lease.id, lease.token)
            ).fetchone()
            if row is None or row[0] != "leased":
                return row is not None
            payload = b"" if end.state == "done" else lease.payload if end.payload is None else end.payload
            db.execute(
                "update job set state = ?, at = ?, payload = ?, reason = ?,"
                " failures = failures + ?, since = ? where id = ?",
                (end.state, end.at, payload, one_line(end.reason), end.failed, self._clock.wall(), lease.id),
            )
            for key, value in end.puts:
                self._put(db, key, value, result=True)
            db.executemany("delete from kv where key = ?", ((key,) for key in end.deletes))
            self._add(db, end.jobs)
        return True

    def tend(self) -> None:
        """See Jobs."""
        self._tended = self._clock.awake()
        wall = self._clock.wall()
        with self._file.read() as db:
            due = db.execute(
                "select 1 from job where state = 'ready' and at > 0 and at <= ? limit 1", (wall,)
            ).fetchone()
            expired = self._expired(db)
        if not due and not expired:
            return
        with self._file.write() as db:
            db.execute(_DUE, (wall,))
            for key, deaths in self._expired(db):
                full = deaths + 1 >= DEATHS_LIMIT
                reason = f"{deaths + 1} workers died with it" if full else ""
                db.execute(
                    "update job set state = ?, at = 0, deaths = deaths + 1, token = '', reason = ?, since = ?"
                    " where id = ?",
                    (DEAD if full else READY, reason, wall, key),
                )

    def _expired(self, db: sqlite3.Connection) -> list[tuple[str, int]]:
        now = (self._clock.boot_id, self._clock.boot())
        if self._watch.long_enough():
            return db.execute(_EXPIRED, now).fetchall()
        # who held it did not live through a reboot: nothing to wait for
        return db.execute(
            "select id, deaths from job where state = 'leased' and boot <> ?", now[:1]
        ).fetchall()

    # --- for people ---

    def counts(self) -> dict[str, int]:
        """See Jobs."""
        with self._file.read() as db:
            found = dict.fromkeys(("ready", "waiting", "leased", "done", "dead"), 0)
            found.update(
                db.execute(
                    "select case when state = 'ready' and at > 0 then 'waiting' else state end as s, count(*)"
                    " from job group by s"
                ).fetchall()
            )
            return found

    def listing(self, states: Sequence[str], limit: int) -> list[Job]:
        """See Jobs."""
        with self._file.read() as db:
            columns = "id, name, state, at, failures, deaths, reason, since"
            sql = f"select {columns} from job where state in ({_marks(states)})"  # noqa: S608 - marks only
            rows = db.execute(f"{sql} order by since desc, seq desc limit ?", (*states, limit))
            return [Job(*row) for row in rows]

    def payloads(self, *, waiting: bool, limit: int | None) -> list[bytes]:
        """See Jobs."""
        which = "at > 0 order by at" if waiting else "at = 0 order by priority desc, seq"
        with self._file.read() as db:
            rows = db.execute(
                f"select payload from job where state = 'ready' and {which} limit ?",  # noqa: S608 - of two texts
                (-1 if limit is None else limit,),
            )
            return [bytes(row[0]) for row in rows]

    def requeue(self, ids: Sequence[str]) -> list[str]:
        """See Jobs."""
        with self._file.write() as db:
            wall = self._clock.wall()
            return [
                key
                for key in ids
                if db.execute(
                    "update job set state = 'ready', at = 0, failures = 0, deaths = 0, token = '',"
                    " reason = '', since = ? where id = ? and state = 'dead'",
                    (wall, key),
                ).rowcount
            ]

    def drop(self, ids: Sequence[str]) -> list[str]:
        """See Jobs."""
        with self._file.write() as db:
            sql = "delete from job where id = ? and state in ('dead', 'ready')"
            return [key for key in ids if db.execute(sql, (key,)).rowcount]

    def flush(self, *, waiting: bool) -> None:
        """See Jobs."""
        which = "at > 0" if waiting else "at = 0"
        with self._file.write() as db:
            db.execute(f"delete from job where state = 'ready' and {which}")  # noqa: S608 - of two texts

    def purge(self, retain_s: float = RETAIN_S) -> int:
        """See Jobs."""
        oldest, gone = self._clock.wall() - retain_s, 0
        for table, which in (("job", "state = 'done'"), ("kv", "result")):
            took = _PURGE_ROWS
            while took == _PURGE_ROWS:
                with self._file.write() as db:
                    took = db.execute(
                        f"delete from {table} where rowid in"  # noqa: S608 - of two texts
                        f" (select rowid from {table} where {which} and since < ? limit ?)",
                        (oldest, _PURGE_ROWS),
                    ).rowcount
                gone += took if table == "job" else 0
        return gone

    # --- values ---

    def put(self, key: str, value: bytes, *, result: bool) -> None:
        """See Jobs."""
        with self._file.write() as db:
            self._put(db, key, value, result=result)

    def _put(self, db: sqlite3.Connection, key: str, value: bytes, *, result: bool) -> None:
        db.execute(
            "insert or replace into kv (key, value, result, since) values (?, ?, ?, ?)",
            (key, value, result, self._clock.wall()),
        )

    def put_new(self, key: str, value: bytes) -> bool:
        """See Jobs."""
        with self._file.write() as db:
            sql = (
                "insert into kv (key, value, result, since) values (?, ?, 0, ?) on conflict (key) do nothing"
            )
            return db.execute(sql, (key, value, self._clock.wall())).rowcount == 1

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See Jobs."""
        with self._file.read() as db:
            sql = "select value from kv where key = ?"
            rows = ((key, db.execute(sql, (key,)).fetchone()) for key in keys)
            return {key: bytes(row[0]) for key, row in rows if row is not None}

    def pop(self, key: str) -> bytes | None:
        """See Jobs."""
        if not self.get_many([key]):
            return None
        with self._file.write() as db:
            row = db.execute("delete from kv where key = ? returning value", (key,)).fetchone()
            return None if row is None else bytes(row[0])

    def results(self) -> Mapping[str, bytes]:
        """See Jobs."""
        with self._file.read() as db:
            return {key: bytes(value) for key, value in db.execute("select key, value from kv")}

    def forget(self) -> None:
        """See Jobs."""
        with self._file.write() as db:
            db.execute("delete from kv")

    def incr(self, key: str, amount: int) -> int:
        """See Jobs."""
        with self._file.write() as db:
            row = db.execute(
                "insert into counter (key, value) values (?, ?)"
                " on conflict (key) do update set value = value + excluded.value returning value",
                (key, amount),
            ).fetchone()
            return int(row[0])

    def uncount(self, key: str | None) -> None:
        """See Jobs."""
        with self._file.write() as db:
            db.execute("delete from counter where ?1 is null or key = ?1", (key,))

    # --- locks ---

    def lock(self, name: str, token: str, ttl: float | None) -> bool:
        """See Jobs."""
        with self._file.write() as db:
            if self._locked(db, name):
                return False
            until = self._clock.boot() + (self._lease_s if ttl is None else ttl)
            db.execute(
                "insert or replace into lock (name, token, boot, lease) values (?, ?, ?, ?)",
                (name, token, self._clock.boot_id, until),
            )
        return True

    def _locked(self, db: sqlite3.Connection, name: str) -> bool:
        # a lock that ran out still counts while its holder may only have slept
        since = self._clock.boot() if self._watch.long_enough() else 0.0
        sql = "select 1 from lock where name = ? and boot = ? and lease >= ?"
        return db.execute(sql, (name, self._clock.boot_id, since)).fetchone() is not None

    def unlock(self, name: str, token: str) -> bool:
        """See Jobs."""
        with self._file.write() as db:
            return db.execute("delete from lock where name = ? and token = ?", (name, token)).rowcount == 1

    def locked(self, name: str) -> bool:
        """See Jobs."""
        with self._file.read() as db:
            return self._locked(db, name)

    def close(self) -> None:
        """See Jobs."""
        self._file.close()
