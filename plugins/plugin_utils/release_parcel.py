# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is packed when a host is asked and sent when its turn comes.

Between the two lies the canary, and a file on the controller that lives as long as the run. So each host gets
the overlay as it was when all were asked, and it is rendered and packed once.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible import constants
from ansible_collections.timmy.config.plugins.plugin_utils.release_tree import Tree

# What decides about a release and what its host is told with it. Of secrets only the names count.
_DECIDES = (
    "agents",
    "fleet",
    "model",
    "host",
    "timezone",
    "overlay_dir",
    "hermes_version",
    "release_root",
    "hermes_root",
    "config_dir",
)


@dataclass(frozen=True)
class Parcel:
    """What a deploy needs to know of a release, without its files."""

    wanted: str
    fleet_json: dict[str, Any]
    archive: bytes


def fingerprint(args: Mapping[str, Any]) -> str:
    """A hash of what the arguments say about the release."""
    secrets = {str(name): sorted(known or {}) for name, known in args["secrets"].items()}
    said = {**{name: args[name] for name in _DECIDES}, "secrets": secrets}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def put(args: Mapping[str, Any], tree: Tree, known: frozenset[str]) -> str:
    """Pack what a host lacks; the path of the parcel, in the directory that this run removes at its end."""
    head = {"said": fingerprint(args), "wanted": tree.manifest["hash"], "fleet_json": tree.fleet_json}
    handle, path = tempfile.mkstemp(prefix=f"release-{tree.short}-", dir=constants.DEFAULT_LOCAL_TMP)
    with os.fdopen(handle, "wb") as out:
        out.write(json.dumps(head).encode("utf-8") + b"\n" + tree.pack(known))
    return path


def take(args: Mapping[str, Any], path: str) -> Parcel | None:
    """The parcel, None where there is none for these arguments; then the release is rendered anew."""
    if not path or os.path.dirname(path) != str(constants.DEFAULT_LOCAL_TMP):
        return None
    try:
        with open(path, "rb") as source:
            head = json.loads(source.readline())
            archive = source.read()
    except (OSError, ValueError):
        return None
    if head["said"] != fingerprint(args):
        return None
    return Parcel(head["wanted"], head["fleet_json"], archive)
