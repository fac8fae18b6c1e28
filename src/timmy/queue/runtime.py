# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment with Huey and Redis: beside the releases, root-owned, made of locked wheels."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import timmy
from timmy import settings
from timmy.errors import NotConfigured

# The same start as bin/timmy, by another interpreter: nothing of the caller's environment is imported.
_START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from timmy.cli import main
sys.exit(main(sys.argv[1:]))
"""


def again(package: str) -> NoReturn:
    """Run this command line once more by the interpreter that has the package; raise where there is none."""
    root = settings.load().release_root / "runtime"
    python = root / "bin" / "python"
    if Path(sys.prefix) == root or not os.access(python, os.X_OK):
        raise NotConfigured(
            f"{package} is missing: {root} does not bring it", "run site.yml again with the role queue"
        )
    library = str(Path(timmy.__file__).resolve().parents[1])
    os.execv(python, [str(python), "-IB", "-c", _START, library, *sys.argv[1:]])  # noqa: S606 - argv, no shell
