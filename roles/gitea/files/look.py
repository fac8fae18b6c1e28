# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this host has of the forge: one line of JSON, and nothing is changed. The argument is JSON as well."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

OPT = Path("/opt/gitea")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or nothing when it is not there."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """Return machine, the release in force, and which files of the wanted one are there."""
    machine = platform.machine()
    wanted = asked["sha256"].get(machine) or asked["sha256"].get("any") or ""
    link = OPT / "current"
    release = Path(os.readlink(link)).name if link.is_symlink() else ""
    marker = OPT / "upgrade.json"
    # A release that never became healthy is taken back, so the one before it is what counts.
    proven = json.loads(marker.read_text(encoding="utf-8"))["from"] if marker.exists() else release
    place = OPT / f"{asked['version']}-{wanted[:12]}" / "gitea"
    argv = ["systemctl", "is-active", "--quiet", "gitea.service"]
    active = subprocess.run(argv, check=False).returncode == 0
    return {
        "machine": machine,
        "release": release,
        "version": proven.split("-", 1)[0],
        "sha256": wanted,
        "whole": bool(wanted) and digest(place) == wanted,
        "unfinished": marker.exists(),
        "active": active,
        "git": shutil.which("git") is not None,
        "engine": os.access(asked["engine"], os.X_OK),
        "pg_dump": shutil.which("pg_dump") is not None,
        "releases": sorted(path.name for path in OPT.glob("*-*") if path.is_dir()),
        "secrets": [name for name in asked["secrets"] if not Path("/etc/gitea/secrets", name).exists()],
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
