# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy queue list|requeue|drop`, and `consume` for the door of Huey's consumer."""

from __future__ import annotations

import os
import pwd
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from timmy import orchestration, settings
from timmy.answer import Answer
from timmy.args import Parser
from timmy.errors import NoPermission, UsageError
from timmy.queue import runtime
from timmy.queue.model import DEAD, STATES, Job, Jobs, QueueError, one_line

if TYPE_CHECKING:
    import argparse

    from timmy.context import Context

_LIMIT = 50


def _parser() -> Parser:
    parser = Parser("queue", "Jobs of a queue: what waits, runs, is done, or is dead and wants a decision.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--agent", help="the queue of this wizard (default: of the user who asks)")
    which.add_argument("--fleet", action="store_true", help="the queue of the fleet")
    actions = parser.add_subparsers(dest="action", required=True, parser_class=_Action)
    listing = actions.add_parser("list", help="count jobs and show those that need a look")
    listing.add_argument("--state", choices=STATES, action="append", help="show these (default: dead)")
    listing.add_argument("--limit", type=int, default=_LIMIT, help=f"show at most that many ({_LIMIT})")
    for name, help_text in (("requeue", "make dead jobs ready again"), ("drop", "remove dead or ready jobs")):
        action = actions.add_parser(name, help=help_text)
        action.add_argument("ids", nargs="*", metavar="ID")
        action.add_argument("--all-dead", action="store_true", help="every dead job")
    return parser


class _Action(Parser):
    def __init__(self, **options: object) -> None:
        verb = str(options.get("prog", "")).removeprefix("timmy ")
        super().__init__(verb, str(options.get("help", "")))
        # the verb has read it already
        self.set_defaults(json=False)


def _become_owner(path: Path) -> None:
    """Look into another user's queue as that user: nothing there is followed or made as root."""
    if os.geteuid() != 0:
        return
    try:
        owner = path.parent.lstat()
    except OSError:
        return
    if owner.st_uid == 0:
        return
    account = pwd.getpwuid(owner.st_uid)
    os.initgroups(account.pw_name, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)


def _open(args: argparse.Namespace) -> Jobs:
    url = orchestration.queue_url()
    if args.agent is not None:
        url = str(settings.load().wizard(args.agent).home / ".timmy" / "queue.db")
    elif args.fleet:
        url = settings.load().queue_url
    if orchestration.is_server(url):
        if find_spec("redis") is None:
            runtime.again("redis")
        return orchestration.open_jobs(url)
    path = orchestration.queue_path(url)
    _become_owner(path)
    try:
        path.lstat()
    except FileNotFoundError:
        raise QueueError(f"{path}: there is no queue", "a consumer or the first job makes it") from None
    except PermissionError:
        raise NoPermission(f"{path}: permission denied", "ask as its owner or as root") from None
    return orchestration.open_jobs(url)


def _line(job: Job, now: float) -> str:
    counts = f"{job.failures} failed, {job.deaths} died"
    what = (one_line(job.id), one_line(job.name), counts, job.reason)
    return "  ".join((f"{job.state:<6} {now - job.since:>8.0f} s", *what))


def _list(jobs: Jobs, args: argparse.Namespace, now: float) -> Answer:
    counts = jobs.counts()
    rows = jobs.listing(args.state or [DEAD], max(args.limit, 1))
    head = ", ".join(f"{number} {state}" for state, number in counts.items())
    problems = ("dead jobs wait for requeue or drop",) if counts["dead"] else ()
    data = {"counts": counts, "jobs": [asdict(job) for job in rows]}
    return Answer(data, (head, *(_line(job, now) for job in rows)), problems, 1 if problems else 0)


def _move(jobs: Jobs, args: argparse.Namespace) -> Answer:
    if bool(args.ids) == args.all_dead:
        raise UsageError(f"name jobs to {args.action}, or give --all-dead")
    wanted = args.ids or [job.id for job in jobs.listing([DEAD], 1_000_000)]
    moved = jobs.requeue(wanted) if args.action == "requeue" else jobs.drop(wanted)
    missed = [one_line(key) for key in wanted if key not in set(moved)]
    allowed = "dead" if args.action == "requeue" else "dead or ready"
    problems = tuple(f"{key}: is not {allowed} here" for key in missed)
    word = {"requeue": "requeued", "drop": "dropped"}[args.action]
    return Answer({"moved": moved, "missed": missed}, (f"{len(moved)} {word}",), problems, 1 if missed else 0)


def command(argv: list[str], context: Context) -> Answer:
    """Answer the verb `queue`."""
    if argv[:1] == ["consume"]:
        if find_spec("huey") is None:
            runtime.again("huey")
        from timmy.queue.consume import consume  # noqa: PLC0415 - needs Huey

        consume(argv[1:])
    args = _parser().parse_args(argv)
    jobs = _open(args)
    try:
        return _list(jobs, args, context.now()) if args.action == "list" else _move(jobs, args)
    finally:
        jobs.close()
