# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The portfolio of one agent, made from the overlay's portfolios, and the rules across agents."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .overlay_portfolios import SLOTS
from .overlay_problem import CheckError, Problem, one_of, suggest


def is_loopback(url: str) -> bool:
    """Whether an endpoint is on the agent's own host."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def portfolio_of(
    portfolios: Any, wizard: Mapping[str, Any], model: Mapping[str, Any], secret_names: Collection[str]
) -> dict[str, Any]:
    """What one agent thinks with, from rendered portfolios: its slots, its chain and the providers map.

    A slot is usable when its provider needs no key, or the agent has that key. The primary must be usable.
    """
    declared = dict(portfolios["providers"])
    declared.setdefault(
        str(model["provider"]), {"base_url": model["base_url"], "context_length": model["context_length"]}
    )
    entry = _class_of(portfolios, wizard)
    choices = {**entry["slots"], **portfolios.get("agents", {}).get(wizard["name"], {}).get("slots", {})}
    slots: dict[str, dict[str, Any]] = {}
    for slot in SLOTS:
        provider, name = choices[slot]["provider"], choices[slot]["model"]
        if provider not in declared:
            raise CheckError(
                f"classes.{wizard['role_class']}.slots.{slot}: no provider {provider!r}; declare it"
            )
        about = declared[provider]
        slots[slot] = {
            "provider": provider,
            "model": name,
            "local": is_loopback(str(about.get("base_url", ""))),
            "usable": not about.get("key_env") or about["key_env"] in secret_names,
        }
    primary = slots["primary"]
    if not primary["usable"]:
        raise CheckError(
            f"agent {wizard['name']}: its primary slot needs {declared[primary['provider']]['key_env']}; "
            "add that key to the agent's secrets or choose another provider"
        )
    if not slots["terminal"]["local"]:
        raise CheckError(
            f"agent {wizard['name']}: its terminal slot is {slots['terminal']['provider']}, not on its host; "
            "choose a provider with a loopback base_url"
        )
    chain = _chain(slots)
    return {
        "critical": entry["critical"],
        "slots": slots,
        "degraded": {slot: list(words) for slot, words in entry["degraded"].items()},
        "primary": {
            "provider": primary["provider"],
            "model": primary["model"],
            "context_length": declared[primary["provider"]].get("context_length", model["context_length"]),
        },
        "fallbacks": chain,
        "providers": _providers_map(
            declared, {primary["provider"], *(link["provider"] for link in chain)}, slots
        ),
    }


def _class_of(portfolios: Any, wizard: Mapping[str, Any]) -> Mapping[str, Any]:
    classes: Mapping[str, Mapping[str, Any]] = portfolios["classes"]
    name = str(wizard["role_class"])
    if name not in classes:
        known = suggest(name, classes) or f"; {one_of(sorted(classes))}"
        raise CheckError(f"agent {wizard['name']}: no role class {name!r}{known}")
    return classes[name]


def _chain(slots: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """The usable slots after the primary, each model once: trying a dead one again only costs time."""
    seen = {(slots["primary"]["provider"], slots["primary"]["model"])}
    chain = []
    for slot in SLOTS[1:]:
        link = (slots[slot]["provider"], slots[slot]["model"])
        if slots[slot]["usable"] and link not in seen:
            seen.add(link)
            chain.append({"provider": link[0], "model": link[1]})
    return chain


def _providers_map(
    declared: Mapping[str, Mapping[str, Any]], used: Collection[str], slots: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    result = {}
    for name in sorted(used):
        about = declared[name]
        if about.get("builtin"):
            continue
        first = next(slot["model"] for slot in slots.values() if slot["provider"] == name)
        entry: dict[str, Any] = {"base_url": about["base_url"], "default_model": first}
        entry.update({key: about[key] for key in ("key_env", "context_length") if key in about})
        result[name] = entry
    return result


def portfolio_document(wizard: Mapping[str, Any]) -> dict[str, Any]:
    """portfolio.json of one agent: its slots and what it may no longer do once it has fallen to one."""
    return {
        "schema": 1,
        "agent": wizard["name"],
        "role_class": wizard["role_class"],
        "critical": wizard["critical"],
        "slots": wizard["slots"],
        "degraded": wizard["degraded"],
    }


def check_agents_portfolios(
    agents: Sequence[Mapping[str, Any]], path: str = "fallback-portfolios.yaml"
) -> list[Problem]:
    """Rules across critical agents, each given as a completed wizard with its portfolio.

    A critical agent needs four usable slots. No two critical agents may share primary *and* first fallback:
    one outage would then take both; a loopback endpoint counts as shared only between agents of one host.
    """
    problems = []
    pairs: dict[tuple[tuple[str, str], ...], str] = {}
    for agent in agents:
        if not agent["critical"]:
            continue
        name = agent["name"]
        missing = [slot for slot in SLOTS if not agent["slots"][slot]["usable"]]
        for slot in missing[:1]:
            provider = agent["slots"][slot]["provider"]
            problems.append(
                Problem(
                    path,
                    f"classes.{agent['role_class']}",
                    f"agent {name} is critical but its slot {slot} ({provider}) has no key; "
                    "add the key to its secrets or give it another class",
                )
            )
        pair = tuple(_endpoint(agent, slot) for slot in SLOTS[:2])
        other = pairs.setdefault(pair, name)
        if other != name:
            problems.append(
                Problem(
                    path,
                    f"agents.{name}",
                    f"critical agents {other} and {name} share primary and first fallback; "
                    f"give {name} another fallback1 under agents:",
                )
            )
    return problems


def _endpoint(agent: Mapping[str, Any], slot: str) -> tuple[str, str]:
    choice = agent["slots"][slot]
    return (str(agent["host"]) if choice["local"] else "", str(choice["provider"]))
