# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was rendered for an agent, kept for the length of a run.

The input check renders the overlay for every agent, and each host's task would do the same again in a process
of its own. The key says all that a template can see, so another input is another file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from ansible import constants


def key_of(tree: Mapping[str, bytes], *seen: Any) -> str:
    """The name of what an overlay becomes for one agent; `seen` is all that its templates see."""
    known = hashlib.sha256()
    for path in sorted(tree):
        known.update(f"{path}\0{len(tree[path])}\0".encode())
        known.update(tree[path])
    known.update(json.dumps(seen, sort_keys=True, default=str).encode())
    return known.hexdigest()


def _path(key: str) -> str:
    return os.path.join(str(constants.DEFAULT_LOCAL_TMP), f"rendered-{key}.json")


def put(key: str, files: Mapping[str, bytes]) -> None:
    """Keep what was rendered; a process that comes meanwhile finds it whole or not at all."""
    text = json.dumps({name: base64.b64encode(content).decode("ascii") for name, content in files.items()})
    temporary = f"{_path(key)}.{os.getpid()}"
    with open(temporary, "w", encoding="ascii") as out:
        out.write(text)
    os.rename(temporary, _path(key))


def get(key: str) -> dict[str, bytes] | None:
    """What was kept, None where nothing was."""
    try:
        with open(_path(key), encoding="ascii") as source:
            kept: dict[str, str] = json.load(source)
    except (OSError, ValueError):
        return None
    return {name: base64.b64decode(content) for name, content in kept.items()}
