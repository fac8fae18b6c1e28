# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever breaks between us and the forge, nothing is made twice, and what is said of it is enough.

TIMMY_FAULTS=full makes 1,000 trials of each cell, and once waits for real: a few seconds of Retry-After,
and a stall of 30 s. Otherwise a few trials, with every waiting time scaled down.
"""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any

import pytest
from gitea_peer import Fault, Memory, Peer

from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_errors import (
    BadTokenError,
    ForbiddenError,
    ForgeError,
    LostError,
    MovedError,
    ServerError,
    ThrottledError,
    UnknownOutcomeError,
    UnreachableError,
)
from timmy.core.gitea_retry import Patience
from timmy.core.gitea_transport import Content, Limits

FULL = os.environ.get("TIMMY_FAULTS", "short") == "full"
TRIALS = 1000 if FULL else 12
STALL_S = 0.05
TOKEN = "0123456789abcdef0123456789abcdef01234567"
REPO = "o/r"
MOVED = {"Location": "/api/v1/repos/o/new/issues"}
DAY_S = 86400.0
BYTES = bytes(range(256)) * 100


@dataclass(frozen=True)
class Cell:
    """A way to break, how many requests in a row it breaks, and what the caller gets instead of an object."""

    name: str
    fault: Fault
    gets: type[ForgeError] | None = None
    times: int = 1
    effects: int = 1
    skew_s: float = 0.0


def answer(status: int, **more: Any) -> Fault:
    # A server that repeats what it was sent must not make us say it.
    return Fault("answer", status=status, reason=f"it broke, Authorization: token {TOKEN}", **more)


CELLS = [
    Cell("429", answer(429)),
    Cell("429 Retry-After", answer(429, headers={"Retry-After": "2"})),
    Cell("429 for ever", answer(429), ThrottledError, times=9, effects=0),
    Cell("429 for an hour", answer(429, headers={"Retry-After": "3600"}), ThrottledError, effects=0),
    Cell("500 before", answer(500)),
    Cell("500 after", answer(500, effect=True)),
    Cell("500 for ever", answer(500), ServerError, times=9, effects=0),
    Cell("reset before", Fault("reset")),
    Cell("reset after", Fault("reset", effect=True)),
    Cell("reset twice", Fault("reset"), times=2),
    Cell("cut JSON", Fault("cut", effect=True)),
    Cell("HTML 502 before", Fault("html", status=502)),
    Cell("HTML 502 after", Fault("html", status=502, effect=True)),
    Cell("HTML 504 before", Fault("html", status=504), UnknownOutcomeError, effects=0),
    Cell("HTML 504 after", Fault("html", status=504, effect=True)),
    Cell("HTML 200 before", Fault("html", status=200), UnknownOutcomeError, effects=0),
    Cell("HTML 200 after", Fault("html", status=200, effect=True)),
    Cell("stall after", Fault("stall", effect=True, late_s=STALL_S)),
    Cell("stall before", Fault("stall", effect_late=True, late_s=STALL_S)),
    Cell("stall for nothing", Fault("reset", late_s=STALL_S), UnknownOutcomeError, effects=0),
    Cell("301", answer(301, headers=MOVED), MovedError, effects=0),
    Cell("307", answer(307, headers=MOVED), MovedError, effects=0),
    Cell("expired token", answer(401), BadTokenError, effects=0),
    Cell("clock skew, ours ahead", answer(500, effect=True), skew_s=-DAY_S),
    Cell("clock skew, ours behind", answer(500, effect=True), skew_s=DAY_S),
]

WRITES: dict[str, Callable[[GiteaClient], Any]] = {
    "issue": lambda forge: forge.create_issue(REPO, "a title", "a text"),
    "comment": lambda forge: forge.create_comment(REPO, 1, "a text"),
    "pull": lambda forge: forge.create_pull(REPO, "branch", "main", "a title"),
    "attachment": lambda forge: forge.create_attachment(
        REPO, 7, "a.bin", Content(lambda: io.BytesIO(BYTES), len(BYTES))
    ),
}
MARKED = ("issue", "comment", "pull")


class Naps:
    """A sleep that is shorter, and remembers what it was asked for."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.asked: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        time.sleep(seconds * self.scale)


