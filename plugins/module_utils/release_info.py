# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of a host, and what somebody changed though it is ours. Reads only."""

from __future__ import annotations

import os
from typing import Any

from . import hermes_home, release
from .release_state import Records, Settings, read_json


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
    directory = os.path.join(root, release.RELEASES, current)
    found = release.drift(directory) if current else []
    records = Records(root)
    manifest = release.load_manifest(directory) if current else {}
    for name in manifest.get("agents", []):
        account = hermes_home.account(name)
        if account is None or not os.path.isdir(account.home):
            found.append({"agent": name, "path": f"/home/{name}", "problem": "no account or no home"})
            continue
        record = records.load(name)
        seen = hermes_home.look(account, hermes_home.plan_for(manifest, name, account.home, root, record))
        for problem, names in (("link missing", seen["link"]), ("link edited", seen["keep"] + seen["drift"])):
            found += [{"agent": name, "path": f"{account.home}/{one}", "problem": problem} for one in names]
        found += [
            {"agent": name, "path": "cron", "problem": f"job {one} edited"} for one in seen["cron_edits"]
        ]
        if not seen["cron_edits"]:
            found += [
                {"agent": name, "path": "config.yaml", "problem": one} for one in record.get("edited") or []
            ]
    previous = str((read_json(os.path.join(root, "previous.json")) or {}).get("release", ""))
    return {"current": current, "previous": previous, "releases": listed, "drift": found}
