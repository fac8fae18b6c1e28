# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request bodies, read as strictly as by a Gitea that is built with its JSON switch.

Names in their own case, no name twice, nothing after the value, UTF-8 only. Unknown names are ignored.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from datetime import datetime
from typing import Any, NoReturn

from .errors import ApiError

GO_TYPES = {"str": "string", "int": "int64", "smallint": "int", "bool": "bool", "time": "time.Time"}


class _DuplicateError(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateError(key)
        found[key] = value
    return found


def _refuse(text: str) -> NoReturn:
    raise ApiError(422, f"[]: {text}")


def _parse(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(f"jsontext: invalid UTF-8 after offset {error.start}")
    try:
        value, end = json.JSONDecoder(object_pairs_hook=_pairs).raw_decode(text.lstrip())
    except _DuplicateError as error:
        _refuse(f'jsontext: duplicate object member name "{error}"')
    except json.JSONDecodeError as error:
        if error.pos >= len(text.lstrip()):
            _refuse(f"jsontext: unexpected EOF after offset {len(raw)}")
        _refuse(f"jsontext: invalid character {text.lstrip()[error.pos]!r} after offset {error.pos}")
    except RecursionError:
        _refuse("jsontext: exceeded max depth")
    rest = text.lstrip()[end:].strip()
    if rest:
        _refuse(f"jsontext: invalid character {rest[0]!r} after top-level value after offset {end}")
    return value


def _json_word(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "array" if isinstance(value, list) else "object"


def _fits(kind: str, value: Any) -> bool:
    if kind in {"int", "smallint"}:
        return isinstance(value, int) and not isinstance(value, bool)
    wanted = {"str": str, "time": str, "bool": bool, "map": dict}[kind]
    return isinstance(value, wanted)


def parse_time(text: str) -> int:
    """Return the seconds of an RFC 3339 time. :raises ValueError: in the words of the forge."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text):
        try:
            return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
        except ValueError:
            pass
    raise ValueError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"')


def _field(name: str, kind: str, value: Any, where: str) -> Any:
    if value is None or kind == "any":
        return value
    if kind.startswith("["):
        if not isinstance(value, list):
            word = f"[]{GO_TYPES[kind[1:-1]]}"
            _refuse(f'json: cannot unmarshal JSON {_json_word(value)} into Go {word} within "{where}"')
        return [_field(name, kind[1:-1], item, f"{where}/{at}") for at, item in enumerate(value)]
    if not _fits(kind, value):
        word = GO_TYPES.get(kind, "map[string]string")
        _refuse(f'json: cannot unmarshal JSON {_json_word(value)} into Go {word} within "{where}"')
    if kind == "time":
        try:
            return parse_time(value)
        except ValueError as error:
            _refuse(f'json: cannot unmarshal JSON string into Go time.Time within "{where}": {error}')
    return value


def go_name(key: str) -> str:
    """Return the field name that the forge's messages use: rule_name is RuleName."""
    return "".join(part[:1].upper() + part[1:] for part in key.split("_"))


class Form:
    """The fields of one kind of body: ``title:str! labels:[int]``; an exclamation mark means required."""

    def __init__(self, name: str, fields: str) -> None:
        self.name = name
        self.kinds: dict[str, str] = {}
        self.required: list[str] = []
        for word in fields.split():
            key, _colon, kind = word.partition(":")
            self.kinds[key] = kind.rstrip("!")
            if kind.endswith("!"):
                self.required.append(key)

    def read(self, content_type: str, raw: bytes) -> dict[str, Any]:
        """Return the known fields that were sent. :raises ApiError: 422 with the forge's reason."""
        kind = content_type.partition(";")[0].strip().lower()
        if not kind:
            _refuse("Empty Content-Type")
        if kind == "application/x-www-form-urlencoded":
            sent: Any = {
                key: value[0] for key, value in urllib.parse.parse_qs(raw.decode("utf-8", "replace")).items()
            }
        elif kind.endswith("json"):
            sent = _parse(raw) if raw.strip() else {}
        else:
            _refuse("Unsupported Content-Type")
        if sent is None:
            sent = {}
        if not isinstance(sent, dict):
            _refuse(f"json: cannot unmarshal JSON {_json_word(sent)} into Go structs.{self.name}")
        fields = {
            key: _field(key, kind, sent[key], f"/{key}") for key, kind in self.kinds.items() if key in sent
        }
        for key in self.required:
            if fields.get(key) in (None, "", {}):
                raise ApiError(422, f"[{go_name(key)}]: Required")
        return fields
