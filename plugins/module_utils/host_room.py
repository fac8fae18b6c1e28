# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on a host: a deploy that could not end well for want of it is refused before it changes anything."""

from __future__ import annotations

import errno
import os

from .release_format import ReleaseError

MIB = 1024 * 1024
# For records, settings and what a way back writes.
SPARE_BYTES = MIB
SPARE_FILES = 32

_FIX = {
    errno.ENOSPC: "free some space there and deploy again",
    errno.EDQUOT: "free some space there and deploy again",
    errno.EROFS: "mount it read-write and deploy again",
}


def check(place: str, size: int = 0, files: int = 0) -> None:
    """Refuse a place that is read-only, or that has no room for so many bytes and files more."""
    where = _standing(place)
    room = os.statvfs(where)
    if room.f_flag & os.ST_RDONLY:
        raise ReleaseError(f"{where}: is read-only; {_FIX[errno.EROFS]}")
    free = (room.f_bfree if os.geteuid() == 0 else room.f_bavail) * room.f_frsize
    need = size + SPARE_BYTES
    if free < need:
        raise ReleaseError(
            f"{where}: {free / MIB:.1f} MiB are free, {need / MIB:.1f} are needed; {_FIX[errno.ENOSPC]}"
        )
    # Some file systems make files as they need them, and say 0.
    if room.f_files and room.f_ffree < files + SPARE_FILES:
        raise ReleaseError(
            f"{where}: there is room for {room.f_ffree} more files, {files + SPARE_FILES} are needed; "
            "remove some there and deploy again"
        )


def _standing(place: str) -> str:
    """The place, or the nearest directory above it that is there."""
    while not os.path.isdir(place):
        place = os.path.dirname(place) or "/"
    return place


def told(error: OSError, place: str) -> str:
    """One line about an error of the operating system, with its fix where there is one."""
    fix = _FIX.get(error.errno or 0)
    return f"{error.filename or place}: {error.strerror}{f'; {fix}' if fix else ''}"
