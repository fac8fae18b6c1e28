# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one value of a configuration, or one flat mapping, is of the kind that Hermes takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .config_names import FIELD_CHOICES
from .overlay_problem import ENV_NAME, MIN_CONTEXT, Problem, is_kind, one_of, suggest, type_name

_PYTHON = {"str": str, "bool": bool, "int": int, "list": list, "map": dict}
_WORDS = {
    "str": "text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "list": "a list",
    "map": "a mapping",
    "null": "empty",
}


def fits(value: Any, kind: str) -> bool:
    """Whether a value is of the kind; a whole number is a number too."""
    if kind == "float":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_kind(value, _PYTHON[kind])


def wrong_kind(path: str, name: str, value: Any, kinds: tuple[str, ...]) -> Problem:
    """The mistake of a value of another kind than those wanted."""
    wanted = " or ".join(_WORDS[kind] for kind in kinds)
    if isinstance(value, bool):
        shown = " (quote words such as on, off, yes and no)" if "str" in kinds else ""
    else:
        shown = f" ({value!r})" if isinstance(value, (str, int, float)) and len(str(value)) <= 40 else ""
    return Problem(path, name, f"must be {wanted}, not {type_name(value)}{shown}")


def check_context(path: str, name: str, value: Any) -> list[Problem]:
    """A context length with which Hermes starts an agent."""
    if not is_kind(value, int):
        return [wrong_kind(path, name, value, ("int",))]
    if value < MIN_CONTEXT:
        return [
            Problem(
                path,
                name,
                f"is {value}; Hermes starts no agent below {MIN_CONTEXT}, use 65536 and a model that has it",
            )
        ]
    return []


def check_field_word(path: str, where: str, key: str, value: str) -> Iterator[Problem]:
    """A word that Hermes would take for another where it does not know it."""
    known = FIELD_CHOICES[key]
    if value.strip().lower() not in known:
        yield Problem(path, where, f"{value!r} means nothing to Hermes; {one_of(known)}")


def check_map(path: str, name: str, value: Any, fields: Mapping[str, str]) -> Iterator[Problem]:
    """A mapping of which Hermes reads these fields and no other."""
    if not isinstance(value, Mapping):
        yield Problem(
            path, name, f"must be a mapping with keys such as {min(fields)}, not {type_name(value)}"
        )
        return
    for key, item in value.items():
        where = f"{name}.{key}"
        if key not in fields:
            hint = suggest(str(key), fields) or f"; known are {', '.join(fields)}"
            yield Problem(path, where, f"Hermes drops this key unread{hint}")
        elif not fits(item, fields[key]):
            yield wrong_kind(path, where, item, (fields[key],))
        elif key in FIELD_CHOICES and not where.startswith("mcp_servers."):
            yield from check_field_word(path, where, key, item)
        elif key == "context_length":
            yield from check_context(path, where, item)
        elif key == "key_env" and not ENV_NAME.fullmatch(item):
            yield Problem(path, where, "must be the name of a variable in capitals, never a key itself")
