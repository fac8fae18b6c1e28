# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of one wizard's gateway, asked of its own API server on loopback.

"Down" is a claim and needs evidence: nobody listens. What we merely could not see is "unknown".
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_BODY = 256 * 1024


class State(StrEnum):
    """What is known of a gateway."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Seen:
    """One look: an HTTP status with its body, or the kind of failure (refused, timeout, broken)."""

    status: int | None
    body: Any
    failure: str | None
    at: float


@dataclass(frozen=True)
class Health:
    """The judgement, when it was made, and what Hermes says of itself."""

    state: State
    reason: str
    checked_at: float
    hermes_version: str | None = None
    active_agents: int | None = None


def look(port: int, key: str | None, timeout_s: float, at: float) -> Seen:
    """Ask the gateway once. Without a key only the open route is asked, which says that it lives."""
    route = "/health/detailed" if key else "/health"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", route, headers=headers)
        reply = connection.getresponse()
        raw = reply.read(MAX_BODY)
    except ConnectionRefusedError:
        return Seen(None, None, "refused", at)
    except TimeoutError:
        return Seen(None, None, "timeout", at)
    except (OSError, http.client.HTTPException, ValueError) as error:
        # ValueError: a key that cannot be a header; never repeat the key itself
        return Seen(None, None, f"broken ({type(error).__name__})", at)
    finally:
        connection.close()
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    return Seen(reply.status, body, None, at)


def _not_ok(checks: Any) -> list[str]:
    if not isinstance(checks, dict):
        return []
    return sorted(
        name for name, check in checks.items() if not isinstance(check, dict) or check.get("status") != "ok"
    )


def judge(  # noqa: PLR0911 - one return per thing that one look can prove
    seen: Seen, *, had_key: bool, timeout_s: float
) -> Health:
    """Return what one look proves."""
    if seen.failure == "refused":
        return Health(State.DOWN, "nothing listens on its port", seen.at)
    if seen.failure == "timeout":
        return Health(State.UNKNOWN, f"no answer within {timeout_s:g} s", seen.at)
    if seen.failure is not None or seen.status is None:
        return Health(State.UNKNOWN, f"connection {seen.failure}", seen.at)
    if seen.status in (401, 403):
        return Health(State.UNKNOWN, "it does not accept the key in the env file", seen.at)
    if seen.status != 200 or not isinstance(seen.body, dict):
        return Health(State.UNKNOWN, f"answered {seen.status} with no health in it", seen.at)
    given = seen.body.get("version")
    version = given if isinstance(given, str) else None
    if not had_key:
        return Health(State.UNKNOWN, "it lives, but its env file is not readable here", seen.at, version)
    counted = seen.body.get("active_agents")
    active = counted if isinstance(counted, int) else None
    readiness = seen.body.get("readiness")
    checks = _not_ok(readiness.get("checks")) if isinstance(readiness, dict) else ["readiness"]
    if seen.body.get("gateway_state") not in (None, "running"):
        checks.append(f"gateway {seen.body['gateway_state']}")
    if checks or seen.body.get("status") != "ok":
        told = ", ".join(checks) or str(seen.body.get("status"))
        return Health(State.DEGRADED, f"not ok: {told}", seen.at, version, active)
    return Health(State.OK, "ready", seen.at, version, active)
