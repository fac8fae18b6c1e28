# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper of a contained run: a process of its own between us and the program.

Orphans of the program become the keeper's children, so runs in one process never mix up theirs. Its stdin
stays open as long as somebody waits for the result; when that end closes, by a kill too, the keeper stops
the program and all that came from it.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from timmy.errors import LaunchError
from timmy.process_command import Command, Completed, Identity, environment
from timmy.process_run import supervise
from timmy.process_tree import Cgroup, Tree, marked, send

MARK = "TIMMY_RUN"
# what a keeper may take beyond the limits that it was given, before it counts as hung
GRACE_S = 10.0
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from timmy import keeper; sys.exit(keeper.main())"


def keep(command: Command) -> Completed:
    """Run it under a keeper; raise LaunchError where it could not be started."""
    mark = f"timmy-run-{secrets.token_hex(8)}"
    argv = [sys.executable, "-IBS", "-c", _BOOT, str(Path(__file__).resolve().parents[1])]
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment({}),
        cwd="/",
        # the terminal's signals are for us; we tell the keeper
        start_new_session=True,
    ) as keeper:
        whole = False
        try:
            answer = _ask(keeper, _packed(command, mark))
            whole = bool(answer)
        finally:
            _end(keeper, sum(command.stop_after) + GRACE_S)
            if not whole:
                _kill_marked(mark)
    return _read(answer, command, keeper.returncode)


def _ask(keeper: subprocess.Popen[bytes], request: bytes) -> bytes:
    if keeper.stdin is None or keeper.stdout is None:
        raise LaunchError("cannot start a keeper: no pipes")
    with suppress(BrokenPipeError):
        keeper.stdin.write(request)
        keeper.stdin.flush()
    return keeper.stdout.read()


def _end(keeper: subprocess.Popen[bytes], limit_s: float) -> None:
    """Close the pipe that keeps the run alive and wait until the keeper has cleaned up."""
    for pipe in (keeper.stdin, keeper.stdout):
        # without a reader the keeper must not wait for one
        with suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()
    try:
        keeper.wait(limit_s)
    except subprocess.TimeoutExpired:
        keeper.kill()


def _kill_marked(mark: str) -> None:
    """The keeper itself was killed: what it left is known by its control group and its environment."""
    Cgroup(mark).kill()
    for _look in range(20):
        left = marked(f"{MARK}={mark}")
        if not left:
            return
        send(left, signal.SIGKILL)
        time.sleep(0.05)


def _packed(command: Command, mark: str) -> bytes:
    given = asdict(command)
    given["cwd"] = None if command.cwd is None else str(command.cwd)
    given["env"] = {**command.env, MARK: mark}
    return json.dumps({"command": given, "mark": mark}).encode() + b"\n"


def _unpacked(given: dict[str, Any]) -> Command:
    who = given["identity"]
    return Command(
        argv=tuple(given["argv"]),
        timeout_s=given["timeout_s"],
        env=given["env"],
        cwd=None if given["cwd"] is None else Path(given["cwd"]),
        identity=Identity(who["uid"], who["gid"], tuple(who["groups"])) if who else None,
        max_output=given["max_output"],
        contain=True,
        stop_after=tuple(given["stop_after"]),
    )


def _read(answer: bytes, command: Command, code: int | None) -> Completed:
    try:
        told = json.loads(answer)
    except ValueError:
        raise LaunchError(f"{command.argv[0]}: its keeper ended with {code} and no answer") from None
    if "error" in told:
        raise LaunchError(told["error"])
    return Completed(**told)


def _request(pipe: IO[bytes]) -> dict[str, Any]:
    """Read the one line, unbuffered: what follows it is the end of the pipe, and poll must see that."""
    line = bytearray()
    while not line.endswith(b"\n"):
        more = os.read(pipe.fileno(), 65536)
        if not more:
            raise EOFError
        line += more
    given: dict[str, Any] = json.loads(line)
    return given


def main() -> int:
    """Be the keeper: one request on stdin, one answer on stdout."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # a group or a scope may be signalled as a whole; we end when the program has ended
        signal.signal(number, lambda *_given: None)
    try:
        given = _request(sys.stdin.buffer)
    except EOFError:
        return 1
    cgroup = Cgroup(given["mark"])
    try:
        tree = Tree(cgroup)
        cgroup.enter()
        done = supervise(_unpacked(given["command"]), tree, time.monotonic, cgroup.leave, sys.stdin.fileno())
        answer = asdict(done)
    except LaunchError as error:
        answer = {"error": error.message}
    finally:
        cgroup.leave()
        cgroup.kill()
    left = memoryview(json.dumps(answer).encode())
    with suppress(BrokenPipeError):
        # not sys.stdout, which would try once more at the end and complain
        while left:
            left = left[os.write(1, left) :]
    return 0
