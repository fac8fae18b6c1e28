# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that renews the leases this process holds, as long as the process lives."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence

from timmy.queue.model import QueueError

_log = logging.getLogger("huey.timmy")


class Keeper:
    """Tokens of this process, renewed each beat. The thread starts with the first token, and after a fork."""

    def __init__(self, renew: Callable[[Sequence[str]], set[str]], beat_s: float) -> None:
        """Take the function that renews tokens and returns those that still hold something."""
        self._renew = renew
        self._beat_s = beat_s
        self._guard = threading.Lock()
        self._pid = 0
        self._tokens: set[str] = set()

    def hold(self, token: str) -> None:
        """Renew this token from now on."""
        with self._guard:
            if self._pid != os.getpid():
                self._tokens = set()
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="Keeper", daemon=True).start()
            self._tokens.add(token)

    def let_go(self, token: str) -> None:
        """Renew this token no more."""
        with self._guard:
            self._tokens.discard(token)

    def held(self) -> list[str]:
        """Return the tokens of this process."""
        with self._guard:
            return sorted(self._tokens) if self._pid == os.getpid() else []

    def beat(self) -> None:
        """Renew once."""
        tokens = self.held()
        if not tokens:
            return
        try:
            kept = self._renew(tokens)
        except QueueError as error:
            _log.warning("leases could not be renewed: %s", error)
            return
        for token in set(tokens) - kept:
            # settled in the meantime, or lost: the holder learns it when it settles
            self.let_go(token)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._beat_s):
            self.beat()
