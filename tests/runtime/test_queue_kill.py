# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real consumers and the real Redis are killed, stopped, started again. Nothing is lost or done twice.

Short by default; TIMMY_FAULTS=full runs 1,000 jobs and the real lease.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from queue_room import FULL, RedisServer, Room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = 1000 if FULL else 120
KILLS = 40 if FULL else 5


@pytest.fixture
def server() -> Iterator[RedisServer]:
    running = RedisServer()
    yield running
    running.close()


@pytest.fixture(params=["file", "server"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    file = request.param == "file"
    made = Room(tmp_path, str(tmp_path / "queue.db") if file else request.getfixturevalue("server").url)
    yield made
    made.close()


def judge(room: Room, jobs: int) -> None:
    """Check that each job had its effect once under its id, or is a dead letter."""
    counts = room.jobs().counts()
    effects = room.rows("select count(*), count(distinct what) from effect where what like 'work %'")[0]
    dead = room.jobs().listing(["dead"], jobs)
    assert effects[0] == effects[1], "an effect under two ids"
    assert effects[0] + len([one for one in dead if one.name.endswith("work")]) == jobs
    assert not dead, "kills alone do not kill a job"
    assert counts["done"] >= jobs
    for one in room.jobs().listing(["done"], 2 * jobs):
        assert one.failures == 0, one


def test_consumers_killed_at_random(room: Room) -> None:
    """Two consumers of two workers; one of them dies every now and then, the whole time."""
    chance = random.Random(7)  # noqa: S311 - the same kills each time
    room.add(f"for n in range({JOBS}): work(n, 0.02)")
    consumers = [room.consume(), room.consume()]
    for _turn in range(KILLS):
        time.sleep(chance.uniform(0.3, 1.6))
        if room.idle():
            room.add(f"for n in range({JOBS}, {JOBS} + 20): work(n, 0.02)")
        which = chance.randrange(2)
        consumers[which].kill()
        consumers[which] = room.consume()
    room.wait(room.idle, 600 if FULL else 90)
    added = room.jobs().counts()["done"] + room.jobs().counts()["dead"]
    assert added >= JOBS
    judge(room, added)
    for consumer in consumers:
        assert consumer.stop() == 0


def test_pipelines_and_retries_through_kills(room: Room) -> None:
    room.add("for n in range(20): huey.enqueue(work.s(n, 0.05).then(follow)); flaky(n)")
    consumer = room.consume()
    for _turn in range(3):
        time.sleep(1.2)
        consumer.kill()
        consumer = room.consume()
    room.wait(room.idle, 90)
    for what in ("work", "follow", "flaky"):
        found = [row[0] for row in room.rows("select what from effect") if row[0].startswith(what)]
        assert sorted(found) == sorted(f"{what} {number}" for number in range(20))
    assert room.jobs().counts()["dead"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_lets_the_task_finish(room: Room, number: signal.Signals) -> None:
    room.add("begin(2.0); work(1)")
    consumer = room.consume("-w", "1")
    room.wait(lambda: bool(room.rows("select 1 from effect")), 30)
    assert consumer.stop(number) == 0
    assert room.rows("select count(*) from effect where key like '% over'") == [(1,)]
    counts = room.jobs().counts()
    assert (counts["done"], counts["ready"], counts["leased"]) == (1, 1, 0)


def test_a_stop_at_its_limit_gives_the_task_back_and_says_so(room: Room) -> None:
    room.add("begin(6.0)")
    consumer = room.consume("-t", "0.3")
    room.wait(lambda: bool(room.rows("select 1 from effect")), 30)
    assert consumer.stop() == 75
    job = room.jobs().listing(["ready"], 1)[0]
    assert (job.failures, job.deaths) == (0, 0)
    room.consume()
    room.wait(room.idle, 60)
    assert room.rows("select tries from effect order by key") == [(2,), (1,)]


def test_workers_that_are_processes(room: Room) -> None:
    room.add("begin(3.0)\nfor n in range(10): work(n)")
    consumer = room.consume("-k", "process")
    room.wait(lambda: len(room.rows("select 1 from effect")) == 11, 60)
    assert consumer.stop() == 0
    assert room.jobs().counts()["done"] == 11


def test_the_server_is_killed_in_the_middle(server: RedisServer, tmp_path: Path) -> None:
    room = Room(tmp_path, server.url)
    try:
        room.add(f"for n in range({JOBS}): work(n, 0.03)")
        consumers = [room.consume(), room.consume()]
        for turn in range(6 if FULL else 2):
            time.sleep(1.5)
            server.kill()
            time.sleep(0.7)
            if turn % 2:
                consumers[0].kill()
            server.start()
            if turn % 2:
                consumers[0] = room.consume()
        room.wait(room.idle, 300 if FULL else 90)
        judge(room, JOBS)
        for consumer in consumers:
            assert consumer.stop() == 0
    finally:
        room.close()


def test_what_a_producer_was_told_survives_the_server(server: RedisServer, tmp_path: Path) -> None:
    """Ids that enqueue returned for are there after a kill of the server; a sender may simply send again."""
    from timmy.queue.model import NewJob, QueueUnavailable  # noqa: PLC0415

    jobs = Room(tmp_path, server.url).jobs()
    told: list[str] = []
    stop = threading.Event()

    def send() -> None:
        number = 0
        while not stop.is_set():
            try:
                jobs.add([NewJob(str(number), b"x")])
            except QueueUnavailable:
                time.sleep(0.02)
                continue
            told.append(str(number))
            number += 1

    thread = threading.Thread(target=send)
    thread.start()
    for _turn in range(3):
        time.sleep(0.5)
        server.kill()
        server.start()
    stop.set()
    thread.join()
    found = {one.id for one in jobs.listing(["ready"], 1_000_000)}
    assert len(told) > 20
    assert set(told) <= found
    assert len(found) <= len(told) + 1


@pytest.mark.skipif(not FULL, reason="waits for the real lease; TIMMY_FAULTS=full")
def test_recovery_with_the_real_lease(room: Room) -> None:
    room.lease_s = 30.0
    room.add("begin(3.0)")
    consumer = room.consume()
    room.wait(lambda: bool(room.rows("select 1 from effect")), 30)
    consumer.kill()
    room.consume()
    took = room.wait(lambda: room.rows("select tries from effect where key like '% begun'") == [(2,)], 60)
    print(f"recovered after {took:.1f} s")
    assert took <= 60
