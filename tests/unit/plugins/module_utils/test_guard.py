# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's decisions as tables, and its records on disk."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import guard

BOOT = "boot-a"


def record(**changes: Any) -> dict[str, Any]:
    base = {
        "phase": guard.ARMED,
        "boot_id": BOOT,
        "deadline": 100.0,
        "window_s": 60.0,
        "request": "r",
        "why": "",
    }
    return {**base, **changes}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


def store(place: Path) -> str:
    return str(place / "guard")


def arm(place: Path, undo: list[dict[str, Any]], window_s: float = 60, guard_id: str = "g") -> dict[str, Any]:
    return guard.arm(store(place), guard_id, undo, window_s, "a test", timer=guard.no_timer)


@pytest.mark.parametrize(
    ("changes", "now", "boot", "everything", "due"),
    [
        ({}, 99.9, BOOT, False, False),
        ({}, 100.0, BOOT, False, True),
        ({}, 1.0, "boot-b", False, True),
        ({}, 1.0, BOOT, True, True),
        ({"phase": guard.UNDOING}, 1.0, BOOT, False, True),
        ({"phase": guard.CONFIRMED}, 1e9, "boot-b", True, False),
        ({"phase": guard.UNDONE}, 1e9, "boot-b", True, False),
    ],
)
def test_due(changes: dict[str, Any], now: float, boot: str, everything: bool, due: bool) -> None:
    assert bool(guard.why_due(record(**changes), now, boot, everything)) is due


@pytest.mark.parametrize(
    ("current", "last", "now", "boot", "says"),
    [
        (record(), None, 1.0, BOOT, ""),
        (record(phase=guard.CONFIRMED), None, 1e9, BOOT, ""),
        (record(), None, 100.0, BOOT, "too late"),
        (record(), None, 1.0, "boot-b", "restarted"),
        (record(phase=guard.UNDOING), None, 1.0, BOOT, "too late"),
        (None, None, 1.0, BOOT, "nothing is armed"),
        (None, record(phase=guard.CONFIRMED), 1.0, BOOT, "nothing is armed"),
        (None, record(phase=guard.UNDONE, why="time was up"), 1.0, BOOT, "time was up"),
    ],
)
def test_confirm_decision(current: Any, last: Any, now: float, boot: str, says: str) -> None:
    line = guard.why_not_confirm(current, last, "g", now, boot)
    assert says in line
    assert bool(line) is bool(says)
    assert "\n" not in line


@pytest.mark.parametrize(
    ("existing", "request_sum", "want"),
    [
        (None, "r", "arm"),
        (record(phase=guard.CONFIRMED), "r", "arm"),
        (record(), "r", "same"),
        (record(), "other", "busy"),
        (record(phase=guard.UNDOING), "r", "busy"),
    ],
)
def test_arm_decision(existing: Any, request_sum: str, want: str) -> None:
    assert guard.arm_decision(existing, request_sum) == want


@pytest.mark.parametrize("bad", ["", "../x", "a/b", "A", ".x", "x.json", "x.d", "x" * 65, "a b", "a\n"])
def test_ids_that_are_refused(bad: str) -> None:
    with pytest.raises(guard.GuardError):
        guard.check_id(bad)


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"do": "format_disk", "path": "/x"},
        {"do": "restore_file", "path": "etc/x"},
        {"do": "restore_file", "path": "/etc/../x"},
        {"do": "remove_file", "path": "/"},
        {"do": "remove_file", "path": "/a\0b"},
        {"do": "set_link", "path": "/x"},
        {"do": "run", "argv": "reboot"},
        {"do": "run", "argv": []},
        {"do": "run", "argv": ["x"], "timeout": 0},
        {"do": "run", "argv": ["x"], "timeout": 601},
    ],
)
def test_actions_that_are_refused(place: Path, action: dict[str, Any]) -> None:
    with pytest.raises(guard.GuardError):
        arm(place, [action])
    assert guard.armed_ids(store(place)) == []


