# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy status`: what is true of the wizards on this host, each fact with its age or its reason."""

from __future__ import annotations

import grp
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from timmy import agents, settings
from timmy.answer import Answer
from timmy.args import Parser
from timmy.continuity import door
from timmy.errors import TimmyError
from timmy.files import read_foreign
from timmy.report import drift, release
from timmy.watch import health, units

if TYPE_CHECKING:
    from pathlib import Path

    from timmy.context import Context

LOOK_TIMEOUT_S = 3.0
GROUP = "wizards"
# Hermes writes its heartbeat every 30 s; four missed beats are no accident
HEARTBEAT_LIMIT_S = 120.0


@dataclass(frozen=True)
class Continuity:
    """Whether all that happened in sessions is kept: a problem or none, or why that is not known."""

    problem: str = ""
    unknown: str = ""


@dataclass(frozen=True)
class WizardFacts:
    """All that was found about one wizard."""

    wizard: settings.Wizard
    health: health.Health
    unit: units.Unit
    heartbeat_age_s: float | None
    continuity: Continuity = Continuity()


@dataclass(frozen=True)
class Facts:
    """All that was found on this host; `strays` None: the group does not exist.

    `drifted` is the number of our paths and keys that somebody changed, None where `drift_unknown` says why
    nobody counted them.
    """

    host: str
    release: release.Release
    wizards: tuple[WizardFacts, ...]
    strays: tuple[str, ...] | None
    unread: tuple[str, ...]
    now: float
    drifted: int | None = 0
    drift_unknown: str = ""


def _unit_problem(unit: units.Unit) -> str | None:
    if unit.active == "active":
        return None
    why = f", result {unit.result}" if unit.result not in ("success", "unknown") else ""
    return f"unit {unit.name} is {unit.active} ({unit.sub}{why})"


def _wizard_problems(facts: WizardFacts, live: release.Release) -> list[str]:
    found = [_unit_problem(facts.unit)]
    if facts.health.state is not health.State.OK:
        found.append(f"gateway is {facts.health.state.value}: {facts.health.reason}")
    if live.problem is None and facts.wizard.name not in live.agents:
        found.append(f"release {live.id} holds nothing for it")
    answers = facts.health.hermes_version
    if answers and live.hermes_version and answers != live.hermes_version:
        found.append(f"runs Hermes {answers}, the release has {live.hermes_version}: restart its unit")
    if facts.continuity.problem:
        found.append(f"continuity: {facts.continuity.problem}")
    if facts.heartbeat_age_s is not None and facts.heartbeat_age_s > HEARTBEAT_LIMIT_S:
        found.append(f"last heartbeat {facts.heartbeat_age_s:.0f} s ago")
    return [f"{facts.wizard.name}: {text}" for text in found if text]


def problems(facts: Facts) -> tuple[str, ...]:
    """Return everything that is not as it should be, one line each."""
    found = [facts.release.problem] if facts.release.problem else []
    for one in facts.wizards:
        found += _wizard_problems(one, facts.release)
    if facts.strays is None:
        found.append(f"the group {GROUP} does not exist")
    for name in facts.strays or ():
        found.append(f"{name}: in group {GROUP}, but not in the fleet of this host")
    found += [f"cannot read {path} as this user" for path in facts.unread]
    return tuple(found)


def _age(facts: WizardFacts, now: float) -> float:
    return round(max(0.0, now - facts.health.checked_at), 1)


def _row(one: WizardFacts, now: float) -> dict[str, Any]:
    gateway = {**asdict(one.health), "state": one.health.state.value, "age_s": _age(one, now)}
    del gateway["checked_at"]
    return {
        "name": one.wizard.name,
        "display_name": one.wizard.display_name,
        "gateway": {**gateway, "heartbeat_age_s": one.heartbeat_age_s},
        "unit": asdict(one.unit),
        "continuity": asdict(one.continuity),
    }


def drift_line(facts: Facts) -> str:
    """Return the one line on drift. It is no problem by itself: nothing of it was lost or undone."""
    if facts.drifted is None:
        return f"drift unknown: {facts.drift_unknown}"
    if not facts.drifted:
        return "no drift"
    plural = "" if facts.drifted == 1 else "s"
    return f"drift: {facts.drifted} path{plural} or key{plural} of ours changed here; timmy drift lists them"


