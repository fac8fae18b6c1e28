# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on a host, judged by what the file system says of itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import host_room, release_format

ROOMY = {
    "f_flag": 0,
    "f_bfree": 10_000,
    "f_bavail": 10_000,
    "f_frsize": 4096,
    "f_files": 1000,
    "f_ffree": 900,
}


@pytest.mark.parametrize(
    ("room", "need", "line"),
    [
        ({}, (0, 0), ""),
        ({}, (30 * host_room.MIB, 0), ""),
        (
            {},
            (39 * host_room.MIB, 0),
            "39.1 MiB are free, 40.0 are needed; free some space there and deploy again",
        ),
        ({"f_bfree": 10, "f_bavail": 10}, (0, 0), "0.0 MiB are free, 1.0 are needed; free some space"),
        ({"f_flag": os.ST_RDONLY}, (0, 0), "is read-only; mount it read-write and deploy again"),
        ({"f_ffree": 5}, (0, 10), "there is room for 5 more files, 42 are needed; remove some there"),
        ({"f_files": 0, "f_ffree": 0}, (0, 10), ""),
    ],
)
def test_a_place_is_refused_with_its_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: dict[str, int], need: Any, line: str
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _place: SimpleNamespace(**{**ROOMY, **room}))
    place = str(tmp_path / "not" / "there" / "yet")
    if not line:
        host_room.check(place, *need)
        return
    with pytest.raises(release_format.ReleaseError) as caught:
        host_room.check(place, *need)
    assert str(caught.value).startswith(f"{tmp_path}: {line}")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left", "/x/y"),
            "/x/y: No space left; free some space there and deploy again",
        ),
        (OSError(errno.EROFS, "Read-only"), "/opt: Read-only; mount it read-write and deploy again"),
        (OSError(errno.EIO, "Input/output error"), "/opt: Input/output error"),
    ],
)
def test_an_error_of_the_system_is_one_line(error: OSError, line: str) -> None:
    assert host_room.told(error, "/opt") == line
