# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Huey's consumer, stopped without loss: every signal that ends it lets tasks finish, up to a limit.

What is still running at the limit goes back into the queue, and the exit code says so. The limit must be
below the unit's TimeoutStopSec, or systemd kills first (then leases run out, and others take over).
"""

from __future__ import annotations

import datetime as dt
import logging
import signal
from typing import Any

from huey.constants import WORKER_PROCESS, WORKER_THREAD
from huey.consumer import Consumer, Scheduler
from huey.exceptions import ConfigurationError

STOP_LIMIT_S = 60.0
# An idle worker asks this often; Huey's 10 s would be most of the time that a recovery may take.
POLL_S = 1.0
EXIT_GIVEN_BACK = 75
_log = logging.getLogger("huey.timmy")


class DurableScheduler(Scheduler):  # type: ignore[misc] # Huey has no types
    """Adds periodic tasks by slot, those included that it slept through."""

    periodic_task_seconds = 20

    def enqueue_periodic_tasks(self, now: dt.datetime | None) -> None:
        """Add what is due; a store that is away is asked again soon, and no slot is lost by it."""
        try:
            for key in self.huey.enqueue_periodic(now):
                _log.info("periodic: %s", key)
        except Exception:
            _log.exception("periodic tasks could not be added")


class DurableConsumer(Consumer):  # type: ignore[misc] # Huey has no types
    """A consumer whose stop loses nothing."""

    scheduler_class = DurableScheduler

    def __init__(self, huey: Any, **options: Any) -> None:
        """Take Huey's options; threads and processes are known, greenlets are not."""
        kind = options.get("worker_type", WORKER_THREAD)
        if kind not in (WORKER_THREAD, WORKER_PROCESS):
            raise ConfigurationError(f"worker type {kind} is not durable here; use thread or process")
        if options.get("shutdown_timeout") is None:
            options["shutdown_timeout"] = STOP_LIMIT_S
        options["max_delay"] = min(options.get("max_delay") or POLL_S, POLL_S)
        super().__init__(huey, **options)
        # systemd stops with TERM, a terminal with INT or HUP; none of them is a reason to drop work
        self._signal_actions = dict.fromkeys((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), (False, True))

    def start(self) -> None:
        """Listen to signals before there is anything to lose."""
        self._set_signal_handlers()
        super().start()

    def run(self) -> int:
        """Run until stopped; return 0, or 75 when tasks were given back unfinished. End the process then."""
        super().run()
        given = self.huey.storage.give_back()
        for key in given:
            _log.warning("stopped before job %s was over; it goes to the next consumer", key)
        return EXIT_GIVEN_BACK if given else 0
