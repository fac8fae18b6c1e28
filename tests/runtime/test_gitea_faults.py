# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever breaks between us and the forge, nothing is made twice, and what is said of it is enough.

How many trials: see `gitea_trials`.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import pytest
from gitea_peer import Fault, Memory, Peer
from gitea_trials import FULL, PATIENT_S, REPO, STALL_S, TOKEN, TRIALS, Naps, answer, beside, client

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

MOVED = {"Location": "/api/v1/repos/o/new/issues"}
DAY_S = 86400.0
BYTES = bytes(range(256)) * 100


@dataclass(frozen=True)
class Cell:
    """A way to break, how many requests in a row it breaks, what the caller gets instead, and is told."""

    name: str
    fault: Fault
    gets: type[ForgeError] | None = None
    times: int = 1
    effects: int = 1
    skew_s: float = 0.0
    words: str = "it broke"


# A text that is cut before it is cleaned shows the half of a token.
ECHO = f"<html><title>{'x' * 180} {TOKEN}</title></html>"
CONTROLS = f"<p>\x1b[2J\u202e bad \x00 gateway</p> Authorization: token {TOKEN}"

LATE = "no whole answer within the time limit"
GATEWAY = "502 Bad Gateway"
ELSEWHERE = "moved to /api/v1/repos/o/new"
CELLS = [
    Cell("429", answer(429)),
    Cell("429 Retry-After", answer(429, headers={"Retry-After": "2"})),
    Cell("429 for ever", answer(429), ThrottledError, times=9, effects=0),
    Cell("429 for an hour", answer(429, headers={"Retry-After": "3600"}), ThrottledError, effects=0),
    Cell("500 before", answer(500)),
    Cell("500 after", answer(500, effect=True)),
    Cell("500 for ever", answer(500), ServerError, times=9, effects=0),
    Cell("503 Retry-After", answer(503, headers={"Retry-After": "2"})),
    Cell("reset before", Fault("reset")),
    Cell("reset after", Fault("reset", effect=True)),
    Cell("reset twice", Fault("reset"), times=2),
    Cell("cut JSON", Fault("cut", effect=True)),
    Cell("HTML 502 before", Fault("html", status=502)),
    Cell("HTML 502 after", Fault("html", status=502, effect=True)),
    Cell("HTML 504 before", Fault("html", status=504), UnknownOutcomeError, effects=0, words=GATEWAY),
    Cell("HTML 504 after", Fault("html", status=504, effect=True)),
    Cell("HTML 200 before", Fault("html", status=200), UnknownOutcomeError, effects=0, words=GATEWAY),
    Cell("HTML 200 after", Fault("html", status=200, effect=True)),
    Cell("HTML 200 echo", Fault("html", status=200, says=ECHO), UnknownOutcomeError, effects=0, words="<s"),
    Cell("HTML 504 echo", Fault("html", status=504, says=ECHO), UnknownOutcomeError, effects=0, words="<s"),
    Cell(
        "HTML 200 controls", Fault("html", status=200, says=CONTROLS), UnknownOutcomeError, 1, 0, words="<s"
    ),
    Cell("empty 200 before", answer(200, says=b""), UnknownOutcomeError, effects=0, words="but nothing"),
    Cell("empty 200 after", answer(200, says=b"", effect=True)),
    Cell("204 before", answer(204, says=b""), UnknownOutcomeError, effects=0, words="but nothing"),
    Cell("{} before", answer(201, says={}), UnknownOutcomeError, effects=0, words="with an id"),
    Cell("{} after", answer(201, says={}, effect=True)),
    Cell("[] before", answer(201, says=[]), UnknownOutcomeError, effects=0, words="but a list"),
    Cell("stall after", Fault("stall", effect=True, late_s=STALL_S), words=LATE),
    Cell("stall before", Fault("stall", effect_late=True, late_s=STALL_S), words=LATE),
    Cell("stall for nothing", Fault("reset", late_s=STALL_S), UnknownOutcomeError, effects=0, words=LATE),
    Cell("301", answer(301, headers=MOVED), MovedError, effects=0, words=ELSEWHERE),
    Cell("307", answer(307, headers=MOVED), MovedError, effects=0, words=ELSEWHERE),
    Cell("expired token", answer(401), BadTokenError, effects=0),
    Cell("clock skew, ours ahead", answer(500, effect=True), skew_s=-DAY_S),
    Cell("clock skew, ours behind", answer(500, effect=True), skew_s=DAY_S),
]

