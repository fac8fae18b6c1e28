# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Hermes headless: one function, one result, judged by the usage file and by nothing else.

Hermes 0.19 ends with 0 when the model answered 401, 429 or 500, when nobody answered at all, and when the
turn limit cut the work short; only the file that `--usage-file` asks for tells these from a success.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timmy import process
from timmy.errors import UsageError
from timmy.files import read_foreign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# an argument may hold 128 KiB on Linux and anybody can read it in `ps`: longer prompts travel as a file
MAX_ARGUMENT = 2000
MAX_BRIEF = 1024 * 1024
MAX_USAGE = 64 * 1024
STDERR_TAIL = 2000
TOOLSET = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Outcome(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    PROTOCOL = "protocol"
    UNFLUSHED = "unflushed"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Usage:
    """What the usage file says; None where it says nothing, or where Hermes itself does not know."""

    completed: bool
    failed: bool
    failure: str | None
    api_calls: int | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost_usd: float | None
    model: str | None
    session_id: str | None


@dataclass(frozen=True)
class Request:
    """One run. Exactly one of prompt and brief; `identity` None means as ourselves.

    A short prompt becomes an argument that everybody on the host can read, so it is for what somebody typed
    on a command line anyway; all else is a brief. `toolsets` empty means those of the agent's configuration.
    """

    binary: Path
    work_dir: Path
    home: Path
    managed_dir: Path | None
    prompt: str
    timeout_s: float
    brief: str | None = None
    identity: process.Identity | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    stop_after: tuple[float, float] = (10.0, 5.0)
    toolsets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """How it went. `text` is the final answer; `swept` counts processes the agent left behind.

    `usage` is None, and so is each of its figures, where nobody measured; that reads "unknown", never 0.
    """

    outcome: Outcome
    reason: str
    exit_code: int
    duration_s: float
    text: str
    stderr_head: str
    stderr_tail: str
    usage: Usage | None
    swept: int

    @property
    def ok(self) -> bool:
        """Return whether the work was done."""
        return self.outcome is Outcome.SUCCESS


def _number(given: Mapping[str, Any], key: str) -> int | None:
    value = given.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _word(given: Mapping[str, Any], key: str) -> str | None:
    value = given.get(key)
    return value if isinstance(value, str) and value else None


def parse_usage(raw: bytes) -> Usage:
    """Return the typed usage; raise ValueError where the file is not what Hermes writes."""
    given = json.loads(raw)
    if not isinstance(given, dict):
        raise ValueError("not an object")
    completed, failed = given.get("completed"), given.get("failed")
    if not isinstance(completed, bool | None) or not isinstance(failed, bool | None):
        raise ValueError("completed and failed are not truth values")
    cost = given.get("estimated_cost_usd")
    # a local model is reported as 0.0 with status "unknown": nobody measured it, so it is not zero
    known = given.get("cost_status") != "unknown"
    return Usage(
        completed=completed is True,
        # null stands in the file of an interrupted run, which is no success either
        failed=failed is not False,
        failure=_word(given, "failure"),
        api_calls=_number(given, "api_calls"),
        input_tokens=_number(given, "input_tokens"),
        output_tokens=_number(given, "output_tokens"),
        total_tokens=_number(given, "total_tokens"),
        cost_usd=float(cost) if known and isinstance(cost, int | float) else None,
        model=_word(given, "model"),
        session_id=_word(given, "session_id"),
    )


def judge(  # noqa: PLR0911 - one return per row of the truth table
    exit_code: int, usage: Usage | str, *, timed_out: bool
) -> tuple[Outcome, str]:
    """Return the outcome and its reason. `usage` is a sentence where there is no usable file."""
    if timed_out:
        return Outcome.TIMEOUT, "the deadline passed"
    # shells say 128 + signal, subprocess says -signal
    if exit_code in (130, 137, 143, -2, -9, -15):
        return Outcome.INTERRUPTED, f"a signal ended it (exit code {exit_code})"
    if isinstance(usage, str):
        return Outcome.PROTOCOL, f"{usage} (exit code {exit_code})"
    if usage.failed:
        return Outcome.FAILED, usage.failure or "Hermes reports a failure and no reason"
    if not usage.completed:
        return Outcome.INCOMPLETE, "it stopped before the work was complete (turn limit)"
    if exit_code != 0:
        return Outcome.PROTOCOL, f"the usage file says completed, the exit code says {exit_code}"
    return Outcome.SUCCESS, "completed"


def _read_usage(path: Path) -> Usage | str:
    """Return the usage, or a sentence. The agent owns this path, so a link or a device is not followed."""
    try:
        raw = read_foreign(path, MAX_USAGE)
    except FileNotFoundError:
        return "no usage file"
    except (OSError, ValueError):
        return "the usage file is not a small regular file"
    try:
        return parse_usage(raw)
    except ValueError:
        return "the usage file is broken"


@contextmanager
def _run_dir(identity: process.Identity | None) -> Iterator[Path]:
    """Make a directory that only the agent reads, for the brief and the usage file."""
    with tempfile.TemporaryDirectory(prefix="timmy-run-") as name:
        if identity:
            os.chown(name, identity.uid, identity.gid)
        yield Path(name)


def _write_brief(path: Path, text: str, identity: process.Identity | None) -> None:
    # O_EXCL: the directory is the agent's already, so nothing that stands there may be written through
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="utf-8") as file:
        file.write(text)
        if identity:
            os.fchown(file.fileno(), identity.uid, identity.gid)


