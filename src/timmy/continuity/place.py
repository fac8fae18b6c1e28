# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where continuity stands in a home, and the one record of it."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from timmy.continuity.store import Mark
from timmy.continuity.threads import Thread, latest, thread_of
from timmy.core import continuity, guard
from timmy.errors import NotFlushed
from timmy.files import read_foreign

FOLDER = ".timmy/continuity"
STATE = "state.json"
ACTIVE = "active.md"
# beside the folder, for when the folder itself is what fails
FAILED = ".timmy/continuity-failed.json"
SCHEMA = 1
# of active.md the part above is the agent's own page
BELOW = "<!-- What follows is written anew at each flush; write above this line. -->"
MAX_PAGE = 256 * 1024


@dataclass(frozen=True)
class State:
    """What state.json holds: how far the session store is in it, when that was written, and the threads."""

    mark: Mark = field(default_factory=Mark)
    flushed_at: float = 0.0
    threads: tuple[Thread, ...] = ()

    def data(self) -> dict[str, Any]:
        """Return it as it is written."""
        return {
            "mark": {"message_id": self.mark.message_id, "at": self.mark.at},
            "flushed_at": self.flushed_at,
            "threads": [thread.data() for thread in self.threads],
        }


def state_of(given: Any) -> State:
    """Return the state from its data; what is not as we write it counts as not there."""
    top = given if isinstance(given, dict) else {}
    mark, rows, flushed = top.get("mark"), top.get("threads"), top.get("flushed_at")
    number, at = (mark.get("message_id"), mark.get("at")) if isinstance(mark, dict) else (0, 0.0)
    return State(
        mark=Mark(
            number if isinstance(number, int) else 0, float(at) if isinstance(at, int | float) else 0.0
        ),
        flushed_at=float(flushed) if isinstance(flushed, int | float) else 0.0,
        threads=tuple(latest(map(thread_of, rows if isinstance(rows, list) else ()))),
    )


class Place:
    """The files of one home."""

    def __init__(self, home: Path) -> None:
        """Look at nothing yet."""
        self.folder = home / FOLDER
        self.state = self.folder / STATE
        self.active = self.folder / ACTIVE
        self._failed = home / FAILED

    def daily(self, now: float) -> Path:
        """Return the note of the day, by the clock and the time zone of this host."""
        return self.folder / "daily" / time.strftime("%Y-%m-%d.md", time.localtime(now))

    def read(self) -> State:
        """Return the state; raise NotFlushed where it cannot be read. Before the first flush it is empty."""
        try:
            return state_of(continuity.read_json(self.state, None, SCHEMA))
        except continuity.ContinuityError as error:
            raise NotFlushed(str(error)) from None

    def page(self) -> str:
        """Return what the agent itself wrote in active.md; raise NotFlushed where that cannot be read."""
        try:
            text = read_foreign(self.active, MAX_PAGE).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise NotFlushed(f"{self.active}: cannot be read: {reason}") from None
        return text.partition(BELOW)[0].rstrip()

    def failure(self) -> str:
        """Return why the last flush failed, in a line; empty where it did not."""
        try:
            return str(json.loads(read_foreign(self._failed, 4096))["reason"])
        except FileNotFoundError:
            return ""
        except (OSError, ValueError, KeyError, TypeError):
            return "the record of a failed flush cannot be read"

    def record_failure(self, reason: str, now: float) -> None:
        """Leave a note of a failed flush; where that fails as well, the mark still tells."""
        text = json.dumps({"at": now, "reason": reason[:1000]})
        with suppress(OSError):
            self._failed.parent.mkdir(mode=0o700, exist_ok=True)
            guard.write_file(os.fspath(self._failed), text.encode(), 0o600)

    def clear_failure(self) -> None:
        """Take that note away."""
        with suppress(FileNotFoundError):
            self._failed.unlink()
