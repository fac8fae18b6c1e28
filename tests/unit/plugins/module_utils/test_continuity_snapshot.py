# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: generations, compare-and-set, and damage that is an error and never an empty answer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import continuity
from ansible_collections.timmy.config.plugins.module_utils.continuity_frame import seal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return the path of a snapshot that is not there yet."""
    return tmp_path / "state.json"


def names(path: Path) -> list[str]:
    """Return all names beside a path."""
    return sorted(one.name for one in path.parent.iterdir())


def test_a_snapshot_comes_back_with_its_generation(state: Path) -> None:
    for number in range(1, 6):
        written = continuity.write_json(state, {"n": number})
        assert written.generation == number
        assert continuity.read_snapshot(state) == written
    assert names(state) == ["state.json", "state.json.g3", "state.json.g4"]
    assert continuity.read_json(f"{state}.g3") == {"n": 3}
    assert continuity.verify(state) == continuity.SnapshotVerdict(
        str(state), generation=5, good=[3, 4], last_good=str(state)
    )


@pytest.mark.parametrize(
    "data", [None, [], {}, "", 0, False, {"sum": "x", "schema": 7}, [1, {"ü": "\ud800"}]]
)
def test_any_json_comes_back_as_it_was(state: Path, data: Any) -> None:
    continuity.write_json(state, data)
    assert continuity.read_json(state) == data


def test_one_that_never_was_is_missing_or_the_default(state: Path) -> None:
    for path in (state, state.parent / "none" / "state.json"):
        with pytest.raises(continuity.MissingError, match="there is no such snapshot"):
            continuity.read_json(path)
        assert continuity.read_json(path, default={"a": 1}) == {"a": 1}
        assert continuity.read_snapshot(path, None).generation == 0
    with pytest.raises(continuity.MissingError):
        continuity.verify(state)
    with pytest.raises(continuity.MissingError):
        continuity.repair(state)
    with pytest.raises(continuity.StorageError, match=r"none/state.json: No such file"):
        continuity.write_json(state.parent / "none" / "state.json", {})


def test_compare_and_set(state: Path) -> None:
    continuity.write_json(state, "first", generation=0)
    with pytest.raises(continuity.ConflictError, match="generation 1 stands there, not none") as caught:
        continuity.write_json(state, "again", generation=0)
    assert caught.value.generation == 1
    continuity.write_json(state, "second", generation=1)
    with pytest.raises(continuity.ConflictError, match="generation 2 stands there, not 1"):
        continuity.write_json(state, "late", generation=1)
    assert continuity.read_json(state) == "second"
    assert continuity.update_json(state, lambda old: old + "!").data == "second!"


def damage(state: Path, how: str) -> None:
    """Make a snapshot unreadable."""
    content = state.read_bytes()
    if how == "gone":
        state.unlink()
    elif how == "empty":
        state.write_bytes(b"")
    elif how == "cut":
        state.write_bytes(content[:-1])
    elif how == "flipped":
        state.write_bytes(content.replace(b'"n":5', b'"n":4'))
    elif how == "foreign":
        state.write_bytes(b"{}\n")
    elif how == "record":
        state.write_bytes(seal({"generation": 9}))
    elif how == "two":
        state.write_bytes(content + content)
    elif how == "long":
        state.write_bytes(b"x" * (17 << 20))
    else:
        state.unlink()
        state.mkdir() if how == "folder" else state.symlink_to(f"{state}.g4")


DAMAGES = ["gone", "empty", "cut", "flipped", "foreign", "record", "two", "long", "folder", "link"]


@pytest.mark.parametrize("how", DAMAGES)
def test_damage_names_the_last_good_generation_and_repair_puts_it_back(state: Path, how: str) -> None:
    for number in range(1, 6):
        continuity.write_json(state, {"n": number}, mode=0o640)
    damage(state, how)
    for attempt in (
        lambda: continuity.read_json(state),
        lambda: continuity.read_json(state, default={}),
        lambda: continuity.write_json(state, {}),
        lambda: continuity.write_json(state, {}, generation=0),
        lambda: continuity.update_json(state, dict, {}),
    ):
        with pytest.raises(continuity.UnreadableError) as caught:
            attempt()
        assert (caught.value.generation, caught.value.last_good) == (4, f"{state}.g4")
        assert str(caught.value).startswith(f"{state}: unreadable: ")
        assert f"its last good generation is 4, {state}.g4" in str(caught.value)
    verdict = continuity.verify(state)
    assert not verdict.ok
    before = names(state)
    foretold = continuity.repair(state, dry=True)
    assert names(state) == before
    done = continuity.repair(state)
    assert done[-1] == "generation 4 stands again as generation 6"
    assert len(done) == (1 if how == "gone" else 2)
    if how not in {"folder", "link"}:
        assert foretold == done
    found = continuity.read_snapshot(state)
    assert (found.data, found.generation, state.stat().st_mode & 0o777) == ({"n": 4}, 6, 0o640)
    assert len([one for one in names(state) if ".bad-" in one]) == (0 if how == "gone" else 1)
    with pytest.raises(continuity.ConflictError):
        continuity.write_json(state, {}, generation=5)
    assert continuity.repair(state) == []


def test_without_a_good_generation_nothing_is_touched(state: Path) -> None:
    continuity.write_json(state, 1)
    state.write_bytes(b"torn")
    for attempt in (lambda: continuity.read_json(state), lambda: continuity.repair(state)):
        with pytest.raises(continuity.UnreadableError, match="no good generation is left") as caught:
            attempt()
        assert caught.value.last_good == ""
    assert (names(state), state.read_bytes()) == (["state.json"], b"torn")


def test_a_bad_older_generation_is_named_and_moved_aside(state: Path) -> None:
    for number in range(3):
        continuity.write_json(state, number)
    Path(f"{state}.g2").write_bytes(b"torn")
    verdict = continuity.verify_snapshot(state)
    assert (verdict.ok, verdict.bad, verdict.good) == (False, ["state.json.g2"], [1])
    assert continuity.read_json(state) == 2
    (told,) = continuity.repair(state)
    assert told.startswith("state.json.g2 is now state.json.bad-")
    assert continuity.verify(state).ok


def test_a_newer_schema_is_refused_and_kept(state: Path) -> None:
    continuity.write_json(state, 1)
    continuity.write_json(state, {"new": True}, schema=2)
    before = state.read_bytes()
    for attempt in (
        lambda: continuity.read_json(state, None),
        lambda: continuity.write_json(state, {}),
        lambda: continuity.repair(state),
    ):
        with pytest.raises(continuity.NewerSchemaError, match="has schema 2, and this program knows 1"):
            attempt()
    assert state.read_bytes() == before
    assert continuity.verify_snapshot(state).newer
    assert continuity.read_json(state, schema=2) == {"new": True}
    # The envelope itself may change in a schema that nobody knows yet.
    state.write_bytes(seal({"schema": 3, "generation": 9, "parts": []}))
    with pytest.raises(continuity.NewerSchemaError):
        continuity.read_json(state)
    with pytest.raises(continuity.UnreadableError, match="not a snapshot"):
        continuity.read_json(state, schema=3)


def test_input_that_cannot_be_written_changes_nothing(state: Path) -> None:
    continuity.write_json(state, 1)
    for data, line in (
        (float("nan"), "data: the number nan"),
        ({1: 2}, "data: the key 1 is no text"),
        ("x" * (17 << 20), "are more than"),
    ):
        with pytest.raises(continuity.InputError, match=line):
            continuity.write_json(state, data)
    assert (continuity.read_json(state), names(state)) == (1, ["state.json"])


def test_a_generation_name_that_is_taken_is_moved_aside(state: Path) -> None:
    continuity.write_json(state, 1)
    Path(f"{state}.g1").write_bytes(b"of another life")
    continuity.write_json(state, 2)
    assert continuity.read_json(f"{state}.g1") == 1
    (aside,) = [one for one in names(state) if ".bad-" in one]
    assert (state.parent / aside).read_bytes() == b"of another life"


def test_what_a_killed_writer_left_is_used_or_removed(state: Path) -> None:
    continuity.write_json(state, 1)
    os.link(state, f"{state}.g1")
    Path(f"{state.parent}/.state.json.0123456789ab.tmp").write_bytes(b"half")
    continuity.write_json(state, 2)
    assert names(state) == ["state.json", "state.json.g1"]


def test_the_mode_stays_unless_it_is_given(state: Path) -> None:
    modes = []
    for mode in (None, 0o640, None, 0o600):
        continuity.write_json(state, 1, mode=mode)
        modes.append(state.stat().st_mode & 0o7777)
    assert modes == [0o600, 0o640, 0o640, 0o600]


@pytest.mark.parametrize("path", ["", "/", "a/..", "a/."])
def test_a_path_that_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(continuity.StorageError, match="no file's path"):
        continuity.write_json(path, 1)


DOCUMENT = {"a": {"b": {"c": 1}, "d.e": 2}, "f": None}


def test_key_paths() -> None:
    assert continuity.get_key(DOCUMENT, "a.b.c") == 1
    assert continuity.get_key(DOCUMENT, ["a", "d.e"]) == 2
    assert continuity.get_key(DOCUMENT, "a.x", 7) == 7
    assert continuity.get_key(DOCUMENT, "f", 7) is None
    new = continuity.set_key(DOCUMENT, "a.b.x.y", 3)
    assert new == {"a": {"b": {"c": 1, "x": {"y": 3}}, "d.e": 2}, "f": None}
    assert continuity.remove_key(new, "a.b.x.y") == {"a": {"b": {"c": 1, "x": {}}, "d.e": 2}, "f": None}
    assert continuity.remove_key(DOCUMENT, "x.y") == DOCUMENT
    assert DOCUMENT == {"a": {"b": {"c": 1}, "d.e": 2}, "f": None}, "the document itself was changed"
    with pytest.raises(continuity.InputError, match=r"a\.b\.c is a value and holds no keys"):
        continuity.set_key(DOCUMENT, "a.b.c.d", 1)
    with pytest.raises(continuity.InputError, match="no mapping"):
        continuity.set_key([], "a", 1)
    for key in ("", "a..b", [], [1]):
        with pytest.raises(continuity.InputError, match="is no key path"):
            continuity.get_key(DOCUMENT, key)  # type: ignore[arg-type]
