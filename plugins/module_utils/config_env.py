# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of variables: those given to an agent that nobody reads, those that are read and nobody gives."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from .overlay_problem import Problem, suggest

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# The unit and the runtime set these themselves.
_ALWAYS = frozenset({"HOME", "USER", "LOGNAME", "PATH", "SHELL", "LANG", "HERMES_HOME", "HERMES_MANAGED_DIR"})


def check_given(
    path: str, agent: str, names: Collection[str], keys: Mapping[str, Any], files: tuple[Any, Any]
) -> Iterator[Problem]:
    """Variables that neither Hermes nor anything in its configuration reads: a misspelt one does nothing.

    ``files`` are the rendered config.yaml and home-config.yaml of the agent.
    """
    config, home = files
    known = set(keys.get("variables") or ())
    if not known:
        return
    wanted = {*known, *references(config), *references(home), *_passed_on(home), *_of_vendors(config)}
    endings = {name.partition("_")[2] for name in known}
    heads = {str(one).upper() for one in keys.get("platforms") or ()}
    for name in sorted(names):
        head, _dash, ending = name.partition("_")
        # Names of one word are those of the system; those of platforms Hermes puts together as it runs.
        if not ending or name in wanted or name in _ALWAYS or (head in heads and ending in endings):
            continue
        yield Problem(
            path,
            f"{agent}.{name}",
            f"Hermes reads no such variable{suggest(name, known)}; "
            "if tools of the agent read it, list it under terminal.env_passthrough in home-config.yaml",
        )


def check_wanted(path: str, agent: str, names: Collection[str], config: Any) -> Iterator[Problem]:
    """Variables that a configuration refers to and the agent lacks: Hermes leaves the text as it is."""
    for where, name in _places(config, ""):
        if name not in names and name not in _ALWAYS:
            yield Problem(
                path,
                where,
                f"refers to {name}, which agent {agent} does not have; add it to its secrets or drop it",
            )


def references(config: Any) -> set[str]:
    """Every variable that a configuration names."""
    return {name for _where, name in _places(config, "")}


def _places(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """(dotted key, variable) of each reference: ${NAME} in a text, and the fields that hold a bare name."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            name = f"{where}.{key}" if where else str(key)
            if key == "key_env" and isinstance(item, str):
                yield name, item
            else:
                yield from _places(item, name)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _places(item, f"{where}[{number}]")
    elif isinstance(value, str):
        for name in _REFERENCE.findall(value):
            yield where, name


def _passed_on(home: Any) -> set[str]:
    """What the operator hands on to the agent's tools."""
    terminal = home.get("terminal") if isinstance(home, Mapping) else None
    listed = terminal.get("env_passthrough") if isinstance(terminal, Mapping) else None
    return {str(one) for one in listed} if isinstance(listed, list) else set()


def _of_vendors(config: Any) -> Iterator[str]:
    """Hermes finds a key by the vendor in a host name too: MISTRAL_API_KEY for api.mistral.ai."""
    providers = config.get("providers") if isinstance(config, Mapping) else None
    entries = [*providers.values()] if isinstance(providers, Mapping) else []
    for entry in [*entries, config.get("model") if isinstance(config, Mapping) else None]:
        url = entry.get("base_url") if isinstance(entry, Mapping) else None
        labels = (urlsplit(url).hostname or "").split(".") if isinstance(url, str) else []
        if len(labels) > 1:
            yield re.sub(r"[^A-Z0-9]", "_", labels[-2].upper()) + "_API_KEY"
