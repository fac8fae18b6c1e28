# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Continuity: what an agent must still know after a kill. Two kinds of file, both with a checksum in every
line.

A snapshot (`read_json`, `write_json`, `update_json`) is one document with generations. A log (`load_jsonl`,
`append_jsonl`, …; its name ends in `.jsonl`) is one record a line. The path comes first in every call. What
is unreadable is an error that names the file and its last good generation, and never an empty answer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Union

from .continuity_files import StorageError
from .continuity_frame import SCHEMA, ContinuityError, InputError
from .continuity_log import (
    LogVerdict,
    NewerSchemaError,
    Rows,
    append_jsonl,
    append_once,
    count_jsonl_rows,
    load_jsonl,
    verify_log,
)
from .continuity_rewrite import LogChange, compact_jsonl, repair_log, write_jsonl
from .continuity_snapshot import (
    ConflictError,
    MissingError,
    Snapshot,
    SnapshotVerdict,
    UnreadableError,
    read_json,
    read_snapshot,
    repair_snapshot,
    update_json,
    verify_snapshot,
    write_json,
)

__all__ = [
    "SCHEMA",
    "ConflictError",
    "ContinuityError",
    "InputError",
    "LogChange",
    "LogVerdict",
    "MissingError",
    "NewerSchemaError",
    "Rows",
    "Snapshot",
    "SnapshotVerdict",
    "StorageError",
    "UnreadableError",
    "append_jsonl",
    "append_once",
    "compact_jsonl",
    "count_jsonl_rows",
    "get_key",
    "is_log",
    "load_jsonl",
    "read_json",
    "read_snapshot",
    "remove_key",
    "repair",
    "repair_log",
    "repair_snapshot",
    "set_key",
    "update_json",
    "verify",
    "verify_log",
    "verify_snapshot",
    "write_json",
    "write_jsonl",
]

KeyPath = Union[str, Sequence[str]]  # noqa: UP007 - an alias is made when the module is loaded


def is_log(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a log, which its name tells."""
    return os.fspath(path).endswith(".jsonl")


def verify(path: str | os.PathLike[str], schema: int = SCHEMA) -> LogVerdict | SnapshotVerdict:
    """Look at a log or a snapshot without changing it; `ok` says whether all of it can be read."""
    return verify_log(path, schema) if is_log(path) else verify_snapshot(path, schema)


def repair(path: str | os.PathLike[str], schema: int = SCHEMA, dry: bool = False) -> list[str]:
    """Move what is damaged aside, to a file beside it; of a snapshot the last good generation stands again.

    Returns a line for each thing that was done, or with `dry` would be.
    """
    if not is_log(path):
        return repair_snapshot(path, schema, dry)
    change = repair_log(path, dry)
    where = change.aside or "a file beside it"
    return [f"{change.moved} bad line(s) moved to {where}, {change.kept} row(s) stay"] if change.moved else []


# -- keys of a document ------------------------------------------------------------------------


def get_key(data: Any, key: KeyPath, default: Any = None) -> Any:
    """The value under a key path: `a.b`, or a list where a name has a dot in it."""
    for part in _parts(key):
        if not isinstance(data, Mapping) or part not in data:
            return default
        data = data[part]
    return data


def set_key(data: Any, key: KeyPath, value: Any) -> dict[str, Any]:
    """A copy of the document with a value under a key path. InputError where a value is in the way."""
    parts = _parts(key)
    if not isinstance(data, Mapping):
        raise InputError("the document is no mapping, so it has no keys")
    new = dict(data)
    at = new
    for number, part in enumerate(parts[:-1]):
        inner = at.get(part, {})
        if not isinstance(inner, Mapping):
            raise InputError(
                f"{'.'.join(parts[: number + 1])} is a value and holds no keys; set that key itself"
            )
        at[part] = at = dict(inner)
    at[parts[-1]] = value
    return new


def remove_key(data: Any, key: KeyPath) -> dict[str, Any]:
    """The document without a key path; mappings that hold nothing else stay, empty."""
    parts = _parts(key)
    missing = object()
    if get_key(data, parts, missing) is missing:
        return dict(data)
    if len(parts) == 1:
        return {name: value for name, value in data.items() if name != parts[0]}
    return {**data, parts[0]: remove_key(data[parts[0]], parts[1:])}


def _parts(key: KeyPath) -> list[str]:
    parts = key.split(".") if isinstance(key, str) else list(key)
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise InputError(f"{key!r} is no key path; write names with dots between them, as in a.b.c")
    return parts
