# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start one program and stay with it: its deadline, its output, its end, and the end of what it started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from contextlib import suppress
from enum import Enum
from typing import IO, TYPE_CHECKING

from timmy.errors import LaunchError
from timmy.process_command import Command, Completed, environment
from timmy.process_tree import Group, Tree, die_with_parent, send

if TYPE_CHECKING:
    from collections.abc import Callable

# what is kept of the beginning of stderr, where it is longer than its limit
HEAD = 4000
# the kernel counts a wait in milliseconds, in 31 bits
MAX_WAIT_S = 2_000_000.0


class _Why(Enum):
    ENDED = 0
    LATE = 1
    TOLD = 2


class _Kept:
    """Read a pipe to its end and keep its first `HEAD` and its last `limit` bytes."""

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        self._pipe, self._limit = pipe, limit
        self._head, self._kept = b"", bytearray()
        self.dropped = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        # ValueError: closed under us, because something outside our reach still holds the other end
        with suppress(OSError, ValueError):
            while chunk := os.read(self._pipe.fileno(), 65536):
                self._head += chunk[: HEAD - len(self._head)]
                self._kept += chunk
                extra = len(self._kept) - self._limit
                if extra > 0:
                    del self._kept[:extra]
                    self.dropped += extra

    def close(self) -> None:
        """Wait until the pipe is closed; whoever still holds it gets a second."""
        self._thread.join(1.0)

    def text(self) -> str:
        """Return the end of what was read."""
        return bytes(self._kept).decode("utf-8", "replace")

    def head(self) -> str:
        """Return the beginning of what was read."""
        return self._head.decode("utf-8", "replace")


def _wait(process: subprocess.Popen[bytes], seconds: float, told: int | None) -> _Why:
    """Wait for the end, the deadline, or until the other end of `told` is closed."""
    handle = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if told is not None:
            poll.register(told, select.POLLIN)
        ready = {number for number, _event in poll.poll(min(max(0.0, seconds), MAX_WAIT_S) * 1000)}
    finally:
        os.close(handle)
    if not ready:
        return _Why.LATE
    if ready == {told}:
        return _Why.TOLD
    process.wait()
    return _Why.ENDED


def _stop(process: subprocess.Popen[bytes], tree: Tree | Group, pauses: tuple[float, float]) -> None:
    """Ask, insist, kill. Hermes writes its usage file at SIGINT, so that comes first."""
    for number, pause in ((signal.SIGINT, pauses[0]), (signal.SIGTERM, pauses[1])):
        send(tree.alive() | {process.pid}, number)
        if _wait(process, pause, None) is _Why.ENDED:
            return
    send(tree.alive() | {process.pid}, signal.SIGKILL)
    process.wait()


def _start(command: Command, *, bound: bool) -> subprocess.Popen[bytes]:
    who = command.identity
    try:
        return subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(command.env),
            cwd=command.cwd,
            # a session of its own: no terminal of ours to type into, and one group to signal
            start_new_session=True,
            umask=0o077,
            user=who.uid if who else None,
            group=who.gid if who else None,
            extra_groups=who.groups if who else None,
            # a keeper has no second thread yet, so nothing can hang between fork and exec
            preexec_fn=die_with_parent if bound else None,  # noqa: PLW1509
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a null byte in an argument"
        raise LaunchError(f"cannot start {command.argv[0]}: {reason}") from None


def supervise(
    command: Command,
    tree: Tree | Group,
    monotonic: Callable[[], float],
    started: Callable[[], None] = lambda: None,
    told: int | None = None,
) -> Completed:
    """Run it to its end, to its deadline, or until somebody closes the other end of `told`.

    `started` is called once the program runs. Raises LaunchError where it could not be started.
    """
    try:
        began = monotonic()
        process = _start(command, bound=isinstance(tree, Tree))
        tree.main = process.pid
        started()
        return _follow(process, command, tree, lambda: monotonic() - began, told)
    except BaseException:
        # A signal may end us between the start of the program and the first wait for it.
        tree.abandon()
        raise


def _follow(
    process: subprocess.Popen[bytes],
    command: Command,
    tree: Tree | Group,
    spent: Callable[[], float],
    told: int | None,
) -> Completed:
    if process.stdout is None or process.stderr is None:
        raise LaunchError(f"cannot start {command.argv[0]}: no pipes")
    with process.stdout, process.stderr:
        out, err = _Kept(process.stdout, command.max_output), _Kept(process.stderr, command.max_output)
        try:
            why = _wait(process, command.timeout_s, told)
            if why is not _Why.ENDED:
                _stop(process, tree, command.stop_after)
        except BaseException:
            # we were told to end: what we started must not outlive us
            _stop(process, tree, command.stop_after)
            raise
        finally:
            swept = tree.sweep()
        out.close()
        err.close()
    return Completed(
        exit_code=process.returncode,
        stdout=out.text(),
        stderr=err.text(),
        stderr_head=err.head(),
        timed_out=why is _Why.LATE,
        duration_s=spent(),
        dropped=out.dropped + err.dropped,
        swept=swept,
    )
