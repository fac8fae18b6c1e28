# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Hermes at hand knows: leaves and their types, hooks, toolsets, providers, skins, platforms.

Runs in Hermes' own interpreter, on a host for the proof of a release and for scripts/config_keys.py, which
keeps the answer for the controller. It imports nothing of ours: so it can be loaded from its file alone.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

_KINDS = {str: "str", bool: "bool", int: "int", float: "float", list: "list", type(None): "null"}


def collect() -> dict[str, Any]:
    """The answer, in the form of the key file."""
    # A fifth of what a visit to a host would spend on loading code, which never asks this.
    import importlib.metadata  # noqa: PLC0415

    config = importlib.import_module("hermes_cli.config")
    auth = importlib.import_module("hermes_cli.auth")
    providers = {name: sorted(entry.api_key_env_vars or ()) for name, entry in auth.PROVIDER_REGISTRY.items()}
    # Known to the resolver by name alone, and therefore absent from the registry.
    providers.setdefault("openrouter", ["OPENROUTER_API_KEY"])
    return {
        "hermes_version": importlib.metadata.version("hermes-agent"),
        "config_version": config.DEFAULT_CONFIG["_config_version"],
        "leaves": dict(leaves(config.DEFAULT_CONFIG)),
        "hooks": sorted(importlib.import_module("hermes_cli.plugins").VALID_HOOKS),
        "providers": providers,
        "aliases": sorted(_aliases(auth) - set(providers)),
        "toolsets": sorted(importlib.import_module("toolsets").TOOLSETS),
        "skins": sorted(importlib.import_module("hermes_cli.skin_engine")._BUILTIN_SKINS),
        "platforms": _platforms(),
        "memory_providers": _memory_providers(),
    }


def leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names with the kind of their default; an empty mapping is a leaf that takes any keys."""
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping) and item:
            yield from leaves(item, f"{name}.")
        else:
            yield name, "map" if isinstance(item, Mapping) else _KINDS[type(item)]


def _aliases(auth: Any) -> set[str]:
    """Other names under which the resolver takes a provider. It keeps them as constants of its own code."""
    words = set(_texts(auth.resolve_provider.__code__.co_consts)) - {"auto"}
    return {word for word in words if _resolves(auth, word)}


def _resolves(auth: Any, name: str) -> bool:
    try:
        auth.resolve_provider(name)
    except Exception:
        return False
    return True


def _texts(constants: Any) -> Iterator[str]:
    for one in constants:
        if isinstance(one, str):
            yield one
        elif isinstance(one, (tuple, frozenset)):
            yield from _texts(one)


def _memory_providers() -> list[str]:
    """Memories that come with Hermes, and those of the home that it looks at."""
    names: list[str] = importlib.import_module("plugins.memory").list_memory_provider_names()
    return names


def _platforms() -> list[str]:
    """Chat platforms, those that come as a bundled plugin among them."""
    platform = importlib.import_module("gateway.config").Platform
    return sorted({one.value for one in platform} | set(platform._scan_bundled_plugin_platforms()))
