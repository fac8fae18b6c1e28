# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the forge's JSON to the dataclasses of `gitea_types`, and back to plain data.

Tolerant by design: unknown keys are ignored, and a missing, null or ill-typed value gives the field's
default. Only something that is no object where an object is due is an error, because a caller would else
act on an empty one.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from .gitea_types import KEYS

T = TypeVar("T")
Convert = Callable[[Any], Any]
Getter = Callable[[Mapping[str, Any]], Any]

# What a converter returns for a value of the wrong type: the field keeps its default.
UNFIT: Any = object()
# Half a character, which JSON can name and no file, terminal or request can hold.
_HALVES = re.compile("[\ud800-\udfff]")
_NEVER = 1970

# Of each field its name, where it is read from, how, and its default.
Plan = tuple[tuple[str, tuple[Getter, ...], Convert, Any], ...]
_PLANS: dict[type[Any], Plan] = {}


class DecodeError(ValueError):
    """There is no object where one is due."""


def decode(kind: type[T], raw: object) -> T:
    """Return an answer as an object of this kind. Raises DecodeError when it is no JSON object."""
    if not isinstance(raw, Mapping):
        raise DecodeError(f"no {kind.__name__} but {_shape(raw)}")
    return typing.cast(T, _build(kind, raw))


def decode_list(kind: type[T], raw: object) -> tuple[T, ...]:
    """Return an answer as objects of this kind; null is the empty list. Raises DecodeError otherwise."""
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise DecodeError(f"no list of {kind.__name__} but {_shape(raw)}")
    return tuple(decode(kind, row) for row in raw)


def plain(value: Any) -> Any:
    """Return an object as plain data, as modules return it: dicts, lists, texts, times in RFC 3339."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def moment(value: object) -> datetime | None:
    """Return an RFC 3339 time in UTC, None for anything else and for the years that mean never."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        aware = read if read.tzinfo is UTC else _in_utc(read)
    except (ValueError, OverflowError):
        return None
    return aware if aware.year > _NEVER else None


def _in_utc(read: datetime) -> datetime:
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _shape(raw: object) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "nothing"}.get(type(raw), "a value")


def _build(kind: type[Any], raw: Mapping[str, Any]) -> Any:
    """A frozen object, filled at once: `__init__` would set each field through `object.__setattr__`."""
    values: dict[str, Any] = {}
    for name, getters, convert, default in _plan(kind):
        for get in getters:
            found = get(raw)
            if found is not None:
                found = convert(found)
                if found is not UNFIT:
                    values[name] = found
                    break
        else:
            values[name] = default() if callable(default) else default
    made = object.__new__(kind)
    made.__dict__.update(values)
    return made


def _plan(kind: type[Any]) -> Plan:
    """How to fill a kind, worked out once."""
    if kind in _PLANS:
        return _PLANS[kind]
    hints = typing.get_type_hints(kind)
    rows = []
    for one in dataclasses.fields(kind):
        names = one.metadata.get(KEYS, (one.name,))
        made = one.default_factory is not dataclasses.MISSING
        default = one.default_factory if made else one.default
        rows.append((one.name, tuple(_getter(name) for name in names), _converter(hints[one.name]), default))
    _PLANS[kind] = tuple(rows)
    return _PLANS[kind]


def _getter(name: str) -> Getter:
    """The function that reads a key, a dotted path, or the presence of a key."""
    if name.endswith("?"):
        bare = name[:-1]
        return lambda raw: raw.get(bare) is not None
    if "." not in name:
        return lambda raw: raw.get(name)
    steps = name.split(".")
    return lambda raw: _walk(raw, steps)


def _walk(raw: Any, steps: list[str]) -> Any:
    for position, step in enumerate(steps):
        if step == "*":
            rows = raw if isinstance(raw, list) else []
            return [_walk(row, steps[position + 1 :]) for row in rows]
        if not isinstance(raw, Mapping):
            return None
        raw = raw.get(step)
    return raw


def _number(value: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else UNFIT


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return UNFIT
    return value if value.isascii() else _HALVES.sub("\N{REPLACEMENT CHARACTER}", value)


def _truth(value: Any) -> Any:
    return value if isinstance(value, bool) else UNFIT


def _texts_by_name(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return UNFIT
    texts = {_text(k): _text(v) for k, v in value.items() if isinstance(k, str) and isinstance(v, str)}
    return types.MappingProxyType(texts)


def _many(convert: Convert) -> Convert:
    def converted(value: Any) -> Any:
        if not isinstance(value, list):
            return UNFIT
        return tuple(one for one in map(convert, value) if one is not UNFIT)

    return converted


def _one(kind: type[Any]) -> Convert:
    return lambda value: _build(kind, value) if isinstance(value, Mapping) else UNFIT


_SIMPLE: dict[Any, Convert] = {
    int: _number,
    str: _text,
    bool: _truth,
    datetime: lambda value: moment(value) or UNFIT,
}


def _converter(hint: Any) -> Convert:
    """The converter for a field's type. A type that none fits is a mistake in our own dataclass."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _many(_converter(inner[0]))
    if origin in (types.UnionType, typing.Union):
        return _converter(next(one for one in inner if one is not type(None)))
    if origin is Mapping:
        return _texts_by_name
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _one(hint)
    raise TypeError(f"no way to read a field of type {hint!r}")
