# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live release of this host: its id, its Hermes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Release:
    """What `current` points to. None is unknown; `problem` says why."""

    id: str | None
    hermes_version: str | None
    agents: tuple[str, ...]
    problem: str | None


def read(release_root: Path) -> Release:
    """Read the link and the manifest behind it."""
    link = release_root / "current"
    try:
        name = os.path.basename(os.readlink(link))
    except OSError as error:
        return Release(None, None, (), f"{link}: no live release ({error.strerror})")
    manifest = release_root / "releases" / name / "manifest.json"
    try:
        given = json.loads(manifest.read_text(encoding="utf-8"))
        version, agents = given["hermes_version"], given["agents"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Release(name, None, (), f"{manifest}: unreadable ({type(error).__name__})")
    # agents is a list of names, or a map from name to what the release holds for it
    return Release(name, str(version), tuple(map(str, agents)), None)
