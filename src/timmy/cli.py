# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `timmy`: a table of verbs. A verb's module is imported when the verb is called.

This file is what every call pays for, so it imports next to nothing; a test holds its start to three
times that of a bare Python. It is also the only place that decides an exit code, and where the clocks
come from that verbs are given.
"""

# ruff: noqa: PLC0415 - imports inside functions are what makes a start cheap

from __future__ import annotations

import sys

from timmy import __version__

# typing costs as much as all the rest of this file, and is not needed to run it
TYPE_CHECKING = False
if TYPE_CHECKING:
    from timmy.answer import Answer
    from timmy.context import Context

# verb: (module, function, one line of help)
COMMANDS = {
    "status": ("timmy.report.status", "command", "each wizard on this host: agent, release, gateway, unit"),
    "drift": ("timmy.report.drift", "command", "what somebody changed here though it is ours; settle it"),
    "ask": ("timmy.ask", "command", "run one headless Hermes and judge it by its usage file"),
    "continuity": ("timmy.continuity.command", "command", "what sessions leave behind for the next one"),
    "queue": ("timmy.queue.command", "command", "jobs of a queue: list, requeue, drop; consume them"),
    "version": ("timmy.report.version", "command", "the version of timmy, of the release and of Hermes"),
}

# What doors and habits name and a later release brings. Listed so that a door can say so in one line.
LATER = frozenset(
    (
        "attempt",
        "burndown",
        "deadman",
        "dispatch",
        "health",
        "landing",
        "loops",
        "morning-report",
        "nightly-report",
        "pulse",
        "sentinel",
    )
)


def usage() -> str:
    """Return the text of `timmy --help`."""
    width = max(map(len, COMMANDS))
    rows = [f"  {verb:<{width}}  {row[2]}" for verb, row in COMMANDS.items()]
    head = f"timmy {__version__}: the runtime of a fleet of Hermes agents"
    tail = "`timmy VERB --help` tells more. Every verb knows --json."
    return "\n".join((head, "", "usage: timmy VERB [options]", "", *rows, "", tail))


def _unknown(verb: str) -> Exception:
    from timmy.errors import NotInRelease, UsageError

    if verb in LATER:
        return NotInRelease(f"{verb} is not part of this release ({__version__})")
    import difflib

    close = difflib.get_close_matches(verb, COMMANDS, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else "see timmy --help"
    return UsageError(f"unknown verb {verb!r}", hint)


def _context() -> Context:
    import time

    from timmy.context import Context

    return Context(now=time.time, monotonic=time.monotonic)


def _call(verb: str, args: list[str]) -> Answer:
    """Run one verb and return its answer; raise TimmyError where it has none."""
    import signal
    from importlib import import_module

    from timmy.errors import Terminated

    asked = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    def stop(signum: int, _frame: object) -> None:
        # one is enough: a second must not cut short the clean-up that the first one starts
        for number in asked:
            signal.signal(number, signal.SIG_IGN)
        raise Terminated(signum)

    for number in asked:
        signal.signal(number, stop)
    module, function, _help = COMMANDS[verb]
    answer: Answer = getattr(import_module(module), function)(args, _context())
    return answer


def main(argv: list[str]) -> int:
    """Run one command line and return its exit code; answers go to stdout, all else to stderr."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] == "--version":
        argv = ["version", *argv[1:]]
    verb, args = argv[0], argv[1:]

    from timmy.answer import render, render_error
    from timmy.errors import HelpAsked, TimmyError

    as_json = "--json" in args
    try:
        if verb not in COMMANDS:
            raise _unknown(verb)
        answer = _call(verb, args)
        print(render(verb, answer, as_json=as_json), flush=True)
    except TimmyError as error:
        print(render_error(verb, error, as_json=as_json), file=sys.stdout if as_json else sys.stderr)
        return error.exit_code
    except HelpAsked as asked:
        print(asked, end="")
        return 0
    except BrokenPipeError:
        # the reader went away, as `| head` does; Python would complain once more when it flushes at exit
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return answer.exit_code
