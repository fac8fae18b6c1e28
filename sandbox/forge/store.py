# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that speaks SQL to the file: a connection per thread, and writes one after another.

A write is one transaction that is on the disk when it ends (WAL, synchronous FULL), so a kill at any moment
leaves the last complete write readable.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Row = sqlite3.Row


class Store:
    """The forge's state below one file. Safe in threads."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self._path = path
        self._local = threading.local()
        self._writer = threading.RLock()
        if not create:
            return
        self._connection().executescript(schema.TABLES)
        found = int(self.value("pragma user_version"))
        if found not in (0, schema.VERSION):
            raise SystemExit(
                f"forge: {path} has schema {found}, this forge writes {schema.VERSION}; use a new --state"
            )
        self._connection().execute(f"pragma user_version = {schema.VERSION:d}")

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            found.row_factory = sqlite3.Row
            found.execute("pragma journal_mode = wal")
            found.execute("pragma synchronous = full")
            self._local.connection = found
        return found

    @contextmanager
    def write(self) -> Iterator[Store]:
        """Run a block as one transaction; inside another one of the same thread, join it."""
        connection = self._connection()
        if connection.in_transaction:
            yield self
            return
        with self._writer:
            connection.execute("begin immediate")
            try:
                yield self
            except BaseException:
                connection.execute("rollback")
                self._local.bells = []
                raise
            connection.execute("commit")
        for bell in self._bells():
            bell.set()
        self._local.bells = []

    def _bells(self) -> list[threading.Event]:
        found: list[threading.Event] = getattr(self._local, "bells", [])
        return found

    def ring(self, bell: threading.Event) -> None:
        """Wake a worker, once what this thread is writing can be read."""
        if self._connection().in_transaction:
            self._local.bells = [*self._bells(), bell]
        else:
            bell.set()

    def one(self, sql: str, *args: Any) -> Row | None:
        """Return the first row, or None."""
        row: Row | None = self._connection().execute(sql, args).fetchone()
        return row

    def all(self, sql: str, *args: Any) -> list[Row]:
        """Return every row."""
        return self._connection().execute(sql, args).fetchall()

    def value(self, sql: str, *args: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.one(sql, *args)
        return None if row is None else row[0]

    def run(self, sql: str, *args: Any) -> int:
        """Change rows; return how many."""
        with self.write():
            return self._connection().execute(sql, args).rowcount

    # Table and column names below are constants of this package, never a client's; values are always bound.
    def get(self, table: str, key: int) -> Row | None:
        """Return the row with this id."""
        return self.one(f"select * from {table} where id = ?", key)  # noqa: S608

    def insert(self, table: str, **columns: Any) -> int:
        """Add a row; return its id."""
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        with self.write():
            sql = f"insert into {table} ({names}) values ({marks})"  # noqa: S608
            return int(self._connection().execute(sql, tuple(columns.values())).lastrowid or 0)

    def update(self, table: str, key: int, **columns: Any) -> int:
        """Change the row with this id; return 1, or 0 when there is none."""
        sets = ", ".join(f"{name} = ?" for name in columns)
        return self.run(f"update {table} set {sets} where id = ?", *columns.values(), key)  # noqa: S608

    def find(
        self,
        table: str,
        where: Sequence[str],
        args: Sequence[Any],
        *,
        order: str = "id",
        limit: int = -1,
        offset: int = 0,
        columns: str = "*",
    ) -> list[Row]:
        """Return the rows of a list page."""
        clause = " and ".join(where) or "1"
        sql = f"select {columns} from {table} where {clause} order by {order} limit ? offset ?"  # noqa: S608
        return self.all(sql, *args, limit, offset)

    def count(self, table: str, where: Sequence[str], args: Sequence[Any]) -> int:
        """Return how many rows a list has in all."""
        clause = " and ".join(where) or "1"
        return int(self.value(f"select count(*) from {table} where {clause}", *args))  # noqa: S608


def must(row: Row | None) -> Row:
    """Return a row that the schema guarantees."""
    if row is None:
        raise LookupError("a row that must exist is missing")
    return row
