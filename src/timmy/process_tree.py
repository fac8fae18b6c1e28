# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to one program that was started: its process group, or everything that came from it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from timmy.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Mapping

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# how often a sweep looks again, and the pause between two looks: two seconds in all
SWEEPS = 200
PAUSE_S = 0.01


def parents(*, zombies: bool = False) -> dict[int, int]:
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


def descendants(root: int, known: Mapping[int, int]) -> set[int]:
    """Return every process below `root`, itself not included."""
    children: dict[int, list[int]] = {}
    for pid, parent in known.items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    wave = [root]
    while wave:
        wave = [child for pid in wave for child in children.get(pid, ()) if child not in found]
        found.update(wave)
    return found


def send(pids: set[int], number: int) -> None:
    """Signal each of them that is still there and ours to signal."""
    for pid in pids:
        # gone already, or a set-uid program of somebody else's: nothing we could do about either
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def marked(mark: str) -> set[int]:
    """Return the live processes whose environment began with this mark, as far as we may look."""
    found = set()
    for pid in parents():
        with suppress(OSError):
            if mark.encode() in Path("/proc", str(pid), "environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def _prctl(option: int, value: int) -> None:
    import ctypes  # noqa: PLC0415 - costs 5 ms, and only contained runs need it

    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise LaunchError(f"cannot contain a process tree: {os.strerror(ctypes.get_errno())}")


def adopt_orphans() -> None:
    """Make orphans of our children ours, so that a daemon cannot leave the tree by a double fork."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _cgroup_of_ours() -> Path | None:
    """Return where the kernel shows the version 2 control group that we are in; None: nowhere."""
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    own = [line for line in lines if line.startswith("0::")]
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        left, _dash, right = line.partition(" - ")
        if own and right.startswith("cgroup2 "):
            root, mounted = left.split()[3:5]
            inside = own[0][3:].removeprefix(root.rstrip("/"))
            return Path(mounted + inside)
    return None


class Cgroup:
    """A control group for one run, where the kernel gives us one: no process can leave it or hide in it."""

    def __init__(self, name: str) -> None:
        """Name it; nothing is made yet."""
        self.path: Path | None = None
        self._inside = False
        with suppress(OSError):
            ours = _cgroup_of_ours()
            self.path = ours / name if ours else None

    def enter(self) -> None:
        """Make it and go in, so that what we start next is born in it. Not allowed: do without."""
        if self.path is None:
            return
        try:
            self.path.mkdir()
        except OSError:
            self.path = None
            return
        try:
            (self.path / "cgroup.kill").stat()
            self._move(self.path)
            self._inside = True
        except OSError:
            self._remove()

    def leave(self) -> None:
        """Go out again; what we started stays in."""
        if self.path is not None and self._inside:
            self._move(self.path.parent)
            self._inside = False

    @staticmethod
    def _move(to: Path) -> None:
        (to / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def pids(self) -> set[int]:
        """Return who is in it; 0 stands for one that our process namespace cannot see."""
        if self.path is None:
            return set()
        try:
            return {int(line) for line in (self.path / "cgroup.procs").read_text(encoding="ascii").split()}
        except OSError:
            return set()

    def kill(self) -> None:
        """Kill all in it at once, forks in flight included, and remove it."""
        if self.path is None:
            return
        self.leave()  # or we would be the first to go
        for _look in range(SWEEPS):
            with suppress(OSError):
                (self.path / "cgroup.kill").write_text("1", encoding="ascii")
            self._remove()
            if self.path is None:
                return
            time.sleep(PAUSE_S)

    def _remove(self) -> None:
        if self.path is None:
            return
        try:
            self.path.rmdir()
        except FileNotFoundError:
            self.path = None
        except OSError:
            return
        self.path = None


class Tree:
    """All that came from one program. For a keeper only: every process below it belongs to the run."""

    def __init__(self, cgroup: Cgroup) -> None:
        """Become the one to whom orphans go."""
        adopt_orphans()
        self.main = 0
        self._cgroup = cgroup

    def alive(self) -> set[int]:
        """Return the live ones, the main process included."""
        us = os.getpid()
        return (descendants(us, parents()) | self._cgroup.pids()) - {us, 0}

    def _reap(self) -> None:
        """Collect adopted children that ended; the main process is left to its Popen."""
        us = os.getpid()
        for pid, parent in parents(zombies=True).items():
            if parent == us and pid != self.main:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def sweep(self) -> int:
        """Kill what the main process left until nothing is; return how many there were."""
        swept: set[int] = set()
        for _look in range(SWEEPS):
            left = self.alive() - {self.main}
            if not left:
                break
            swept |= left
            send(left, signal.SIGKILL)
            time.sleep(PAUSE_S)
            self._reap()
        self._reap()
        self._cgroup.kill()
        return len(swept)

    def abandon(self) -> None:
        """Kill all of it, the main process included, which may not even be known yet."""
        self.main = 0
        self.sweep()


class Group:
    """Without containment: the process group of the program."""

    def __init__(self) -> None:
        """Know nobody yet."""
        self.main = 0

    def alive(self) -> set[int]:
        """Return the live ones, the main process included."""
        return {pid for pid in parents() if _group_of(pid) == self.main}

    def sweep(self) -> int:
        """Kill what the main process left; return how many there were."""
        left = self.alive() - {self.main}
        send(left, signal.SIGKILL)
        return len(left)

    def abandon(self) -> None:
        """Kill all of it; without a main process there is no group to tell it by."""
        if self.main:
            send(self.alive(), signal.SIGKILL)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return -1
