# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print, as JSON, what a Hermes release knows: configuration leaves and types, hooks, toolsets, providers.

Run it with the interpreter of that Hermes and keep the answer beside the role that pins the version:

    /opt/hermes/0.19.0/bin/python scripts/config_keys.py > roles/hermes_agent/files/config-keys-0.19.0.json
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

_KINDS = {str: "str", bool: "bool", int: "int", float: "float", list: "list", type(None): "null"}


def leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names with the kind of their default; an empty mapping is a leaf that takes any keys."""
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping) and item:
            yield from leaves(item, f"{name}.")
        else:
            yield name, "map" if isinstance(item, Mapping) else _KINDS[type(item)]


def collect() -> dict[str, Any]:
    """Ask the installed Hermes; its home is an empty directory, so that nothing personal is read."""
    config = importlib.import_module("hermes_cli.config")
    auth = importlib.import_module("hermes_cli.auth")
    toolsets = importlib.import_module("toolsets")
    plugins = importlib.import_module("hermes_cli.plugins")
    providers = {name: sorted(entry.api_key_env_vars or ()) for name, entry in auth.PROVIDER_REGISTRY.items()}
    # Known to the resolver by name alone, and therefore absent from the registry.
    providers.setdefault("openrouter", ["OPENROUTER_API_KEY"])
    return {
        "hermes_version": importlib.metadata.version("hermes-agent"),
        "config_version": config.DEFAULT_CONFIG["_config_version"],
        "leaves": dict(leaves(config.DEFAULT_CONFIG)),
        "hooks": sorted(plugins.VALID_HOOKS),
        "providers": providers,
        "toolsets": sorted(toolsets.TOOLSETS),
    }


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
