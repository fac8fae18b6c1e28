# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by Hermes' own interpreter on a host: what differs between the managed config and what Hermes loads.

Prints one JSON object: how many leaves were compared, and a list of the paths that read back otherwise.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hermes_cli.config import load_config, load_env

if TYPE_CHECKING:
    from collections.abc import Iterator

MISSING = object()


def leaves(given: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each leaf with its path; Hermes replaces lists whole, so a list is a leaf."""
    if isinstance(given, dict) and given:
        for key, value in given.items():
            yield from leaves(value, (*path, str(key)))
    else:
        yield path, given


def at(loaded: Any, path: tuple[str, ...]) -> Any:
    """Return what stands at a path, or MISSING."""
    for key in path:
        if not isinstance(loaded, dict) or key not in loaded:
            return MISSING
        loaded = loaded[key]
    return loaded


def expanded(value: Any) -> Any:
    """Return the value as Hermes expands it."""
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda name: os.environ.get(name[1], name[0]), value)
    return [expanded(item) for item in value] if isinstance(value, list) else value


def main() -> int:
    """Compare and report."""
    load_env()
    wanted = yaml.safe_load(Path(os.environ["HERMES_MANAGED_DIR"], "config.yaml").read_text(encoding="utf-8"))
    loaded = load_config()
    compared = list(leaves(wanted))
    differs = [".".join(path) for path, value in compared if at(loaded, path) not in (value, expanded(value))]
    sys.stdout.write(json.dumps({"compared": len(compared), "differs": differs}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
