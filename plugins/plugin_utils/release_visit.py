# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One visit of the controller to the release engine on a host.

The host tool of an earlier visit answers a single command on the connection that stands, and reads an
archive from the same stream. Where there is none of this version yet, or the connection cannot stream, the
module does the same work and leaves the tool behind.
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Mapping
from typing import Any, Protocol

from ansible.module_utils.common.parameters import remove_values
from ansible_collections.timmy.config.plugins.module_utils import release_program

MODULE = "timmy.config.sidecar_release"


class Action(Protocol):
    """What a visit needs of an action plugin."""

    _connection: Any
    _task: Any

    def _is_pipelining_enabled(self, module_style: str) -> bool: ...

    def _low_level_execute_command(
        self, cmd: str, *, sudoable: bool = True, in_data: bytes | None = None
    ) -> dict[str, Any]: ...

    def _execute_module(
        self, *, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]
    ) -> dict[str, Any]: ...

    def _make_tmp_path(self) -> str: ...

    def _transfer_data(self, remote_path: str, data: bytes) -> str: ...

    def _fixup_perms2(self, remote_paths: tuple[str, ...]) -> None: ...


@functools.cache
def _tool() -> list[str]:
    program = f"{release_program.LIB_DIR}/{release_program.name_of(release_program.sources())}"
    return [release_program.PYTHON, *release_program.FLAGS, program]


def command(*words: str) -> str:
    """What runs the host tool of this version."""
    return shlex.join([*_tool(), *words])


def visit(
    action: Action, args: Mapping[str, Any], variables: dict[str, Any], archive: bytes = b""
) -> dict[str, Any]:
    """The answer of the host; `args` are complete, as `release_arguments.ARGUMENTS` lists them."""
    if action._is_pipelining_enabled("new"):
        answer = _by_tool(action, args, archive)
        if answer is not None:
            return answer
    given = {name: value for name, value in args.items() if value is not None}
    if archive:
        given["archive"] = _transfer(action, archive)
    return dict(action._execute_module(module_name=MODULE, module_args=given, task_vars=variables))


def _by_tool(action: Action, args: Mapping[str, Any], archive: bytes) -> dict[str, Any] | None:
    """The tool's answer, None where the host does not have it."""
    call = {
        "params": args,
        "check_mode": bool(action._task.check_mode),
        "diff_mode": bool(action._task.diff),
        "archive": bool(archive),
    }
    head = json.dumps(call, default=str).encode("utf-8")
    answer = action._low_level_execute_command(
        command(release_program.VISIT), sudoable=True, in_data=head + b"\n" + archive
    )
    last = str(answer.get("stdout") or "").rstrip("\n").rpartition("\n")[2]
    if last.startswith("{"):
        # What a module does for itself: no value of a secret comes back with the answer.
        told: dict[str, Any] = remove_values(json.loads(last), _values(args.get("secrets") or {}))
        return told
    if is_missing(answer):
        return None
    reason = " ".join(str(answer.get("stderr") or answer.get("stdout") or "").split())
    return {"failed": True, "msg": f"the host tool ended with {answer['rc']}: {reason[-300:]}"}


def is_missing(answer: Mapping[str, Any]) -> bool:
    """Whether a command did not start because its program is not there."""
    reason = f"{answer.get('stderr') or ''}{answer.get('stdout') or ''}"
    return answer["rc"] in {2, 126, 127} and ("No such file" in reason or "not found" in reason)


def _values(secrets: Mapping[str, Any]) -> set[str]:
    return {str(value) for known in secrets.values() for value in (known or {}).values() if value}


def _transfer(action: Action, archive: bytes) -> str:
    action._make_tmp_path()
    shell = action._connection._shell
    target = str(shell.join_path(shell.tmpdir, "release.tar.gz"))
    action._transfer_data(target, archive)
    action._fixup_perms2((shell.tmpdir, target))
    return target
