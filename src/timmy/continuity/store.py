# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Hermes' session store says: its messages after a mark, and where it ends. Read only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timmy.errors import NotFlushed

if TYPE_CHECKING:
    from pathlib import Path

STORE = ".hermes/state.db"
# of a store that was never looked at, only its end matters
MAX_MESSAGES = 4000
MAX_TEXT = 64 * 1024
BUSY_S = 5.0
_FIELDS = f"""id, session_id, timestamp, role, tool_name, tool_calls, finish_reason,
    CASE WHEN length(content) > {MAX_TEXT} THEN substr(content, -{MAX_TEXT}) ELSE content END"""


@dataclass(frozen=True, order=True)
class Mark:
    """A place in the store: the number of a message and its time, in seconds of the wall clock."""

    message_id: int = 0
    at: float = 0.0


@dataclass(frozen=True)
class Message:
    """One message; `text` is its end where it is very long."""

    mark: Mark
    session: str
    role: str
    text: str
    tool: str
    calls: bool
    finished: bool


def behind(mark: Mark, last: Mark | None) -> bool:
    """Return whether the store goes on after the mark.

    Numbers tell also when the clock went back; the time tells when the store was begun anew.
    """
    return last is not None and (last.message_id > mark.message_id or last.at > mark.at)


def _message(row: tuple[Any, ...]) -> Message:
    number, session, at, role, tool, calls, reason, text = row
    return Message(
        mark=Mark(int(number), float(at)),
        session=str(session),
        role=str(role),
        text=text if isinstance(text, str) else "",
        tool=str(tool or ""),
        calls=bool(calls) and calls != "[]",
        finished=role == "assistant" and reason not in (None, "", "tool_calls"),
    )


class Store:
    """The session store of one home; one that is not there yet holds nothing."""

    def __init__(self, home: Path) -> None:
        """Look at nothing yet."""
        self._path = home / STORE

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if not self._path.exists():
            return []
        try:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, timeout=BUSY_S, uri=True)) as store:
                return store.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise NotFlushed(
                f"{self._path}: cannot be read: {error}", "its sessions are not in continuity"
            ) from None

    def last(self, session: str = "", *, finished: bool = False) -> Mark | None:
        """Return where the store ends, or one session in it; on request where its last whole turn does."""
        tests, values = ["1"], []
        if session:
            tests.append("session_id = ?")
            values.append(session)
        if finished:
            tests.append("role = 'assistant' AND coalesce(finish_reason, '') NOT IN ('', 'tool_calls')")
        query = f"SELECT max(id), max(timestamp) FROM messages WHERE {' AND '.join(tests)}"  # noqa: S608
        ((number, at),) = self._rows(query, tuple(values)) or [(None, None)]
        return None if number is None else Mark(int(number), float(at))

    def after(self, mark: Mark) -> list[Message]:
        """Return the messages after a mark, oldest first; of very many the newest."""
        query = (
            f"SELECT {_FIELDS} FROM messages WHERE id > ? OR timestamp > ? "  # noqa: S608
            "ORDER BY id DESC LIMIT ?"
        )
        rows = self._rows(query, (mark.message_id, mark.at, MAX_MESSAGES))
        return [_message(row) for row in reversed(rows)]
