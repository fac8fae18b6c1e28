# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that keeps a token on the machine: what it holds, and how it is replaced and removed.

Only a token is ever replaced: a path that was mistaken for another costs nobody a file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from . import guard, guarded_files
from .gitea_ensure import KeepError

MODE = 0o600
_TOKEN = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class TokenFile:
    """A token's file as it is. `value` is "" where there is none, or nothing in it."""

    path: str
    value: str = field(default="", repr=False)
    there: bool = False
    mode: int = 0

    @property
    def private(self) -> bool:
        """Return whether only its owner may read it."""
        return self.mode == MODE


def read(path: str) -> TokenFile:
    """Return the file. KeepError where a token must not be put."""
    if not os.path.isabs(path):
        raise KeepError(f"path: {path} does not begin at /; write it whole")
    if not os.path.isdir(os.path.dirname(path)):
        raise KeepError(f"path: there is no folder {os.path.dirname(path)}; make it first")
    try:
        found = guarded_files.look(path)
    except guard.GuardError as error:
        raise KeepError(f"path: {error}") from None
    if found.link:
        raise KeepError(f"path: {path} is a link; name the file that it leads to")
    if found.content is None:
        return TokenFile(path)
    value = found.content.decode("ascii", "replace").strip()
    if value and not _TOKEN.fullmatch(value):
        raise KeepError(f"path: {path} holds something else than a token; name another file")
    return TokenFile(path, value, there=True, mode=found.mode)


def write(path: str, value: str) -> None:
    """Put a token into the file by one rename, for its owner alone."""
    guard.write_file(path, value.encode("ascii") + b"\n", MODE)


def remove(path: str) -> None:
    """Remove the file."""
    guard.remove_file(path)
