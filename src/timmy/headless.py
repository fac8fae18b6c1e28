# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headless runs of a wizard's Hermes: what verbs and tasks call. `timmy.hermes` runs and judges.

A run is done when Hermes completed the work and continuity holds what happened in it.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from timmy import agents, hermes, process, settings
from timmy.continuity import door
from timmy.errors import LaunchError, NotConfigured, NotDone, NotFlushed, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 600.0
# a reflex is a short look without a shell: it answers or it is late
REFLEX_S = 120.0
REFLEX_TOOLS = ("file",)
# the archive reads and writes many files of one folder, and needs no shell for it
ARCHIVE_S = 1800.0
ARCHIVE_TOOLS = ("file",)


def _secrets(env_file: Path) -> tuple[str, ...]:
    """Return the values that must not be printed. As the agent itself they may be unreadable by now."""
    try:
        return tuple(settings.read_env(env_file.read_text(encoding="utf-8")).values())
    except (OSError, UnicodeDecodeError):
        return ()


def request_for(
    wizard: settings.Wizard,
    known: settings.Settings,
    *,
    prompt: str = "",
    brief: str | None = None,
    timeout_s: float = DEADLINE_S,
    env_dir: Path = settings.ENV_DIR,
) -> hermes.Request:
    """Return a run of a wizard's Hermes in its work directory; raise a TimmyError where it cannot be had."""
    agent = agents.account(wizard.name)
    # one release for the whole run, whatever is flipped meanwhile
    release = Path(os.path.realpath(known.current))
    binary = release / "hermes/bin/hermes"
    if not binary.exists():
        raise NotConfigured(f"{binary} is not there", "site.yml installs Hermes and the release")
    return hermes.Request(
        binary=binary,
        work_dir=wizard.home / "work",
        home=wizard.home,
        managed_dir=release / "agents" / wizard.name / "managed",
        prompt=prompt,
        brief=brief,
        timeout_s=timeout_s,
        identity=agents.identity_for(os.getuid(), agent),
        env={"USER": wizard.name, "LOGNAME": wizard.name, "SHELL": agent.pw_shell},
        secrets=_secrets(env_dir / f"{wizard.name}.env"),
    )


def run(request: hermes.Request, monotonic: Callable[[], float] = time.monotonic) -> hermes.Result:
    """Run it and bring its session into continuity; a success that is not there is none.

    Raises as `hermes.run` does. A run that was cut off is flushed as well, so that the next session knows.
    """
    result = hermes.run(request, monotonic)
    problem = _unflushed(request.home, request.identity, result, monotonic)
    if not result.ok or not problem:
        return result
    reason = f"the work is done, but not in continuity: {process.mask(problem, request.secrets)}"
    return replace(result, outcome=hermes.Outcome.UNFLUSHED, reason=reason)


def _unflushed(
    home: Path, identity: process.Identity | None, result: hermes.Result, monotonic: Callable[[], float]
) -> str:
    session = result.usage.session_id if result.usage else None
    about = ["--session", session] if session else []
    try:
        return "; ".join(door.as_agent(home, identity, ["check", "--recover", *about], monotonic).problems)
    except (NotFlushed, LaunchError) as error:
        return error.message


def run_hermes_local(
    brief: str,
    *,
    agent: str | None = None,
    timeout_s: float = DEADLINE_S,
    toolsets: tuple[str, ...] = (),
    work_dir: Path | None = None,
    fleet_file: Path = settings.FLEET_FILE,
    env_dir: Path = settings.ENV_DIR,
) -> hermes.Result:
    """Run a wizard's Hermes on a brief; `agent` None means the only one of this host.

    The brief travels as a file that only the agent can read. Raises UsageError for a brief that Hermes
    would misread, NotConfigured where there is no such wizard, LaunchError where nothing could be started;
    everything after the start is in the result.
    """
    known = settings.load(fleet_file)
    wizard = known.wizard(agent)
    request = request_for(wizard, known, brief=brief, timeout_s=timeout_s, env_dir=env_dir)
    return run(replace(request, toolsets=toolsets, work_dir=work_dir or request.work_dir))


def hermes_local(brief: str, *, agent: str | None = None, timeout_s: float = DEADLINE_S) -> str:
    """Return the final answer to a brief; raise NotDone, with the reason, where the work was not done."""
    result = run_hermes_local(brief, agent=agent, timeout_s=timeout_s)
    if not result.ok:
        raise NotDone(f"{result.outcome.value}: {result.reason}")
    return result.text


def run_reflex_task(brief: str, *, agent: str | None = None) -> hermes.Result:
    """Run a short look at something: files to read and write, no shell, two minutes."""
    return run_hermes_local(brief, agent=agent, timeout_s=REFLEX_S, toolsets=REFLEX_TOOLS)


def run_archive_hermes(brief: str, folder: Path, *, agent: str | None = None) -> hermes.Result:
    """Run a step of the archive in its folder, which must be there: files only, half an hour."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder", "the archive's own task makes it")
    return run_hermes_local(brief, agent=agent, timeout_s=ARCHIVE_S, toolsets=ARCHIVE_TOOLS, work_dir=folder)
