# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One deploy at a time on a host, also across the several visits that one deploy makes.

A visit holds `.lock` by flock, which ends with its process. Between two visits nothing of the controller
runs on the host, so `lock.json` says who is expected back: its owner, this boot, and until when. One that
nobody comes back for is broken by the next, with the reason.
"""

from __future__ import annotations

import fcntl
import json
import os
import syslog
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from . import guard
from .release_format import ReleaseError

LOCK = ".lock"
LEASE = "lock.json"
LEASE_S = 120.0
# Who waits for turns to end comes back at once; an archive may take its time.
DRAIN_LEASE_S = 30.0

# What a lease waits for.
WORKING = "working"
EXPECTED = "expected"
CONFIRMING = "confirming"

PENDING = frozenset({guard.ARMED, guard.UNDOING})


class HeldError(ReleaseError):
    """Somebody else's deploy is under way on this host; the text says whose."""


def verdict(
    lease: Mapping[str, Any], owner: str, now: float, this_boot: str, guarded: str
) -> tuple[str, str]:
    """Whether a lease that was found, with the flock free, is free, ours, held or broken; and why."""
    if guarded in PENDING:
        # The flip before is neither confirmed nor undone; both end by themselves within the window.
        return "held", f"{_holder(lease)}: its release is not confirmed yet"
    if not lease or lease.get("phase") == CONFIRMING:
        return "free", ""
    why = _why_broken(lease, now, this_boot)
    if not why and owner and lease.get("owner") == owner:
        return "ours", ""
    if why:
        return "broken", f"{_holder(lease)}{_age(lease, now, this_boot)}: {why}"
    return "held", f"{_holder(lease)}: expected back within {float(lease['expires']) - now:.0f} s"


def _holder(lease: Mapping[str, Any]) -> str:
    return str(lease.get("owner") or "an earlier run")


def _age(lease: Mapping[str, Any], now: float, this_boot: str) -> str:
    if lease.get("boot_id") != this_boot or "at" not in lease:
        return ""
    return f", last here {now - float(lease['at']):.0f} s ago"


def _why_broken(lease: Mapping[str, Any], now: float, this_boot: str) -> str:
    """Why nobody will come back for a lease, "" where somebody still may."""
    if lease.get("boot_id") != this_boot:
        return "this host restarted since"
    if lease.get("phase") == WORKING:
        return "its process on this host is gone"
    late = now - float(lease.get("expires") or 0)
    return f"was expected back {late:.0f} s ago" if late >= 0 else ""


class Lock:
    """What a visit may say about the next one."""

    def __init__(self, root: str, owner: str, broken: str) -> None:
        self.root = root
        self.owner = owner
        self.broken = broken
        self.phase = ""
        self.lease_s = LEASE_S

    def expect(self, phase: str, lease_s: float = LEASE_S) -> None:
        """Keep the host for this owner after the visit."""
        self.phase, self.lease_s = phase, lease_s

    def write(self, phase: str) -> None:
        """Replace the lease; a host that restarts needs none, so nothing waits for the disk."""
        now = guard.boot_time()
        lease = {
            "schema": 1,
            "owner": self.owner,
            "boot_id": guard.boot_id(),
            "at": now,
            "expires": now + self.lease_s,
            "phase": phase,
        }
        temporary = os.path.join(self.root, f".{LEASE}.tmp")
        with open(temporary, "w", encoding="utf-8") as out:
            out.write(json.dumps(lease, sort_keys=True) + "\n")
        os.rename(temporary, os.path.join(self.root, LEASE))


def read_lease(root: str) -> dict[str, Any]:
    """The lease on this host, {} where there is none that can be read."""
    try:
        with open(os.path.join(root, LEASE), "rb") as handle:
            lease = json.loads(handle.read(10_000))
    except (OSError, ValueError):
        return {}
    return lease if isinstance(lease, dict) else {}


def _take(root: str, patience_s: float) -> tuple[int, bool]:
    """The open lock file, and whether its flock is ours."""
    os.makedirs(root, mode=0o755, exist_ok=True)
    handle = os.open(os.path.join(root, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    limit = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= limit:
                return handle, False
            time.sleep(0.05)
        else:
            return handle, True


@contextmanager
def locked(root: str, owner: str = "", guarded: str = "") -> Iterator[Lock]:
    """Hold this host for one visit; raises HeldError at once where somebody else has it.

    `guarded` is what the guard says about the last flip.
    """
    handle, mine = _take(root, 0)
    try:
        lease = read_lease(root)
        if not mine:
            raise HeldError(f"{lease.get('owner') or 'another run'}: at work on this host")
        word, line = verdict(lease, owner, guard.boot_time(), guard.boot_id(), guarded)
        if word == "held":
            raise HeldError(line)
        if word == "broken":
            syslog.syslog(syslog.LOG_WARNING, f"timmy: broke the deploy lock of {line}")
        lock = Lock(root, owner, line if word == "broken" else "")
        lock.write(WORKING)
        try:
            yield lock
        finally:
            if lock.phase:
                lock.write(lock.phase)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(root, LEASE))
    finally:
        os.close(handle)


@contextmanager
def locked_for_undo(root: str, patience_s: float) -> Iterator[None]:
    """Hold this host for an undo: a deploy that hangs only delays it, and is refused its next step."""
    handle, mine = _take(root, patience_s)
    try:
        if not mine:
            guard.log(f"a deploy held {root} for {patience_s:g} s, going ahead", 4)
        yield
    finally:
        os.close(handle)
