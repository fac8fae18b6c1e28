# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is answered to whatever the client asks: a result of sound objects, or one of our own errors.

Answers are recorded ones with values changed, and anything else that can come over a wire. How many: see
`gitea_trials`.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gitea_trials import FUZZED, TOKEN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_gitea_fuzz import DATA, LEAVES, sound

from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_errors import ForgeError
from timmy.core.gitea_retry import Patience
from timmy.core.gitea_session import Session
from timmy.core.gitea_transport import Content, Credentials, Transport
from timmy.core.gitea_url import parse_base

RECORDINGS = Path(__file__).resolve().parents[1] / "contract" / "recordings"
URL = "http://forge.test"
VALUES: dict[str, Any] = {
    "repo": "o/r",
    "owner": "o/r",
    "head": "a" * 40,
    "marker": "own.marker",
    "permission": "read",
    "state": "success",
    "content": Content(lambda: io.BytesIO(b"x"), 1),
    "fields": {},
}
BY_TYPE: dict[str, Any] = {"str": "name", "int": 1, "Sequence[str]": ["name"], "Sequence[int]": [1]}


def methods() -> dict[str, Any]:
    """Every call of the client that asks the forge for something, with its required arguments."""
    found = {}
    for name, method in inspect.getmembers(GiteaClient, inspect.isfunction):
        if name.startswith("_") or (hasattr(Session, name) and name != "server_settings"):
            continue
        wanted = list(inspect.signature(method).parameters.values())[1:]
        args = {
            one.name: VALUES.get(one.name, BY_TYPE.get(str(one.annotation)))
            for one in wanted
            if one.default is one.empty and one.kind is not one.VAR_KEYWORD
        }
        if name in ("create_repo", "create_own_repo"):
            args["owner"] = "o"
        found[name] = partial(method, **args)
    return found


CALLS = {
    **methods(),
    "list_issues, filtered": lambda forge: forge.list_issues("o/r", state="closed", labels=["a"]),
    "list_issues, all": lambda forge: forge.list_issues("o/r", state="all"),
    "create_issue, marked": lambda forge: forge.create_issue("o/r", "t", marker="own.marker"),
    "create_pull, marked": lambda forge: forge.create_pull("o/r", "h", "b", "t", marker="own.marker"),
    "update_issue, guarded": lambda forge: forge.update_issue("o/r", 1, body="b", content_version=1),
    "merge_pull, patient": lambda forge: forge.merge_pull("o/r", 1, "a" * 40, patience_s=3.0),
    "delete_user, purged": lambda forge: forge.delete_user("u", purge=True),
}


