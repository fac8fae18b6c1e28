# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy status`: what one look at a gateway proves, and what the whole adds up to."""

from __future__ import annotations

import json
import os
import pwd
import socket
import threading
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from timmy import settings
from timmy.report import release, status, version
from timmy.watch import health, units
from timmy.watch.health import Seen, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timmy.context import Context

KEY = "k" * 32
READY = {
    "status": "ok",
    "version": "0.19.0",
    "gateway_state": "running",
    "active_agents": 2,
    "readiness": {"status": "ok", "checks": {"model": {"status": "ok"}, "disk": {"status": "ok"}}},
}
SICK = {**READY, "readiness": {"checks": {"model": {"status": "error"}, "disk": {"status": "ok"}}}}

LOOKS = {
    "ready": (Seen(200, READY, None, 5.0), True, State.OK, "ready"),
    "one check": (Seen(200, SICK, None, 5.0), True, State.DEGRADED, "not ok: model"),
    "draining": (
        Seen(200, {**READY, "gateway_state": "draining"}, None, 5.0),
        True,
        State.DEGRADED,
        "not ok: gateway draining",
    ),
    "degraded": (
        Seen(200, {**READY, "status": "degraded"}, None, 5.0),
        True,
        State.DEGRADED,
        "not ok: degraded",
    ),
    "no readiness": (Seen(200, {"status": "ok"}, None, 5.0), True, State.DEGRADED, "not ok: readiness"),
    "refused": (Seen(None, None, "refused", 5.0), True, State.DOWN, "nothing listens on its port"),
    "timeout": (Seen(None, None, "timeout", 5.0), True, State.UNKNOWN, "no answer within 3 s"),
    "reset": (
        Seen(None, None, "broken (ConnectionResetError)", 5.0),
        True,
        State.UNKNOWN,
        "connection broken",
    ),
    "wrong key": (Seen(401, {}, None, 5.0), True, State.UNKNOWN, "does not accept the key"),
    "no key": (Seen(200, {"status": "ok"}, None, 5.0), False, State.UNKNOWN, "env file is not readable"),
    "other server": (Seen(200, None, None, 5.0), True, State.UNKNOWN, "answered 200 with no health in it"),
    "error": (Seen(500, {}, None, 5.0), True, State.UNKNOWN, "answered 500"),
}


@pytest.mark.parametrize(("seen", "had_key", "state", "told"), LOOKS.values(), ids=LOOKS)
def test_what_one_look_proves(seen: Seen, had_key: bool, state: State, told: str) -> None:
    judged = health.judge(seen, had_key=had_key, timeout_s=3.0)
    assert judged.state is state
    assert told in judged.reason
    assert judged.checked_at == 5.0


class Gateway(BaseHTTPRequestHandler):
    """A gateway with one key."""

    def do_GET(self) -> None:
        """Answer as Hermes does."""
        allowed = self.headers.get("Authorization") == f"Bearer {KEY}"
        body = READY if allowed else {"status": "ok", "version": "0.19.0"}
        data = json.dumps(body).encode()
        self.send_response(200 if allowed or self.path == "/health" else 401)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Stay silent."""


@pytest.fixture
def gateway() -> Iterator[int]:
    """Return the port of a running gateway."""
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_look_over_the_wire(gateway: int) -> None:
    assert health.look(gateway, KEY, 3.0, 7.0) == Seen(200, READY, None, 7.0)
    assert health.look(gateway, "wrong" * 8, 3.0, 7.0).status == 401
    assert health.look(gateway, None, 3.0, 7.0).status == 200
    assert health.look(gateway, "line\nbreak", 3.0, 7.0).failure == "broken (ValueError)"


def test_a_closed_port_is_down_and_a_silent_one_is_unknown() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert health.look(port, KEY, 0.2, 0.0).failure == "refused"
        silent.listen()
        assert health.look(port, KEY, 0.2, 0.0).failure == "timeout"


def test_a_unit_that_cannot_be_asked_is_unknown() -> None:
    text = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nNRestarts=2\n"
    assert units.parse("u", text) == units.Unit("u", "loaded", "active", "running", "success", 2)
    assert units.parse("u", "") == units.Unit("u", "unknown", "unknown", "unknown", "unknown", None)


BEZALEL = settings.Wizard("bezalel", "Bezalel", Path("/home/bezalel"), 8642, "timmy-wizard@bezalel.service")
FACTS = status.Facts(
    host="bezal",
    release=release.Release("abc", "0.19.0", ("bezalel",), None),
    wizards=(
        status.WizardFacts(
            BEZALEL,
            health.Health(State.OK, "ready", 98.0, "0.19.0", 0),
            units.Unit(BEZALEL.unit, "loaded", "active", "running", "success", 0),
            12.0,
        ),
    ),
    strays=(),
    unread=(),
    now=100.0,
)


def changed(**changes: Any) -> status.Facts:
    """Return the facts with changes to the one wizard's."""
    return replace(FACTS, wizards=(replace(FACTS.wizards[0], **changes),))


