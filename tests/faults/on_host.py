# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host and watches it go forth and back; one JSON line for each thing that it sees.

    python3 -I - REQUEST    (through docker exec, never over the way under trial)

The request is JSON: `guard_id`; `path`, which the change replaces; `before`, what it was, as `state` has it;
`since`, when the trial began; `limit_s`; and `flipped` where the flip is known already. The events: `ready`,
then `flip` with the moment that the kernel wrote down for it, then `back` once all of this holds at the same
time: the path is what it was, the guard has settled its record, sshd greets, and the wizards of this host say
that they are well. `end` tells why the watch ended without that. Moments are seconds of the machine's clock,
which all containers share.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

GUARD_DIR = "/var/lib/timmy-guard"
TIMMY = "/opt/timmy/current/bin/timmy"
NONE = "none"
BEAT_S = 0.1
ASK_S = 0.5


def state(path: str) -> str:
    """What a path is: where a link leads, the sum of a file, or none."""
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return NONE
    except OSError:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()


def say(event: str, **more: Any) -> None:
    """One line for the trial."""
    sys.stdout.write(json.dumps({"event": event, "at": time.time(), **more}) + "\n")
    sys.stdout.flush()


def outcome(guard_id: str, since: float) -> dict[str, Any]:
    """How the guard settled this very change, {} as long as it has not."""
    path = f"{GUARD_DIR}/done/{guard_id}.json"
    try:
        if os.path.exists(f"{GUARD_DIR}/{guard_id}.json") or os.stat(path).st_mtime < since:
            return {}
        with open(path, encoding="utf-8") as stream:
            return dict(json.load(stream))
    except (FileNotFoundError, ValueError):
        return {}


def greets() -> str:
    """Why sshd does not greet, empty when it does."""
    try:
        with socket.create_connection(("127.0.0.1", 22), timeout=2) as link:
            return "" if link.recv(4) == b"SSH-" else "sshd does not greet"
    except OSError as error:
        return f"sshd: {error}"


def silent() -> str:
    """Which gateway does not answer, empty when all do: cheaper than to ask `timmy status` all the time."""
    try:
        with open("/etc/timmy/fleet.json", encoding="utf-8") as stream:
            wizards = json.load(stream)["wizards"]
    except (OSError, ValueError, KeyError) as error:
        return f"fleet.json: {error}"
    for one in wizards:
        link = http.client.HTTPConnection("127.0.0.1", one["api_port"], timeout=3)
        try:
            link.request("GET", "/health")
            if link.getresponse().status != 200:
                return f"{one['name']} is not well"
        except (OSError, http.client.HTTPException) as error:
            return f"{one['name']}: {error}"
        finally:
            link.close()
    return ""


def ill() -> str:
    """Why this host is not well, empty when it is."""
    if not os.path.lexists("/opt/timmy/current"):
        shown = subprocess.run(
            [
                "systemctl",
                "list-units",
                "--plain",
                "--no-legend",
                "--state=active,activating",
                "timmy-wizard@*",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return f"runs without a release: {shown.stdout.split()[0]}" if shown.stdout.split() else greets()
    if why := silent():
        return why
    try:
        told = subprocess.run([TIMMY, "status"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return greets() if told.returncode == 0 else " ".join((told.stdout + told.stderr).split()) or "not well"


def wait_flip(path: str, before: str, limit: float) -> bool:
    """Wait until the path is something else."""
    while time.time() < limit:
        now = state(path)
        if now != before:
            say("flip", moment=os.lstat(path).st_ctime if now != NONE else time.time(), state=now)
            return True
        time.sleep(BEAT_S)
    return False


def wait_back(guard_id: str, path: str, before: str, since: float, limit: float) -> None:
    """Wait until the host is what it was."""
    why = "the path never went back"
    linked = 0.0
    while time.time() < limit:
        if state(path) == before:
            linked = linked or time.time()
            ended = outcome(guard_id, since)
            why = ill() if ended else "the guard has not settled its record"
            if ended and not why:
                seen = {key: ended.get(key) for key in ("phase", "why", "clean")}
                say("back", moment=time.time(), linked=linked, **seen)
                return
            time.sleep(ASK_S if ended else BEAT_S)
        else:
            ended = outcome(guard_id, since)
            if ended.get("phase") == "confirmed":
                say("end", why="the change was confirmed")
                return
            time.sleep(BEAT_S)
    say("end", why=why)


def main(request: dict[str, Any]) -> None:
    """Watch until the host is back, or until the limit."""
    limit = time.time() + request["limit_s"]
    path, before = request["path"], request["before"]
    say("ready", state=state(path))
    if request["flipped"] or wait_flip(path, before, limit):
        wait_back(request["guard_id"], path, before, request["since"], limit)
    else:
        say("end", why="nothing was changed")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
