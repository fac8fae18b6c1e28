# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place that starts programs: argv only, a deadline always, bounded output, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from timmy.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_OUTPUT = 1024 * 1024
PR_SET_CHILD_SUBREAPER = 36
PR_GET_CHILD_SUBREAPER = 37
# what a program gets of our own environment; all else must be given
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TERM")
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_containing = threading.Lock()


@dataclass(frozen=True)
class Identity:
    """Whom a program runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Command:
    """What to run. `stop_after` are the pauses after SIGINT and after SIGTERM, before the next signal."""

    argv: tuple[str, ...]
    timeout_s: float
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    identity: Identity | None = None
    max_output: int = MAX_OUTPUT
    contain: bool = False
    stop_after: tuple[float, float] = (5.0, 5.0)


@dataclass(frozen=True)
class Completed:
    """How it ended. Output keeps its end, as that is where the reason stands; `dropped` bytes are gone."""

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool
    duration_s: float
    dropped: int
    swept: int


class _Tail:
    """Read a pipe to its end and keep the last `limit` bytes."""

    def __init__(self, pipe: IO[bytes], limit: int) -> None:
        self._pipe, self._limit = pipe, limit
        self._kept = bytearray()
        self.dropped = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        # ValueError: closed under us, because something outside our reach still holds the other end
        with suppress(OSError, ValueError):
            while chunk := os.read(self._pipe.fileno(), 65536):
                self._kept += chunk
                extra = len(self._kept) - self._limit
                if extra > 0:
                    del self._kept[:extra]
                    self.dropped += extra

    def text(self) -> str:
        """Return what was read, once the pipe is closed; whoever still holds it gets a second."""
        self._thread.join(1.0)
        return bytes(self._kept).decode("utf-8", "replace")


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program: the allow-list from ours, then what is given."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"PATH": STANDARD_PATH, **passed, **given}


def mask(text: str, secrets: Sequence[str]) -> str:
    """Return the text with each secret replaced, the longest first; short ones would mask common words."""
    for secret in sorted({one for one in secrets if len(one) >= 8}, key=len, reverse=True):
        text = text.replace(secret, "[masked]")
    return text


def _parents(*, zombies: bool = False) -> dict[int, int]:
    """Return pid -> parent pid of every process; of ended ones that nobody reaped yet on request."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended while we looked
            continue
        # the name in parentheses may hold anything, so the fields start after the last ")"
        state, parent = stat.rpartition(")")[2].split()[:2]
        if state != "Z" or zombies:
            found[int(entry)] = int(parent)
    return found


def descendants(root: int, parents: Mapping[int, int]) -> set[int]:
    """Return every process below `root`, itself not included."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    wave = [root]
    while wave:
        wave = [child for pid in wave for child in children.get(pid, ()) if child not in found]
        found.update(wave)
    return found


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        # gone already, or a set-uid program of somebody else's: nothing we could do about either
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


@contextmanager
def _subreaper() -> Iterator[None]:
    """Make orphans of our children ours, so that a daemon cannot leave the tree by a double fork."""
    import ctypes  # noqa: PLC0415 - costs 5 ms, and only contained runs need it

    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.c_int(0)
    libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise LaunchError(f"cannot contain a process tree: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)


class _Tree:
    """The processes that came from one command: all below us that were not there before it."""

    def __init__(self) -> None:
        self._before = descendants(os.getpid(), _parents(zombies=True))
        self.main = 0

    def alive(self) -> set[int]:
        """Return the live ones, the main process included."""
        parents = _parents()
        others = {pid for old in self._before for pid in descendants(old, parents)} | self._before
        return descendants(os.getpid(), parents) - others

    def _reap(self) -> None:
        """Collect adopted children that ended; the main process is left to its Popen."""
        us = os.getpid()
        for pid, parent in _parents(zombies=True).items():
            if parent == us and pid != self.main and pid not in self._before:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def sweep(self) -> int:
        """Kill what the main process left until nothing is; return how many there were."""
        swept: set[int] = set()
        for _attempt in range(200):
            left = self.alive() - {self.main}
            if not left:
                break
            swept |= left
            _signal(left, signal.SIGKILL)
            time.sleep(0.01)
            self._reap()
        self._reap()
        return len(swept)

    def abandon(self) -> None:
        """Kill all of it, the main process included, which may not even be known yet."""
        self.main = 0
        self.sweep()


class _Group:
    """Without containment: the process group of the program."""

    def __init__(self) -> None:
        self.main = 0

    def alive(self) -> set[int]:
        """Return the live ones, the main process included."""
        return {pid for pid in _parents() if _group_of(pid) == self.main}

    def sweep(self) -> int:
        """Kill what the main process left; return how many there were."""
        left = self.alive() - {self.main}
        _signal(left, signal.SIGKILL)
        return len(left)

    def abandon(self) -> None:
        """Kill all of it; without a main process there is no group to tell it by."""
        if self.main:
            _signal(self.alive(), signal.SIGKILL)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop(process: subprocess.Popen[bytes], tree: _Tree | _Group, pauses: tuple[float, float]) -> None:
    """Ask, insist, kill. Hermes writes its usage file at SIGINT, so that comes first."""
    for number, pause in ((signal.SIGINT, pauses[0]), (signal.SIGTERM, pauses[1])):
        _signal(tree.alive() | {process.pid}, number)
        if _wait(process, pause):
            return
    _signal(tree.alive() | {process.pid}, signal.SIGKILL)
    process.wait()


def _supervise(command: Command, monotonic: Callable[[], float]) -> Completed:
    tree: _Tree | _Group = _Tree() if command.contain else _Group()
    try:
        return _run_in(tree, command, monotonic)
    except BaseException:
        # A signal may end us between the start of the program and the first wait for it.
        tree.abandon()
        raise


def _run_in(tree: _Tree | _Group, command: Command, monotonic: Callable[[], float]) -> Completed:
    who = command.identity
    started = monotonic()
    try:
        process = subprocess.Popen(
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
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a null byte in an argument"
        raise LaunchError(f"cannot start {command.argv[0]}: {reason}") from None
    if process.stdout is None or process.stderr is None:
        raise LaunchError(f"cannot start {command.argv[0]}: no pipes")
    tree.main = process.pid
    timed_out, swept = False, 0
    with process.stdout, process.stderr:
        out, err = _Tail(process.stdout, command.max_output), _Tail(process.stderr, command.max_output)
        try:
            timed_out = not _wait(process, command.timeout_s)
            if timed_out:
                _stop(process, tree, command.stop_after)
        except BaseException:
            # we were told to end: what we started must not outlive us
            _stop(process, tree, command.stop_after)
            raise
        finally:
            swept = tree.sweep()
        texts = out.text(), err.text()
    spent = monotonic() - started
    return Completed(process.returncode, *texts, timed_out, spent, out.dropped + err.dropped, swept)


def run(command: Command, monotonic: Callable[[], float]) -> Completed:
    """Run to the end or to the deadline; raise LaunchError where it could not be started.

    With `contain`, every process that came from the command is gone when this returns, however it was
    started. One such run at a time in a process: two could not tell their orphans apart.
    """
    if not command.argv or command.timeout_s <= 0:
        raise ValueError("a command needs a program and a timeout above zero")
    if not command.contain:
        return _supervise(command, monotonic)
    if not _containing.acquire(blocking=False):
        raise LaunchError("a contained run is already under way in this process")
    try:
        with _subreaper():
            return _supervise(command, monotonic)
    finally:
        _containing.release()
