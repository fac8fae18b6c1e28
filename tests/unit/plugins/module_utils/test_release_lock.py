# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may deploy to a host: the table of leases, and real processes on a real lock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import guard, release_lock

HERE = "this-boot"


def lease(**more: Any) -> dict[str, Any]:
    return {"owner": "one", "boot_id": HERE, "expires": 100.0, "phase": release_lock.EXPECTED, **more}


@pytest.mark.parametrize(
    ("found", "owner", "now", "guarded", "word", "part"),
    [
        ({}, "two", 0, "confirmed", "free", ""),
        ({}, "two", 0, "armed", "held", "an earlier run: its release is not confirmed yet"),
        (lease(), "two", 50, "confirmed", "held", "one: expected back within 50 s"),
        (lease(), "one", 50, "confirmed", "ours", ""),
        (lease(), "one", 50, "armed", "held", "not confirmed yet"),
        (lease(), "two", 130, "confirmed", "broken", "was expected back 30 s ago"),
        (lease(at=10.0), "two", 130, "confirmed", "broken", "one, last here 120 s ago: was expected"),
        (lease(boot_id="other"), "two", 50, "undone", "broken", "restarted"),
        (lease(boot_id="other"), "one", 50, "undone", "broken", "restarted"),
        (lease(phase=release_lock.WORKING), "two", 50, "unknown", "broken", "process on this host is gone"),
        (lease(phase=release_lock.CONFIRMING), "two", 50, "undone", "free", ""),
        (lease(phase=release_lock.CONFIRMING), "two", 50, "undoing", "held", "not confirmed yet"),
        (lease(owner=""), "", 50, "unknown", "held", "an earlier run"),
    ],
)
def test_the_table_of_leases(  # noqa: PLR0917
    found: dict[str, Any], owner: str, now: float, guarded: str, word: str, part: str
) -> None:
    said, line = release_lock.verdict(found, owner, now, HERE, guarded)
    assert said == word
    assert part in line


def test_a_visit_leaves_nothing_unless_it_is_expected_back(tmp_path: Path) -> None:
    root = str(tmp_path)
    with release_lock.locked(root, "one") as lock:
        assert release_lock.read_lease(root)["phase"] == release_lock.WORKING
        with pytest.raises(release_lock.HeldError, match="one: at work"), release_lock.locked(root, "two"):
            pass
    assert release_lock.read_lease(root) == {}
    with release_lock.locked(root, "one") as lock:
        lock.expect(release_lock.EXPECTED)
    with pytest.raises(release_lock.HeldError, match="one: expected back"), release_lock.locked(root, "two"):
        pass
    with release_lock.locked(root, "one"):
        pass
    with release_lock.locked(root, "two") as lock:
        assert not lock.broken


_HOLDER = """
import sys, time
sys.path[:0] = {path!r}
from ansible_collections.timmy.config.plugins.module_utils import release_lock
with release_lock.locked(sys.argv[1], "dead"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_deploy_is_noticed_and_said(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _HOLDER.format(path=sys.path), str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(release_lock.HeldError, match="dead: at work"), release_lock.locked(str(tmp_path)):
            pass
        # A hanging deploy delays an undo, and no more.
        with release_lock.locked_for_undo(str(tmp_path), 0.1):
            pass
        os.kill(child.pid, signal.SIGKILL)
    with release_lock.locked(str(tmp_path), "next") as lock:
        assert lock.broken == "dead, last here 0 s ago: its process on this host is gone"


def test_a_lease_of_another_boot_is_broken(tmp_path: Path) -> None:
    old = lease(boot_id="before", expires=guard.boot_time() + 1000)
    (tmp_path / release_lock.LEASE).write_text(json.dumps(old))
    with release_lock.locked(str(tmp_path), "next") as lock:
        assert "restarted" in lock.broken


def test_a_torn_lease_is_none(tmp_path: Path) -> None:
    (tmp_path / release_lock.LEASE).write_text('{"owner": ')
    with release_lock.locked(str(tmp_path), "next") as lock:
        assert not lock.broken
