# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks that jump, boxes that sleep or start anew, periodic jobs: clocks moved by hand, stores real."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING

import pytest
from queue_room import Hands, RedisServer
from test_queue_rows import job

from timmy.orchestration import crontab
from timmy.queue.clock import Clock, Watch
from timmy.queue.durable import DurableHuey
from timmy.queue.keeper import Keeper
from timmy.queue.model import RETAIN_S, End, QueueError, QueueUnavailable
from timmy.queue.redis_jobs import RedisJobs
from timmy.queue.sqlite_jobs import SqliteJobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR = 3600.0


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def jobs(tmp_path: Path, hands: Hands) -> SqliteJobs:
    made = SqliteJobs(tmp_path / "queue.db", clock=hands.clock())
    # it has watched for long
    hands.pass_(60)
    return made


def free_after(jobs: SqliteJobs) -> bool:
    jobs.tend()
    return jobs.counts()["leased"] == 0


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_jump_of_the_wall_neither_ends_nor_freezes_a_lease(
    jobs: SqliteJobs, hands: Hands, jump: float
) -> None:
    jobs.add([job("a")])
    assert jobs.claim() is not None
    hands.wall += jump
    hands.pass_(29)
    assert not free_after(jobs), "the jump ended it"
    hands.pass_(2)
    assert free_after(jobs), "the jump froze it"


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_jump_of_the_wall_hides_no_job_that_is_ready(jobs: SqliteJobs, hands: Hands, jump: float) -> None:
    jobs.add([job("a"), job("late", at=hands.wall + 60)])
    hands.wall += jump
    hands.pass_(2)
    leases = [lease.id for lease in iter(jobs.claim, None)]
    assert leases == (["a", "late"] if jump > 0 else ["a"])


def test_a_lease_of_another_boot_is_free_at_once(tmp_path: Path, hands: Hands) -> None:
    first = SqliteJobs(tmp_path / "queue.db", clock=hands.clock())
    first.add([job("a")])
    assert first.claim() is not None
    # the new boot's clock is far below the old lease
    again = Hands(wall=hands.wall + 20, boot=3.0, awake=3.0, boot_id="boot-2")
    assert free_after(SqliteJobs(tmp_path / "queue.db", clock=again.clock()))


def test_a_lease_of_another_boot_is_free_however_long_one_watched(tmp_path: Path, hands: Hands) -> None:
    first = SqliteJobs(tmp_path / "queue.db", clock=hands.clock())
    again = Hands(boot=3.0, awake=3.0, boot_id="boot-2")
    second = SqliteJobs(tmp_path / "queue.db", clock=again.clock())
    again.pass_(60)
    first.add([job("a")])
    assert first.claim() is not None
    assert free_after(second)


def test_a_lease_is_not_taken_in_the_moment_of_waking(jobs: SqliteJobs, hands: Hands) -> None:
    jobs.add([job("a")])
    lease = jobs.claim()
    assert lease is not None
    assert jobs.lock("door", "mine", None)
    hands.sleep(26 * HOUR)
    assert not free_after(jobs)
    assert not jobs.lock("door", "yours", None)
    hands.pass_(4)
    assert not free_after(jobs)
    assert jobs.renew([lease.token, "mine"]) == {lease.token, "mine"}, "the holder woke up as well"
    hands.pass_(11)
    assert not free_after(jobs)
    assert not jobs.lock("door", "yours", None)
    hands.pass_(30)
    assert free_after(jobs), "but a holder that does not renew is dead"
    assert jobs.lock("door", "yours", None)


def test_a_process_that_just_began_waits_before_it_calls_a_lease_dead(tmp_path: Path, hands: Hands) -> None:
    first = SqliteJobs(tmp_path / "queue.db", clock=hands.clock())
    first.add([job("a")])
    first.claim()
    hands.pass_(40)
    second = SqliteJobs(tmp_path / "queue.db", clock=hands.clock())
    assert not free_after(second)
    hands.pass_(9.9)
    assert not free_after(second)
    hands.pass_(0.2)
    assert free_after(second)


def test_a_store_that_was_away_is_watched_again(hands: Hands) -> None:
    watch = Watch(hands.clock(), 5.0)
    hands.pass_(10)
    assert watch.long_enough()
    watch.disturbed()
    assert not watch.long_enough()
    hands.pass_(10)
    assert watch.long_enough()