def client(peer: Peer, naps: Naps, *, request_s: float = 5.0, seed: int = 0) -> GiteaClient:
    limits = Limits(request_s=request_s, slow_s=request_s)
    rng = random.Random(seed)  # noqa: S311 - it is to be repeatable
    return GiteaClient(peer.url, TOKEN, limits=limits, patience=Patience(), sleep=naps, rng=rng)


def made(memory: Memory, what: str) -> int:
    rows = {"comment": memory.comments, "attachment": memory.attachments}
    return len(rows.get(what, list(memory.issues.values())[1:]))


def says_enough(error: ForgeError, what: str, fault: Fault) -> None:
    """A text that names method, path, status and reason, and no secret."""
    text = f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"
    route = {
        "issue": "/repos/o/r/issues",
        "comment": "/repos/o/r/issues/1/comments",
        "pull": "/repos/o/r/pulls",
        "attachment": "/repos/o/r/releases/7/assets?name=a.bin",
    }
    assert str(error).startswith(f"POST {route[what]}: ")
    assert TOKEN not in text
    if fault.kind == "answer":
        assert f": {fault.status} " in str(error)
        assert "it broke" in str(error) or "moved to /api/v1/repos/o/new" in str(error)
    elif fault.kind == "html":
        assert "502 Bad Gateway" in str(error)
        assert len(str(error)) < 700
    else:
        assert "no whole answer within the time limit" in str(error)


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize(
    "cell", [cell for cell in CELLS if not cell.fault.late_s], ids=lambda cell: cell.name
)
def test_a_post_that_breaks_has_its_effect_once(cell: Cell, what: str) -> None:
    naps = Naps(0.0001)
    with Peer() as peer:
        peer.date_skew_s = cell.skew_s
        for trial in range(TRIALS):
            renew(peer, cell)
            with client(peer, naps, seed=trial) as forge:
                if cell.gets is None:
                    done = WRITES[what](forge)
                    if what in MARKED:
                        assert "timmy:once:" in done.body
                    else:
                        assert (done.name, done.size) == ("a.bin", len(BYTES))
                else:
                    with pytest.raises(cell.gets) as caught:
                        WRITES[what](forge)
                    says_enough(caught.value, what, cell.fault)
            peer.settle()
            assert made(peer.memory, what) == cell.effects, f"trial {trial}"


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.fault.late_s], ids=lambda cell: cell.name)
def test_a_post_that_stalls_has_its_effect_at_most_once(cell: Cell, what: str) -> None:
    """On a busy machine a scaled stall may look like another fault; what counts holds all the same."""
    naps = Naps(0.005)
    usual = 0
    with Peer() as peer:
        for trial in range(TRIALS if FULL else 5):
            renew(peer, cell)
            outcome: type[ForgeError] | None = None
            with client(peer, naps, request_s=STALL_S / 2, seed=trial) as forge:
                try:
                    WRITES[what](forge)
                except UnknownOutcomeError as error:
                    outcome = type(error)
                    says_enough(error, what, cell.fault)
            peer.settle()
            count = made(peer.memory, what)
            assert count <= 1, f"trial {trial} made {count}"
            assert count == 1 or outcome is not None
            usual += (outcome, count) == (cell.gets, cell.effects)
    assert usual


def renew(peer: Peer, cell: Cell) -> None:
    """An empty forge that is about to break."""
    peer.memory = Memory()
    peer.memory.open({"title": "one that is there already"})
    peer.faults = [cell.fault] * cell.times