def test_all_is_well() -> None:
    answer = status.describe(FACTS)
    assert (answer.exit_code, answer.problems) == (0, ())
    assert answer.lines == (
        "bezal: release abc, Hermes 0.19.0",
        "  Bezalel (bezalel): gateway ok, seen 2 s ago, heartbeat 12 s ago; unit active (running)",
        "  no drift",
    )


@pytest.mark.parametrize(
    ("drifted", "reason", "line"),
    [
        (1, "", "  drift: 1 path or key of ours changed here; timmy drift lists them"),
        (3, "", "  drift: 3 paths or keys of ours changed here; timmy drift lists them"),
        (None, "only root can see it", "  drift unknown: only root can see it"),
    ],
)
def test_drift_is_one_line_and_no_problem(drifted: int | None, reason: str, line: str) -> None:
    answer = status.describe(replace(FACTS, drifted=drifted, drift_unknown=reason))
    assert (answer.exit_code, answer.lines[-1]) == (0, line)
    assert answer.data["drift"] == {"count": drifted, "reason": reason}


FAILED_UNIT = units.Unit(BEZALEL.unit, "loaded", "failed", "failed", "exit-code", 5)
OLD = health.Health(State.OK, "ready", 98.0, "0.18.0", 0)
DOWN = health.Health(State.DOWN, "nothing listens on its port", 98.0)
PROBLEMS = [
    (
        changed(unit=FAILED_UNIT),
        "bezalel: unit timmy-wizard@bezalel.service is failed (failed, result exit-code)",
    ),
    (changed(health=DOWN), "bezalel: gateway is down: nothing listens on its port"),
    (changed(health=OLD), "bezalel: runs Hermes 0.18.0, the release has 0.19.0: restart its unit"),
    (changed(heartbeat_age_s=500.0), "bezalel: last heartbeat 500 s ago"),
    (
        replace(FACTS, release=release.Release("abc", "0.19.0", (), None)),
        "bezalel: release abc holds nothing for it",
    ),
    (replace(FACTS, release=release.Release(None, None, (), "no live release")), "no live release"),
    (replace(FACTS, strays=("gimli",)), "gimli: in group wizards, but not in the fleet of this host"),
    (replace(FACTS, strays=None), "the group wizards does not exist"),
    (replace(FACTS, unread=("/etc/x.env",)), "cannot read /etc/x.env as this user"),
]


@pytest.mark.parametrize(("facts", "told"), PROBLEMS)
def test_each_problem_is_one_line_and_exit_1(facts: status.Facts, told: str) -> None:
    answer = status.describe(facts)
    assert (answer.exit_code, answer.problems) == (1, (told,))


def test_the_keys_of_the_json_are_pinned() -> None:
    data = status.describe(FACTS).data
    assert set(data) == {"host", "release", "wizards", "strays", "unread", "drift"}
    assert set(data["drift"]) == {"count", "reason"}
    (row,) = data["wizards"]
    assert set(row) == {"name", "display_name", "gateway", "unit", "continuity"}
    assert set(row["continuity"]) == {"problem", "unknown"}
    wanted = {"state", "reason", "age_s", "hermes_version", "active_agents", "heartbeat_age_s"}
    assert set(row["gateway"]) == wanted
    assert set(row["unit"]) == {"name", "load", "active", "sub", "result", "restarts"}
    json.dumps(data)


