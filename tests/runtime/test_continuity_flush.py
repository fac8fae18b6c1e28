# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flush: what it writes and reads back, what it mends, and what a start makes of it."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from continuity_home import NOW, kept, make, say

from timmy.continuity import brief, check, flush, store
from timmy.continuity.flush import flush_continuity
from timmy.continuity.place import BELOW, Place
from timmy.continuity.store import Mark, Store
from timmy.continuity.threads import Said
from timmy.core import continuity, guard
from timmy.errors import NotFlushed

if TYPE_CHECKING:
    pass


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with an empty session store."""
    return make(tmp_path)


def read_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be replaced in the folder of continuity, also not by root, who heeds no mode."""
    real = os.rename

    def refuse(source: Any, target: Any, **more: Any) -> None:
        if more or str(target).startswith(f"{home}/.timmy/continuity/"):
            raise OSError(30, "Read-only file system", str(target))
        real(source, target)

    monkeypatch.setattr(os, "rename", refuse)


def test_a_flush_brings_sessions_and_facts_where_they_belong(home: Path) -> None:
    say(home, "user", "mend the door")
    say(home, "assistant", "Done.\nDecision: new hinges\nNext: paint it\nProof: abc123")
    said = Said(blockers=("no paint",), open_work=("the window",))
    done = flush_continuity(home, NOW, said)
    assert (done.mark, done.threads, done.repaired) == (Mark(2, NOW - 500), 2, ())
    assert kept(home).mark == done.mark
    assert kept(home).flushed_at == NOW
    active = Place(home).active.read_text()
    daily = Place(home).daily(NOW).read_text()
    for word in ("mend the door", "new hinges", "paint it", "abc123", "no paint", "the window"):
        assert word in active, word
        assert word in daily, word
    assert stat.S_IMODE(Place(home).active.stat().st_mode) == 0o600
    assert stat.S_IMODE(Place(home).folder.stat().st_mode) == 0o700


def test_facts_of_a_session_join_what_it_said_itself(home: Path) -> None:
    say(home, "assistant", "Decision: one")
    flush_continuity(home, NOW, Said(decisions=("two",)), "s1")
    (thread,) = kept(home).threads
    assert (thread.session, thread.decisions, thread.at) == ("s1", ("one", "two"), NOW)


def test_a_second_flush_with_nothing_new_writes_nothing(home: Path) -> None:
    say(home, "assistant", "Decision: one")
    flush_continuity(home, NOW)
    before = {path: path.stat().st_mtime_ns for path in Place(home).folder.rglob("*") if path.is_file()}
    assert flush_continuity(home, NOW + 5).mark == Mark(1, NOW - 500)
    assert {
        path: path.stat().st_mtime_ns for path in Place(home).folder.rglob("*") if path.is_file()
    } == before
    Place(home).active.unlink()
    flush_continuity(home, NOW + 6)
    assert Place(home).active.exists()


def test_no_store_yet_is_no_error(tmp_path: Path) -> None:
    assert flush_continuity(tmp_path, NOW).mark == Mark()
    assert check.look(tmp_path, NOW).problem == ""


def test_a_store_that_cannot_be_read_is_one(home: Path) -> None:
    (home / store.STORE).write_bytes(b"no database" * 100)
    for name in ("state.db-wal", "state.db-shm"):
        (home / ".hermes" / name).unlink(missing_ok=True)
    with pytest.raises(NotFlushed, match="cannot be read"):
        flush_continuity(home, NOW)
    assert "cannot be read" in check.look(home, NOW).problem


