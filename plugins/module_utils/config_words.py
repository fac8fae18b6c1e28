# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of a configuration that are right in type and name nothing: providers, toolsets, zones, modes."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .config_names import CHOICES, EXACT
from .overlay_problem import Problem, suggest, type_name

# What Hermes takes where it wants the name of a toolset, besides its own.
_ALL_TOOLSETS = ("all", "*")
# A server of the operator's own brings a toolset of this name.
_SERVER_TOOLSET = re.compile(r"mcp-[A-Za-z0-9_.-]+")
_TOOLSET_LISTS = ("toolsets", "agent.disabled_toolsets")
# Where tools are chosen though nobody chats there.
_OTHER_PLATFORMS = ("cli", "cron", "acp", "tui", "desktop")
_NO_PERSONALITY = ("", "none", "default", "neutral")
# A side task may take whatever the main model has.
_SIDE_PROVIDERS = ("", "auto", "main")


def check_word(path: str, name: str, value: Any, keys: Mapping[str, Any]) -> list[Problem]:
    """One leaf whose text must be a word that Hermes knows, or the name of something that there is."""
    if name in CHOICES and isinstance(value, str):
        return _check_choice(path, name, value)
    if name == "timezone":
        return _check_zone(path, name, value)
    if name == "display.language":
        return _check_language(path, name, value, keys.get("languages") or ())
    if name == "memory.provider" and value:
        return _named(path, name, value, keys.get("memory_providers") or (), "memory provider")
    if name in _TOOLSET_LISTS:
        return [
            line for number, one in enumerate(value) for line in toolset(path, f"{name}[{number}]", one, keys)
        ]
    return list(_check_platform_toolsets(path, name, value, keys)) if name == "platform_toolsets" else []


def _check_choice(path: str, name: str, value: str) -> list[Problem]:
    known = CHOICES[name]
    given = value if name in EXACT else value.strip().lower()
    if given in (known if name in EXACT else [word.lower() for word in known]):
        return []
    listed = ", ".join(word for word in known if word)
    return [Problem(path, name, f"{value!r} means nothing to Hermes; use one of {listed}")]


def check_across(path: str, config: Mapping[str, Any], keys: Mapping[str, Any]) -> Iterator[Problem]:
    """Names in one section that must stand in another, or in Hermes itself."""
    yield from _check_providers(path, config, keys)
    display = config.get("display")
    if isinstance(display, Mapping) and isinstance(display.get("personality"), str):
        agent = config.get("agent")
        own = agent.get("personalities") if isinstance(agent, Mapping) else None
        known = {*(keys.get("personalities") or ()), *(own if isinstance(own, Mapping) else ())}
        word = display["personality"].strip().lower()
        if keys.get("personalities") and word not in _NO_PERSONALITY:
            yield from _named(path, "display.personality", word, known, "personality")
    hooks = config.get("hooks")
    if isinstance(hooks, Mapping) and any(hooks.values()) and config.get("hooks_auto_accept") is not True:
        yield Problem(
            path, "hooks", "are skipped without a word where nobody can be asked; set hooks_auto_accept: true"
        )


def _check_providers(path: str, config: Mapping[str, Any], keys: Mapping[str, Any]) -> Iterator[Problem]:
    """Every provider that is named must be one of Hermes', one of its aliases, or declared."""
    declared = config.get("providers")
    own = declared if isinstance(declared, Mapping) else {}
    known = {
        *keys["providers"],
        *(keys.get("aliases") or ()),
        "custom",
        *own,
        *(f"custom:{one}" for one in own),
    }
    for name, provider, also in _provider_names(config):
        word = provider.strip()
        if word not in also and word not in known and word.lower() not in known:
            hint = suggest(word, known) or "; declare it under providers:"
            yield Problem(path, name, f"no provider {provider!r}{hint}")


def _provider_names(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Collection[str]]]:
    places: list[tuple[str, Any, Collection[str]]] = [("model", config.get("model"), ())]
    fallbacks = config.get("fallback_providers")
    if isinstance(fallbacks, list):
        places += [(f"fallback_providers[{number}]", entry, ()) for number, entry in enumerate(fallbacks)]
    places.append(("delegation", config.get("delegation"), _SIDE_PROVIDERS))
    side = config.get("auxiliary")
    if isinstance(side, Mapping):
        places += [(f"auxiliary.{task}", entry, _SIDE_PROVIDERS) for task, entry in side.items()]
    for name, entry, also in places:
        if isinstance(entry, Mapping) and isinstance(entry.get("provider"), str):
            yield f"{name}.provider", entry["provider"], also


def toolset(path: str, name: str, value: Any, keys: Mapping[str, Any]) -> list[Problem]:
    """One name of a toolset in a configuration."""
    if not isinstance(value, str):
        return [Problem(path, name, f"must be text, not {type_name(value)}; quote it")]
    if value in _ALL_TOOLSETS or value in keys["toolsets"] or _SERVER_TOOLSET.fullmatch(value):
        return []
    return [Problem(path, name, f"Hermes has no toolset {value!r}{suggest(value, keys['toolsets'])}")]


def _check_platform_toolsets(
    path: str, name: str, value: Mapping[str, Any], keys: Mapping[str, Any]
) -> Iterator[Problem]:
    known = {*(keys.get("platforms") or ()), *_OTHER_PLATFORMS}
    for platform, listed in value.items():
        yield from _named(path, f"{name}.{platform}", str(platform), known, "platform")
        if not isinstance(listed, list):
            yield Problem(path, f"{name}.{platform}", f"must be a list of toolsets, not {type_name(listed)}")
            continue
        for number, one in enumerate(listed):
            yield from toolset(path, f"{name}.{platform}[{number}]", one, keys)


@functools.cache
def _zones() -> frozenset[str]:
    """All timezones of this machine; each listing walks through their files."""
    import zoneinfo  # noqa: PLC0415 - for those only who name a zone

    return frozenset(zoneinfo.available_timezones())


def _check_zone(path: str, name: str, value: Any) -> list[Problem]:
    known = _zones()
    if not value or not known or value in known:
        return []
    hint = suggest(str(value), known) or "; write it as Europe/Berlin"
    return [Problem(path, name, f"no timezone {value!r}, and Hermes would take that of the host{hint}")]


def _check_language(path: str, name: str, value: Any, known: Collection[str]) -> list[Problem]:
    word = str(value).strip().lower()
    if not known or not word or word in known or word.split("-", 1)[0] in known or len(word) > 3:
        # Longer words may be one of its names for a language, such as chinese.
        return []
    return [Problem(path, name, f"Hermes does not speak {value!r}; use one of {', '.join(sorted(known))}")]


def _named(path: str, name: str, value: Any, known: Collection[str], what: str) -> list[Problem]:
    if not known or value in known:
        return []
    hint = suggest(str(value), known) or f"; known are {', '.join(sorted(known))}"
    return [Problem(path, name, f"Hermes has no {what} {value!r}{hint}")]
