# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word that makes a flip stay: given over a connection that is younger than it."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from typing import Any, Protocol

from ansible.errors import AnsibleConnectionFailure
from ansible_collections.timmy.config.plugins.module_utils import guard, release_program
from ansible_collections.timmy.config.plugins.plugin_utils import release_visit

GUARD_ID = "sidecar-release"
GUARD_FILE = f"{release_program.LIB_DIR}/guard.py"
POLL_S = 2.0
# How long the host may need to go back once its window is over.
UNDO_S = 90.0


class Action(Protocol):
    """What confirming needs of an action plugin."""

    _connection: Any

    def _low_level_execute_command(self, cmd: str, *, sudoable: bool = True) -> dict[str, Any]: ...


def confirm(action: Action, args: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Accept the flip; else tell how the guard ended it."""
    limit = time.monotonic() + float(answer.get("left_s") or 0)
    words = ("--dir", str(args.get("record_dir") or guard.RECORD_DIR))
    # The tool holds the guard with its bytecode; the guard's own file is there in any case.
    tool = release_visit.command(release_program.GUARD, *words, "confirm", GUARD_ID)
    reason = _ask_guard(action, [tool, _guard(*words, "confirm", GUARD_ID)], limit)
    if reason is None:
        return {"confirmed": True}
    state = _outcome(action, _guard(*words, "list"), limit + UNDO_S)
    if state.get("state") == guard.CONFIRMED:
        # The confirmation arrived, only its answer did not.
        return {"confirmed": True}
    back = answer.get("previous") or "(none)"
    ending = {
        guard.UNDONE: f"this host is back on release {back}"
        if state.get("clean")
        else f"going back to release {back} failed in part, see the journal of the host",
    }.get(str(state.get("state")), "how it ended is unknown, the host does not answer")
    why = state.get("why") or reason
    return {
        "failed": True,
        "confirmed": False,
        "rolled_back": state.get("state") == guard.UNDONE and bool(state.get("clean")),
        "msg": f"release {answer.get('release')} was not confirmed: {why}; {ending}",
    }


def _guard(*words: str) -> str:
    return shlex.join([release_program.PYTHON, *release_program.FLAGS, GUARD_FILE, *words])


def _ask_guard(action: Action, commands: list[str], limit: float) -> str | None:
    """Run the guard over new connections until one answers; None when it agreed, else its reason."""
    commands = list(commands)
    reason = "no new connection to this host within the window"
    while True:
        try:
            _new_connection(action)
            answer = action._low_level_execute_command(commands[0], sudoable=True)
        except AnsibleConnectionFailure as error:
            reason = f"{reason.partition(' (')[0]} ({' '.join(str(error).split())[:200]})"
        else:
            if answer["rc"] == 0:
                return None
            reason = " ".join(str(answer.get("stderr") or answer.get("stdout") or "").split())
            if len(commands) == 1 or not release_visit.is_missing(answer):
                return reason
            del commands[0]
            continue
        if time.monotonic() >= limit:
            return reason
        time.sleep(1)


def _new_connection(action: Action) -> None:
    reset = getattr(action._connection, "reset", None)
    if reset is not None:
        reset()


def _outcome(action: Action, command: str, limit: float) -> dict[str, Any]:
    """How the guard settled the flip, {} where nobody could say in time."""
    state: dict[str, Any] = {}
    while True:
        try:
            answer = action._low_level_execute_command(command, sudoable=True)
            for line in str(answer.get("stdout") or "").splitlines():
                if line.startswith("{") and json.loads(line).get("id") == GUARD_ID:
                    state = dict(json.loads(line))
            if state and state["state"] not in {guard.ARMED, guard.UNDOING}:
                return state
        except (AnsibleConnectionFailure, ValueError):
            state = {}
        if time.monotonic() >= limit:
            return state
        time.sleep(POLL_S)
