# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The system units of the agents on this host, and whether their gateways are well."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

UNIT = "timmy-wizard@{agent}.service"
_STEP_S = 0.25
# How many looks at a gateway come between two questions to systemd.
_LOOKS = 4


class UnitError(Exception):
    """A unit could not be driven; one line."""


@dataclass(frozen=True)
class UnitState:
    """What systemd says about one unit."""

    loaded: bool
    enabled: bool
    active: bool
    activating: bool
    failed: bool = False


Runner = Callable[[list[str]], tuple[int, str]]


def run(argv: list[str]) -> tuple[int, str]:
    """Exit code and output of a command."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout + done.stderr


def unit_of(agent: str) -> str:
    """The unit of an agent."""
    return UNIT.format(agent=agent)


def states(agents: list[str], runner: Runner = run) -> dict[str, UnitState]:
    """The state of each agent's unit, in one call to systemd."""
    if not agents:
        return {}
    wanted = ["LoadState", "UnitFileState", "ActiveState"]
    code, output = runner(["systemctl", "show", "-p", ",".join(wanted), *map(unit_of, agents)])
    blocks = [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in output.split("\n\n")
    ]
    blocks = [block for block in blocks if "LoadState" in block]
    if code != 0 or len(blocks) != len(agents):
        return dict.fromkeys(agents, UnitState(False, False, False, False))
    return {
        agent: UnitState(
            block["LoadState"] == "loaded",
            block.get("UnitFileState") in {"enabled", "enabled-runtime"},
            block.get("ActiveState") in {"active", "reloading"},
            block.get("ActiveState") == "activating",
            block.get("ActiveState") == "failed",
        )
        for agent, block in zip(agents, blocks, strict=True)
    }


def enable_and_restart(agents: list[str], runner: Runner = run) -> None:
    """Enable the units and start them afresh; returns when systemd took it, not when they are well."""
    if not agents:
        return
    units = [unit_of(agent) for agent in agents]
    for argv in (
        ["systemctl", "enable", "--quiet", *units],
        ["systemctl", "reset-failed", *units],
        ["systemctl", "restart", *units],
    ):
        code, output = runner(argv)
        if code != 0 and "reset-failed" not in argv:
            raise UnitError(f"{' '.join(argv[:2])} failed: {' '.join(output.split())[:300]}")


def disable(agents: list[str], runner: Runner = run) -> None:
    """Stop and disable the units; one that does not exist is as good as stopped."""
    for agent in agents:
        runner(["systemctl", "disable", "--now", "--quiet", unit_of(agent)])


def leave_at_boot(agents: list[str], runner: Runner = run) -> None:
    """Keep units from starting in a boot that is under way; waiting for them would never end."""
    for agent in agents:
        runner(["systemctl", "disable", "--no-reload", "--quiet", unit_of(agent)])
        runner(["systemctl", "--no-block", "stop", unit_of(agent)])


def limits(agents: list[str], runner: Runner = run) -> tuple[float, float]:
    """The longest stop and start, in seconds, that systemd grants one of these units."""
    longest = {"TimeoutStopUSec": 0.0, "TimeoutStartUSec": 0.0}
    if agents:
        _code, output = runner(["systemctl", "show", "-p", ",".join(longest), *map(unit_of, agents)])
        for line in output.splitlines():
            name, _sign, value = line.partition("=")
            if name in longest:
                longest[name] = max(longest[name], seconds(value))
    return longest["TimeoutStopUSec"], longest["TimeoutStartUSec"]


def seconds(text: str) -> float:
    """A time span as systemd writes it, such as `1min 30s`; infinite where it is no such span."""
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
    total = 0.0
    for word in text.split():
        number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = word[len(number) :]
        if not number.replace(".", "", 1).isdigit() or unit not in units:
            return float("inf")
        total += float(number) * units[unit]
    return total


