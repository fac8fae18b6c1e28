# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units and health: what systemd says, what a gateway says, and waiting for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import wizard_units

SHOWN = (
    "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\n\n"
    "LoadState=loaded\nUnitFileState=disabled\nActiveState=failed\n\n"
    "LoadState=not-found\nUnitFileState=\nActiveState=inactive\n"
)


def test_states_are_read_in_one_call() -> None:
    calls = []

    def runner(argv: list[str]) -> tuple[int, str]:
        calls.append(argv)
        return 0, SHOWN

    states = wizard_units.states(["a", "b", "c"], runner)
    assert len(calls) == 1
    assert calls[0][-3:] == ["timmy-wizard@a.service", "timmy-wizard@b.service", "timmy-wizard@c.service"]
    assert states["a"] == wizard_units.UnitState(True, True, True, False)
    assert states["b"] == wizard_units.UnitState(True, False, False, False, failed=True)
    assert states["c"] == wizard_units.UnitState(False, False, False, False)


@pytest.mark.parametrize("answer", [(127, "no systemctl"), (0, "LoadState=loaded\n"), (0, "")])
def test_an_answer_that_does_not_fit_counts_as_not_there(answer: tuple[int, str]) -> None:
    states = wizard_units.states(["a", "b"], lambda _argv: answer)
    assert not any(state.loaded or state.active for state in states.values())


def test_a_restart_that_systemd_refuses_is_one_line() -> None:
    def runner(argv: list[str]) -> tuple[int, str]:
        return (1, "Unit not\nfound") if argv[1] == "restart" else (0, "")

    with pytest.raises(wizard_units.UnitError, match="systemctl restart failed: Unit not found"):
        wizard_units.enable_and_restart(["a"], runner)


def report(**checks: str) -> dict[str, Any]:
    listed = {name: {"status": status} for name, status in checks.items()}
    worst = "ok" if all(status == "ok" for status in checks.values()) else "degraded"
    return {"status": worst, "version": "0.19.0", "readiness": {"status": worst, "checks": listed}}


@pytest.mark.parametrize(
    ("given", "well"),
    [
        (report(config="ok", model="ok"), True),
        (report(config="degraded", model="ok"), False),
        (report(disk="degraded", model="ok"), True),
        (report(disk="degraded", gateway="degraded"), False),
        ({"status": "ok"}, True),
        ({"status": "degraded"}, False),
        ({"status": "degraded", "readiness": {"checks": {}}}, False),
        ({"status": "ok", "readiness": {"checks": {"config": "odd"}}}, False),
        (["ok"], False),
    ],
)
def test_the_judgement_of_a_report(given: Any, well: bool) -> None:
    answer = wizard_units.judge(given)
    assert answer["ok"] is well
    assert well or answer["reason"]


def test_a_full_disk_is_mentioned() -> None:
    assert "disk" in wizard_units.judge(report(disk="degraded", model="ok"))["reason"]


@pytest.mark.parametrize(
    ("active", "runs", "turns"), [(0, 0, 0), (2, 0, 2), (0, 1, 1), (3, 1, 3), (None, 1, 1), (1, "odd", 1)]
)
def test_turns_of_the_api_server_count_as_well(active: Any, runs: Any, turns: int) -> None:
    given = {**report(model="ok"), "active_agents": active}
    given["readiness"]["checks"]["background_queues"] = {"status": "ok", "active_api_runs": runs}
    assert wizard_units.judge(given)["turns"] == turns


class _Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        good = self.headers["Authorization"] == "Bearer right" and self.path == "/health/detailed"
        body = json.dumps(report(config="ok")).encode()
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(body if good else b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Gateway)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_real_answer_needs_the_key(port: int) -> None:
    assert wizard_units.ask_health(port, "right") == {"ok": True, "version": "0.19.0", "turns": 0}
    assert wizard_units.ask_health(port, "wrong")["reason"] == f"port {port} answers 401"


def test_a_closed_port_is_one_line() -> None:
    answer = wizard_units.ask_health(1, "key", timeout_s=1)
    assert not answer["ok"]
    assert "\n" not in answer["reason"]


class _Time:
    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_waiting_ends_when_all_are_well_and_asks_the_well_ones_no_more() -> None:
    time, asked = _Time(), []

    def ask(port: int, _key: str) -> dict[str, Any]:
        asked.append(port)
        return {"ok": port == 1 or time.now >= 2, "reason": "starting"}

    answers = wizard_units.wait_healthy(
        {"a": (1, "k"), "b": (2, "k")},
        10,
        lambda _argv: (1, ""),
        ask=ask,
        clock=lambda: time.now,
        sleep=time.sleep,
    )
    assert all(answer["ok"] for answer in answers.values())
    assert time.now < 3
    assert asked.count(1) == 1


def test_waiting_ends_with_the_time() -> None:
    time = _Time()
    answers = wizard_units.wait_healthy(
        {"a": (1, "k")},
        5,
        lambda _argv: (1, ""),
        ask=lambda _port, _key: {"ok": False, "reason": "no"},
        clock=lambda: time.now,
        sleep=time.sleep,
    )
    assert answers == {"a": {"ok": False, "reason": "no"}}
    assert 5 <= time.now < 6


def test_waiting_ends_when_systemd_has_given_a_unit_up() -> None:
    time, asked = _Time(), []

    def systemctl(argv: list[str]) -> tuple[int, str]:
        asked.append(argv[-1])
        state = "failed" if time.now > 3 else "activating"
        return 0, f"LoadState=loaded\nUnitFileState=enabled\nActiveState={state}\n"

    answers = wizard_units.wait_healthy(
        {"a": (1, "k"), "b": (2, "k")},
        60,
        systemctl,
        ask=lambda port, _key: {"ok": port == 2, "reason": "no answer"},
        clock=lambda: time.now,
        sleep=time.sleep,
    )
    assert answers["a"] == {"ok": False, "reason": "timmy-wizard@a.service has failed; no answer"}
    assert answers["b"]["ok"]
    assert 3 < time.now < 5
    assert set(asked) == {"timmy-wizard@a.service"}


def test_no_gateways_are_all_well() -> None:
    assert wizard_units.wait_healthy({}, 5) == {}
