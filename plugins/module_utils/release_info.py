# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of a host, and what somebody changed though it is ours. Reads only."""

from __future__ import annotations

import os
from typing import Any

from . import release, release_drift
from .release_state import Settings, read_json


def info(settings: Settings) -> dict[str, Any]:
    """The releases of this host and what differs from them. Reads only."""
    root = settings.root
    current = release.current_name(root)
    listed = []
    for name, manifest in release.releases(root):
        listed.append(
            {
                "release": name,
                "hash": manifest["hash"],
                "current": name == current,
                "hermes_version": manifest.get("hermes_version", ""),
                "agents": manifest.get("agents", []),
                "files": len(manifest["files"]),
            }
        )
    found = [one.public() for one in release_drift.find(settings)]
    previous = str((read_json(os.path.join(root, "previous.json")) or {}).get("release", ""))
    return {"current": current, "previous": previous, "releases": listed, "drift": found}
