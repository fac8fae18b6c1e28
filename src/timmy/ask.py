# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy ask`: one headless Hermes in the agent's work directory, as that agent."""

from __future__ import annotations

import dataclasses
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from timmy import hermes, process, settings
from timmy.answer import Answer
from timmy.args import Parser
from timmy.errors import NoPermission, NotConfigured, UsageError

if TYPE_CHECKING:
    import argparse

    from timmy.context import Context

EXIT_CODES = {
    hermes.Outcome.SUCCESS: 0,
    hermes.Outcome.FAILED: 1,
    hermes.Outcome.INCOMPLETE: 3,
    hermes.Outcome.PROTOCOL: 4,
    hermes.Outcome.TIMEOUT: 124,
    hermes.Outcome.INTERRUPTED: 130,
}
EPILOG = """exit codes:
  0    the usage file says completed and not failed
  1    Hermes reports a failure (model refused, unreachable, …)
  3    incomplete: the turn limit was reached
  4    no usable usage file: nothing is known about the work
  124  the deadline passed; everything that was started is gone
  130  a signal ended it"""


def parser() -> Parser:
    """Return the command line of this verb."""
    made = Parser("ask", "Run one headless Hermes as an agent and judge it by its usage file.", EPILOG)
    made.add_argument("prompt", nargs="?", metavar="PROMPT", help="what to do, in a sentence")
    made.add_argument("--brief", type=Path, metavar="FILE", help="what to do, in a file")
    made.add_argument("--agent", metavar="NAME", help="which wizard; not needed where there is only one")
    made.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="deadline (600)")
    return made


def identity_for(uid: int, agent: pwd.struct_passwd) -> process.Identity | None:
    """Return whom to become: nobody as the agent, the agent as root; raise NoPermission for all others."""
    if uid == agent.pw_uid:
        return None
    if uid != 0:
        raise NoPermission(f"only root and {agent.pw_name} can run {agent.pw_name}'s Hermes", "try sudo")
    groups = tuple(os.getgrouplist(agent.pw_name, agent.pw_gid))
    return process.Identity(agent.pw_uid, agent.pw_gid, groups)


def _default_agent(known: settings.Settings) -> str | None:
    """Return the caller's own name where the caller is a wizard of this host."""
    try:
        caller = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
    return caller if any(one.name == caller for one in known.wizards) else None


def _brief(options: argparse.Namespace) -> str | None:
    if options.brief is None:
        return None
    try:
        with options.brief.open("rb") as file:
            raw: bytes = file.read(hermes.MAX_BRIEF + 1)
        return raw.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{options.brief}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{options.brief}: not UTF-8 text") from None


def _secrets(env_file: Path) -> tuple[str, ...]:
    """Return the values that must not be printed. As the agent itself they may be unreadable by now."""
    try:
        return tuple(settings.read_env(env_file.read_text(encoding="utf-8")).values())
    except (OSError, UnicodeDecodeError):
        return ()


def request_for(
    wizard: settings.Wizard, known: settings.Settings, options: argparse.Namespace, env_dir: Path
) -> hermes.Request:
    """Return the run that the command line asks for; raise a TimmyError where it cannot be had."""
    try:
        agent = pwd.getpwnam(wizard.name)
    except KeyError:
        raise NotConfigured(f"no Unix user {wizard.name} on this host", "site.yml makes it") from None
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
        prompt=options.prompt or "",
        brief=_brief(options),
        timeout_s=options.timeout,
        identity=identity_for(os.getuid(), agent),
        env={"USER": wizard.name, "LOGNAME": wizard.name, "SHELL": agent.pw_shell},
        secrets=_secrets(env_dir / f"{wizard.name}.env"),
    )


def describe(wizard: str, result: hermes.Result) -> Answer:
    """Return a result as an answer."""
    data = {
        "agent": wizard,
        "outcome": result.outcome.value,
        "reason": result.reason,
        "hermes_exit_code": result.exit_code,
        "duration_s": round(result.duration_s, 3),
        "text": result.text,
        "usage": dataclasses.asdict(result.usage) if result.usage else None,
        "stderr_tail": result.stderr_tail,
        "processes_left_behind": result.swept,
    }
    problems = () if result.ok else (f"{result.outcome.value}: {result.reason}",)
    lines = (result.text,) if result.text else ()
    return Answer(data, lines, problems, EXIT_CODES[result.outcome])


def command(
    args: list[str],
    context: Context,
    fleet_file: Path = settings.FLEET_FILE,
    env_dir: Path = settings.ENV_DIR,
) -> Answer:
    """Run the verb."""
    options = parser().parse_args(args)
    if options.timeout <= 0:
        raise UsageError("--timeout must be above zero")
    hermes.check_prompt(options.prompt or "", _brief(options))
    known = settings.load(fleet_file)
    wizard = known.wizard(options.agent or _default_agent(known))
    return describe(wizard.name, hermes.run(request_for(wizard, known, options, env_dir), context.monotonic))
