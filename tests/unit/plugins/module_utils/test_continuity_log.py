# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs: what an append leaves, what a damaged line costs, and what replacing a log keeps."""

from __future__ import annotations

import enum
import hashlib
import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import continuity
from ansible_collections.timmy.config.plugins.module_utils.continuity_frame import (
    MAX_LINE,
    FrameError,
    seal,
    unseal,
)

ROWS = [{"id": f"r{number}", "text": "Jülich *\n\r\x0b\u2028", "n": number} for number in range(5)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that is not there yet."""
    return tmp_path / "decisions.jsonl"


def test_what_is_appended_comes_back_in_order(log: Path) -> None:
    assert continuity.append_jsonl(log, ROWS[0]) == 1
    assert continuity.append_jsonl(log, ROWS[1:]) == 4
    assert continuity.append_jsonl(log, []) == 0
    rows = continuity.load_jsonl(log)
    assert (list(rows), rows.bad, rows.sealed) == (ROWS, 0, True)
    assert continuity.count_jsonl_rows(log) == 5
    assert continuity.verify(log) == continuity.LogVerdict(str(log), rows=5)


def test_a_log_that_never_was_has_no_rows_and_cannot_be_verified(log: Path) -> None:
    assert (continuity.load_jsonl(log), continuity.count_jsonl_rows(log)) == ([], 0)
    with pytest.raises(continuity.StorageError, match=r"decisions\.jsonl: No such file"):
        continuity.verify(log)


def test_every_line_is_json_with_the_checksum_last(log: Path) -> None:
    continuity.append_jsonl(log, [{}, *ROWS])
    for line in log.read_bytes().split(b"\n")[:-1]:
        assert list(json.loads(line))[-1] == "sum"
        digest = hashlib.blake2b(line[:-25], digest_size=8).hexdigest()
        assert line[-25:] == f'"sum":"{digest}"}}'.encode()


def test_no_bit_of_a_line_may_flip() -> None:
    line = seal({"id": "a", "text": "*J{}"})[:-1]
    for bit in range(8 * len(line)):
        at, mask = divmod(bit, 8)
        flipped = line[:at] + bytes([line[at] ^ 1 << mask]) + line[at + 1 :]
        with pytest.raises(FrameError):
            unseal(flipped)


class Word(enum.Enum):
    """Something that JSON has no word for."""

    ONE = 1


BAD_RECORDS: list[tuple[Any, str]] = [
    (["text"], "a record is a mapping, not str"),
    ([1], "a record is a mapping, not int"),
    ({"a": float("nan")}, ": a: the number nan, which JSON does not have"),
    ({"a": {"b": [1, float("-inf")]}}, ": a: b: the number -inf"),
    ({1: "a"}, ": the key 1 is no text"),
    ({"a": {None: 1}}, ": a: the key None is no text"),
    ({"a": Word.ONE}, ": a: a value of type Word"),
    ({"a": {1, 2}}, ": a: a value of type set"),
    ({"a": b"raw"}, ": a: a value of type bytes"),
    ({"sum": "mine"}, 'no key "sum" of its own'),
    ({"schema": 0}, "whole number from 1 on"),
    ({"schema": True}, "whole number from 1 on"),
    ({"a": "x" * MAX_LINE}, "bytes are more than the 1048576"),
    ({"a": 10**5000}, "not to be written as JSON"),
]


@pytest.mark.parametrize(("record", "line"), BAD_RECORDS)
def test_what_cannot_be_written_is_said_in_one_line_and_nothing_is_written(
    log: Path, record: Any, line: str
) -> None:
    with pytest.raises(continuity.InputError) as caught:
        continuity.append_jsonl(log, [ROWS[0], *record] if isinstance(record, list) else [ROWS[0], record])
    assert line in str(caught.value)
    assert str(caught.value).startswith(str(log))
    assert "\n" not in str(caught.value)
    assert not log.exists()


def test_a_record_may_be_deep_but_not_too_deep() -> None:
    deep: Any = 1
    for _level in range(64):
        deep = {"a": deep}
    assert unseal(seal(deep)[:-1]) == deep
    with pytest.raises(continuity.InputError, match="nested deeper than 64"):
        seal({"a": deep})


def test_a_group_that_is_too_large_is_refused(log: Path) -> None:
    with pytest.raises(continuity.InputError, match="append smaller groups"):
        continuity.append_jsonl(log, [{"a": "x" * 1_000_000}] * 68)
    assert not log.exists()


@pytest.mark.parametrize("tail", [b'{"id":"torn","te', b"\0\0\0", b"x", seal({"id": "whole"})[:-1]])
def test_a_torn_tail_is_sealed_and_never_cut(log: Path, tail: bytes) -> None:
    continuity.append_jsonl(log, ROWS[:2])
    before = log.read_bytes() + tail
    log.write_bytes(before)
    whole = tail.endswith(b"}")
    rows = continuity.load_jsonl(log)
    assert (rows.bad, rows.sealed, len(rows)) == (int(not whole), False, 2 + whole)
    assert [one["why"] for one in continuity.verify_log(log).bad] == ([] if whole else ["torn"])
    continuity.append_jsonl(log, ROWS[2])
    assert log.read_bytes() == before + b"\n" + seal(ROWS[2])
    rows = continuity.load_jsonl(log)
    assert (rows.bad, rows.sealed, rows[-1]) == (int(not whole), True, ROWS[2])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "the checksum does not fit"),
        (b"{}", "the checksum does not fit"),
        (seal({"a": 1})[:-1].replace(b'"sum"', b'"sun"'), "the checksum does not fit"),
        (seal({"a": 1})[:-1].upper(), "the checksum does not fit"),
        (seal({"a": 1})[:-1] + b" ", "the checksum does not fit"),
        (b" " + seal({"a": 1})[:-1], "the checksum does not fit"),
        (seal({"a": 1})[:-1] + b"\r", "the checksum does not fit"),
        (b"x" * (3 << 20), "too long"),
    ],
)
def test_a_bad_line_is_counted_skipped_and_left_in_place(log: Path, line: bytes, why: str) -> None:
    log.write_bytes(seal(ROWS[0]) + line + b"\n" + seal(ROWS[1]))
    content = log.read_bytes()
    rows = continuity.load_jsonl(log)
    assert (list(rows), rows.bad) == (ROWS[:2], 1)
    assert continuity.verify_log(log).bad == [{"line": 2, "at": len(seal(ROWS[0])), "why": why}]
    assert not continuity.verify(log).ok
    continuity.append_jsonl(log, ROWS[2])
    assert log.read_bytes() == content + seal(ROWS[2])


def test_repair_moves_bad_lines_aside_and_loses_none(log: Path) -> None:
    bad = [b"x" * (3 << 20) + b"\n", b"\n", b"noise\n", b'{"torn']
    log.write_bytes(bad[0] + seal(ROWS[0]) + bad[1] + bad[2] + seal(ROWS[1]) + bad[3])
    log.chmod(0o640)
    before = log.read_bytes()
    assert continuity.repair(log, dry=True) == ["4 bad line(s) moved to a file beside it, 2 row(s) stay"]
    assert log.read_bytes() == before
    (told,) = continuity.repair(log)
    (aside,) = [path for path in log.parent.iterdir() if path != log]
    assert told == f"4 bad line(s) moved to {aside}, 2 row(s) stay"
    assert aside.read_bytes() == b"".join(bad) + b"\n"
    assert log.read_bytes() == seal(ROWS[0]) + seal(ROWS[1])
    assert (log.stat().st_mode & 0o777, log.stat().st_nlink) == (0o640, 1)
    assert continuity.repair(log) == []
    assert continuity.verify(log).ok


def test_repair_of_a_whole_record_without_its_newline_only_adds_that(log: Path) -> None:
    log.write_bytes(seal(ROWS[0])[:-1])
    assert continuity.repair(log) == []
    assert log.read_bytes() == seal(ROWS[0])


def test_compacting_keeps_what_is_chosen_byte_for_byte(log: Path) -> None:
    continuity.append_jsonl(log, ROWS)
    change = continuity.compact_jsonl(log, lambda rows: range(len(rows) - 2, len(rows)), dry=True)
    assert (change.kept, change.dropped, continuity.count_jsonl_rows(log)) == (2, 3, 5)
    log.write_bytes(b"bad\n" + log.read_bytes())
    change = continuity.compact_jsonl(log, lambda rows: range(len(rows) - 2, len(rows)))
    assert (change.kept, change.dropped, change.moved) == (2, 3, 1)
    assert Path(change.aside).read_bytes() == b"bad\n"
    assert log.read_bytes() == seal(ROWS[3]) + seal(ROWS[4])
    number = log.stat().st_ino
    assert continuity.compact_jsonl(log, lambda rows: range(len(rows))).dropped == 0
    assert log.stat().st_ino == number, "nothing to do, and it was replaced"


def test_write_jsonl_replaces_all_rows(log: Path) -> None:
    assert continuity.write_jsonl(log, ROWS) == 5
    assert continuity.write_jsonl(log, ROWS[:1]) == 1
    assert continuity.load_jsonl(log) == ROWS[:1]
    assert continuity.write_jsonl(log, []) == 0
    assert continuity.load_jsonl(log) == []
    assert [path.name for path in log.parent.iterdir()] == [log.name]


def test_a_newer_row_is_refused_and_never_touched(log: Path) -> None:
    continuity.append_jsonl(log, [ROWS[0], {"schema": 2, "id": "new"}])
    log.write_bytes(log.read_bytes() + b"bad\n")
    before = log.read_bytes()
    for attempt in (
        lambda: continuity.load_jsonl(log),
        lambda: continuity.compact_jsonl(log, lambda _rows: []),
        lambda: continuity.write_jsonl(log, []),
    ):
        with pytest.raises(
            continuity.NewerSchemaError, match="line 2 has schema 2, and this program knows 1"
        ):
            attempt()
    assert [path.name for path in log.parent.iterdir()] == [log.name]
    assert log.read_bytes() == before
    assert continuity.load_jsonl(log, schema=2)[1] == {"schema": 2, "id": "new"}
    assert continuity.verify_log(log).newer == 1
    assert continuity.count_jsonl_rows(log) == 2
    continuity.repair(log)
    assert log.read_bytes() == before[:-4], "a newer row is whole, so a repair leaves it"


def test_an_id_is_appended_once(log: Path) -> None:
    assert continuity.append_once(log, ROWS[0], dry=True)
    assert not log.exists()
    assert continuity.append_once(log, ROWS[0])
    assert not continuity.append_once(log, ROWS[0], dry=True)
    assert not continuity.append_once(log, ROWS[0])
    with pytest.raises(continuity.InputError, match="'r0' stands there with other content; use another id"):
        continuity.append_once(log, {**ROWS[0], "n": 7})
    with pytest.raises(continuity.InputError, match='needs a text under "id"'):
        continuity.append_once(log, {"n": 1})
    assert continuity.load_jsonl(log) == ROWS[:1]


@pytest.mark.parametrize("make", ["link", "dangling", "folder", "pipe"])
def test_what_is_no_regular_file_is_left_alone(log: Path, make: str) -> None:
    other = log.with_name("other")
    if make == "link":
        other.write_bytes(b"precious")
    if make in {"link", "dangling"}:
        log.symlink_to(other)
    elif make == "folder":
        log.mkdir()
    else:
        os.mkfifo(log)
    for attempt in (
        lambda: continuity.append_jsonl(log, ROWS),
        lambda: continuity.load_jsonl(log),
        lambda: continuity.write_jsonl(log, ROWS),
        lambda: continuity.repair(log),
    ):
        with pytest.raises(continuity.StorageError, match=r"symbolic link|a folder|not a regular file"):
            attempt()
    assert other.exists() == (make == "link")
    assert make != "link" or other.read_bytes() == b"precious"


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_new_log_has_its_mode_whatever_the_umask(log: Path, mode: int) -> None:
    before = os.umask(0o777)
    try:
        continuity.append_jsonl(log, ROWS[0], mode=mode)
    finally:
        os.umask(before)
    assert log.stat().st_mode & 0o7777 == mode


def test_a_second_name_is_made_durable_and_taken_away(log: Path) -> None:
    continuity.append_jsonl(log, ROWS[0])
    second = log.with_name(f".{log.name}.settling")
    os.link(log, second)
    continuity.append_jsonl(log, ROWS[1])
    assert not second.exists()
    other = log.with_name("hard-link-of-somebody")
    os.link(log, other)
    second.write_bytes(b"not the log")
    continuity.append_jsonl(log, ROWS[2])
    assert other.exists()
    assert second.exists()
    assert continuity.load_jsonl(log) == ROWS[:3]


def test_leftovers_of_killed_writers_go_and_nothing_else(log: Path) -> None:
    continuity.append_jsonl(log, ROWS)
    stale = log.with_name(f".{log.name}.0123456789ab.tmp")
    foreign = log.with_name(f".{log.name}.mine.tmp")
    for path in (stale, foreign):
        path.write_bytes(b"x")
    continuity.compact_jsonl(log, lambda _rows: [0])
    assert (stale.exists(), foreign.exists()) == (False, True)


@pytest.mark.parametrize("torn", [False, True])
def test_a_write_that_finds_room_for_half_of_it_is_taken_back(log: Path, torn: bool) -> None:
    continuity.append_jsonl(log, ROWS[1])
    if torn:
        with log.open("ab") as raw:
            raw.write(b'{"torn')
    before = log.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 1, 50):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, limits[1]))
        try:
            with pytest.raises(
                continuity.StorageError, match=r"bytes found room|larger than this process may"
            ):
                continuity.append_jsonl(log, ROWS[2])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert log.read_bytes() == before
    continuity.append_jsonl(log, ROWS[2])
    assert continuity.load_jsonl(log) == [ROWS[1], ROWS[2]]
    assert os.listdir(log.parent) == [log.name]
