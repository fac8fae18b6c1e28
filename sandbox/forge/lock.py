# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One forge per state directory.

The lock is held by an open file that every git child inherits. So a forge that starts after a kill waits for
what the killed one had still running, and may then clear away the lock files that nobody holds any more.
"""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def take(state: Path, patience: float = 15.0) -> int:
    """Return the descriptor that holds the lock. :raises SystemExit: when another forge has it."""
    handle = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise SystemExit(
                    f"forge: another forge runs on {state}; stop it or give another --state"
                ) from None
            time.sleep(0.1)
        else:
            return handle


def sweep(state: Path) -> int:
    """Remove lock files that a killed git left behind; return how many. Only under the lock."""
    gone = 0
    for path in (state / "repositories").glob("*.git"):
        for stale in [*path.glob("*.lock"), *(path / "refs").rglob("*.lock")]:
            stale.unlink(missing_ok=True)
            gone += 1
    return gone
