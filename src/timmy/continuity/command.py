# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy continuity flush|check|brief`: bring sessions in, say whether all are in, hand them on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timmy import agents, settings
from timmy.answer import Answer
from timmy.args import Parser
from timmy.continuity import brief, check, door
from timmy.continuity.flush import flush_continuity
from timmy.continuity.place import Place
from timmy.continuity.threads import NOTHING, Said
from timmy.errors import NoPermission, UsageError

if TYPE_CHECKING:
    import argparse

    from timmy.context import Context

EPILOG = """exit codes:
  0    flushed and read back, or nothing is missing
  1    check: something is not in continuity, or the start is refused
  74   flush, brief: continuity cannot be written or read; the line says what is in the way

flush takes facts besides: --decision and --proof add up; --open, --blocker and --next replace what stood
there, and `none` clears it."""


def parser() -> Parser:
    """Return the command line of this verb."""
    made = Parser("continuity", "What sessions leave behind for the next one.", EPILOG)
    made.add_argument("what", choices=("flush", "check", "brief"))
    made.add_argument("--agent", metavar="NAME", help="whose; as root needed, else it is one's own")
    made.add_argument("--home", type=Path, metavar="DIR", help="another home of the caller's")
    made.add_argument("--session", default="", metavar="ID", help="the session that it is about")
    made.add_argument("--recover", action="store_true", help="check: flush first what is missing")
    made.add_argument("--start", action="store_true", help="check: may the gateway start? (for its unit)")
    for name in ("decision", "open", "blocker", "proof"):
        made.add_argument(f"--{name}", action="append", metavar="TEXT", help="flush: state one; repeatable")
    made.add_argument("--next", metavar="TEXT", help="flush: state the next step")
    return made


def said(options: argparse.Namespace) -> Said | None:
    """Return the facts of a command line; None where it states none."""

    def each(given: list[str] | None) -> tuple[str, ...] | None:
        if given is None:
            return None
        return tuple(one for one in given if one.strip().lower() not in NOTHING)

    stated = (options.decision, options.open, options.blocker, options.proof, options.next)
    if all(one is None for one in stated):
        return None
    following = each(None if options.next is None else [options.next])
    return Said(
        decisions=each(options.decision) or (),
        proof=each(options.proof) or (),
        open_work=each(options.open),
        blockers=each(options.blocker),
        next_step=None if following is None else "".join(following),
    )


def _own_home(given: Path | None) -> Path:
    """Return the caller's home; files in another's would belong to the wrong user."""
    home = given or Path(os.environ.get("HOME") or "/nonexistent")
    try:
        owner = home.stat().st_uid
    except OSError as error:
        raise UsageError(f"{home}: {error.strerror}", "name the home with --home") from None
    if owner != os.geteuid():
        raise NoPermission(f"{home} belongs to another user", "as root, name the wizard with --agent")
    return home


def _described(verdict: check.Verdict) -> dict[str, Any]:
    return {
        "problem": verdict.problem,
        "flushed_at": verdict.flushed_at or None,
        "mark": verdict.mark.message_id,
        "last": verdict.last.message_id if verdict.last else None,
        "repaired": list(verdict.repaired),
    }


def _flush(home: Path, options: argparse.Namespace, now: float) -> Answer:
    done = flush_continuity(home, now, said(options), options.session)
    data = {"mark": done.mark.message_id, "threads": done.threads, "repaired": list(done.repaired)}
    lines = (f"continuity holds everything up to message {done.mark.message_id}", *done.repaired)
    return Answer(data, lines)


def _check(home: Path, options: argparse.Namespace, now: float) -> Answer:
    if options.start:
        allowed, verdict, line = check.may_start(home, now, os.environ)
        data = {**_described(verdict), "allowed": allowed}
        return Answer(data, (f"continuity: {line}",), (), 0 if allowed else 1)
    look = check.settle if options.recover else check.look
    verdict = look(home, now, options.session)
    problems = (verdict.problem,) if verdict.problem else ()
    lines = () if problems else ("continuity holds all that happened",)
    return Answer(_described(verdict), (*lines, *verdict.repaired), problems, 1 if problems else 0)


def _brief(home: Path) -> Answer:
    place = Place(home)
    text = brief.render(place.read().threads, page=place.page())
    return Answer({"text": text, "tokens_at_most": brief.tokens(text)}, (text.rstrip("\n"),))


def command(args: list[str], context: Context, fleet_file: Path = settings.FLEET_FILE) -> Answer:
    """Run the verb."""
    options = parser().parse_args(args)
    if options.what != "flush" and said(options) is not None:
        raise UsageError(f"{options.what} takes no facts", "flush does")
    if options.agent is not None:
        wizard = settings.load(fleet_file).wizard(options.agent)
        identity = agents.identity_for(os.getuid(), agents.account(wizard.name))
        if identity is not None:
            passed = [one for one in args if one not in ("--agent", options.agent, "--json")]
            return door.as_agent(wizard.home, identity, passed, context.monotonic)
        options.home = wizard.home
    home, now = _own_home(options.home), context.now()
    if options.what == "flush":
        return _flush(home, options, now)
    return _check(home, options, now) if options.what == "check" else _brief(home)
