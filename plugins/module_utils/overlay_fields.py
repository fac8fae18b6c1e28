# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that the files of more than one family share: fields, texts, names, toolsets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .overlay_problem import TYPE_WORDS, Problem, is_kind, suggest, type_name

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def check_fields(path: str, key: str, value: Any, fields: Mapping[str, tuple[type, bool]]) -> list[Problem]:
    """A mapping with exactly these fields: unknown ones are refused with the closest known name."""
    if not isinstance(value, Mapping):
        return [Problem(path, key, f"must be a mapping with {', '.join(fields)}; it is {type_name(value)}")]
    dot = f"{key}." if key else ""
    problems = []
    for name in value:
        if name not in fields:
            known = f"{suggest(str(name), fields)}" or f"; known are {', '.join(fields)}"
            problems.append(Problem(path, f"{dot}{name}", f"no such key here{known}"))
    for name, (kind, required) in fields.items():
        if name not in value:
            if required:
                problems.append(
                    Problem(path, f"{dot}{name}", f"is missing; give it {TYPE_WORDS.get(kind, 'a value')}")
                )
        elif kind is not object and not is_kind(value[name], kind):
            wanted = TYPE_WORDS[kind]
            problems.append(Problem(path, f"{dot}{name}", f"must be {wanted}, not {type_name(value[name])}"))
    return problems


def check_texts(path: str, key: str, value: Sequence[Any], *, empty: bool = False) -> list[Problem]:
    """A list of texts, none of them blank."""
    if not value and not empty:
        return [Problem(path, key, "must not be empty; write at least one line")]
    return [
        Problem(path, f"{key}[{number}]", f"must be text, not {type_name(item)}; quote it")
        for number, item in enumerate(value)
        if not isinstance(item, str) or not item.strip()
    ]


def check_stem(path: str, name: str) -> list[Problem]:
    """A name that is that of its file."""
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if name != stem or not _NAME.fullmatch(name):
        return [Problem(path, "name", f"must be the file's own name, {stem}, in lower case with hyphens")]
    return []


def check_toolsets(path: str, key: str, names: Sequence[Any], toolsets: Collection[str]) -> list[Problem]:
    """Toolsets that the pinned Hermes has; nothing is refused where they are not known."""
    return [
        Problem(path, f"{key}[{number}]", f"Hermes has no toolset {name!r}{suggest(str(name), toolsets)}")
        for number, name in enumerate(names)
        if toolsets and isinstance(name, str) and name not in toolsets
    ]


def text_of(tree: Mapping[str, bytes], path: str) -> str:
    """A file of the overlay as text."""
    return tree[path].decode("utf-8", errors="replace")
