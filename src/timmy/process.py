# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that starts programs: argv only, a deadline always, bounded output, nothing left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from timmy.process_command import MAX_OUTPUT, Command, Completed, Identity, environment
from timmy.process_run import supervise
from timmy.process_tree import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["MAX_OUTPUT", "Command", "Completed", "Identity", "environment", "mask", "run"]


def mask(text: str, secrets: Sequence[str]) -> str:
    """Return the text with each secret replaced, the longest first; short ones would mask common words."""
    for secret in sorted({one for one in secrets if len(one) >= 8}, key=len, reverse=True):
        text = text.replace(secret, "[masked]")
    return text


def run(command: Command, monotonic: Callable[[], float]) -> Completed:
    """Run to the end or to the deadline; raise LaunchError where it could not be started.

    With `contain`, every process that came from the command is gone when this returns, however it was
    started, and goes with us when we are killed. Any number of such runs may be under way in one process.
    """
    if not command.argv or command.timeout_s <= 0:
        raise ValueError("a command needs a program and a timeout above zero")
    if not command.contain:
        return supervise(command, Group(), monotonic)
    from timmy import keeper  # noqa: PLC0415 - only contained runs need it

    return keeper.keep(command)
