# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trial run of a release that is not active yet: one request on stdin, one answer on stdout.

The deploy starts it on a host (`release_smoke` of the shared core) with the code of the staged release. It is
no verb of `timmy`: everything that a verb reads from settings does not stand there yet.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from timmy import ask, hermes, process
from timmy.errors import TimmyError


def request_of(given: dict[str, Any]) -> hermes.Request:
    """Return the run that the deploy asks for."""
    who = given["identity"]
    return hermes.Request(
        binary=Path(given["binary"]),
        work_dir=Path(given["work"]),
        home=Path(given["home"]),
        managed_dir=Path(given["managed"]),
        prompt=given["prompt"],
        timeout_s=float(given["timeout_s"]),
        identity=process.Identity(who[0], who[1], tuple(who[2])) if who else None,
        env={"USER": given["agent"], "LOGNAME": given["agent"], "SHELL": "/bin/sh"},
        secrets=tuple(given["secrets"]),
    )


def main() -> int:
    """Run it and write how it went; a run that cannot be started is an answer too."""
    given = json.load(sys.stdin)
    try:
        result = hermes.run(request_of(given), time.monotonic)
    except TimmyError as error:
        answer: dict[str, Any] = {"ok": False, "outcome": "protocol", "reason": str(error)}
    else:
        answer = {"ok": result.ok, **ask.describe(given["agent"], result).data}
    json.dump(answer, sys.stdout)
    return 0