WRITES: dict[str, Callable[[GiteaClient], Any]] = {
    "issue": lambda forge: forge.create_issue(REPO, "a title", "a text"),
    "comment": lambda forge: forge.create_comment(REPO, 1, "a text"),
    "pull": lambda forge: forge.create_pull(REPO, "branch", "main", "a title"),
    "label": lambda forge: forge.create_label(REPO, "fleet/queued", "#00aabb"),
    "attachment": lambda forge: forge.create_attachment(
        REPO, 7, "a.bin", Content(lambda: io.BytesIO(BYTES), len(BYTES))
    ),
}
MARKED = ("issue", "comment", "pull")


def made(memory: Memory, what: str) -> int:
    rows = {"comment": memory.comments, "attachment": memory.attachments, "label": memory.labels}
    return len(rows.get(what, list(memory.issues.values())[1:]))


ROUTES = {
    "issue": "/repos/o/r/issues",
    "comment": "/repos/o/r/issues/1/comments",
    "pull": "/repos/o/r/pulls",
    "label": "/repos/o/r/labels",
    "attachment": "/repos/o/r/releases/7/assets?name=a.bin",
}


def says_enough(error: ForgeError, what: str, cell: Cell) -> None:
    """A text that names method, path, status and reason, and no secret nor the half of one."""
    text = f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"
    assert str(error).startswith(f"POST {ROUTES[what]}: ")
    assert TOKEN[:6] not in text
    assert str(error).isprintable()
    assert len(str(error)) < 700
    assert cell.words in str(error)
    if not cell.fault.late_s:
        assert f": {cell.fault.status} " in str(error)


def is_the_one(done: Any, what: str) -> bool:
    if what in MARKED:
        return "timmy:once:" in done.body
    said = {"label": "fleet/queued", "attachment": "a.bin"}[what]
    return bool(done.name == said and done.id)


def cells(late: bool) -> Any:
    some = [cell for cell in CELLS if bool(cell.fault.late_s) is late]
    return pytest.mark.parametrize("cell", some, ids=lambda cell: cell.name)


@pytest.mark.parametrize("what", WRITES)
@cells(late=False)
def test_a_post_that_breaks_has_its_effect_once(cell: Cell, what: str) -> None:
    naps = Naps(0.0001)
    with Peer() as peer:
        peer.date_skew_s = cell.skew_s
        for trial in range(TRIALS):
            renew(peer, cell)
            with client(peer, naps, seed=trial) as forge:
                if cell.gets is None:
                    assert is_the_one(WRITES[what](forge), what)
                else:
                    with pytest.raises(cell.gets) as caught:
                        WRITES[what](forge)
                    assert caught.type is cell.gets
                    says_enough(caught.value, what, cell)
            peer.settle()
            assert made(peer.memory, what) == cell.effects, f"trial {trial}"


@pytest.mark.parametrize("what", WRITES)
@cells(late=True)
def test_a_post_that_stalls_has_its_effect_at_most_once(cell: Cell, what: str) -> None:
    """On a busy machine a scaled stall may look like another fault; what counts holds all the same."""

    def some(share: range) -> int:
        usual = 0
        with Peer() as peer:
            for trial in share:
                renew(peer, cell)
                outcome: type[ForgeError] | None = None
                with client(peer, Naps(STALL_S / 10), request_s=STALL_S / 2, seed=trial) as forge:
                    try:
                        assert is_the_one(WRITES[what](forge), what)
                    except ForgeError as error:
                        outcome = type(error)
                        if error.method == "POST":
                            assert outcome is UnknownOutcomeError
                            says_enough(error, what, cell)
                peer.settle()
                count = made(peer.memory, what)
                assert count <= 1, f"trial {trial} made {count}"
                assert count == 1 or outcome is not None
                usual += (outcome, count) == (cell.gets, cell.effects)
        return usual

    usual = beside(TRIALS, some)
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
            with client(peer, Naps(0.0), request_s=STALL_S / 2 if fault.late_s else PATIENT_S) as forge:
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
        peer.faults = [Fault("html", status=200)] * 9
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