def recorded() -> list[Any]:
    """The bodies that a real forge answered with."""
    found: dict[str, Any] = {}
    for path in sorted(RECORDINGS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            body = json.loads(line).get("response", {}).get("body")
            if isinstance(body, (dict, list)) and len(json.dumps(body)) < 6000:
                found[json.dumps(body)] = body
    return list(found.values())


RECORDED = recorded()


def places(data: Any) -> list[tuple[Any, Any]]:
    """Each container in some data with each of its keys."""
    rows = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in rows for place in ((data, key), *places(value))]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A recorded body in which some values are others, gone, or listed."""
    data = copy.deepcopy(draw(st.sampled_from(RECORDED)))
    data = draw(st.sampled_from([data, [data], [data, data]]))
    for _each in range(draw(st.integers(0, 3))):
        spots = places(data)
        if not spots:
            break
        holder, key = draw(st.sampled_from(spots))
        if draw(st.booleans()):
            holder[key] = draw(LEAVES)
        else:
            del holder[key]
    return json.dumps(data).encode()


ODD = [
    b"",
    b"null",
    b" \n",
    b"[null]",
    b"{}",
    b'"text"',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"number":' + b"9" * 5000 + b"}",
    b'{"number":1e999,"id":-1}',
    b'[{"id":1,"id":2}]',
    b'{"title":"\xff\xfe"}',
    b'{"message":"\\ud800\x7f"}',
    b'\xef\xbb\xbf{"id":1}',
    '{"id":1}'.encode("utf-16"),
    f"<p>{TOKEN}\x1b[2J</p>".encode(),
    f'{{"message":"token {TOKEN}"}}'.encode(),
    b'[{"id":1',
]
BODIES = st.one_of(
    changed(),
    changed(),
    DATA.map(lambda raw: json.dumps(raw).encode()),
    st.binary(max_size=40),
    st.sampled_from(ODD),
)
HEADERS = st.fixed_dictionaries(
    {
        "content-type": st.sampled_from(
            ["application/json"] * 4 + ["text/html", "", "application/octet-stream"]
        )
    },
    optional={
        "x-total-count": st.sampled_from(["0", "3", "-1", "x", "99999999999999999999", "²"]),
        "link": st.sampled_from(
            ['<http://x/?page=3>; rel="last"', "<>;", '<http://x/?page=0>; rel="last"', "x" * 50]
        ),
        "date": st.sampled_from(["Mon, 23 Nov 2026 03:00:00 GMT", "yesterday", ""]),
        "retry-after": st.sampled_from(["1", "-1", "x", "Mon, 23 Nov 2026 03:00:09 GMT", "9" * 30]),
        "location": st.sampled_from(["/api/v1/user", "http://elsewhere.test/", "//", "http://[", ""]),
    },
)
STATUSES = st.sampled_from([200] * 8 + [201] * 4 + [202, 204, 205, 206, 301, 304, 307])
REFUSALS = st.sampled_from([400, 401, 403, 404, 405, 409, 412, 418, 422, 423, 429, 500, 502, 503, 504, 599])
ANSWERS = st.lists(
    st.tuples(st.one_of(STATUSES, STATUSES, REFUSALS), HEADERS, BODIES), min_size=1, max_size=4
)


class Says(Transport):
    """A transport whose exchanges are these, in turn."""

    def __init__(self, answers: list[tuple[int, dict[str, str], bytes]]) -> None:
        super().__init__(parse_base(URL), Credentials(TOKEN))
        self.answers = answers

    def _exchange(self, *_request: Any, sink: Any) -> tuple[int, dict[str, str], bytes]:
        status, headers, raw = self.answers[self.requests % len(self.answers)]
        self.requests += 1
        if sink is None or status >= 300:
            return status, headers, raw
        sink(raw)
        return status, headers, b""


def saying(answers: list[tuple[int, dict[str, str], bytes]]) -> GiteaClient:
    patience = Patience(attempts=2, settle_s=0.0)
    forge = GiteaClient(URL, TOKEN, patience=patience, sleep=lambda _s: None)
    forge.transport = Says(answers)
    return forge


def check(result: Any) -> None:
    """A result holds sound objects."""
    for one in result if isinstance(result, list) else [result]:
        assert not dataclasses.is_dataclass(one) or one.__class__.__name__.endswith("Result") or sound(one), (
            one
        )
        assert not isinstance(one, (dict, Exception)), one


def outcome(forge: GiteaClient, name: str) -> str:
    """Call, check what comes, and return what an error says."""
    try:
        check(CALLS[name](forge))
    except ForgeError as error:
        said = str(error)
    else:
        return ""
    assert said.split(maxsplit=1)[0] in {"GET", "POST", "PUT", "PATCH", "DELETE"}
    assert said.encode()
    assert TOKEN[:6] not in said
    assert not any(ord(char) < 32 for char in said)
    return said


@settings(max_examples=FUZZED, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANSWERS, st.sampled_from(sorted(CALLS)))
def test_any_answers_to_any_call_end_in_a_result_or_a_forge_error(
    answers: list[tuple[int, dict[str, str], bytes]], name: str
) -> None:
    forge = saying(answers)
    said = outcome(forge, name)
    assert len(said) < 1400
    assert forge.transport.requests < 9000


@pytest.mark.parametrize("name", CALLS)
def test_each_call_bears_each_odd_answer(name: str) -> None:
    for status in (200, 204):
        for kind in ("application/json", "text/html"):
            for raw in ODD:
                outcome(saying([(status, {"content-type": kind}, raw)]), name)


def test_every_method_is_called() -> None:
    assert len(CALLS) > 110
    assert all(None not in one.keywords.values() for one in CALLS.values() if isinstance(one, partial))
    assert len(RECORDED) > 50


@pytest.mark.parametrize("raw", ["[" * 100_000, '{"a":' * 50_000])
def test_json_that_is_too_deep_is_one_of_our_errors(raw: str) -> None:
    with pytest.raises(ForgeError, match="broken or cut off"):
        saying([(200, {"content-type": "application/json"}, raw.encode())]).get_issue("o/r", 1)
