# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home with a session store in the form of Hermes 0.19, for tests that need no Hermes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from timmy.continuity import store
from timmy.continuity.place import Place, State

NOW = 1_795_000_000.0
SCHEMA = """CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
    role TEXT NOT NULL, content TEXT, tool_name TEXT, tool_calls TEXT, timestamp REAL NOT NULL,
    finish_reason TEXT)"""


def make(home: Path) -> Path:
    """Make the store, empty; returns the home."""
    (home / ".hermes").mkdir()
    with closing(sqlite3.connect(home / store.STORE)) as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(SCHEMA)
        base.commit()
    return home


def say(home: Path, role: str, text: str, at: float = NOW - 500, session: str = "s1", **more: Any) -> None:
    """Add a message to the store; an assistant's ends a turn."""
    row = {
        "session_id": session,
        "role": role,
        "content": text,
        "timestamp": at,
        "finish_reason": "stop" if role == "assistant" else None,
        **more,
    }
    with closing(sqlite3.connect(home / store.STORE)) as base:
        names = ", ".join(row)
        marks = ", ".join("?" for _name in row)
        base.execute(f"INSERT INTO messages ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
        base.commit()


def kept(home: Path) -> State:
    """Return what stands in continuity."""
    return Place(home).read()