@pytest.mark.parametrize("what", MARKED)
def test_an_effect_after_our_patience_is_found_by_the_next_run(what: str) -> None:
    """The caller's own marker makes a run that gave up safe to repeat."""
    write: dict[str, Callable[[GiteaClient], Any]] = {
        "issue": lambda forge: forge.create_issue(REPO, "t", marker="task-17.once"),
        "comment": lambda forge: forge.create_comment(REPO, 1, "t", marker="task-17.once"),
        "pull": lambda forge: forge.create_pull(REPO, "b", "main", "t", marker="task-17.once"),
    }
    with Peer() as peer:
        peer.memory.open({"title": "one that is there already"})
        peer.faults = [Fault("stall", effect_late=True, late_s=0.4)]
        with client(peer, Naps(0.001), request_s=0.05) as forge:
            with pytest.raises(UnknownOutcomeError, match="may still"):
                write[what](forge)
            peer.settle()
            found = write[what](forge)
            assert write[what](forge).id == found.id
        assert made(peer.memory, what) == 1


READ_FAULTS = [
    (answer(429), None),
    (answer(500), None),
    (answer(503, headers={"Retry-After": "1"}), None),
    (Fault("reset"), None),
    (Fault("cut", effect=True), None),
    (Fault("html", status=502), None),
    (Fault("html", status=200), None),
    (Fault("reset", late_s=STALL_S), None),
    (answer(401), BadTokenError),
]


@pytest.mark.parametrize(("fault", "gets"), READ_FAULTS, ids=lambda value: getattr(value, "kind", None))
@pytest.mark.parametrize("times", [1, 3])
def test_reads_and_fixed_writes_are_repeated(fault: Fault, gets: type[ForgeError] | None, times: int) -> None:
    with Peer() as peer:
        peer.breaks = lambda _asked: True
        peer.memory.open({"title": "one"})
        calls: list[Callable[[GiteaClient], Any]] = [
            lambda forge: forge.get_issue(REPO, 1).number,
            lambda forge: len(forge.list_issues(REPO)),
            lambda forge: forge.close_issue(REPO, 1).number,
        ]
        for call in calls:
            peer.memory.change(1, state="open")
            peer.faults = [fault] * times
            with client(peer, Naps(0.0), request_s=STALL_S / 2 if fault.late_s else 5.0) as forge:
                if gets is None:
                    assert call(forge) == 1
                else:
                    with pytest.raises(gets) as caught:
                        call(forge)
                    assert TOKEN not in str(caught.value)
            peer.faults = []
            peer.settle()


def test_a_delete_whose_answer_was_lost_finds_nothing_and_is_content() -> None:
    with Peer() as peer, client(peer, Naps(0.0)) as forge:
        peer.memory.open({"title": "one"})
        peer.faults = [Fault("reset", effect=True)]
        forge.delete("/repos/o/r/issues/1")
        assert not peer.memory.issues
        with pytest.raises(ForgeError, match="404"):
            forge.delete("/repos/o/r/issues/1")


def test_retry_after_is_kept_whatever_our_clock_says() -> None:
    naps = Naps(0.0)
    with Peer() as peer, client(peer, naps) as forge:
        for skew_s in (0.0, DAY_S, -DAY_S):
            peer.date_skew_s = skew_s
            when = formatdate(time.time() + skew_s + 7, usegmt=True)
            peer.faults = [
                answer(429, headers={"Retry-After": "4"}),
                answer(429, headers={"Retry-After": when}),
            ]
            naps.asked.clear()
            forge.create_issue(REPO, "one")
            assert len(naps.asked) == 2
            assert 4.0 <= naps.asked[0] <= 4.5
            assert 6.0 <= naps.asked[1] <= 8.5


def test_without_retry_after_pauses_grow_and_differ_from_client_to_client() -> None:
    pauses = []
    with Peer() as peer:
        for seed in range(8):
            naps = Naps(0.0)
            peer.faults = [answer(429)] * 4
            with client(peer, naps, seed=seed) as forge:
                forge.create_issue(REPO, "one")
            assert all(early < late * 1.01 for early, late in zip(naps.asked, naps.asked[1:], strict=False))
            pauses.append(tuple(naps.asked))
    assert len(set(pauses)) == 8


