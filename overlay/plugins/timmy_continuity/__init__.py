# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hermes' side of continuity: sessions begin with the brief, and what is about to be forgotten is flushed.

All work is done by `timmy continuity` of the release that this file is linked from. Hermes swallows what
goes wrong in here; the flush itself leaves a note of it, which `timmy status` shows.
"""

from __future__ import annotations

import logging
import os
import subprocess
from pathlib import Path
from typing import Any

from agent.memory_provider import MemoryProvider

# Hermes calls these by its own names and arguments.
# ruff: noqa: ARG002

LOG = logging.getLogger(__name__)
TIMEOUT_S = 30
# <release root>/current/agents/<agent>/home/plugins/timmy_continuity/__init__.py
DEPTH = 5


def command() -> str:
    """Return `timmy` of the current release, whichever that is by now."""
    link = Path(__file__)
    target = Path(os.readlink(link)) if link.is_symlink() else link.resolve()
    return str(target.parents[DEPTH] / "bin" / "timmy")


class Continuity(MemoryProvider):
    """A memory provider without tools and without a memory of its own."""

    def __init__(self) -> None:
        """Know no home yet."""
        self._home = ""

    @property
    def name(self) -> str:
        """Return the name that memory.provider selects."""
        return "timmy_continuity"

    def is_available(self) -> bool:
        """Return whether the release has the command."""
        return os.access(command(), os.X_OK)

    def initialize(self, session_id: str, **kwargs: Any) -> None:
        """Take the home; the folder of Hermes stands in it."""
        self._home = str(Path(kwargs["hermes_home"]).parent)

    def get_tool_schemas(self) -> list[dict[str, Any]]:
        """Return no tools."""
        return []

    def system_prompt_block(self) -> str:
        """Return the brief for a session that begins."""
        return self._timmy("brief")

    def on_pre_compress(self, messages: list[dict[str, Any]]) -> str:
        """Flush before messages are summed up, and give the summary what it must keep."""
        self._timmy("flush")
        return self._timmy("brief")

    def on_session_switch(self, new_session_id: str, **kwargs: Any) -> None:
        """Flush what the session before left."""
        self._timmy("flush")

    def on_session_end(self, messages: list[dict[str, Any]]) -> None:
        """Flush at the end of a session."""
        self._timmy("flush")

    def _timmy(self, verb: str) -> str:
        """Return what the command said; of one that failed, that it did."""
        argv = [command(), "continuity", verb, "--home", self._home]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            LOG.warning("timmy continuity %s: %s", verb, error)
            return "Continuity did not answer; what earlier sessions left is unknown."
        if done.returncode != 0:
            LOG.warning("timmy continuity %s: %s", verb, done.stderr.strip())
            return f"Continuity could not be read: {done.stderr.strip()[:300]}"
        return done.stdout


def register(ctx: Any) -> None:
    """Give Hermes the provider."""
    ctx.register_memory_provider(Continuity())