def describe(facts: Facts) -> Answer:
    """Return the facts as an answer: exit 0 when all is well, 1 otherwise."""
    live, found = facts.release, problems(facts)
    data = {
        "host": facts.host,
        "release": {"id": live.id, "hermes_version": live.hermes_version},
        "wizards": [_row(one, facts.now) for one in facts.wizards],
        "strays": None if facts.strays is None else list(facts.strays),
        "unread": list(facts.unread),
        "drift": {"count": facts.drifted, "reason": facts.drift_unknown},
    }
    hermes_version = live.hermes_version or "unknown"
    lines = [f"{facts.host}: release {live.id or 'unknown'}, Hermes {hermes_version}"]
    for one in facts.wizards:
        beat = "" if one.heartbeat_age_s is None else f", heartbeat {one.heartbeat_age_s:.0f} s ago"
        lines.append(
            f"  {one.wizard.display_name} ({one.wizard.name}): gateway {one.health.state.value}, "
            f"seen {_age(one, facts.now):g} s ago{beat}; unit {one.unit.active} ({one.unit.sub})"
        )
    if not facts.wizards:
        lines.append("  no wizard lives here")
    lines.append(f"  {drift_line(facts)}")
    return Answer(data, tuple(lines), found, 1 if found else 0)


def strays(known: settings.Settings) -> tuple[str, ...] | None:
    """Return the Unix users in the group of wizards that the settings do not name; None: no such group."""
    try:
        members = grp.getgrnam(GROUP).gr_mem
    except KeyError:
        return None
    return tuple(sorted(set(members) - {one.name for one in known.wizards}))


def _key(path: Path) -> tuple[str | None, bool]:
    """Return the API key and whether the env file could be read."""
    try:
        return settings.read_env(path.read_text(encoding="utf-8")).get("API_SERVER_KEY"), True
    except (OSError, UnicodeDecodeError):
        return None, False


def heartbeat_age(home: Path, now: float) -> float | None:
    """Return the age of the gateway's heartbeat; None where it cannot be read, which is no verdict."""
    path = home / ".hermes/state/gateway.heartbeat"
    try:
        written = json.loads(read_foreign(path, 4096))["updated_at"]
        return round(max(0.0, now - datetime.fromisoformat(written).timestamp()), 1)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def continuity_of(wizard: settings.Wizard, context: Context) -> Continuity:
    """Ask as the agent, whose files they are; others than the agent and root may not look."""
    try:
        identity = agents.identity_for(os.geteuid(), agents.account(wizard.name))
        found = door.as_agent(wizard.home, identity, ["check"], context.monotonic)
    except TimmyError as error:
        return Continuity(unknown=error.message)
    return Continuity("; ".join(found.problems))


def _look_at(wizard: settings.Wizard, env_dir: Path, context: Context) -> tuple[WizardFacts, list[str]]:
    env_file = env_dir / f"{wizard.name}.env"
    key, readable = _key(env_file)
    seen = health.look(wizard.api_port, key, LOOK_TIMEOUT_S, context.now())
    judged = health.judge(seen, had_key=key is not None, timeout_s=LOOK_TIMEOUT_S)
    facts = WizardFacts(
        wizard=wizard,
        health=judged,
        unit=units.show(wizard.unit, context.monotonic),
        heartbeat_age_s=heartbeat_age(wizard.home, context.now()),
        continuity=continuity_of(wizard, context),
    )
    return facts, [] if readable else [str(env_file)]


def gather(known: settings.Settings, env_dir: Path, context: Context) -> Facts:
    """Look at everything on this host once."""
    looked = [_look_at(wizard, env_dir, context) for wizard in known.wizards]
    drifted, drift_unknown = drift.count(known, env_dir.parent)
    return Facts(
        host=known.host,
        release=release.read(known.release_root),
        wizards=tuple(facts for facts, _unread in looked),
        strays=strays(known),
        unread=tuple(path for _facts, unread in looked for path in unread),
        now=context.now(),
        drifted=drifted,
        drift_unknown=drift_unknown,
    )


def command(
    args: list[str],
    context: Context,
    fleet_file: Path = settings.FLEET_FILE,
    env_dir: Path = settings.ENV_DIR,
) -> Answer:
    """Run the verb."""
    Parser("status", "Each wizard on this host. Exit 0: all is well; 1: something is not.").parse_args(args)
    return describe(gather(settings.load(fleet_file), env_dir, context))
