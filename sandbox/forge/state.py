# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running forge: where its state lies, and what its parts share."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .git import Git
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "1.26.4"


class Forge:
    """State directory, public address, limits, and the bells that wake the workers."""

    def __init__(self, state: Path, root_url: str, *, keep: tuple[int, ...] = (), delay: float = 0.5) -> None:
        self.state = state
        self.root_url = root_url.rstrip("/")
        self.store = Store(state / "forge.sqlite3")
        self.default_page = 30
        self.max_page = 50
        self.delay = delay  # seconds that a push or a check waits for its worker, as on a busy server
        self.keep = keep
        self.require_signin = False
        self.pushes = threading.Event()
        self.checks = threading.Event()
        self.deliveries = threading.Event()
        self.stopping = threading.Event()
        self._locks: dict[object, threading.Lock] = {}
        self._guard = threading.Lock()

    @property
    def hooks_dir(self) -> Path:
        """Return where the receive hooks of all repositories are."""
        return self.state / "hooks"

    def git(self, repo_id: int) -> Git:
        """Return a repository as files. Folders carry ids, so that a rename touches no file."""
        return Git(self.state / "repositories" / f"{repo_id}.git", self.keep)

    def now(self) -> int:
        """Return the time in whole seconds, as the forge stores it."""
        return int(time.time())

    @contextmanager
    def lock(self, key: object) -> Iterator[None]:
        """Do one thing at a time for a key, such as one pull."""
        with self._guard:
            found = self._locks.setdefault(key, threading.Lock())
        with found:
            yield
