# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's moves, the same on a file and on a real Redis."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from queue_room import Hands, RedisServer

from timmy.queue.model import DEATHS_LIMIT, End, NewJob, QueueError, one_line
from timmy.queue.redis_jobs import RedisJobs
from timmy.queue.sqlite_jobs import SqliteJobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from timmy.queue.model import Jobs

LEASE_S = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    running = RedisServer()
    yield running
    running.close()


@pytest.fixture(params=["file", "server"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Jobs]:
    """Return a function that opens one and the same queue again and again."""
    if request.param == "file":
        return lambda **options: SqliteJobs(tmp_path / "queue.db", **options)
    url = request.getfixturevalue("server").url
    return lambda **options: RedisJobs(url, tmp_path.name, **options)


@pytest.fixture
def jobs(make: Callable[..., Jobs]) -> Jobs:
    return make()


def job(key: str, **fields: object) -> NewJob:
    return NewJob(key, f"payload of {key}".encode(), "name", **fields)  # type: ignore[arg-type]


def states(jobs: Jobs) -> dict[str, str]:
    return {one.id: one.state for one in jobs.listing(["ready", "leased", "done", "dead"], 100)}


def test_an_id_is_added_once_whatever_became_of_it(jobs: Jobs) -> None:
    assert jobs.add([job("a"), job("b"), job("a")]) == 2
    lease = jobs.claim()
    assert lease is not None
    assert (lease.id, lease.payload) == ("a", b"payload of a")
    assert jobs.add([job("a")]) == 0, "leased"
    assert jobs.settle(lease, End("done"))
    assert jobs.add([job("a")]) == 0, "done"
    assert states(jobs) == {"a": "done", "b": "ready"}


def test_priority_comes_first_and_then_age(jobs: Jobs) -> None:
    jobs.add(
        [
            job("low"),
            job("high", priority=10),
            job("low2"),
            job("high2", priority=10),
            job("under", priority=-1),
        ]
    )
    order = [lease.id for lease in iter(jobs.claim, None)]
    assert order == ["high", "high2", "low", "low2", "under"]


def test_a_retry_is_the_same_row_at_its_old_place(jobs: Jobs) -> None:
    jobs.add([job("a"), job("b")])
    lease = jobs.claim()
    assert lease is not None
    assert jobs.settle(lease, End("ready", payload=b"less", failed=True, reason="why\nnot"))
    again = jobs.claim()
    assert again is not None
    assert (again.id, again.payload) == ("a", b"less")
    assert again.token != lease.token
    found = next(one for one in jobs.listing(["leased"], 5) if one.id == "a")
    assert (found.failures, found.deaths, found.reason) == (1, 0, "why not")


@pytest.mark.parametrize("state", ["ready", "done", "dead"])
def test_only_the_token_moves_a_job(jobs: Jobs, state: str) -> None:
    jobs.add([job("a")])
    lease = jobs.claim()
    assert lease is not None
    stranger = type(lease)("a", "another token", b"")
    end = End(state, jobs=(job("next"),), puts=(("result", b"1"),))
    assert not jobs.settle(stranger, end)
    assert states(jobs) == {"a": "leased"}
    assert jobs.get_many(["result"]) == {}
    assert jobs.settle(lease, end)
    assert states(jobs) == {"a": state, "next": "ready"}
    assert jobs.get_many(["result"]) == {"result": b"1"}


def test_the_end_of_a_lease_may_be_told_twice_and_happens_once(jobs: Jobs) -> None:
    jobs.add([job("a")])
    lease = jobs.claim()
    assert lease is not None
    assert jobs.settle(lease, End("dead", failed=True))
    assert jobs.settle(lease, End("dead", failed=True))
    assert [one.failures for one in jobs.listing(["dead"], 5)] == [1]
    assert jobs.requeue(["a"]) == ["a"]
    assert not jobs.settle(lease, End("done")), "requeued: the old token is void"


def test_dead_jobs_are_kept_requeued_or_dropped(jobs: Jobs) -> None:
    jobs.add([job("a"), job("b"), job("c")])
    for key in ("a", "b"):
        lease = jobs.claim()
        assert lease is not None
        assert lease.id == key
        jobs.settle(lease, End("dead", reason="bad", failed=True))
    assert jobs.counts() == {"ready": 1, "waiting": 0, "leased": 0, "done": 0, "dead": 2}
    assert jobs.requeue(["a", "c", "nobody"]) == ["a"]
    assert jobs.drop(["b", "c", "nobody"]) == ["b", "c"]
    lease = jobs.claim()
    assert lease is not None
    assert (lease.id, lease.payload) == ("a", b"payload of a")
    assert jobs.drop(["a"]) == [], "what runs is not dropped"
    assert [(one.failures, one.reason) for one in jobs.listing(["leased"], 9)] == [(0, "")]


def test_the_reason_is_one_line(jobs: Jobs) -> None:
    jobs.add([job("a")])
    lease = jobs.claim()
    assert lease is not None
    jobs.settle(lease, End("dead", reason="first\n\x1b[31msecond" + "x" * 999))
    reason = jobs.listing(["dead"], 1)[0].reason
    assert reason.startswith("first [31msecond")
    assert len(reason) == 500
    assert one_line(reason) == reason


def test_values_and_counters(jobs: Jobs) -> None:
    jobs.put("a", b"\x00\xff", result=True)
    assert not jobs.put_new("a", b"2")
    assert jobs.put_new("b", b"2")
    assert jobs.get_many(["a", "b", "c"]) == {"a": b"\x00\xff", "b": b"2"}
    assert (jobs.pop("a"), jobs.pop("a")) == (b"\x00\xff", None)
    assert dict(jobs.results()) == {"b": b"2"}
    jobs.forget()
    assert dict(jobs.results()) == {}
    assert (jobs.incr("n", 2), jobs.incr("n", 3), jobs.incr("m", 1)) == (2, 5, 1)
    jobs.uncount("n")
    assert (jobs.incr("n", 0), jobs.incr("m", 0)) == (0, 1)
    jobs.uncount(None)
    assert jobs.incr("m", 0) == 0


def test_done_rows_and_results_go_with_age_and_nothing_else(jobs: Jobs) -> None:
    jobs.add([job("done"), job("dead"), job("ready"), job("waits", at=4e9)])
    for state in ("done", "dead"):
        lease = jobs.claim()
        assert lease is not None
        jobs.settle(lease, End(state, puts=((f"result of {state}", b"1"),)))
    jobs.put("kept", b"1", result=False)
    assert jobs.purge() == 0
    assert jobs.purge(-60) == 1
    assert states(jobs) == {"dead": "dead", "ready": "ready", "waits": "ready"}
    assert dict(jobs.results()) == {"kept": b"1"}
    assert jobs.add([job("done")]) == 1, "its key is free again"


def test_more_done_rows_than_one_turn_takes(jobs: Jobs) -> None:
    jobs.add([job(f"{number}") for number in range(1100)])
    for lease in iter(jobs.claim, None):
        jobs.settle(lease, End("done"))
    assert jobs.purge(-60) == 1100


def test_what_waits_is_not_claimed_before_its_time(make: Callable[..., Jobs]) -> None:
    jobs = make()
    jobs.add([job("late", at=4_000_000_000.0), job("due", at=1.0)])
    assert jobs.counts()["waiting"] == 2
    assert [lease.id for lease in iter(jobs.claim, None)] == ["due"]
    assert jobs.payloads(waiting=True, limit=None) == [b"payload of late"]
    jobs.flush(waiting=True)
    assert jobs.counts()["waiting"] == 0


def test_a_lock_is_freed_by_its_holder_alone(jobs: Jobs) -> None:
    assert jobs.lock("door", "mine", None)
    assert not jobs.lock("door", "yours", None)
    assert jobs.locked("door")
    assert not jobs.unlock("door", "yours")
    assert jobs.locked("door")
    assert jobs.renew(["mine", "yours"]) == {"mine"}
    assert jobs.unlock("door", "mine")
    assert not jobs.locked("door")
    assert jobs.lock("door", "yours", 5)


def test_two_hundred_jobs_and_eight_threads_never_meet(make: Callable[..., Jobs]) -> None:
    jobs = make()
    jobs.add([job(str(number)) for number in range(200)])
    taken: list[str] = []

    def take() -> None:
        for lease in iter(jobs.claim, None):
            taken.append(lease.id)
            assert jobs.settle(lease, End("done"))
        jobs.close()

    threads = [threading.Thread(target=take) for _turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(number) for number in range(200)]
    assert jobs.counts()["done"] == 200


def test_worker_deaths_are_not_failures_and_have_a_limit(make: Callable[..., Jobs]) -> None:
    jobs = make(lease_s=0.05, beat_s=0.0)
    jobs.add([job("a")])
    for deaths in range(1, DEATHS_LIMIT + 1):
        lease = jobs.claim()
        assert lease is not None, deaths
        threading.Event().wait(0.08)
        jobs.tend()
        found = jobs.listing(["ready", "dead"], 1)[0]
        assert (found.deaths, found.failures) == (deaths, 0)
        assert found.state == ("dead" if deaths == DEATHS_LIMIT else "ready")
    assert found.reason == f"{DEATHS_LIMIT} workers died with it"
    assert jobs.requeue(["a"]) == ["a"]
    assert jobs.listing(["ready"], 1)[0].deaths == 0


def test_who_lost_the_lease_moves_nothing(make: Callable[..., Jobs]) -> None:
    jobs = make(lease_s=0.05, beat_s=0.0)
    jobs.add([job("a")])
    lost = jobs.claim()
    assert lost is not None
    threading.Event().wait(0.08)
    jobs.tend()
    assert jobs.renew([lost.token]) == set()
    assert not jobs.settle(lost, End("done", jobs=(job("next"),)))
    taken = jobs.claim()
    assert taken is not None
    assert not jobs.settle(lost, End("done"))
    assert jobs.settle(taken, End("done"))
    assert states(jobs) == {"a": "done"}


def test_a_renewed_lease_lives_on(make: Callable[..., Jobs]) -> None:
    jobs = make(lease_s=0.4, beat_s=0.0)
    jobs.add([job("a")])
    lease = jobs.claim()
    assert lease is not None
    for _turn in range(4):
        threading.Event().wait(0.2)
        assert jobs.renew([lease.token]) == {lease.token}
        jobs.tend()
        assert jobs.claim() is None
    assert jobs.settle(lease, End("done"))


def test_a_new_schema_is_refused_and_left_alone(tmp_path: Path, server: RedisServer) -> None:
    import sqlite3  # noqa: PLC0415

    import redis  # noqa: PLC0415

    path = tmp_path / "queue.db"
    SqliteJobs(path).add([job("a")])
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 9")
    db.close()
    before = path.read_bytes()
    with pytest.raises(QueueError, match="schema 9 is newer than this timmy knows"):
        SqliteJobs(path).counts()
    assert path.read_bytes() == before
    with redis.Redis.from_url(server.url) as client:
        client.set("timmy:{later}:schema", 9)
        with pytest.raises(QueueError, match="schema 9 is newer than this timmy knows"):
            RedisJobs(server.url, "later").add([job("a")])
        assert client.keys("timmy:{later}:*") == [b"timmy:{later}:schema"]


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("appendonly", "no", "yes"),
        ("appendfsync", "everysec", "always"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
    ],
)
def test_a_server_that_forgets_is_refused(option: str, value: str, told: str) -> None:
    server = RedisServer(f"--{option}", value)
    try:
        with pytest.raises(QueueError, match=f"{option} is {value}") as error:
            RedisJobs(server.url).add([job("a")])
        assert error.value.hint == f"set {option} {told}"
    finally:
        server.close()


def test_the_password_of_a_server_is_not_told() -> None:
    with pytest.raises(QueueError) as error:
        RedisJobs("redis://:geheim@127.0.0.1:1/0").counts()
    assert "127.0.0.1:1" in error.value.message
    assert "geheim" not in error.value.message + error.value.hint


def test_hands_are_a_clock() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.sleep(5)
    assert (clock.boot() - 1000, clock.awake() - 1000) == (5, 0)