def test_nobody_there_is_said_with_the_address() -> None:
    naps = Naps(0.0)
    with Peer() as peer:
        url = peer.url
    with GiteaClient(url, TOKEN, sleep=naps) as forge, pytest.raises(UnreachableError) as caught:
        forge.create_issue(REPO, "one")
    assert "POST /repos/o/r/issues: no connection to 127.0.0.1:" in str(caught.value)
    assert len(naps.asked) == Patience().attempts - 1


def test_a_guarded_change_whose_answer_was_lost_is_not_repeated() -> None:
    with Peer() as peer, client(peer, Naps(0.0)) as forge:
        peer.memory.open({"title": "one"})
        peer.faults = [Fault("reset", effect=True)]
        with pytest.raises(UnknownOutcomeError):
            forge.update_issue(REPO, 1, body="new", content_version=3)
        assert [asked.method for asked in peer.seen] == ["PATCH"]


@pytest.mark.skipif(not FULL, reason="takes a minute; TIMMY_FAULTS=full waits for real")
def test_once_with_real_waiting_times() -> None:
    with Peer() as peer:
        began = time.monotonic()
        with GiteaClient(peer.url, TOKEN) as forge:
            peer.faults = [answer(429, headers={"Retry-After": "3"})]
            forge.create_issue(REPO, "one")
        assert 3.0 <= time.monotonic() - began < 6.0
        # The default limit of a request is 30 s, too: the answer comes too late, the effect is found.
        peer.faults = [Fault("stall", effect=True, late_s=30.5)]
        with GiteaClient(peer.url, TOKEN) as forge:
            began = time.monotonic()
            forge.create_issue(REPO, "two")
        assert 30.0 <= time.monotonic() - began < 40.0
        peer.faults = [Fault("stall", effect_late=True, late_s=30.0)]
        with GiteaClient(peer.url, TOKEN, limits=Limits(request_s=25.0)) as forge:
            forge.create_issue(REPO, "three")
        peer.settle()
        assert [row["title"] for row in peer.memory.issues.values()] == ["one", "two", "three"]


def test_the_matrix_can_fail() -> None:
    """A client that repeats a POST blindly makes two: the trials would see it."""
    with Peer() as peer, client(peer, Naps(0.0)) as forge:
        peer.memory.open({"title": "one that is there already"})
        peer.faults = [answer(500, effect=True)]
        forge.write("POST", "/repos/o/r/issues", {"title": "blind"})
        assert made(peer.memory, "issue") == 2


def test_what_was_lost_says_so() -> None:
    with Peer() as peer, client(peer, Naps(0.0)) as forge:
        peer.breaks = lambda _asked: True
        peer.faults = [replace(answer(200), kind="html")] * 9
        with pytest.raises(
            LostError, match=r"GET /repos/o/r/issues/1: 200 no JSON in the answer: 502 Bad Gateway"
        ):
            forge.get_issue(REPO, 1)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault("answer", status=500), None),
        (Fault("answer", status=429, headers={"Retry-After": "1"}), None),
        (Fault("cut", effect=True), None),
        (Fault("reset"), None),
        (Fault("answer", status=403), ForbiddenError),
        (Fault("answer", status=302, headers={"Location": "http://elsewhere.test/x"}), MovedError),
    ],
)
def test_a_download_is_whole_or_an_error(fault: Fault, outcome: type[ForgeError] | None) -> None:
    with Peer(Memory(file=BYTES)) as peer:
        peer.breaks = lambda asked: asked.method == "GET"
        peer.faults = [fault]
        with client(peer, Naps(0.0001)) as forge:
            if outcome is None:
                assert forge.read_attachment("some-id") == BYTES
                assert len(peer.seen) == 2
            else:
                with pytest.raises(outcome):
                    forge.hash_attachment("some-id")
