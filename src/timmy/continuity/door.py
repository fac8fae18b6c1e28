# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to an agent's continuity for whoever is not that agent: the same verb, run as the agent.

Files in a home are the agent's to turn into anything, so nobody reads or writes them as root.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from timmy import process
from timmy.answer import Answer
from timmy.errors import NotFlushed

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 60.0
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from timmy import cli; sys.exit(cli.main(sys.argv[1:]))"
)


def as_agent(
    home: Path, identity: process.Identity | None, args: list[str], monotonic: Callable[[], float]
) -> Answer:
    """Return the verb's answer, given as the agent; raise NotFlushed where there is none."""
    lib = str(Path(__file__).resolve().parents[2])
    own = ["--home", str(home), "--json"]
    done = process.run(
        process.Command(
            argv=(sys.executable, "-IBS", "-c", _BOOT, lib, "continuity", *args, *own),
            timeout_s=TIMEOUT_S,
            env={"HOME": str(home)},
            cwd=Path("/"),
            identity=identity,
        ),
        monotonic,
    )
    try:
        told = json.loads(done.stdout)
        if told["error"]:
            raise NotFlushed(str(told["error"]["message"]), str(told["error"]["hint"] or ""))
        return Answer(told["data"], tuple(_lines(told)), tuple(told["problems"]), done.exit_code)
    except (ValueError, KeyError, TypeError):
        raise NotFlushed(f"continuity of {home} gave no answer (exit code {done.exit_code})") from None


def _lines(told: dict[str, object]) -> list[str]:
    data = told["data"]
    if isinstance(data, dict) and isinstance(data.get("text"), str):
        return [data["text"].rstrip("\n")]
    return [] if told["problems"] else ["continuity holds all that happened"]
