# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The holes of stock Huey, each shown on stock Huey and closed in ours: the same scenario runs on both.

A process that dies is a child that runs one step and then kills itself, so nothing of it is mocked.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"

# What both have in common. `seen` leaves a line that outlives the process.
HEAD = """
import datetime as dt, logging, os, signal, sys, time
sys.path.insert(0, {src!r})
logging.disable(logging.CRITICAL)
from huey import SqliteHuey, crontab, signals
from huey.exceptions import TaskLockedException
path = {path!r}
if {ours!r}:
    from timmy.queue.durable import DurableHuey
    from timmy.queue.sqlite_jobs import SqliteJobs
    huey = DurableHuey("t", SqliteJobs(path, lease_s=0.3, beat_s=0.05))
else:
    huey = SqliteHuey("t", filename=path)
def seen(what):
    with open(path + ".seen", "a") as stream:
        stream.write(what + "\\n")
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def work(turns=40):
    for _ in range(turns):
        for task in huey.read_schedule():
            huey.enqueue(task)
        task = huey.dequeue()
        if task is not None:
            huey.execute(task)
        else:
            time.sleep(0.05)
"""


class Trial:
    """One queue, run by several processes one after the other."""

    def __init__(self, path: Path, ours: bool) -> None:
        self.path, self.ours = path / "queue.db", ours

    def run(self, tasks: str, code: str) -> subprocess.CompletedProcess[str]:
        """Run a process that declares these tasks and does this."""
        head = HEAD.format(src=str(SRC), path=str(self.path), ours=self.ours)
        argv = [sys.executable, "-c", head + tasks + "\n" + code]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def died(self, tasks: str, code: str) -> None:
        """Run a process that is killed."""
        done = self.run(tasks, code)
        assert done.returncode == -signal.SIGKILL, done.stderr

    def went(self, tasks: str, code: str) -> str:
        """Run a process that ends well; return what it printed."""
        done = self.run(tasks, code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def seen(self) -> list[str]:
        """Return what tasks left behind."""
        path = Path(f"{self.path}.seen")
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(params=[True, False], ids=["ours", "stock"])
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Trial:
    return Trial(tmp_path, request.param)


def test_the_task_in_hand_at_a_kill(trial: Trial) -> None:
    tasks = """
@huey.task()
def once():
    if not os.path.exists(path + ".seen"):
        seen("tried")
        die()
    seen("done")
"""
    trial.died(tasks, "once(); work()")
    trial.went(tasks, "work()")
    assert trial.seen() == (["tried", "done"] if trial.ours else ["tried"])


@pytest.mark.parametrize("how", ["delay", "retry"])
def test_a_kill_between_reading_the_schedule_and_enqueueing(trial: Trial, how: str) -> None:
    tasks = """
@huey.task(retries=1, retry_delay=0.2)
def late(fail=False):
    if fail and not seen("try"):
        raise ValueError
    seen("done")
"""
    start = "late.schedule(delay=0.2)" if how == "delay" else "late(True)"
    trial.went(tasks, f"{start}\ntask = huey.dequeue()\nif task: huey.execute(task)")
    trial.died(tasks, "time.sleep(0.4); huey.read_schedule(); die()")
    trial.went(tasks, "work()")
    wanted = ["done"] if how == "delay" else ["try", "try"]
    assert trial.seen() == (wanted if trial.ours else wanted[:-1])


def test_a_task_that_a_release_renamed(trial: Trial) -> None:
    trial.went("@huey.task()\ndef old(): seen('done')", "old()")
    trial.run("@huey.task()\ndef new(): seen('done')", "work(3)")
    told = "jobs = huey.storage.jobs; print([(j.state, j.reason) for j in jobs.listing(['dead'], 9)]);"
    if trial.ours:
        assert "old not found in TaskRegistry" in trial.went("", told)
    requeue = "jobs = huey.storage.jobs; jobs.requeue([j.id for j in jobs.listing(['dead'], 9)]);"
    trial.went("@huey.task()\ndef old(): seen('done')", (requeue if trial.ours else "") + "work()")
    assert trial.seen() == (["done"] if trial.ours else [])


LOCKED = """
lock = huey.lock_task("door")
@huey.task()
@lock
def inside(): seen("inside")
"""


def test_a_task_that_finds_its_lock_taken_is_kept(trial: Trial) -> None:
    trial.went(
        LOCKED,
        "inside()\nwith huey.lock_task('door'): huey.execute(huey.dequeue())\n"
        "if hasattr(huey.storage, 'jobs'):\n"
        "    job, = huey.storage.jobs.listing(['ready'], 9)\n"
        "    assert (job.failures, job.deaths) == (0, 0), job\n"
        "    time.sleep(5)\nwork()",
    )
    assert trial.seen() == (["inside"] if trial.ours else [])


def test_a_lock_is_freed_by_nobody_else(trial: Trial) -> None:
    code = (
        "mine, yours = huey.lock_task('door'), huey.lock_task('door')\nmine.acquire()\nyours.release()\n"
        "huey.flush_locks('door')\nprint(mine.is_locked())"
    )
    assert trial.went("", code) == str(trial.ours)


def test_a_lock_ends_with_its_holder(trial: Trial) -> None:
    trial.died("", "huey.lock_task('door').acquire(); die()")
    take = "print(huey.lock_task('door').acquire())"
    code = "time.sleep(0.6)\ntry: " + take + "\nexcept TaskLockedException: print(False)"
    assert trial.went("", code) == str(trial.ours)


def test_a_kill_between_complete_and_the_next_step(trial: Trial) -> None:
    tasks = "@huey.task()\ndef first(): seen('first'); return 1\n@huey.task()\ndef second(n): seen('second')"
    dying = tasks + "\n@huey.signal(signals.SIGNAL_COMPLETE)\ndef told(signal, task): die()"
    trial.died(dying, "huey.enqueue(first.s().then(second)); work()")
    trial.went(tasks, "work()")
    assert trial.seen() == (["first", "second"] if trial.ours else ["first"])


def test_a_consumer_started_again_within_the_minute(trial: Trial) -> None:
    tasks = "@huey.periodic_task(crontab())\ndef nightly(): seen('ran')"
    start = (
        "consumer = huey.create_consumer(); consumer.stop_flag.set()\n"
        "scheduler = consumer.scheduler_class(huey, consumer.stop_flag, 1, True)\n"
        "scheduler.enqueue_periodic_tasks(dt.datetime(2026, 3, 1, 2, 30, 7))"
    )
    trial.went(tasks, start)
    trial.went(tasks, start)
    trial.went(tasks, "work(10)")
    assert trial.seen() == (["ran"] if trial.ours else ["ran", "ran"])


def test_terminated_while_a_task_runs(trial: Trial) -> None:
    tasks = """
@huey.task()
def slow():
    if not os.path.exists(path + ".seen"):
        seen("tried")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1.5)
    seen("done")
"""
    limited = "shutdown_timeout=0.2" if trial.ours else ""
    done = trial.run(tasks, f"slow()\ncode = huey.create_consumer({limited}).run()\nos._exit(code or 0)")
    assert done.returncode == (75 if trial.ours else 0), done.stderr
    trial.went(tasks, "work()")
    assert trial.seen() == (["tried", "done"] if trial.ours else ["tried"])


def test_an_unreadable_payload(trial: Trial) -> None:
    code = "huey.storage.enqueue(b'no message'); good()\ntry: work(4)\nexcept Exception: pass\nwork(4)"
    trial.went("@huey.task()\ndef good(): seen('good')", code)
    assert trial.seen() == ["good"]
    if trial.ours:
        told = trial.went("", "print([j.reason for j in huey.storage.jobs.listing(['dead'], 9)])")
        assert "unreadable payload" in told


# --- what belongs to these, and has no counterpart in stock ---


def scenario(tmp_path: Path, tasks: str, code: str) -> str:
    return Trial(tmp_path, ours=True).went(tasks, code)


STATES = """
jobs = huey.storage.jobs.listing(["ready", "leased", "done", "dead"], 99)
print(sorted((job.name.split(".")[-1], job.state, job.failures) for job in jobs))
"""


def test_failures_end_dead_and_retries_are_counted(tmp_path: Path) -> None:
    tasks = "@huey.task(retries=2)\ndef bad(): raise ValueError('x')\n@huey.task()\ndef told(e): seen('told')"
    printed = scenario(tmp_path, tasks, "huey.enqueue(bad.s().error(told))\nwork(6)" + STATES)
    assert printed == "[('bad', 'dead', 3), ('told', 'done', 0)]"


def test_what_is_cancelled_revoked_or_expired_is_done(tmp_path: Path) -> None:
    tasks = (
        "from huey.exceptions import CancelExecution\n@huey.task()\ndef no(): raise CancelExecution()\n"
        "@huey.task()\ndef off(): seen('ran')\n@huey.task(expires=0.05)\ndef old(): seen('ran')"
    )
    code = "no(); off().revoke(); old(); time.sleep(0.2); work(5)\n"
    printed = scenario(
        tmp_path, tasks, code + "print([j.reason for j in huey.storage.jobs.listing(['done'], 9)])"
    )
    assert sorted(eval(printed)) == ["canceled", "expired", "revoked"]  # noqa: S307 - of our own child
    assert Trial(tmp_path, ours=True).seen() == []


def test_a_task_that_exits_takes_no_worker_along_for_ever(tmp_path: Path) -> None:
    tasks = "@huey.task()\ndef out(): sys.exit(3)"
    code = "out()\ntry: work(2)\nexcept SystemExit: seen('out')" + STATES
    assert scenario(tmp_path, tasks, code) == "[('out', 'dead', 1)]"


def test_a_result_that_is_no_json_is_told_and_the_job_done(tmp_path: Path) -> None:
    tasks = "@huey.task()\ndef odd(): seen('ran'); return object()"
    code = "r = odd(); work(2)\ntry: r.get()\nexcept Exception as e: print(e)" + STATES
    assert scenario(tmp_path, tasks, code).splitlines() == [
        "object cannot go into the queue",
        "[('odd', 'done', 0)]",
    ]


def test_arguments_that_are_no_json_are_refused_by_the_sender(tmp_path: Path) -> None:
    code = "try: take(object())\nexcept Exception as e: print(type(e).__name__, e)" + STATES
    printed = scenario(tmp_path, "@huey.task()\ndef take(x): pass", code)
    assert printed.splitlines() == ["PayloadError object cannot go into the queue", "[]"]


def test_a_chord_survives_a_member_run_twice(tmp_path: Path) -> None:
    trial = Trial(tmp_path, ours=True)
    tasks = "@huey.task()\ndef part(n): return n\n@huey.task()\ndef whole(ns): seen(f'whole {sorted(ns)}')\n"
    dying = tasks + "real = huey.storage.jobs.settle\ndef settle(lease, end): die()\n"
    start = "from huey.api import chord\nhuey.enqueue(chord([part.s(1), part.s(2)], whole.s()))\n"
    trial.died(dying, start + "huey.storage.jobs.settle = settle\nwork()")
    trial.died(dying, "time.sleep(0.5)\nhuey.storage.jobs.settle = settle\nwork()")
    trial.went(
        tasks,
        "time.sleep(0.5)\nwork()\nassert not [k for k in huey.storage.jobs.results() if 'chord:' in k]",
    )
    assert trial.seen() == ["whole [1, 2]"]


def test_complete_is_told_after_it_is_true_and_only_then(tmp_path: Path) -> None:
    tasks = (
        "jobs = huey.storage.jobs\n@huey.task()\ndef one(): return 5\n@huey.signal(signals.SIGNAL_COMPLETE)\n"
        "def told(signal, task): print(jobs.counts()['done'], huey.result(task.id, preserve=True))\n"
    )
    assert scenario(tmp_path, tasks, "one(); work(2)") == "1 5"
    # neither is the next step of a run whose lease was lost
    lost = """
huey.enqueue(one.s().then(one))
task = huey.dequeue()
huey.storage.keeper.let_go(task.timmy_lease.token)
time.sleep(0.5)
huey.storage.jobs.tend()
huey.execute(task)
print(huey.storage.jobs.counts()["ready"])
"""
    (tmp_path / "lost").mkdir()
    assert scenario(tmp_path / "lost", tasks, lost) == "1"


def test_times_of_tasks_are_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    code = "late.schedule(delay=3600); job, = huey.storage.jobs.listing(['ready'], 1)"
    code += "; print(round(job.at - time.time(), -1))"
    assert scenario(tmp_path, "@huey.task()\ndef late(): pass", code) == "3600.0"


def test_a_lock_is_kept_alive_while_it_is_held(tmp_path: Path) -> None:
    code = """
with huey.lock_task("door"):
    time.sleep(1.2)
    print(huey.is_locked("door"), DurableHuey("t", SqliteJobs(path, beat_s=0.0)).is_locked("door"))
print(huey.is_locked("door"))
"""
    assert scenario(tmp_path, "", code).splitlines() == ["True True", "False"]


def test_a_store_that_goes_away_in_the_middle_is_no_fault_of_the_job(tmp_path: Path) -> None:
    code = """
from timmy.queue.model import QueueUnavailable
jobs = huey.storage.jobs
real = jobs.get_many
def away(keys):
    raise QueueUnavailable("away")
good()
task = huey.dequeue()
jobs.get_many = away
try:
    huey.execute(task)
except QueueUnavailable:
    print([(job.state, job.failures, job.deaths) for job in jobs.listing(["ready", "dead", "leased"], 9)])
jobs.get_many = real
work(3)
"""
    assert scenario(tmp_path, "@huey.task()\ndef good(): seen('good')", code) == "[('ready', 0, 0)]"
    assert Trial(tmp_path, ours=True).seen() == ["good"]