def test_the_mark_goes_last(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that ends anywhere before its end leaves the mark where it was."""
    say(home, "assistant", "Decision: one")
    flush_continuity(home, NOW)
    say(home, "assistant", "Decision: two")
    for step in ("_write_daily", "_write_active"):
        with monkeypatch.context() as patched:

            def fail(*_given: Any) -> None:
                raise OSError(28, "No space left on device", "somewhere")

            patched.setattr(flush, step, fail)
            with pytest.raises(NotFlushed, match="somewhere: No space left on device"):
                flush_continuity(home, NOW + 1)
        assert kept(home).mark == Mark(1, NOW - 500), step
        assert "No space left" in check.look(home, NOW).problem
    flush_continuity(home, NOW + 2)
    assert (kept(home).mark, check.look(home, NOW).problem) == (Mark(2, NOW - 500), "")


@pytest.mark.parametrize("name", ["active.md", "daily", "state.json"])
def test_what_reads_otherwise_than_it_was_written_is_no_success(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    say(home, "assistant", "Decision: one")
    real = guard.write_file
    if name == "state.json":
        monkeypatch.setattr(continuity, "update_json", lambda *_given, **_more: None)
        flush_error = "state.json"
    else:

        def lie(path: str, data: bytes, mode: int) -> None:
            real(path, data[:-1] if name in path else data, mode)

        monkeypatch.setattr(guard, "write_file", lie)
        flush_error = "reads otherwise than it was written"
    with pytest.raises(NotFlushed, match=flush_error):
        flush_continuity(home, NOW)
    assert check.look(home, NOW).problem


def test_a_state_that_was_replaced_by_something_else_is_no_success(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(home, "assistant", "Decision: one")
    real = continuity.update_json

    def other(path: Any, change: Any, default: Any, **more: Any) -> Any:
        return real(path, lambda was: {**change(was), "threads": []}, default, **more)

    monkeypatch.setattr(continuity, "update_json", other)
    with pytest.raises(NotFlushed, match="reads otherwise than it was written"):
        flush_continuity(home, NOW)


def test_a_folder_that_takes_nothing_is_an_alert_until_it_does(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(home, "assistant", "Decision: one")
    with monkeypatch.context() as patched:
        read_only(home, patched)
        verdict = check.settle(home, NOW)
        assert "Read-only" in verdict.problem
        assert "Read-only" in check.look(home, NOW).problem
    assert check.settle(home, NOW).problem == ""
    assert not (home / ".timmy/continuity-failed.json").exists()


def test_a_damaged_state_goes_on_from_its_last_good_generation(home: Path) -> None:
    say(home, "assistant", "Decision: one")
    flush_continuity(home, NOW)
    say(home, "assistant", "Decision: two")
    flush_continuity(home, NOW + 1)
    Place(home).state.write_bytes(b"\0" * 100)
    assert "state.json" in check.look(home, NOW).problem
    done = flush_continuity(home, NOW + 2)
    assert done.repaired
    assert kept(home).threads[0].decisions == ("one", "two")


def test_with_no_good_generation_all_is_put_aside_and_made_anew(home: Path) -> None:
    say(home, "assistant", "Decision: one")
    flush_continuity(home, NOW)
    for path in Place(home).folder.glob("state.json*"):
        path.write_bytes(b"broken")
    done = flush_continuity(home, NOW + 2)
    (told,) = done.repaired
    (aside,) = Place(home).folder.glob("lost-*")
    assert str(aside) in told
    assert [path.read_bytes() for path in aside.iterdir()].count(b"broken") >= 1
    assert kept(home).threads[0].decisions == ("one",)


def test_a_store_that_was_begun_anew_is_read_from_its_beginning(home: Path) -> None:
    for number in range(3):
        say(home, "assistant", f"Decision: {number}")
    flush_continuity(home, NOW)
    for path in (home / ".hermes").glob("state.db*"):
        path.unlink()
    (home / ".hermes").rmdir()
    make(home)
    say(home, "assistant", "Decision: anew", NOW - 100, "s2")
    assert check.look(home, NOW + 500).problem
    assert check.settle(home, NOW + 500).problem == ""
    assert {thread.session for thread in kept(home).threads} == {"s1", "s2"}


def test_a_clock_that_went_back_does_not_leave_the_mark_behind(home: Path) -> None:
    say(home, "assistant", "Decision: one", NOW - 500)
    say(home, "assistant", "Decision: two", NOW - 5000)
    assert check.settle(home, NOW, "s1").problem == ""
    assert kept(home).mark == Mark(2, NOW - 500)


def test_what_others_keep_beside_ours_stays(home: Path) -> None:
    flush_continuity(home, NOW)
    continuity.update_json(Place(home).state, lambda was: {**was, "theirs": {"a": 1}})
    own = "# My page\n\nNext: wake the keeper"
    made = Place(home).active.read_text()
    Place(home).active.write_text(f"{own}\n\n{made}")
    say(home, "assistant", "Decision: one")
    flush_continuity(home, NOW + 1)
    say(home, "assistant", "Decision: two")
    flush_continuity(home, NOW + 2)
    assert continuity.read_json(Place(home).state)["theirs"] == {"a": 1}
    text = Place(home).active.read_text()
    assert text.startswith(own)
    assert text.count(BELOW) == 1
    assert text.count("Decision: one") == 1
    assert "Decision: two" in text
    assert Place(home).page() == own


def test_a_state_of_a_newer_release_is_left_alone(home: Path) -> None:
    say(home, "assistant", "Decision: one")
    flush_continuity(home, NOW)
    continuity.write_json(Place(home).state, {"new": "ways"}, schema=9)
    before = Place(home).state.read_bytes()
    say(home, "assistant", "Decision: two")
    with pytest.raises(NotFlushed, match=r"state\.json"):
        flush_continuity(home, NOW + 1)
    assert Place(home).state.read_bytes() == before
    allowed = [check.may_start(home, NOW, {"RUNTIME_DIRECTORY": str(home)})[0] for _start in range(4)]
    assert allowed == [False, False, True, True]


@pytest.mark.parametrize(
    ("age", "role", "alert"),
    [(10.0, "assistant", False), (500.0, "assistant", True), (500.0, "user", False)],
)
def test_only_a_whole_turn_that_is_late_is_an_alert(home: Path, age: float, role: str, alert: bool) -> None:
    say(home, role, "text", NOW - age)
    assert bool(check.look(home, NOW).problem) is alert
    assert bool(check.look(home, NOW, "s1").problem), "for an attempt every message of its session counts"
    assert not check.look(home, NOW, "another").problem


def test_a_session_is_settled_whatever_other_sessions_do(home: Path) -> None:
    say(home, "user", "go on", NOW - 300)
    assert check.settle(home, NOW, "s1").problem == ""
    say(home, "assistant", "later", NOW, "s2")
    assert check.look(home, NOW, "s1").problem == ""


def test_a_gateway_is_refused_twice_and_then_starts_with_the_alert(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    say(home, "assistant", "Decision: one")
    runtime = {"RUNTIME_DIRECTORY": str(tmp_path_factory.mktemp("run"))}
    with monkeypatch.context() as patched:
        read_only(home, patched)
        starts = [check.may_start(home, NOW, runtime) for _start in range(4)]
        assert [start[0] for start in starts] == [False, False, True, True]
        assert "start refused (1 of 2): " in starts[0][2]
        assert "starts all the same" in starts[2][2]
        assert all("\n" not in start[2] for start in starts)
        assert check.look(home, NOW).problem
        assert check.may_start(home, NOW, {})[0], "without a place to count in nothing is refused"
        assert check.may_start(home, NOW, {"RUNTIME_DIRECTORY": "/proc/self/nowhere"})[0]
    assert check.may_start(home, NOW, runtime)[0]
    with monkeypatch.context() as patched:
        say(home, "assistant", "Decision: two")
        read_only(home, patched)
        assert not check.may_start(home, NOW, runtime)[0], "a good start must begin the count anew"


def test_a_start_recovers_what_a_kill_cut_off(home: Path) -> None:
    say(home, "user", "mend the door", NOW - 5)
    assert check.may_start(home, NOW, {})[0]
    made = brief.render(kept(home).threads)
    assert "mend the door" in made
    assert "cut off before its answer" in made


def _flush_often(home: Path, number: int) -> None:
    for turn in range(5):
        say(home, "assistant", f"Decision: {number}-{turn}", NOW - 400, f"s{number}")
        flush_continuity(home, NOW)


def test_flushes_beside_each_other_lose_nothing(home: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_flush_often, args=(home, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    found = {thread.session: thread.decisions for thread in kept(home).threads}
    assert found == {f"s{n}": tuple(f"{n}-{turn}" for turn in range(5)) for n in range(4)}
    assert kept(home).mark.message_id == 20


def test_a_lock_that_is_held_too_long_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flush, "LOCK_S", 0.2)
    with flush._alone(Place(home)), pytest.raises(NotFlushed, match="held the lock too long"):
        flush_continuity(home, NOW)


def test_the_note_of_a_day_is_bounded_and_drops_its_oldest(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush, "MAX_DAILY", 4000)
    for number in range(40):
        say(home, "assistant", f"Decision: number {number}")
        flush_continuity(home, NOW + number)
    text = Place(home).daily(NOW).read_text()
    assert len(text) <= 4000
    assert "number 39" in text
    assert text.startswith(Place(home).daily(NOW).stem)
    assert text.count("\n## ") > 1


def test_a_day_has_its_own_note(home: Path) -> None:
    flush_continuity(home, NOW, Said(next_step="one"))
    flush_continuity(home, NOW + 86400, Said(next_step="two"))
    assert len(list((Place(home).folder / "daily").iterdir())) == 2


def test_of_a_store_never_looked_at_the_newest_count(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_MESSAGES", 3)
    for number in range(9):
        say(home, "assistant", f"Decision: {number}")
    assert [one.text for one in Store(home).after(Mark())] == [f"Decision: {n}" for n in (6, 7, 8)]
    flush_continuity(home, NOW)
    assert kept(home).mark.message_id == 9


def test_of_a_very_long_message_the_end_counts(home: Path) -> None:
    say(home, "assistant", "x" * 300_000 + "\nDecision: at the end")
    flush_continuity(home, NOW)
    assert kept(home).threads[0].decisions == ("at the end",)


def test_a_damaged_note_of_a_failure_is_a_failure(home: Path) -> None:
    flush_continuity(home, NOW)
    (home / ".timmy/continuity-failed.json").write_text("{")
    assert "cannot be read" in check.look(home, NOW).problem