def ask_health(port: int, key: str, timeout_s: float = 5) -> dict[str, Any]:
    """One look at a gateway's own readiness report."""
    import http.client  # noqa: PLC0415 - a visit that changes nothing asks no gateway

    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        link.request("GET", "/health/detailed", headers={"Authorization": f"Bearer {key}"})
        reply = link.getresponse()
        body = reply.read(1_000_000)
    except (OSError, http.client.HTTPException) as error:
        return {"ok": False, "reason": f"no answer on port {port}: {' '.join(str(error).split())}"}
    finally:
        link.close()
    if reply.status != 200:
        return {"ok": False, "reason": f"port {port} answers {reply.status}"}
    try:
        report = json.loads(body)
    except ValueError:
        return {"ok": False, "reason": f"port {port} does not answer with JSON"}
    return judge(report)


def judge(report: Any) -> dict[str, Any]:
    """Whether a readiness report says that the gateway is well, and what is not."""
    if not isinstance(report, dict):
        return {"ok": False, "reason": "the report is not a mapping"}
    answer: dict[str, Any] = {"ok": True}
    for name in ("version", "pid", "gateway_state", "active_agents"):
        if name in report:
            answer[name] = report[name]
    readiness = report.get("readiness")
    checks = readiness.get("checks") if isinstance(readiness, dict) else None
    answer["turns"] = _turns(report, checks)
    if not isinstance(checks, dict) or not checks:
        return {**answer, "ok": report.get("status") == "ok", "reason": f"status {report.get('status')!r}"}
    bad = sorted(
        name for name, check in checks.items() if not isinstance(check, dict) or check.get("status") != "ok"
    )
    if bad:
        answer["reason"] = f"not ready: {', '.join(bad)}"
    # A disk that is nearly full is worth a word, but no release made it so and none can cure it.
    answer["ok"] = set(bad) <= {"disk"}
    return answer


def _turns(report: Mapping[str, Any], checks: Any) -> int:
    """Turns under way. Those of the API server are only in the readiness report; others are in both or one.

    A turn that a caller of `/v1/chat/completions` waits for is in neither: Hermes' own drain is left for it.
    """
    queues = checks.get("background_queues") if isinstance(checks, dict) else None
    runs = queues.get("active_api_runs") if isinstance(queues, dict) else 0
    counts = [count for count in (report.get("active_agents"), runs) if isinstance(count, int)]
    return max(counts, default=0)


def wait_healthy(
    gateways: Mapping[str, tuple[int, str]],
    timeout_s: float,
    runner: Runner = run,
    *,
    ask: Callable[[int, str], dict[str, Any]] = ask_health,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, dict[str, Any]]:
    """The last answer of each gateway once all are well, or when the time is over. All wait side by side.

    There is nothing to wait for once systemd has given a unit up.
    """
    begin = clock()
    answers: dict[str, dict[str, Any]] = {}
    looks = 0
    while True:
        for agent, (port, key) in gateways.items():
            if not answers.get(agent, {}).get("ok"):
                answers[agent] = ask(port, key)
        ill = [agent for agent in gateways if not answers[agent]["ok"]]
        looks += 1
        lost = (
            [name for name, state in states(ill, runner).items() if state.failed]
            if looks % _LOOKS == 0
            else []
        )
        for agent in lost:
            answers[agent]["reason"] = f"{unit_of(agent)} has failed; {answers[agent]['reason']}"
        if not ill or lost or clock() - begin >= timeout_s:
            return answers
        sleep(_STEP_S)


def wait_idle(
    gateways: Mapping[str, tuple[int, str]],
    timeout_s: float,
    *,
    ask: Callable[[int, str], dict[str, Any]] = ask_health,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, int]:
    """Turns under way in each gateway when the time is over, {} once there are none.

    One that does not answer has none that waiting could save.
    """
    begin = clock()
    while True:
        turns = {agent: ask(port, key).get("turns") for agent, (port, key) in gateways.items()}
        busy = {agent: count for agent, count in turns.items() if isinstance(count, int) and count > 0}
        if not busy or clock() - begin >= timeout_s:
            return busy
        sleep(_STEP_S)
