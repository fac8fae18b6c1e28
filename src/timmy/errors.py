# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error that timmy raises on purpose.

    TimmyError            error           1
      NotDone             not-done        1
      UsageError          usage           2
      NotInRelease        not-in-release 69   (EX_UNAVAILABLE)
      LaunchError         launch         71   (EX_OSERR)
      QueueError          queue          72   (EX_OSFILE; in timmy.queue, which has kinds of it)
      NotFlushed          not-flushed    74   (EX_IOERR)
      NoPermission        no-permission  77   (EX_NOPERM)
      NotConfigured       not-configured 78   (EX_CONFIG)
      Terminated          terminated     128 + the signal's number

A code is a word for programs and stays as it is; an exit code is its number for shells; the hint says
what to do next. What is not in this tree is a mistake in timmy itself and ends in a traceback.
"""

from __future__ import annotations


class TimmyError(Exception):
    """The root. Only cli.py turns one into a line and an exit code."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep the message, one line, and the hint, one line or empty."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotDone(TimmyError):  # noqa: N818 - the state is the name
    """A run of Hermes did not do the work."""

    code = "not-done"


class UsageError(TimmyError):
    """The command line makes no sense."""

    code = "usage"
    exit_code = 2


class NotInRelease(TimmyError):  # noqa: N818 - it states a fact about the release, not a fault
    """A verb that a door names and this release does not have."""

    code = "not-in-release"
    exit_code = 69


class LaunchError(TimmyError):
    """A program could not be started at all."""

    code = "launch"
    exit_code = 71


class NotFlushed(TimmyError):  # noqa: N818 - the state is the name
    """What happened in sessions is not in continuity, and could not be brought there."""

    code = "not-flushed"
    exit_code = 74


class NoPermission(TimmyError):  # noqa: N818 - the state is the name
    """The caller may not do this."""

    code = "no-permission"
    exit_code = 77


class NotConfigured(TimmyError):  # noqa: N818 - the state is the name
    """Settings are missing, unreadable, or of a shape this release does not know."""

    code = "not-configured"
    exit_code = 78


class Terminated(TimmyError):  # noqa: N818 - the event is the name
    """A signal asked this process to stop; raised so that what it started is stopped first."""

    code = "terminated"

    def __init__(self, signum: int) -> None:
        """Take the exit code that shells give to a process ended by this signal."""
        super().__init__(f"stopped by signal {signum}")
        self.exit_code = 128 + signum


class HelpAsked(Exception):  # noqa: N818 - no error: what to print before exiting with 0
    """`--help` was given. Outside the tree, as nothing went wrong."""