def check_toolsets(names: tuple[str, ...]) -> None:
    """Raise UsageError for a name that would be read as something else on Hermes' command line."""
    for name in names:
        if not TOOLSET.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a toolset", "such as terminal, file, memory")


def check_prompt(prompt: str, brief: str | None) -> None:
    """Raise UsageError for what Hermes would misread: an empty prompt starts its interactive mode."""
    if (brief is None) == (not prompt.strip()):
        raise UsageError("give a prompt or a brief, and neither may be empty")
    if brief is not None and not brief.strip():
        raise UsageError("the brief is empty")
    text = prompt if brief is None else brief
    if "\0" in text:
        raise UsageError("a null byte in the prompt")
    if len(text.encode()) > MAX_BRIEF:
        raise UsageError(f"longer than {MAX_BRIEF} bytes")


def _environment(request: Request) -> dict[str, str]:
    managed = {"HERMES_MANAGED_DIR": str(request.managed_dir)} if request.managed_dir else {}
    return {
        "HOME": str(request.home),
        "HERMES_HOME": str(request.home / ".hermes"),
        # Hermes would otherwise pip-install into its own environment at run time
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
        **managed,
        **request.env,
    }


def run(request: Request, monotonic: Callable[[], float]) -> Result:
    """Run one headless Hermes to its end or its deadline. Nothing that it started outlives this call.

    Raises UsageError for a prompt that cannot be given to Hermes and LaunchError where it cannot be started;
    everything that happens after the start is in the result.
    """
    check_prompt(request.prompt, request.brief)
    check_toolsets(request.toolsets)
    with _run_dir(request.identity) as run_dir:
        prompt, brief = request.prompt, request.brief
        if brief is None and len(prompt.encode()) > MAX_ARGUMENT:
            brief = prompt
        if brief is not None:
            _write_brief(run_dir / "brief.md", brief, request.identity)
            prompt = f"Read the file {run_dir / 'brief.md'} and do what it says."
        usage_file = run_dir / "usage.json"
        done = process.run(
            process.Command(
                # one argument, so that a prompt that starts with "-" stays a prompt
                argv=(
                    str(request.binary),
                    # a sticky active_profile file in the home would redirect the run otherwise
                    "-p",
                    "default",
                    f"--oneshot={prompt}",
                    "--usage-file",
                    str(usage_file),
                    *(("-t", ",".join(request.toolsets)) if request.toolsets else ()),
                ),
                timeout_s=request.timeout_s,
                env=_environment(request),
                cwd=request.work_dir,
                identity=request.identity,
                contain=True,
                stop_after=request.stop_after,
            ),
            monotonic,
        )
        usage = _read_usage(usage_file)
    outcome, reason = judge(done.exit_code, usage, timed_out=done.timed_out)
    return Result(
        outcome=outcome,
        reason=process.mask(reason, request.secrets),
        exit_code=done.exit_code,
        duration_s=done.duration_s,
        text=process.mask(done.stdout, request.secrets).strip(),
        stderr_head=process.mask(done.stderr_head, request.secrets)[:STDERR_TAIL],
        stderr_tail=process.mask(done.stderr, request.secrets)[-STDERR_TAIL:],
        usage=None if isinstance(usage, str) else usage,
        swept=done.swept,
    )
