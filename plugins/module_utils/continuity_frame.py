# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a line of continuity looks like: one JSON object whose last field is a checksum of the bytes before
it.

    {"id":"a1","text":"…","sum":"0123456789abcdef"}

The field has a fixed width and is compared literally, so no two spellings of it pass. This frame is the
same for every schema: a program that knows an older one can still tell a whole line from a damaged one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypeGuard

SCHEMA = 1
MAX_LINE = 1 << 20
MAX_DEPTH = 64
# The keys of a record that have a meaning here. `schema` may be given; without it a record has schema 1.
SUM = "sum"
VERSION = "schema"

_OPEN, _CLOSE = b'"sum":"', b'"}'
_DIGEST = 8
_TAIL = len(_OPEN) + 2 * _DIGEST + len(_CLOSE)


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


class ContinuityError(Exception):
    """Something about the files of continuity; the text is one line that names the file and the way out."""


class InputError(ContinuityError):
    """What was to be written cannot be written as it is."""


class FrameError(ValueError):
    """A line is not what somebody wrote; the text says in a word or two why."""


def _tail(prefix: bytes) -> bytes:
    return _OPEN + hashlib.blake2b(prefix, digest_size=_DIGEST).hexdigest().encode() + _CLOSE


def seal(record: Mapping[str, Any], limit: int = MAX_LINE) -> bytes:
    """The line of a record, newline included. InputError names what is wrong with the record."""
    # The plain one comes first because its test is the quick one.
    if not isinstance(record, (dict, Mapping)):
        raise InputError(f"a record is a mapping, not {type(record).__name__}")
    if SUM in record:
        raise InputError(f'a record has no key "{SUM}" of its own; name it differently')
    if VERSION in record and not counts(record[VERSION]):
        raise InputError(f'the key "{VERSION}" of a record is a whole number from 1 on')
    plain = dict(record)
    _check(plain, MAX_DEPTH)
    try:
        text = _encode(plain)
    except ValueError as error:
        raise InputError(f"not to be written as JSON: {error}") from None
    prefix = text[:-1].encode("ascii") + (b"," if record else b"")
    line = prefix + _tail(prefix) + b"\n"
    if len(line) > limit:
        raise InputError(
            f"{len(line)} bytes are more than the {limit} of one record; write less, or a file of its own"
        )
    return line


def unseal(line: bytes) -> dict[str, Any]:
    """The record of a line, given without its newline. FrameError where it is damaged."""
    prefix = line[:-_TAIL]
    if line[-_TAIL:] != _tail(prefix):
        raise FrameError("the checksum does not fit")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise FrameError("not JSON") from None
    if not isinstance(record, dict):
        raise FrameError("not a record")
    del record[SUM]
    return record


def version(record: Mapping[str, Any]) -> int:
    """The schema of a record; one that nobody could have written here counts as newer than any."""
    found = record.get(VERSION, 1)
    return found if counts(found) else 1 << 30


def counts(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number from 1 on; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check(value: Any, depth: int) -> None:
    """InputError where reading a value back would give something else; this runs at every append."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return
    if depth == 0 and kind is not float:
        raise InputError(f"it is nested deeper than {MAX_DEPTH} levels")
    if kind is dict:
        for key, one in value.items():
            if not isinstance(key, str):
                raise InputError(f"the key {key!r:.80} is no text")
            try:
                _check(one, depth - 1)
            except InputError as error:
                raise InputError(f"{_named(key)}: {error}") from None
    elif kind is list or kind is tuple:
        for one in value:
            _check(one, depth - 1)
    elif kind is not float:
        raise InputError(f"a value of type {kind.__name__}, which JSON does not have")
    elif not math.isfinite(value):
        raise InputError(f"the number {value}, which JSON does not have; use null or a text")


def _named(key: str) -> str:
    return ascii(key[:80])[1:-1]