def test_a_file_that_failed_is_watched_again(jobs: SqliteJobs, hands: Hands) -> None:
    jobs.add([job("a")])
    assert jobs.claim() is not None
    hands.pass_(40)
    with pytest.raises(QueueUnavailable, match="no such table"), jobs._file.read() as db:
        db.execute("select 1 from nowhere")
    assert not free_after(jobs)
    hands.pass_(10)
    assert free_after(jobs)


def test_a_server_that_came_back_is_watched_again(hands: Hands) -> None:
    """Holders could not renew while it was away; they get two beats to do so."""
    server = RedisServer()
    try:
        jobs = RedisJobs(server.url, lease_s=0.05, clock=hands.clock())
        jobs.add([job("a")])
        hands.pass_(60)
        assert jobs.claim() is not None
        server.kill()
        with pytest.raises(QueueUnavailable):
            jobs.tend()
        server.start()
        time.sleep(0.1)
        jobs.tend()
        assert jobs.counts()["leased"] == 1
        hands.pass_(10)
        jobs.tend()
        assert jobs.counts()["leased"] == 0
    finally:
        server.close()


def test_a_lock_with_a_ttl_ends_although_its_holder_lives(jobs: SqliteJobs, hands: Hands) -> None:
    assert jobs.lock("door", "mine", 5.0)
    hands.pass_(4)
    assert jobs.locked("door")
    hands.pass_(2)
    assert jobs.lock("door", "yours", 5.0)


def test_keys_hold_for_seven_days(jobs: SqliteJobs, hands: Hands) -> None:
    jobs.add([job("nightly@2026-03-01")])
    lease = jobs.claim()
    assert lease is not None
    jobs.settle(lease, End("done"))
    hands.pass_(RETAIN_S - 60)
    assert jobs.purge() == 0
    assert jobs.add([job("nightly@2026-03-01")]) == 0
    hands.pass_(120)
    assert jobs.purge() == 1


def test_the_keeper_renews_and_lets_go_of_what_is_lost() -> None:
    asked: list[set[str]] = []
    ready = threading.Event()

    def renew(tokens: list[str]) -> set[str]:
        asked.append(set(tokens))
        if len(asked) == 2:
            raise QueueError("away")
        ready.set() if len(asked) > 3 else None
        return {"kept"}

    keeper = Keeper(renew, 0.02)  # type: ignore[arg-type]
    keeper.hold("kept")
    keeper.hold("lost")
    assert ready.wait(10)
    assert asked[0] == asked[1] == {"kept", "lost"} or asked[1] == {"kept"}
    assert asked[3] == {"kept"}
    keeper.let_go("kept")
    assert keeper.held() == []


def test_a_long_task_keeps_its_lease(tmp_path: Path) -> None:
    huey = DurableHuey("t", SqliteJobs(tmp_path / "queue.db", lease_s=0.5, beat_s=0.1))
    other = SqliteJobs(tmp_path / "queue.db", lease_s=0.5, beat_s=0.0)
    stolen = []

    @huey.task()  # type: ignore[untyped-decorator, unused-ignore]
    def long() -> None:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            time.sleep(0.1)
            other.tend()
            stolen.extend([other.claim()] if other.counts()["ready"] else [])

    long()
    huey.execute(huey.dequeue())
    assert stolen == []
    assert huey.storage.jobs.counts()["done"] == 1
    assert huey.storage.keeper.held() == []


# --- periodic ---


