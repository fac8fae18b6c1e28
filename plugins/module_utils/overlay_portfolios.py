# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of fallback-portfolios.yaml: providers, classes, slots."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .overlay_fields import check_fields
from .overlay_problem import ENV_NAME, MIN_CONTEXT, Problem, is_kind, suggest, type_name

SLOTS = ("primary", "fallback1", "fallback2", "terminal")
PROVIDER_FIELDS = frozenset({"base_url", "key_env", "context_length", "builtin"})


def check_portfolios(
    data: Any,
    path: str = "fallback-portfolios.yaml",
    *,
    providers: Mapping[str, Sequence[str]] | None = None,
    fleet_provider: str = "",
) -> list[Problem]:
    """The shape of the portfolios; what depends on an agent's secrets is judged per agent by portfolio_of."""
    fields: dict[str, tuple[type, bool]] = {
        "schema": (int, True),
        "capabilities": (dict, True),
        "providers": (dict, True),
        "classes": (dict, True),
        "agents": (dict, False),
    }
    problems = check_fields(path, "", data, fields)
    if problems:
        return problems
    known = {*data["providers"], fleet_provider}
    for name, provider in data["providers"].items():
        problems += _check_provider(path, name, provider, providers)
    for name, entry in data["classes"].items():
        problems += _check_class(path, f"classes.{name}", entry, data, known)
    for name, entry in data.get("agents", {}).items():
        wrong = check_fields(path, f"agents.{name}", entry, {"slots": (dict, True)})
        problems += wrong or _check_slots(path, f"agents.{name}.slots", entry["slots"], known, whole=False)
    return problems


def _check_provider(
    path: str, name: str, provider: Any, builtin: Mapping[str, Sequence[str]] | None
) -> list[Problem]:
    key = f"providers.{name}"
    fields: dict[str, tuple[type, bool]] = {
        "base_url": (str, False),
        "key_env": (str, False),
        "context_length": (object, False),
        "builtin": (bool, False),
    }
    problems = check_fields(path, key, provider, fields)
    if problems:
        return problems
    problems += _check_declared_context(path, f"{key}.context_length", provider.get("context_length"))
    if provider.get("builtin"):
        if builtin is not None and name not in builtin:
            problems.append(Problem(path, key, f"Hermes knows no provider {name}{suggest(name, builtin)}"))
        if "base_url" in provider:
            problems.append(
                Problem(path, f"{key}.base_url", "Hermes knows this endpoint itself; drop builtin or the URL")
            )
        if "key_env" not in provider:
            problems.append(
                Problem(path, f"{key}.key_env", "is missing; name the variable that holds the key")
            )
        elif builtin and builtin.get(name) and provider["key_env"] not in builtin[name]:
            problems.append(
                Problem(path, f"{key}.key_env", f"Hermes reads {' or '.join(builtin[name])} for {name}")
            )
    elif "base_url" not in provider:
        problems.append(
            Problem(
                path, f"{key}.base_url", "is missing; give the endpoint, such as http://127.0.0.1:11434/v1"
            )
        )
    elif builtin is not None and name in builtin:
        problems.append(
            Problem(path, key, f"{name} is Hermes' own name for another endpoint; choose another name")
        )
    if "key_env" in provider and not ENV_NAME.fullmatch(provider["key_env"]):
        problems.append(
            Problem(path, f"{key}.key_env", "must be the name of a variable in capitals, never a key itself")
        )
    return problems


def _check_declared_context(path: str, key: str, value: Any) -> list[Problem]:
    if value is None or (isinstance(value, str) and "{{" in value):
        return []
    if not is_kind(value, int):
        return [Problem(path, key, f"must be a whole number, not {type_name(value)}")]
    if value < MIN_CONTEXT:
        return [
            Problem(path, key, f"is {value}; Hermes starts no agent below {MIN_CONTEXT}, use 65536 or more")
        ]
    return []


def _check_class(
    path: str, key: str, entry: Any, data: Mapping[str, Any], known: Collection[str]
) -> list[Problem]:
    fields: dict[str, tuple[type, bool]] = {
        "description": (str, True),
        "critical": (bool, True),
        "slots": (dict, True),
        "degraded": (dict, True),
    }
    problems = check_fields(path, key, entry, fields)
    if problems:
        return problems
    problems += _check_slots(path, f"{key}.slots", entry["slots"], known, whole=True)
    before: set[str] = set()
    degraded: dict[str, tuple[type, bool]] = dict.fromkeys(SLOTS[1:], (list, True))
    wrong = check_fields(path, f"{key}.degraded", entry["degraded"], degraded)
    if wrong:
        return problems + wrong
    for slot in SLOTS[1:]:
        forbidden = entry["degraded"][slot]
        where = f"{key}.degraded.{slot}"
        for word in forbidden:
            if word not in data["capabilities"]:
                hint = suggest(str(word), data["capabilities"]) or "; declare it under capabilities:"
                problems.append(Problem(path, where, f"{word!r} is no capability{hint}"))
        lost = sorted(before - set(forbidden))
        if lost:
            problems.append(
                Problem(path, where, f"gives {lost[0]} back; a lower slot may do no more than the one above")
            )
        before = set(forbidden)
    return problems


def _check_slots(path: str, key: str, slots: Any, known: Collection[str], *, whole: bool) -> list[Problem]:
    problems = check_fields(path, key, slots, dict.fromkeys(SLOTS, (dict, whole)))
    if problems:
        return problems
    for slot, choice in slots.items():
        where = f"{key}.{slot}"
        wrong = check_fields(path, where, choice, {"provider": (str, True), "model": (str, True)})
        problems += wrong
        if wrong or "{{" in choice["provider"]:
            continue
        if choice["provider"] not in known:
            hint = suggest(choice["provider"], known) or "; declare it under providers:"
            problems.append(Problem(path, f"{where}.provider", f"no provider {choice['provider']!r}{hint}"))
    return problems
