# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make build/hermes, the real Hermes on this machine, from the role's own lock file; print its program.

For tests and figures. HERMES_BIN names another one, which is then used as it is. A second call is instant.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "hermes"
VERSION = "0.19.0"


def lock_file() -> Path:
    """Return the lock of this interpreter and machine."""
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}-{platform.machine()}"
    return ROOT / "roles/hermes_agent/files/locks" / f"hermes-agent-{VERSION}-{tag}.txt"


def make(lock: Path) -> Path:
    """Return the program, made anew where the lock is another one than the last time."""
    stamp = TARGET / ".complete"
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with (TARGET.parent / ".hermes.lock").open("w", encoding="utf-8") as file:
        # One process at a time: tests run side by side.
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
            shutil.rmtree(TARGET, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(TARGET)], check=True, timeout=120)
            pip = [str(TARGET / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
            wanted = ["--require-hashes", "--requirement", str(lock)]
            subprocess.run([*pip, *wanted], check=True, timeout=600)
            stamp.write_bytes(lock.read_bytes())
    return TARGET / "bin" / "hermes"


def main() -> int:
    """Print the path, or say in one line why there is none."""
    given = os.environ.get("HERMES_BIN", "")
    lock = lock_file()
    if given and not os.access(given, os.X_OK):
        print(f"HERMES_BIN={given} is not a program", file=sys.stderr)
        return 1
    if not given and not lock.exists():
        print(f"no lock for this interpreter: {lock.name}; set HERMES_BIN", file=sys.stderr)
        return 1
    print(given or make(lock))
    return 0


if __name__ == "__main__":
    sys.exit(main())
