# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real run of an agent from the staged release, in a home that is thrown away afterwards.

The home is made by the code that makes the real one, the run is made and judged by the staged runtime's own
`timmy.smoke`, and the secrets of the deploy stand in a managed layer beside it. So what runs is what will run
after the flip, and the agent's own home, work and sessions are not touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import env_file, hermes_home
from .release import write_file
from .release_homes import merged_of
from .release_state import Settings, owner

# What the run may take beyond its own limit: it is asked to stop before it is killed.
_GRACE_S = 45.0
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from timmy import smoke; sys.exit(smoke.main())"
_MAX_REASON = 300


@dataclass(frozen=True)
class Answer:
    """How the run ended; `outcome` is a word of the runtime's."""

    ok: bool
    outcome: str
    reason: str
    duration_s: float = 0.0
    total_tokens: int | None = None

    def public(self) -> dict[str, Any]:
        """As the module returns it."""
        return asdict(self)


def run(
    settings: Settings,
    who: hermes_home.Account,
    directory: str,
    manifest: Mapping[str, Any],
    env: Mapping[str, str],
) -> Answer:
    """Run the agent once; whatever goes wrong on the way is an answer."""
    base = tempfile.mkdtemp(prefix="timmy-smoke-")
    try:
        # The agent has to pass through, and must not be able to change what is beside its home.
        os.chmod(base, 0o711)  # noqa: S103
        stage = replace(who, home=os.path.join(base, "home"))
        managed = _lay_managed(os.path.join(base, "managed"), directory, who, env)
        _lay_home(stage, directory, manifest, settings, managed)
        return _judge(_run(settings, stage, directory, managed, env), settings.smoke_timeout_s)
    except (hermes_home.HomeError, OSError) as error:
        return Answer(False, "protocol", _line(str(error)))
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _lay_managed(managed: str, directory: str, who: hermes_home.Account, env: Mapping[str, str]) -> str:
    """The staged managed layer, with the secrets as they will stand and not as they stand now."""
    os.mkdir(managed, 0o750)
    if os.geteuid() == 0:
        os.chown(managed, 0, who.gid)
    source = os.path.join(directory, "agents", who.name, "managed")
    for name in os.listdir(source):
        if name != ".env":
            os.symlink(os.path.join(source, name), os.path.join(managed, name))
    write_file(os.path.join(managed, ".env"), env_file.render(env), 0o640, **owner(0, who.gid))
    return managed


def _lay_home(
    stage: hermes_home.Account,
    directory: str,
    manifest: Mapping[str, Any],
    settings: Settings,
    managed: str,
) -> None:
    """A home as the release will make it; its links lead into the staged release."""
    os.mkdir(stage.home, 0o700)
    if os.geteuid() == 0:
        os.chown(stage.home, stage.uid, stage.gid)
    plan = hermes_home.plan_for(manifest, stage.name, stage.home, settings.root, {})
    head = os.path.join(settings.root, "current")
    plan.links = {
        name: os.path.join(directory, os.path.relpath(target, head)) for name, target in plan.links.items()
    }
    hermes_home.settle(stage, plan, directory)
    hermes_home.as_agent(stage, lambda: os.mkdir(os.path.join(stage.home, "work"), 0o700))
    merged = {**merged_of(directory, stage.name), "jobs": []}
    answer = hermes_home.ask_hermes(
        stage,
        os.path.join(directory, "hermes", "bin", "python"),
        managed,
        {"do": "apply", **merged, "base": {}},
        timeout_s=settings.ask_timeout_s,
    )
    if answer["config"]["problems"]:
        raise hermes_home.HomeError(str(answer["config"]["problems"][0]))


def _run(
    settings: Settings, stage: hermes_home.Account, directory: str, managed: str, env: Mapping[str, str]
) -> dict[str, Any]:
    """The runtime's answer. All that is secret goes in through stdin."""
    request = {
        "agent": stage.name,
        "identity": [stage.uid, stage.gid, list(stage.groups)] if os.geteuid() == 0 else None,
        "binary": os.path.join(directory, "hermes", "bin", "hermes"),
        "home": stage.home,
        "work": os.path.join(stage.home, "work"),
        "managed": managed,
        "prompt": settings.smoke,
        "timeout_s": settings.smoke_timeout_s,
        "secrets": [str(value) for value in env.values()],
    }
    try:
        done = subprocess.run(
            ["/usr/bin/python3", "-IBS", "-c", _BOOT, os.path.join(directory, "lib")],
            input=json.dumps(request).encode("utf-8"),
            capture_output=True,
            cwd="/",
            timeout=settings.smoke_timeout_s + _GRACE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"outcome": "timeout", "reason": "the runtime itself gave no answer"}
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        # Its own text may hold anything, so only how it ended is said.
        return {"outcome": "protocol", "reason": f"the runtime ended with {done.returncode} and no answer"}


def _judge(given: Mapping[str, Any], timeout_s: float) -> Answer:
    outcome = str(given.get("outcome") or "protocol")
    reason = str(given.get("reason") or "no reason given")
    if outcome == "timeout":
        reason = f"{reason} (limit {timeout_s:.0f} s)"
    usage = given.get("usage") or {}
    return Answer(
        given.get("ok") is True,
        outcome,
        _line(reason),
        float(given.get("duration_s") or 0.0),
        usage.get("total_tokens"),
    )


def _line(text: str) -> str:
    return " ".join(text.split())[:_MAX_REASON]
