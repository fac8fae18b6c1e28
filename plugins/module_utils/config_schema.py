# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a rendered Hermes configuration by name and type against what one Hermes release knows.

Hermes itself accepts unknown keys and most wrong types in silence and runs on its defaults; none of its
commands tells. So every leaf is looked up in the key file that scripts/config_keys.py made from that very
release, and in the few names that Hermes reads although its defaults do not list them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .config_names import ALSO_KINDS, CHECKED_APART, FREE_MAPS, HOME_ONLY, NULLABLE, UNLISTED
from .config_sections import SECTION_CHECKS
from .config_values import check_context, fits, wrong_kind
from .config_words import check_across, check_word
from .overlay_problem import Problem, suggest, type_name


def is_home_only(name: str) -> bool:
    """Whether Hermes reads a leaf only from the home file."""
    return any(name == key or name.startswith(f"{key}.") for key in HOME_ONLY)


def flatten(config: Mapping[str, Any], keys: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every leaf of a configuration as (dotted name, value); what is one value to Hermes stays one leaf."""
    leaves: Mapping[str, str] = keys["leaves"]
    yield from _flatten(config, "", leaves)


def _flatten(value: Mapping[str, Any], prefix: str, leaves: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        name = f"{prefix}{key}"
        whole = name in leaves or name in UNLISTED or name in FREE_MAPS or name in CHECKED_APART
        if isinstance(item, Mapping) and item and not whole:
            yield from _flatten(item, f"{name}.", leaves)
        else:
            yield name, item


def check_config(path: str, config: Any, keys: Mapping[str, Any], *, layer: str = "managed") -> list[Problem]:
    """Every leaf of a rendered file.

    ``layer`` is managed (config.yaml), home (home-config.yaml) or seed (seed/config.yaml: both may stand).
    """
    version = keys["hermes_version"]
    if not isinstance(config, Mapping):
        return [Problem(path, "", f"must be a mapping of Hermes' sections; it is {type_name(config)}")]
    problems: list[Problem] = []
    for name, value in flatten(config, keys):
        if layer == "managed" and is_home_only(name):
            problems.append(
                Problem(
                    path,
                    name,
                    f"Hermes {version} reads this only from the home file; move it to home-config.yaml",
                )
            )
        elif layer == "home" and not is_home_only(name):
            problems.append(
                Problem(path, name, "does not have to be in the home file; move it to config.yaml")
            )
        else:
            problems += _check_leaf(path, name, value, keys)
    if layer == "managed":
        problems += _check_required(path, config)
    if layer != "home" and not problems:
        problems += check_across(path, config, keys)
    return problems


def _check_leaf(path: str, name: str, value: Any, keys: Mapping[str, Any]) -> list[Problem]:
    if name in CHECKED_APART:
        return list(SECTION_CHECKS[name](path, value, keys))
    kinds = _kinds(name, keys)
    if not kinds:
        return [_unknown(path, name, value, keys)]
    if value is None and "null" in kinds:
        return []
    if name == "onboarding.profile_build" and isinstance(value, bool):
        return [
            Problem(path, name, 'must be quoted, "off": bare off is false in YAML and Hermes ignores that')
        ]
    if not any(fits(value, kind) for kind in kinds if kind != "null"):
        return [wrong_kind(path, name, value, kinds)]
    return _check_value(path, name, value, keys)


def _kinds(name: str, keys: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds that Hermes takes for a leaf; none when it has no such leaf."""
    if name in FREE_MAPS:
        return ("map",)
    kind = keys["leaves"].get(name) or UNLISTED.get(name)
    if kind is None:
        return ()
    first = (NULLABLE.get(name, "str"), "null") if kind == "null" else (kind,)
    return (*first, *ALSO_KINDS.get(name, ()))


def _check_value(path: str, name: str, value: Any, keys: Mapping[str, Any]) -> list[Problem]:
    problems = check_word(path, name, value, keys)
    if problems:
        return problems
    if name == "_config_version" and value != keys["config_version"]:
        return [
            Problem(
                path,
                name,
                f"must be {keys['config_version']}, the version of Hermes {keys['hermes_version']}",
            )
        ]
    if name.rsplit(".", 1)[-1] == "context_length":
        return check_context(path, name, value)
    if name in (
        "approvals.deny",
        "agent.disabled_toolsets",
        "toolsets",
        "terminal.env_passthrough",
        "skills.external_dirs",
    ):
        return [
            Problem(path, f"{name}[{number}]", f"must be text, not {type_name(item)}; quote it")
            for number, item in enumerate(value)
            if not isinstance(item, str)
        ]
    return []


def _unknown(path: str, name: str, value: Any, keys: Mapping[str, Any]) -> Problem:
    version = keys["hermes_version"]
    leaves: Mapping[str, str] = keys["leaves"]
    known = {*leaves, *UNLISTED, *FREE_MAPS, *CHECKED_APART}
    below = sorted(leaf for leaf in known if leaf.startswith(f"{name}."))
    if below:
        return Problem(
            path,
            name,
            f"must be a mapping with keys such as {below[0][len(name) + 1 :]}, not {type_name(value)}",
        )
    return Problem(path, name, f"Hermes {version} has no such key{_closest(name, known)}")


def _closest(name: str, known: set[str]) -> str:
    """The best guess: in the same section first, then the same last part elsewhere, then anything alike."""
    section, _dot, last = name.rpartition(".")
    siblings = [leaf for leaf in known if leaf.rpartition(".")[0] == section]
    close = suggest(name, siblings)
    if not close:
        same = sorted(leaf for leaf in known if leaf.rpartition(".")[2] == last)
        # A misspelt section is told by the whole name, a leaf without one by nothing but its last part.
        near = suggest(name, same) if section else ""
        close = near or (f"; did you mean {same[0]}?" if same else suggest(name, known))
    return close or "; see `hermes config show` for the keys it has"


def _check_required(path: str, config: Mapping[str, Any]) -> Iterator[Problem]:
    """What a managed configuration must say: here a default is something a fleet cannot live with."""
    if "model" not in config:
        yield Problem(path, "model", "is missing; Hermes would probe for any provider it can find")


def check_hidden(path: str, seed: Any, config: Any, keys: Mapping[str, Any]) -> Iterator[Problem]:
    """Leaves of the seeded file that config.yaml sets as well: that wins, so they would do nothing."""
    if not isinstance(seed, Mapping) or not isinstance(config, Mapping):
        return
    managed = {name for name, _value in flatten(config, keys)}
    for name, _value in flatten(seed, keys):
        if name in managed:
            yield Problem(path, name, "is set in config.yaml too, which wins; drop one of the two")