@pytest.fixture(params=["file", "server"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[DurableHuey, DurableHuey]]:
    """Return two consumers' Hueys on one queue, with the same two periodic tasks."""
    server = RedisServer() if request.param == "server" else None

    def one() -> DurableHuey:
        huey = DurableHuey("t", RedisJobs(server.url) if server else SqliteJobs(tmp_path / "queue.db"))
        huey.periodic_task(crontab(minute="30", hour="2"), name="nightly")(lambda: None)
        huey.periodic_task(crontab(minute="*/10"), name="often")(lambda: None)
        return huey

    yield one(), one()
    if server:
        server.close()


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def names(huey: DurableHuey) -> list[str]:
    return sorted(one.id.rsplit(".", 1)[1] for one in huey.storage.jobs.listing(["ready"], 100))


def test_two_consumers_add_one_slot_once(two: tuple[DurableHuey, DurableHuey]) -> None:
    start = dt.datetime(2026, 3, 1, 2, 25)  # noqa: DTZ001 - Huey's are naive UTC
    for minute in range(16):
        for huey in two:
            huey.enqueue_periodic(start + dt.timedelta(minutes=minute, seconds=7))
    assert names(two[0]) == [
        "nightly@2026-03-01T02:30Z",
        "often@2026-03-01T02:30Z",
        "often@2026-03-01T02:40Z",
    ]


def test_both_at_the_same_moment(two: tuple[DurableHuey, DurableHuey]) -> None:
    moment = dt.datetime(2026, 3, 1, 2, 30)  # noqa: DTZ001
    threads = [threading.Thread(target=huey.enqueue_periodic, args=(moment,)) for huey in two]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(two[0]) == ["nightly@2026-03-01T02:30Z", "often@2026-03-01T02:30Z"]


def test_a_box_asleep_for_26_hours_runs_the_nightly_job_once(two: tuple[DurableHuey, DurableHuey]) -> None:
    before = dt.datetime(2026, 3, 1, 1, 45)  # noqa: DTZ001
    for huey in two:
        huey.enqueue_periodic(before)
    after = before + dt.timedelta(hours=26)
    for huey in two:
        huey.enqueue_periodic(after)
        huey.enqueue_periodic(after + dt.timedelta(minutes=1))
    assert names(two[0]) == ["nightly@2026-03-02T02:30Z", "often@2026-03-02T03:40Z"]


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps_runs_nothing_twice(two: tuple[DurableHuey, DurableHuey], hours: int) -> None:
    moment = dt.datetime(2026, 3, 1, 2, 30)  # noqa: DTZ001
    two[0].enqueue_periodic(moment)
    for step in range(130):
        two[step % 2].enqueue_periodic(moment + dt.timedelta(hours=hours, minutes=step))
    two[0].enqueue_periodic(moment)
    found = names(two[0])
    assert found.count("nightly@2026-03-01T02:30Z") == 1
    assert len([one for one in found if one.startswith("nightly")]) == 1


def test_a_clock_put_back_freezes_nothing(two: tuple[DurableHuey, DurableHuey]) -> None:
    two[0].enqueue_periodic(dt.datetime(2026, 3, 1, 3, 35))  # noqa: DTZ001
    for huey in two:
        huey.enqueue_periodic(dt.datetime(2026, 3, 1, 2, 30))  # noqa: DTZ001
    assert names(two[0]) == ["nightly@2026-03-01T02:30Z", "often@2026-03-01T02:30Z"]


def test_a_first_start_runs_nothing_of_the_past(two: tuple[DurableHuey, DurableHuey]) -> None:
    assert two[0].enqueue_periodic(dt.datetime(2026, 3, 1, 2, 31)) == []  # noqa: DTZ001


def test_slots_are_asked_for_in_local_time(
    two: tuple[DurableHuey, DurableHuey], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    two[0].enqueue_periodic(dt.datetime(2026, 2, 28, 17, 30))  # noqa: DTZ001
    assert "nightly@2026-02-28T17:30Z" in names(two[0])


def test_a_natural_key_is_used_once(two: tuple[DurableHuey, DurableHuey]) -> None:
    def report() -> None:
        pass

    tasks = [huey.task()(report) for huey in two]
    assert two[0].enqueue_once(tasks[0].s(), "report@2026-03-01")
    assert not two[1].enqueue_once(tasks[1].s(), "report@2026-03-01")
    assert two[1].enqueue_once(tasks[1].s(), "report@2026-03-02")
    task = two[1].dequeue()
    two[1].execute(task)
    assert not two[0].enqueue_once(tasks[0].s(), "report@2026-03-01"), "done, and its key still holds"
    with pytest.raises(QueueError, match="is no key"):
        two[0].enqueue_once(tasks[0].s(), "two\nlines")


def test_the_real_clock_knows_this_boot() -> None:
    clock = Clock()
    assert len(clock.boot_id) == 36
    assert clock.boot() >= clock.awake() - 1
