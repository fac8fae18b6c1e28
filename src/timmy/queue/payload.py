# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages and results as JSON. Whoever can write into a shared queue can at most call a task by its name.

What JSON has no word for is an object with the one key `$` and a value: tuples, moments, spans, bytes,
Huey's own messages and errors. A dict of a task that has such a key, or keys that are no text, is written
as pairs. All else is refused where it is sent, with the type in the message, not where it is read.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from huey.exceptions import TaskException
from huey.registry import Message
from huey.serializer import Serializer
from huey.utils import SKIPPED, Error

from timmy.queue.model import QueueError, one_line

_TAG = "$"


class PayloadError(QueueError):
    """Something that is no JSON was sent, or something unreadable came back."""

    code = "queue-payload"
    exit_code = 65


class Payload(bytes):
    """A message that still knows what it is: Huey hands its storage bytes alone."""

    id: str
    name: str
    priority: float
    at: float

    @classmethod
    def of(cls, data: bytes, message: Message) -> Payload:
        """Return the bytes, labelled; `at` is the wall time from which it may run, or 0."""
        made = cls(data)
        made.id, made.name, made.priority = message.id, message.name, float(message.priority or 0)
        made.at = 0.0 if message.eta is None else message.eta.replace(tzinfo=dt.UTC).timestamp()
        return made


def _pack(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_pack(one) for one in value]
    if isinstance(value, dict):
        if _TAG not in value and all(isinstance(key, str) for key in value):
            return {key: _pack(one) for key, one in value.items()}
        return {_TAG: "dict", "v": [[_pack(key), _pack(one)] for key, one in value.items()]}
    for kind, tag, write, _read in _KINDS:
        if isinstance(value, kind):
            return {_TAG: tag, "v": write(value)}
    raise PayloadError(
        f"{type(value).__name__} cannot go into the queue", "send text, numbers, lists or dicts"
    )


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(one) for one in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: _unpack(one) for key, one in value.items()}
    if value[_TAG] == "dict":
        return {_unpack(key): _unpack(one) for key, one in value["v"]}
    for _kind, tag, _write, read in _KINDS:
        if value[_TAG] == tag:
            return read(value["v"])
    raise PayloadError(f"unknown mark {value[_TAG]!r} in a payload")


def _many(values: Any) -> list[Any]:
    return [_pack(one) for one in values]


def _message(fields: dict[str, Any]) -> Message:
    return Message(**{key: _unpack(one) for key, one in fields.items()})


_Write = Callable[[Any], Any]
# first match wins: a message and an error are tuples, a moment is a date
_KINDS: tuple[tuple[type, str, _Write, _Write], ...] = (
    (Message, "message", lambda one: {key: _pack(part) for key, part in one._asdict().items()}, _message),
    (Error, "error", lambda one: _pack(one.metadata), lambda one: Error(_unpack(one))),
    (type(SKIPPED), "skipped", lambda _one: None, lambda _one: SKIPPED),
    (tuple, "tuple", _many, lambda one: tuple(_unpack(part) for part in one)),
    (dt.datetime, "moment", lambda one: one.isoformat(), dt.datetime.fromisoformat),
    (dt.timedelta, "span", lambda one: one.total_seconds(), lambda one: dt.timedelta(seconds=one)),
    (bytes, "bytes", lambda one: base64.b64encode(one).decode("ascii"), base64.b64decode),
    (
        BaseException,
        "exception",
        lambda one: one_line(repr(one)),
        lambda one: TaskException({"error": one}, one),
    ),
)


class JsonSerializer(Serializer):  # type: ignore[misc] # Huey has no types
    """Huey's serializer with JSON in place of pickle."""

    def _serialize(self, data: Any) -> bytes:
        try:
            return json.dumps(_pack(data), separators=(",", ":"), allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise PayloadError(f"cannot go into the queue: {one_line(str(error))}") from None

    def _deserialize(self, data: bytes) -> Any:
        try:
            return _unpack(json.loads(bytes(data)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PayloadError(f"unreadable payload: {one_line(repr(error))}") from None
