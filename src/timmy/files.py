# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading files that somebody else owns and may have turned into anything."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_foreign(path: Path, limit: int) -> bytes:
    """Return the bytes of a small regular file; raise OSError, or ValueError where it is anything else.

    The caller may be root and the path an agent's: a link is not followed, a pipe not waited for.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
            raise ValueError("not a small regular file")
        return os.read(handle, limit)
    finally:
        os.close(handle)
