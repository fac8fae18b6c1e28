# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the forge's client says and where it goes: reasons, addresses, pauses, markers; no network here."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_client import version_numbers
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import (
    BadTokenError,
    ConflictError,
    ForbiddenError,
    ForgeError,
    InvalidError,
    LostError,
    MovedError,
    NotFoundError,
    Secrets,
    ServerError,
    ThrottledError,
    UnreachableError,
    answer_error,
    one_line,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_issues import rfc3339
from ansible_collections.timmy.config.plugins.module_utils.gitea_once import mark, marked, new_marker
from ansible_collections.timmy.config.plugins.module_utils.gitea_retry import Patience, pause, transient
from ansible_collections.timmy.config.plugins.module_utils.gitea_transport import (
    Credentials,
    reason_of,
    retry_after,
    snippet,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_url import (
    parse_base,
    repo_path,
    same_origin,
    segments,
    with_query,
)


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - it is to be repeatable


@pytest.mark.parametrize(
    ("content_type", "raw", "reason"),
    [
        ("application/json", b'{"message": "no", "url": "http://x"}', "no"),
        ("application/json", b'{"message": "no", "errors": ["a", null, "b"]}', "no; a; b"),
        ("application/json", b'{"message": "", "errors": null}', ""),
        ("application/json", b'{"Style": "merge", "StdOut": "o", "StdErr": "CONFLICT", "Err": "exit 1"}',
         "exit 1; CONFLICT"),
        ("application/json", b'{"invalidTopics": ["A"], "message": "bad"}', "bad; A"),
        ("application/json", b"[1]", ""),
        ("application/json", b"{broken", "{broken"),
        ("text/plain", b"404 page  not\nfound", "404 page not found"),
        ("text/html", b"<TITLE>Log in</TITLE><p>x", "Log in"),
        ("", b"", ""),
    ],
)  # fmt: skip
def test_reasons(content_type: str, raw: bytes, reason: str) -> None:
    assert reason_of(content_type, raw) == reason


@pytest.mark.parametrize(
    ("value", "date", "wait"),
    [
        ("5", "", 5.0),
        ("0", "", 0.0),
        ("", "", None),
        ("-1", "", None),
        ("1.5", "", None),
        ("²", "", None),
        ("Mon, 23 Nov 2026 03:00:09 GMT", "Mon, 23 Nov 2026 03:00:00 GMT", 9.0),
        ("Mon, 23 Nov 2026 03:00:00 GMT", "Mon, 23 Nov 2026 03:00:09 GMT", 0.0),
        ("Mon, 23 Nov 2026 03:00:09 GMT", "", None),
        ("soon", "Mon, 23 Nov 2026 03:00:09 GMT", None),
    ],
)
def test_retry_after(value: str, date: str, wait: float | None) -> None:
    assert retry_after({"retry-after": value, "date": date}) == wait


@pytest.mark.parametrize(
    "wrong",
    [{"token": "two words"}, {"token": "line\nbreak"}, {"token": "zz9", "user": "u"}, {"user": "only"}],
)
def test_credentials_that_cannot_be_right_are_refused_unseen(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="forge") as caught:
        Credentials(**wrong)
    assert wrong.get("token", "-\n") not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "again"),
    [
        (301, MovedError, False),
        (400, InvalidError, False),
        (401, BadTokenError, False),
        (403, ForbiddenError, False),
        (404, NotFoundError, False),
        (405, ConflictError, False),
        (409, ConflictError, False),
        (412, InvalidError, False),
        (413, InvalidError, False),
        (418, InvalidError, False),
        (422, InvalidError, False),
        (423, ConflictError, False),
        (429, ThrottledError, True),
        (500, ServerError, True),
        (501, ServerError, False),
        (503, ServerError, True),
    ],
)
def test_each_status_is_an_error_that_says_it(status: int, kind: type[ForgeError], again: bool) -> None:
    error = answer_error("PUT", "/x", status, "the reason", location="/there")
    assert error.__class__ is kind
    assert str(error).startswith(f"PUT /x: {status} ")
    assert ("/there" if status == 301 else "the reason") in str(error)
    assert transient(error) is again


def test_what_never_reached_the_forge_may_go_again_unless_it_cannot_help() -> None:
    assert transient(UnreachableError("GET", "/x", "refused"))
    assert not transient(UnreachableError("GET", "/x", "certificate", permanent=True))
    assert transient(LostError("GET", "/x", "reset"))


def test_texts_of_others_stay_on_one_line_and_short() -> None:
    said = one_line("a\nb\x1b[31mc\u202ed\u2028e  f" + "x" * 900)
    assert said.startswith("a b [31mc d e f")
    assert len(said) == 300
    assert Secrets("abc", "abcdef", "").clean("x abcdef abc") == "x <secret> <secret>"


@pytest.mark.parametrize(
    ("attempt", "asked", "spent", "low", "high"),
    [
        (1, None, 0, 0.25, 0.5),
        (2, None, 0, 0.5, 1.0),
        (4, None, 0, 2.0, 4.0),
        (1, 7.0, 0, 7.0, 7.5),
        (1, 0.0, 0, 0.0, 0.5),
    ],
)
def test_a_pause_grows_and_keeps_the_forges_wish(
    attempt: int, asked: float | None, spent: float, low: float, high: float
) -> None:
    waits = [pause(attempt, asked, spent, Patience(), chance(seed)) for seed in range(50)]
    assert all(wait is not None and low <= wait <= high for wait in waits)
    assert len(set(waits)) > 40


