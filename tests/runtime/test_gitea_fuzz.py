# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of any shape: the decoder and the client end in an object or in one of our errors, never otherwise.

TIMMY_FORGE_FUZZ sets the number of answers, 10,000 for the full form.
"""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timmy.core import gitea_admin_types, gitea_types
from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_decode import DecodeError, decode, decode_list, plain
from timmy.core.gitea_errors import ForgeError, answer_error
from timmy.core.gitea_merge import Refusal, judge
from timmy.core.gitea_retry import Patience
from timmy.core.gitea_transport import Reply, reason_of, retry_after
from timmy.core.gitea_types import KEYS, Issue, PullEnd, PullRequest

FUZZ = int(os.environ.get("TIMMY_FORGE_FUZZ", "600"))
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
SLOW = settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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


def typed(made: Any) -> bool:
    hints = get_type_hints(type(made))
    return all(is_of(getattr(made, one.name), hints[one.name]) for one in dataclasses.fields(made))


@SLOW
@given(DATA, st.sampled_from(KINDS))
def test_any_answer_becomes_a_typed_object_or_a_decode_error(raw: Any, kind: type[Any]) -> None:
    try:
        rows = decode_list(kind, raw) if isinstance(raw, list) or raw is None else [decode(kind, raw)]
    except DecodeError:
        assert not isinstance(raw, dict)
        return
    for made in rows:
        assert typed(made), made
        json.dumps(plain(made))


class Says:
    """A transport that gives one body to everything."""

    base = "fuzzed"

    def __init__(self, body: bytes, headers: dict[str, str]) -> None:
        self.reply = Reply(200, headers, body)

    def send(self, *_request: Any, **_more: Any) -> Reply:
        return self.reply


CALLS: list[Any] = [
    lambda forge: forge.list_issues("o/r"),
    lambda forge: forge.list_issues("o/r", state="all", labels=["a"]),
    lambda forge: forge.get_issue("o/r", 1),
    lambda forge: forge.create_issue("o/r", "t"),
    lambda forge: forge.list_comments("o/r", 1),
    lambda forge: forge.list_timeline("o/r", 1),
    lambda forge: forge.list_org_repos("o"),
    lambda forge: forge.list_pulls("o/r"),
    lambda forge: forge.list_statuses("o/r", "s"),
    lambda forge: forge.create_pull("o/r", "h", "b", "t"),
    lambda forge: forge.merge_pull("o/r", 1, "a" * 40),
    lambda forge: forge.update_pull_branch("o/r", 1),
    lambda forge: forge.server_version(),
    lambda forge: forge.add_labels("o/r", 1, [1]),
    lambda forge: forge.update_user("u", full_name="x"),
]
BODIES = st.one_of(DATA.map(lambda raw: json.dumps(raw).encode()), st.binary(max_size=40))
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(["application/json", "text/html", ""]),
        "x-total-count": st.sampled_from(["0", "3", "-1", "x", "99999999999999999999", "²"]),
        "link": st.sampled_from(
            ['<http://x/?page=3>; rel="last"', "<>;", '<http://x/?page=0>; rel="last"', "x" * 50]
        ),
        "date": st.sampled_from(["Mon, 23 Nov 2026 03:00:00 GMT", "yesterday", ""]),
    },
)


@SLOW
@given(BODIES, HEADERS, st.sampled_from(CALLS))
def test_any_answer_to_any_call_ends_in_a_result_or_a_forge_error(
    body: bytes, headers: dict[str, str], call: Any
) -> None:
    forge = GiteaClient(
        "http://forge.test", patience=Patience(attempts=2, settle_s=0.0), sleep=lambda _s: None
    )
    forge.transport = Says(body, headers)  # type: ignore[assignment]
    said = ""
    try:
        call(forge)
    except ForgeError as error:
        said = str(error)
    assert len(said) < 1000


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


@pytest.mark.parametrize("raw", ["[" * 100_000, '{"a":' * 50_000])
def test_json_that_is_too_deep_is_one_of_our_errors(raw: str) -> None:
    forge = GiteaClient("http://forge.test", patience=Patience(attempts=1))
    forge.transport = Says(raw.encode(), {"content-type": "application/json"})  # type: ignore[assignment]
    with pytest.raises(ForgeError, match="broken or cut off"):
        forge.get_issue("o/r", 1)


def test_what_the_fuzzing_checks_can_fail() -> None:
    assert not typed(Issue(id="1"))  # type: ignore[arg-type]
    assert not typed(Issue(labels=("a",)))  # type: ignore[arg-type]
