# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scheduled and queued work. `huey` is what consumers and timers name: `timmy.tasks.huey`."""

from __future__ import annotations

from timmy.headless import hermes_local, run_archive_hermes, run_hermes_local, run_reflex_task
from timmy.orchestration import crontab, instance

__all__ = [
    "hermes_local",
    "housekeeping",
    "huey",
    "run_archive_hermes",
    "run_hermes_local",
    "run_reflex_task",
]

huey = instance()


@huey.periodic_task(crontab(minute="17"))
def housekeeping() -> None:
    """Forget what is done and older than idempotency keys have to hold, each hour."""
    huey.storage.jobs.purge()