def test_a_release_is_read_through_its_link(tmp_path: Path) -> None:
    assert "no live release" in (release.read(tmp_path).problem or "")
    (tmp_path / "releases/abc").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/abc")
    assert release.read(tmp_path).id == "abc"
    assert "unreadable" in (release.read(tmp_path).problem or "")
    manifest = {"schema": 1, "hermes_version": "0.19.0", "agents": ["bezalel"]}
    (tmp_path / "releases/abc/manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert release.read(tmp_path) == release.Release("abc", "0.19.0", ("bezalel",), None)


def test_a_heartbeat_has_an_age_and_its_absence_is_unknown(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    assert status.heartbeat_age(tmp_path, now) is None
    beat = tmp_path / ".hermes/state/gateway.heartbeat"
    beat.parent.mkdir(parents=True)
    beat.write_text(
        json.dumps({"updated_at": datetime.fromtimestamp(now - 30, UTC).isoformat()}), encoding="utf-8"
    )
    assert status.heartbeat_age(tmp_path, now) == 30.0
    beat.write_text("[]", encoding="utf-8")
    assert status.heartbeat_age(tmp_path, now) is None
    beat.unlink()
    os.symlink("/etc/hostname", beat)
    assert status.heartbeat_age(tmp_path, now) is None


def test_the_verbs_on_a_host_in_a_folder(tmp_path: Path, gateway: int, context: Context) -> None:
    fleet = tmp_path / "fleet.json"
    wizard = {
        "name": "bezalel",
        "display_name": "Bezalel",
        "home": str(tmp_path),
        "api_port": gateway,
        "unit": "e2e-none.service",
    }
    whole = {"schema": 1, "host": "h", "release_root": str(tmp_path), "wizards": [wizard], "fleet": []}
    fleet.write_text(json.dumps(whole), encoding="utf-8")
    (tmp_path / "bezalel.env").write_text(f"API_SERVER_KEY={KEY}\n", encoding="utf-8")
    answer = status.command(["--json"], context, fleet, tmp_path)
    assert answer.data["wizards"][0]["gateway"]["state"] == "ok"
    assert answer.exit_code == 1, "there is no release and no such unit"
    (tmp_path / "bezalel.env").unlink()
    unread = status.command([], context, fleet, tmp_path)
    assert unread.data["wizards"][0]["gateway"]["state"] == "unknown"
    assert f"cannot read {tmp_path / 'bezalel.env'} as this user" in unread.problems
    assert KEY not in json.dumps(unread.data) + json.dumps(answer.data)
    assert version.command([], context, fleet).data["release"] is None
    assert version.command([], context, tmp_path / "absent").lines == ("timmy 0.1.0",)


def test_what_is_not_in_continuity_is_a_problem_and_what_is_unknown_none() -> None:
    lost = status.Continuity(problem="the last flush failed: disk full")
    (first, *others) = FACTS.wizards
    told = status.describe(replace(FACTS, wizards=(replace(first, continuity=lost), *others)))
    assert told.exit_code == 1
    assert told.problems == ("bezalel: continuity: the last flush failed: disk full",)
    assert told.data["wizards"][0]["continuity"]["problem"] == lost.problem
    dark = replace(first, continuity=status.Continuity(unknown="only root may look"))
    assert status.describe(replace(FACTS, wizards=(dark, *others))).exit_code == 0


def test_continuity_is_looked_at_as_its_agent(context: Context, tmp_path: Path) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    wizard = replace(BEZALEL, name=me, home=tmp_path)
    assert status.continuity_of(wizard, context) == status.Continuity()
    (tmp_path / ".timmy").mkdir()
    (tmp_path / ".timmy/continuity-failed.json").write_text('{"at": 1, "reason": "disk full"}')
    assert status.continuity_of(wizard, context).problem == "the last flush failed: disk full"
    assert status.continuity_of(replace(wizard, name="no-such-user"), context).unknown