def test_undo_brings_back_files_links_and_absence(place: Path) -> None:
    kept, new, link = place / "etc/kept", place / "etc/new", place / "etc/link"
    kept.write_text("old")
    kept.chmod(0o640)
    link.symlink_to("before")
    ran = place / "ran"
    undo = [guard.undo_of(str(path)) for path in (kept, new, link)]
    undo.append({"do": "run", "argv": ["touch", str(ran)]})
    arm(place, undo)
    kept.write_text("changed")
    kept.chmod(0o600)
    new.write_text("new")
    guard.set_link(str(link), "after")

    outcome = guard.undo_now(store(place), "g", "asked")

    assert outcome["clean"]
    assert kept.read_text() == "old"
    assert kept.stat().st_mode & 0o777 == 0o640
    assert not new.exists()
    assert os.readlink(link) == "before"
    assert ran.exists()
    assert guard.armed_ids(store(place)) == []
    last = guard.last_outcome(store(place), "g")
    assert last is not None
    assert last["phase"] == guard.UNDONE


def test_undo_goes_on_past_a_failing_step_and_reports_it(place: Path) -> None:
    path = place / "etc/f"
    path.write_text("old")
    undo: list[dict[str, Any]] = [
        {"do": "run", "argv": ["/does/not/exist"]},
        {"do": "run", "argv": ["sh", "-c", "echo no; exit 3"]},
        guard.undo_of(str(path)),
    ]
    arm(place, undo)
    path.write_text("changed")
    outcome = guard.undo_now(store(place), "g", "asked")
    assert not outcome["clean"]
    assert [step["ok"] for step in outcome["steps"]] == [False, False, True]
    assert "exit 3: no" in outcome["steps"][1]["detail"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("phase", [guard.UNDONE, guard.CONFIRMED])
def test_an_undo_asked_again_after_a_kill_clears_up(place: Path, phase: str) -> None:
    path = place / "etc/f"
    arm(place, [guard.undo_of(str(path))])
    path.write_text("changed")
    # Killed when its record said so already, and still lay among the armed ones.
    known = guard.read_record(store(place), "g")
    assert known is not None
    known.update(phase=phase, why="asked", ended="now", clean=True, steps=[])
    guard._write_record(place / "guard/g.json", known)
    if phase == guard.UNDONE:
        assert guard.undo_now(store(place), "g", "asked")["clean"]
    else:
        with pytest.raises(guard.GuardError, match="nothing is armed"):
            guard.undo_now(store(place), "g", "asked")
    assert guard.armed_ids(store(place)) == []
    assert not (place / "guard/g.d").exists()
    assert path.read_text() == "changed"


def test_a_hanging_command_is_ended_with_its_children() -> None:
    code, text = guard.run_argv(["sh", "-c", "sleep 60 & sleep 60"], timeout_s=0.3)
    assert code == 124
    assert "0.3" in text


def test_boot_undoes_at_once_and_runs_only_what_asks_for_it(place: Path) -> None:
    first, second = place / "first", place / "second"
    undo: list[dict[str, Any]] = [
        {"do": "run", "argv": ["touch", str(first)]},
        {"do": "run", "argv": ["touch", str(second)], "at_boot": True},
    ]
    arm(place, undo)
    outcomes = guard.undo_due(store(place), guard.boot_time(), guard.boot_id(), everything=True)
    assert [outcome["clean"] for outcome in outcomes] == [True]
    assert not first.exists()
    assert second.exists()


def test_another_boot_id_is_due_at_the_next_tick(place: Path) -> None:
    path = place / "etc/f"
    arm(place, [guard.undo_of(str(path))])
    path.write_text("new")
    assert guard.tick(store(place), guard.boot_time(), guard.boot_id(), guard.no_timer) == []
    assert len(guard.tick(store(place), guard.boot_time(), "another boot", guard.no_timer)) == 1
    assert not path.exists()


def test_confirm_settles_and_the_guard_lets_it_be(place: Path) -> None:
    path = place / "etc/f"
    arm(place, [guard.undo_of(str(path))])
    path.write_text("new")
    guard.confirm(store(place), "g")
    assert guard.undo_due(store(place), guard.boot_time() + 1e6, "another boot", everything=True) == []
    assert path.read_text() == "new"
    assert not (place / "guard/g.d").exists()
    with pytest.raises(guard.GuardError, match="nothing is armed"):
        guard.confirm(store(place), "g")


def test_confirm_after_the_deadline_fails_and_says_why(place: Path) -> None:
    arm(place, [guard.undo_of(str(place / "etc/f"))], window_s=0.01)
    late = guard.boot_time() + 1
    time.sleep(0.02)
    with pytest.raises(guard.GuardError, match=r"too late.*0\.01 s"):
        guard.confirm(store(place), "g")
    guard.undo_due(store(place), late, guard.boot_id())
    with pytest.raises(guard.GuardError, match="was undone: nobody confirmed"):
        guard.confirm(store(place), "g")


def test_arming_twice(place: Path) -> None:
    path = place / "etc/f"
    path.write_text("old")
    undo = [guard.undo_of(str(path))]
    first = arm(place, undo)
    path.write_text("changed")
    assert arm(place, undo)["deadline"] == first["deadline"]
    with pytest.raises(guard.BusyError):
        arm(place, undo, window_s=5)
    guard.undo_now(store(place), "g", "asked")
    assert path.read_text() == "old", "the second arming must not back up the change itself"


def test_no_timer_no_change(place: Path) -> None:
    def broken(wanted: bool) -> None:
        raise guard.GuardError("no systemd")

    with pytest.raises(guard.GuardError, match="no systemd"):
        guard.arm(store(place), "g", [guard.undo_of(str(place / "etc/f"))], 60, "a test", timer=broken)
    assert guard.armed_ids(store(place)) == []
    assert not (place / "guard/g.d").exists()


def test_the_timer_rests_only_when_nothing_is_armed(place: Path) -> None:
    calls: list[bool] = []
    undo = [guard.undo_of(str(place / "etc/f"))]
    guard.arm(store(place), "g", undo, 60, "a test", timer=calls.append)
    guard.tick(store(place), guard.boot_time(), guard.boot_id(), calls.append)
    assert calls == [True]
    guard.confirm(store(place), "g")
    guard.tick(store(place), guard.boot_time(), guard.boot_id(), calls.append)
    assert calls == [True, False]


@pytest.mark.parametrize("torn", [b"", b"{", b"[]", b'{"schema": 1}', b"\xff\xfe"])
def test_a_torn_record_goes_back_by_its_copy(place: Path, torn: bytes) -> None:
    path = place / "etc/f"
    path.write_text("old")
    arm(place, [guard.undo_of(str(path))])
    path.write_text("changed")
    (place / "guard/g.json").write_bytes(torn)
    outcomes = guard.undo_due(store(place), guard.boot_time(), guard.boot_id())
    assert [outcome["clean"] for outcome in outcomes] == [True]
    assert path.read_text() == "old"


def test_a_record_that_is_settled_between_two_looks_is_none(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who only asks holds no lock: the record may move away after it was seen and before it is read."""
    arm(place, [guard.undo_of(str(place / "etc/f"))])
    parse = guard._parse_record

    def settled_meanwhile(path: Path) -> guard.Record:
        if path == place / "guard/g.json" and path.exists():
            guard._settle(store(place), {"id": "g"})
        return parse(path)

    monkeypatch.setattr(guard, "_parse_record", settled_meanwhile)
    assert guard.read_record(store(place), "g") is None


def test_a_record_that_was_edited_is_not_believed(place: Path) -> None:
    arm(place, [guard.undo_of(str(place / "etc/f"))])
    path = place / "guard/g.json"
    content = json.loads(path.read_text())
    content["deadline"] += 1000
    path.write_text(json.dumps(content))
    found = guard.read_record(store(place), "g")
    assert found is not None
    assert found["phase"] == guard.UNDOING


def test_a_record_without_any_readable_copy_is_set_aside_loudly(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = place / "etc/other"
    arm(place, [guard.undo_of(str(place / "etc/f"))])
    arm(place, [guard.undo_of(str(other))], guard_id="other", window_s=0.001)
    other.write_text("x")
    (place / "guard/g.json").write_text("torn")
    (place / "guard/g.d/record.json").write_text("torn")
    with pytest.raises(guard.GuardError, match="cannot be read"):
        guard.confirm(store(place), "g")
    outcomes = guard.undo_due(store(place), guard.boot_time() + 1, guard.boot_id())
    assert {outcome["id"]: outcome["clean"] for outcome in outcomes} == {"g": False, "other": True}
    assert "by hand" in capsys.readouterr().err
    assert not other.exists()
    assert len(list((place / "guard/unreadable").iterdir())) == 1


def test_a_damaged_backup_is_reported_and_not_put_in_place(place: Path) -> None:
    path = place / "etc/f"
    path.write_text("old")
    arm(place, [guard.undo_of(str(path))])
    path.write_text("changed")
    (place / "guard/g.d/0000").write_text("rubbish")
    outcome = guard.undo_now(store(place), "g", "asked")
    assert not outcome["clean"]
    assert path.read_text() == "changed"


def test_a_writer_that_slept_through_the_undo_is_refused(place: Path) -> None:
    arm(place, [guard.undo_of(str(place / "etc/f"))])
    guard.undo_now(store(place), "g", "asked")
    with pytest.raises(guard.GuardError, match="window is over"), guard.while_armed(store(place), "g"):
        pytest.fail("the change was let through")


def test_the_directory_is_private(place: Path) -> None:
    arm(place, [guard.undo_of(str(place / "etc/f"))])
    for path in (place / "guard", place / "guard/g.d", place / "guard/done"):
        assert path.stat().st_mode & 0o077 == 0
    assert (place / "guard/g.json").stat().st_mode & 0o077 == 0


def test_a_leftover_temporary_is_replaced_and_a_link_there_not_followed(place: Path) -> None:
    path, victim = place / "etc/f", place / "victim"
    victim.write_text("untouched")
    os.symlink(victim, guard.temp_name(str(path)))
    guard.write_file(str(path), b"new", 0o644)
    assert path.read_text() == "new"
    assert victim.read_text() == "untouched"


def test_command_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--dir", store(place), "--no-timer"]
    assert guard.main([*base, "confirm", "nothing"]) == 1
    assert "nothing is armed" in capsys.readouterr().err
    arm(place, [{"do": "run", "argv": ["false"]}], window_s=3600)
    assert guard.main([*base, "list"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "armed"
    assert guard.main([*base, "tick"]) == 0
    assert guard.main([*base, "undo", "g"]) == 1, "a failed step must not look like success"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "g", "undo": [], "window_s": 5, "reason": ""}'])
def test_arming_by_command_line_refuses_rubbish(
    place: Path, monkeypatch: pytest.MonkeyPatch, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert guard.main(["--dir", store(place), "--no-timer", "arm"]) == 1
    assert capsys.readouterr().err.startswith("guard")


def test_an_undo_on_a_disk_that_takes_nothing_does_what_needs_no_writing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, link, done = str(place / "etc/a"), str(place / "etc/link"), place / "done"
    Path(path).write_text("old")
    os.symlink("old", link)
    run = {"do": "run", "argv": ["touch", str(done)]}
    arm(place, [guard.undo_of(path), guard.undo_of(link), run])

    def full(*_arguments: Any, **_more: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(guard, "write_file", full)
        patch.setattr(os, "symlink", full)
        (outcome,) = guard.undo_due(store(place), guard.boot_time() + 3600, guard.boot_id())
    assert outcome["clean"], outcome["steps"]
    assert done.exists()
    # Nobody could write down that it is done, so it is done again when there is room.
    assert guard.read_record(store(place), "g") is not None
    assert guard.undo_due(store(place), guard.boot_time() + 3600, guard.boot_id())[0]["clean"]
    assert guard.read_record(store(place), "g") is None
