# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of any shape: the decoder and the client end in an object or in one of our errors, never otherwise.

How many answers: see `gitea_trials`; `test_gitea_fuzz_calls` goes on with the client's methods.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from gitea_trials import FUZZED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timmy.core import gitea_admin_types, gitea_types
from timmy.core.gitea_decode import DecodeError, decode, decode_list, plain
from timmy.core.gitea_errors import answer_error
from timmy.core.gitea_merge import Refusal, judge
from timmy.core.gitea_transport import reason_of, retry_after
from timmy.core.gitea_types import KEYS, Issue, PullEnd, PullRequest

KINDS = [
    kind
    for module in (gitea_types, gitea_admin_types)
    for kind in vars(module).values()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
]
NAMES = sorted(
    {
        step.rstrip("?")
        for kind in KINDS
        for one in dataclasses.fields(kind)
        for name in one.metadata.get(KEYS, (one.name,))
        for step in name.split(".")
    }
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.just("\ud800 half a character"),
    st.sampled_from(
        ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "open", ""]
    ),
)
DATA: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda below: st.one_of(
        st.lists(below, max_size=4),
        st.dictionaries(st.sampled_from(NAMES), below, max_size=8),
        st.dictionaries(st.text(max_size=4), below, max_size=2),
    ),
    max_leaves=25,
)
SLOW = settings(max_examples=FUZZED, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def is_of(value: Any, hint: Any) -> bool:
    """Tell whether a value is what its field says, all the way down."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple:
        return isinstance(value, tuple) and all(is_of(one, inner[0]) for one in value)
    if type(None) in inner:
        return value is None or is_of(value, next(one for one in inner if one is not type(None)))
    if origin is not None:
        return isinstance(value, MappingProxyType) and all(is_of(one, inner[1]) for one in value.values())
    if dataclasses.is_dataclass(hint):
        return isinstance(value, hint) and typed(value)
    if hint is datetime:
        return isinstance(value, datetime) and value.utcoffset() == timedelta(0)
    return value.__class__ is hint


hints_of = cache(get_type_hints)


def typed(made: Any) -> bool:
    hints = hints_of(type(made))
    return all(is_of(getattr(made, one.name), hints[one.name]) for one in dataclasses.fields(made))


def sound(made: Any) -> bool:
    """Tell whether an object is typed all the way down, and can be written to any file."""
    return typed(made) and bool(json.dumps(plain(made), ensure_ascii=False).encode())


@SLOW
@given(DATA, st.sampled_from(KINDS))
def test_any_answer_becomes_a_typed_object_or_a_decode_error(raw: Any, kind: type[Any]) -> None:
    try:
        rows = decode_list(kind, raw) if isinstance(raw, list) or raw is None else [decode(kind, raw)]
    except DecodeError:
        assert not isinstance(raw, dict)
        return
    for made in rows:
        assert sound(made), made


@SLOW
@given(st.integers(300, 599), st.binary(max_size=60), st.text(max_size=12), st.text(max_size=30))
def test_any_refusal_becomes_an_error(status: int, raw: bytes, content_type: str, value: str) -> None:
    for kind in (content_type, "application/json"):
        reason = reason_of(kind, raw)
        wait = retry_after({"retry-after": value, "date": value})
        assert wait is None or wait >= 0
        assert str(status) in str(answer_error("GET", "/x", status, reason, retry_after=wait))


@SLOW
@given(
    st.one_of(st.none(), st.integers(100, 599)),
    st.text(max_size=20),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_merge_is_only_called_merged_when_the_pull_says_so(
    status: int | None, reason: str, merged: bool, draft: bool, moved: bool
) -> None:
    pull = PullRequest(
        merged=merged, draft=draft, head=PullEnd(sha="b" * 40 if moved else "a" * 40), state="open"
    )
    assert judge(Refusal(status, reason), pull, "a" * 40, "merge").merged is merged


WRONG: list[Any] = [
    *(None, True, False, 0, -1, 2**70, 10**400, 1.5, float("inf"), float("nan"), "", "x", "\ud800", "1"),
    *([], {}, [None], [[]], [{}], [1], ["x"], {"": ""}, {"id": "x"}, {"\udfff": "\udfff"}, [{"id": []}]),
    *("2026-13-45T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_field_takes_what_is_not_its_own(kind: type[Any]) -> None:
    for one in dataclasses.fields(kind):
        for name in one.metadata.get(KEYS, (one.name,)):
            for wrong in WRONG:
                said = wrong
                for step in reversed(name.rstrip("?").split(".")):
                    said = [said] if step == "*" else {step: said}
                made = decode(kind, {**said, "an unknown key": wrong})
                assert sound(made), (name, wrong, made)


def test_what_the_fuzzing_checks_can_fail() -> None:
    with pytest.raises(UnicodeEncodeError):
        sound(Issue(title="\ud800"))
    assert not typed(Issue(id="1"))  # type: ignore[arg-type]
    assert not typed(Issue(labels=("a",)))  # type: ignore[arg-type]
