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

from timmy import headless, hermes, settings
from timmy.answer import Answer
from timmy.args import Parser
from timmy.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from timmy.context import Context

EXIT_CODES = {
    hermes.Outcome.SUCCESS: 0,
    hermes.Outcome.FAILED: 1,
    hermes.Outcome.INCOMPLETE: 3,
    hermes.Outcome.PROTOCOL: 4,
    hermes.Outcome.UNFLUSHED: 5,
    hermes.Outcome.TIMEOUT: 124,
    hermes.Outcome.INTERRUPTED: 130,
}
EPILOG = """exit codes:
  0    the usage file says completed and not failed
  1    Hermes reports a failure (model refused, unreachable, …)
  3    incomplete: the turn limit was reached
  4    no usable usage file: nothing is known about the work
  5    the work is done, but the session is not in continuity: not done
  124  the deadline passed; everything that was started is gone
  130  a signal ended it"""


def parser() -> Parser:
    """Return the command line of this verb."""
    made = Parser("ask", "Run one headless Hermes as an agent and judge it by its usage file.", EPILOG)
    made.add_argument(
        "prompt", nargs="?", metavar="PROMPT", help="what to do, in a sentence that all may read"
    )
    made.add_argument(
        "--brief", type=Path, metavar="FILE", help="what to do, in a file that only the agent reads"
    )
    made.add_argument("--agent", metavar="NAME", help="which wizard; not needed where there is only one")
    made.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="deadline (600)")
    return made


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
        "stderr_head": result.stderr_head,
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
    request = headless.request_for(
        wizard,
        known,
        prompt=options.prompt or "",
        brief=_brief(options),
        timeout_s=options.timeout,
        env_dir=env_dir,
    )
    return describe(wizard.name, headless.run(request, context.monotonic))
