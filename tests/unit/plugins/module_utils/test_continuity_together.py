# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several at once: who waits for whom, and what is durable before somebody else may rely on it."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.timmy.config.plugins.module_utils import continuity
from ansible_collections.timmy.config.plugins.module_utils.continuity_frame import seal


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold a log as another writer does."""
    handle = os.open(path, os.O_RDWR | os.O_APPEND)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Do something in a thread that has to wait until the end of the block."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "it did not wait"
    yield thread


def test_an_append_waits_for_its_turn_and_follows_the_name(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    continuity.append_jsonl(log, {"id": "a"})
    with held(log), beside(lambda: continuity.append_jsonl(log, {"id": "c"})) as writer:
        other = tmp_path / "other"
        other.write_bytes(seal({"id": "a"}) + seal({"id": "b"}))
        other.rename(log)
    writer.join(10)
    assert [row["id"] for row in continuity.load_jsonl(log)] == ["a", "b", "c"]


def test_a_log_that_is_rotated_away_is_made_anew(tmp_path: Path) -> None:
    log, old = tmp_path / "log.jsonl", tmp_path / "old.jsonl"
    continuity.append_jsonl(log, {"id": "a"})
    with held(log), beside(lambda: continuity.append_jsonl(log, {"id": "b"})) as writer:
        log.rename(old)
    writer.join(10)
    assert [continuity.load_jsonl(path) for path in (old, log)] == [[{"id": "a"}], [{"id": "b"}]]


def test_a_reader_does_not_see_half_of_a_write(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    continuity.append_jsonl(log, {"id": "a"})
    line, seen = seal({"id": "b"}), []
    with held(log) as handle:
        os.write(handle, line[:10])
        with beside(lambda: seen.append(continuity.load_jsonl(log))) as reader:
            os.write(handle, line[10:])
            fcntl.flock(handle, fcntl.LOCK_UN)
            reader.join(10)
    assert [(list(rows), rows.bad) for rows in seen] == [([{"id": "a"}, {"id": "b"}], 0)]


def test_updates_of_a_snapshot_take_turns(tmp_path: Path) -> None:
    state = tmp_path / "state.json"

    def count() -> None:
        for _turn in range(25):
            continuity.update_json(state, lambda old: (old or 0) + 1, None)

    threads = [threading.Thread(target=count) for _one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert continuity.read_snapshot(state).generation == continuity.read_json(state) == 100


class Syncs:
    """What is made durable, in order, and what is looked at just before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, look: Callable[[], object] = lambda: None) -> None:
        self.seen: list[str] = []
        self.looks: list[object] = []
        real = os.fsync

        def fsync(handle: int) -> None:
            folder = stat.S_ISDIR(os.fstat(handle).st_mode)
            self.seen.append("folder" if folder else "file")
            if folder:
                self.looks.append(look())
            real(handle)

        monkeypatch.setattr(os, "fsync", fsync)


def test_what_is_there_already_is_made_durable_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.jsonl"
    syncs = Syncs(monkeypatch)
    continuity.append_once(log, {"id": "a"})
    assert syncs.seen == ["folder", "file"]
    assert not continuity.append_once(log, {"id": "a"})
    assert syncs.seen == ["folder", "file", "file"]


def test_a_new_log_is_held_until_its_name_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log.jsonl"
    continuity.append_jsonl(log, [{"id": "a"}, {"id": "b"}])

    def free() -> tuple[bool, int]:
        handle = os.open(log, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False, os.fstat(handle).st_nlink
        finally:
            os.close(handle)
        return True, 0

    syncs = Syncs(monkeypatch, free)
    continuity.compact_jsonl(log, lambda _rows: [1])
    assert syncs.seen == ["file", "folder"]
    assert syncs.looks == [(False, 2)], "held, and with a second name in case its holder is killed"
    assert log.stat().st_nlink == 1
