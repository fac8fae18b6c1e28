# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into the queue comes out the same, or is refused at the door; nothing is ever unpickled."""

from __future__ import annotations

import datetime as dt
import pickle

import pytest
from huey.exceptions import TaskException
from huey.registry import Message
from huey.utils import SKIPPED, Error
from hypothesis import given
from hypothesis import strategies as st

from timmy.queue.payload import JsonSerializer, Payload, PayloadError

KEYS = st.text(max_size=5) | st.just("$") | st.integers() | st.tuples(st.integers(), st.text(max_size=3))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.timedeltas(dt.timedelta(days=-999), dt.timedelta(days=999)).map(
        lambda one: dt.timedelta(seconds=int(one.total_seconds()))
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | inner.map(lambda one: Error({"error": one}))
        | st.tuples(inner, inner).map(lambda two: Message("id", "name", args=(two[0],), kwargs={"k": two[1]}))
    ),
    max_leaves=12,
)


@given(VALUES)
def test_there_and_back(value: object) -> None:
    serializer = JsonSerializer()
    back = serializer.deserialize(serializer.serialize(value))
    assert back == value
    assert type(back) is type(value)


@given(st.binary(max_size=200) | VALUES.map(pickle.dumps))
def test_anything_else_is_one_error(data: bytes) -> None:
    serializer = JsonSerializer()
    told = ""
    try:
        serializer.deserialize(data)
    except PayloadError as error:
        told = error.message
    assert "\n" not in told
    assert len(told) < 600


def test_a_pickle_is_not_loaded() -> None:
    with pytest.raises(PayloadError, match="unreadable payload"):
        JsonSerializer().deserialize(pickle.dumps({"a": 1}))


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), [float("inf")], "\ud800x" and object])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(PayloadError, match="cannot go into the queue"):
        JsonSerializer().serialize(value)


def test_what_refers_to_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(PayloadError):
        JsonSerializer().serialize(loop)
    with pytest.raises(PayloadError):
        JsonSerializer().deserialize(b"[" * 100_000)


def test_a_dict_that_looks_like_a_mark_stays_a_dict() -> None:
    for value in ({"$": "tuple", "v": [1]}, {"$": 1}, {1: "$"}):
        assert JsonSerializer().deserialize(JsonSerializer().serialize(value)) == value


def test_exceptions_arrive_as_words() -> None:
    serializer = JsonSerializer()
    back = serializer.deserialize(serializer.serialize(ValueError("no\nluck")))
    assert isinstance(back, TaskException)
    assert str(back) == "ValueError('no\\nluck')"
    assert serializer.deserialize(serializer.serialize(SKIPPED)) is SKIPPED


@pytest.mark.parametrize(
    "text", [b'{"$":"os.system","v":"ls"}', b'{"$":"message","v":{"nope":1}}', b'{"$":"tuple"}']
)
def test_unknown_marks_are_refused(text: bytes) -> None:
    with pytest.raises(PayloadError):
        JsonSerializer().deserialize(text)


def test_labels() -> None:
    eta = dt.datetime(2026, 1, 1, 12)  # noqa: DTZ001 - Huey's are naive UTC
    made = Payload.of(b"x", Message("id", "name", eta=eta, priority=3))
    assert (made, made.id, made.name, made.priority, made.at) == (b"x", "id", "name", 3.0, 1767268800.0)
    assert Payload.of(b"x", Message("id", "name")).at == 0.0