@pytest.mark.parametrize(
    ("attempt", "asked", "spent"),
    [(5, None, 0), (1, 121.0, 0), (1, 3600.0, 0), (2, None, 119.9), (99, 1.0, 0)],
)
def test_patience_ends(attempt: int, asked: float | None, spent: float) -> None:
    assert pause(attempt, asked, spent, Patience(), chance(1)) is None


def test_a_pause_does_not_grow_for_ever() -> None:
    many = Patience(attempts=5000, total_s=1e9)
    assert pause(4000, None, 0, many, chance(1)) == pytest.approx(30.0, rel=0.5)


@pytest.mark.parametrize(
    ("url", "text", "prefix"),
    [
        ("https://forge.example.org", "https://forge.example.org", "/api/v1"),
        ("https://forge.example.org:443/", "https://forge.example.org", "/api/v1"),
        ("http://forge.example.org:3000/api/v1/", "http://forge.example.org:3000", "/api/v1"),
        ("https://example.org/git/", "https://example.org/git", "/git/api/v1"),
        ("https://example.org/git/api/v1", "https://example.org/git", "/git/api/v1"),
        ("http://[::1]:3000", "http://[::1]:3000", "/api/v1"),
        (" HTTP://Forge.Example.Org ", "http://forge.example.org", "/api/v1"),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example", "/api/v1"),
    ],
)
def test_addresses(url: str, text: str, prefix: str) -> None:
    base = parse_base(url)
    assert (str(base), base.prefix) == (text, prefix)


@pytest.mark.parametrize(
    "url",
    ["", "forge.example.org", "ftp://x", "https://", "https://u:secret@x", "https://x?token=secret", "https://x#a",
     "https://x:port", "https://[::1", "https://" + "a" * 70 + ".example"],
)  # fmt: skip
def test_addresses_that_cannot_be_right_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(ValueError, match="the forge's URL") as caught:
        parse_base(url)
    assert "secret" not in str(caught.value)


def test_names_become_one_segment_each() -> None:
    assert repo_path("o/r", "branches", "a/b c?#%") == "/repos/o/r/branches/a%2Fb%20c%3F%23%25"
    assert segments("users", 7) == "/users/7"
    for wrong in ("", ".", ".."):
        with pytest.raises(ValueError, match="no name"):
            segments("repos", wrong)
    for wrong in ("only", "a/b/c", "/", "o/", "../r"):
        with pytest.raises(ValueError, match=r"no (name|repository)"):
            repo_path(wrong)
    assert with_query("/x", {"a": None, "b": True, "c": "\u00e4&", "d": 0}) == "/x?b=true&c=%C3%A4%26&d=0"
    assert with_query("/x", {"a": None}) == "/x"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/api/v1/repos/o/new", "/api/v1/repos/o/new"),
        ("new?a=b", "/api/v1/repos/o/new?a=b"),
        ("https://f.example/x", "/x"),
        ("https://F.EXAMPLE:443/x", "/x"),
        ("https://f.example", "/"),
        ("//f.example/x", "/x"),
        ("http://f.example/x", None),
        ("https://f.example:444/x", None),
        ("//evil.example/x", None),
        ("https://f.example.evil.example/x", None),
        ("https://f.example@evil.example/x", None),
        ("https://a@f.example/x", None),
        ("https://[/x", None),
        ("https://f.example:x/", None),
        ("javascript:alert(1)", None),
        ("\\\\evil.example/x", "/api/v1/repos/o/\\\\evil.example/x"),
    ],
)
def test_where_a_redirect_may_lead(location: str, path: str | None) -> None:
    assert same_origin(parse_base("https://f.example"), "/api/v1/repos/o/old", location) == path


def test_markers_differ_and_stay_out_of_sight() -> None:
    rng = chance(1)
    signs = {new_marker(rng) for _each in range(100)}
    assert len(signs) == 100
    assert marked("text", "abcdefgh") == "text\n\n<!-- timmy:once:abcdefgh -->"
    assert marked("", "abcdefgh") == mark("abcdefgh")
    for wrong in ("short", "a" * 81, "with space", "-->", "x\ny-------"):
        with pytest.raises(ValueError, match="a marker is"):
            mark(wrong)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1.27.3", (1, 27, 3)),
        ("28.0.0", (28, 0, 0)),
        ("1.28.0+dev-12-gabcdef", (1, 28, 0)),
        ("16.0.1+gitea-1.22.0", (16, 0, 1)),
        ("1.26.0-rc0", (1, 26, 0)),
        ("", ()),
        ("dev", ()),
        ("\u00b2.1", ()),
    ],
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert version_numbers(text) == numbers


def test_times_have_a_zone() -> None:
    assert rfc3339(datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC)) == "2030-01-02T03:04:05+00:00"
    with pytest.raises(ValueError, match="zone"):
        rfc3339(datetime(2030, 1, 2))  # noqa: DTZ001 - this is the mistake


def test_half_a_word_at_the_end_of_what_is_read_is_left_out() -> None:
    """It may be half a secret, which nobody would know for one."""
    tags = b"<i></i>" * 1169
    assert snippet(b"gone " + tags + b" 0123456789abcdef") == "gone"
    assert snippet(b"gone " + b"y" * 9000).startswith("gone yyy")


def test_half_a_character_is_no_part_of_a_message() -> None:
    assert one_line("a\ud800b") == "a b"
