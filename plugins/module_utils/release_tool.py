# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doors to the release engine on a host: one for the module, one for the controller, one for the guard.

The controller sends one line of JSON (parameters, check and diff mode, whether an archive follows) and then
the archive itself to `visit`; the answer is the last line of the output. Secrets travel in that stream only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

from . import (
    guard,
    host_room,
    release_arguments,
    release_host,
    release_program,
    release_trial,
    release_undo,
    wizard_units,
)
from .hermes_home import HomeError
from .release_format import ReleaseError
from .release_state import DeployError, Result, Settings, Wanted


def visit(
    params: Mapping[str, Any], check_mode: bool, diff_mode: bool, archive: BinaryIO | str = ""
) -> dict[str, Any]:
    """One visit to this host, with `failed` and `msg` in its answer where it did not end well."""
    agents = [dict(agent) for agent in params["agents"]]
    wanted = Wanted(
        params.get("wanted") or "",
        agents,
        _secrets(agents, params["secrets"]),
        params["fleet_json"],
        params.get("release") or "",
    )
    deploy = release_host.Deploy(_settings(params, check_mode, diff_mode), wanted)
    try:
        return _answer(deploy, params, archive).public()
    except DeployError as error:
        return {**_failed(str(error)), **error.details}
    except (ReleaseError, HomeError, wizard_units.UnitError, guard.GuardError) as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(host_room.told(error, deploy.settings.root))


def _answer(deploy: release_host.Deploy, params: Mapping[str, Any], archive: BinaryIO | str) -> Result:
    problem = release_arguments.problem_of(deploy.wanted.agents, params["secrets"])
    if problem:
        raise DeployError(problem)
    if params["state"] == "absent":
        return deploy.absent()
    if not (deploy.wanted.digest or deploy.wanted.kept):
        raise DeployError("no release was named; this module is run through its action plugin")
    if params.get("ask"):
        return deploy.ask()
    return deploy.run(archive or params.get("archive") or "")


def _failed(line: str) -> dict[str, Any]:
    return {"failed": True, "msg": line}


def _settings(params: Mapping[str, Any], check_mode: bool, diff_mode: bool) -> Settings:
    return Settings(
        root=params["release_root"],
        hermes_root=params["hermes_root"],
        config_dir=params["config_dir"],
        record_dir=params["record_dir"],
        keep=params["keep"],
        health_timeout_s=params["health_timeout_s"],
        window_s=params["window_s"],
        drain_s=params["drain_s"],
        owner=params["owner"],
        units=params["manage_units"],
        probe_keys=params["probe_keys"],
        probe_timeout_s=params["probe_timeout_s"],
        smoke=release_trial.prompt_of(params["smoke"]),
        smoke_timeout_s=params["smoke_timeout_s"],
        check_mode=check_mode,
        diff_mode=diff_mode,
    )


def _secrets(
    agents: list[dict[str, Any]], secrets: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, str]]:
    """The whole environment of each agent; a secret beats a plain value of its name."""
    return {
        str(agent["name"]): {
            str(key): str(value)
            for key, value in {**(agent.get("env") or {}), **(secrets.get(agent["name"]) or {})}.items()
        }
        for agent in agents
    }


def main(arguments: list[str]) -> int:
    """`visit` with its stream on standard input, or a step of an undo."""
    if arguments != [release_program.VISIT]:
        return release_undo.main(arguments)
    stream = sys.stdin.buffer
    call = json.loads(stream.readline())
    answer = visit(call["params"], call["check_mode"], call["diff_mode"], stream if call["archive"] else "")
    # The controller is still writing where an archive was refused early; a closed door would be its error.
    while stream.read(1 << 20):
        pass
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    return 0
