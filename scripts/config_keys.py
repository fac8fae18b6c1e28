# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print, as JSON, what a Hermes release knows: configuration leaves and types, providers, names of variables.

Run it with the interpreter of that Hermes and keep the answer beside the role that pins the version:

    /opt/hermes/0.19.0/bin/python scripts/config_keys.py > roles/hermes_agent/files/config-keys-0.19.0.json
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[1] / "plugins" / "module_utils" / "hermes_keys.py"
_VARIABLE = re.compile(r"""["']([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)["']""")
# What is not Hermes' own below the place where it is installed.
_PACKAGES = ("agent", "hermes_cli", "gateway", "tools", "cron", "plugins", "providers", "acp_adapter")


def collect() -> dict[str, Any]:
    """Ask the installed Hermes; its home is an empty directory, so that nothing personal is read."""
    spec = importlib.util.spec_from_file_location("hermes_keys", SHARED)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{SHARED}: cannot be loaded")
    shared = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shared)
    personalities = importlib.import_module("cli").load_cli_config()["agent"]["personalities"]
    return {
        **shared.collect(),
        "languages": sorted(importlib.import_module("agent.i18n").SUPPORTED_LANGUAGES),
        "personalities": sorted(personalities),
        "variables": sorted(set(variables())),
    }


def variables() -> Iterator[str]:
    """Every name of a variable that stands in Hermes' source: what is not among them it cannot read."""
    place = Path(importlib.import_module("hermes_cli").__file__ or "").parents[1]
    files = [*place.glob("*.py"), *(file for name in _PACKAGES for file in (place / name).rglob("*.py"))]
    for file in files:
        yield from _VARIABLE.findall(file.read_text(encoding="utf-8", errors="replace"))


def main() -> int:
    """Write the answer to standard output."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["HERMES_HOME"] = home
        os.environ["HERMES_DISABLE_LAZY_INSTALLS"] = "1"
        answer = collect()
    sys.stdout.write(json.dumps(answer, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
