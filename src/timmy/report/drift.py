# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy drift`: what somebody changed on this host though it is ours, and how to settle it."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from timmy import settings
from timmy.answer import Answer
from timmy.args import Parser
from timmy.core import release_drift, release_guard, release_lock, release_settle, release_state
from timmy.core.hermes_home import HomeError
from timmy.core.release_format import ReleaseError
from timmy.errors import NoPermission, NotConfigured, TimmyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from timmy.context import Context
    from timmy.core.release_drift import Finding
    from timmy.core.release_settle import Settled

OWNER = "timmy drift"
EPILOG = """PATH is one of the list, in full; PATH#KEY is a key of a home's configuration or a cron job.
Exit 0: no drift (left); 1: there is, or something could not be settled; 2: a mistake in the command."""


@dataclass(frozen=True)
class Host:
    """Where things are on this host, and the homes that the fleet's settings name."""

    where: release_state.Settings
    homes: Mapping[str, str]


def host_of(known: settings.Settings | None, config_dir: Path) -> Host:
    """Return the host; without settings, which may be what drifted, the usual places."""
    if known is None:
        return Host(release_state.Settings(config_dir=str(config_dir)), {})
    where = release_state.Settings(root=str(known.release_root), config_dir=str(config_dir))
    return Host(where, {one.name: str(one.home) for one in known.wizards})


def count(known: settings.Settings, config_dir: Path) -> tuple[int | None, str]:
    """Return how many of our paths and keys differ here, or None and the reason."""
    if os.geteuid() != 0:
        return None, "only root can see it"
    host = host_of(known, config_dir)
    try:
        return len(release_drift.find(host.where, host.homes)), ""
    except (HomeError, ReleaseError, OSError) as error:
        return None, " ".join(str(error).split())


def age(seconds: float) -> str:
    """Return an age in one short word."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def line(one: Finding, now: float) -> str:
    """Return a finding in one line."""
    when = "" if one.since is None else f", {age(now - one.since)} ago"
    who = f"now of {one.held_by}" if one.held_by else "nothing stands there"
    return f"{one.path}: {one.problem} ({one.owner_class}; {who}{when}): {one.detail}"


def row(one: Finding, now: float) -> dict[str, Any]:
    """Return a finding for programs."""
    age_s = None if one.since is None else round(max(0.0, now - one.since), 1)
    return {**one.public(), "age_s": age_s}


def pick(found: Sequence[Finding], path: str) -> Finding:
    """Return the finding of a path; raise UsageError where it is none."""
    for one in found:
        if one.path == path:
            return one
    near = next((one.path for one in found if one.path.startswith(path)), "")
    raise UsageError(f"{path}: no drift here", f"did you mean {near}?" if near else "timmy drift lists it")


def describe(found: Sequence[Finding], settled: Sequence[Settled], now: float) -> Answer:
    """Return what is left and what was done."""
    lines = [one.line if one.done else f"not done: {one.line}" for one in settled]
    lines += [line(one, now) for one in found] or ["no drift"]
    data = {
        "drift": [row(one, now) for one in found],
        "settled": [{"done": one.done, "line": one.line} for one in settled],
    }
    left = bool(found) or not all(one.done for one in settled)
    return Answer(data, tuple(lines), exit_code=1 if left else 0)


def settle(host: Host, restore: Sequence[str], adopt: Sequence[str]) -> list[Settled]:
    """Settle the given paths, all of which must be drift, while no deploy is under way."""
    guarded = str(release_guard.state(host.where)["state"])
    with release_lock.locked(host.where.root, OWNER, guarded):
        found = release_drift.find(host.where, host.homes)
        asked = [(pick(found, path), path in restore) for path in (*restore, *adopt)]
        settler = release_settle.Settler(host.where, host.homes)
        return [settler.restore(one) if back else settler.adopt(one) for one, back in asked]


def command(args: list[str], context: Context, fleet_file: Path = settings.FLEET_FILE) -> Answer:
    """Run the verb."""
    parser = Parser("drift", "What somebody changed on this host though the overlay owns it.", EPILOG)
    parser.add_argument("--restore", metavar="PATH", action="append", default=[], help="put our version back")
    parser.add_argument(
        "--adopt", metavar="PATH", action="append", default=[], help="accept what stands there"
    )
    given = parser.parse_args(args)
    both = set(given.restore) & set(given.adopt)
    if both:
        raise UsageError(f"{min(both)}: restore it or adopt it, not both")
    if os.geteuid() != 0:
        raise NoPermission("only root can see every path of ours", "sudo timmy drift")
    known = None
    with suppress(NotConfigured):
        known = settings.load(fleet_file)
    host = host_of(known, fleet_file.parent)
    try:
        settled = settle(host, given.restore, given.adopt) if given.restore or given.adopt else []
        found = release_drift.find(host.where, host.homes)
    except (HomeError, ReleaseError, OSError) as error:
        raise TimmyError(" ".join(str(error).split())) from None
    return describe(found, settled, context.now())
