# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults where a list is read: between two pages, and while we look for what a lost answer made.

How many trials: see `gitea_trials`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from gitea_peer import Asked, Fault, Memory, Peer
from gitea_trials import BESIDE, PATIENT_S, REPO, STALL_S, TOKEN, TRIALS, Naps, answer, client

from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_errors import BadTokenError, ForbiddenError, ForgeError, LostError, UnknownOutcomeError

SIZE, ROWS = 5, 17
Write = Callable[[GiteaClient, str | None], Any]
WRITES: dict[str, Write] = {
    "issue": lambda forge, marker: forge.create_issue(REPO, "a title", marker=marker),
    "comment": lambda forge, marker: forge.create_comment(REPO, 1, "a text", marker=marker),
    "pull": lambda forge, marker: forge.create_pull(REPO, "branch", "main", "a title", marker=marker),
}
# What is made, on which page of the look it breaks, and whether the caller brought the marker.
LOOKS = [
    ("issue", 1, False),
    ("issue", 3, False),
    ("issue", 3, True),
    ("comment", 1, False),
    ("pull", 2, False),
    ("pull", 3, True),
]
PASSING = {
    "429": answer(429),
    "429 Retry-After": answer(429, headers={"Retry-After": "1"}),
    "500": answer(500),
    "reset": Fault("reset"),
    "cut JSON": Fault("cut", effect=True),
    "HTML 502": Fault("html", status=502),
    "HTML 200": Fault("html", status=200),
    "empty 200": answer(200, says=b""),
    "no list": answer(200, says={"rows": []}),
}
# What stays as it is: how long it lasts, and what a reader is told.
LASTING: dict[str, tuple[Fault, int, type[ForgeError]]] = {
    "expired token": (answer(401), 1, BadTokenError),
    "403": (answer(403), 1, ForbiddenError),
    "empty 200 for ever": (answer(200, says=b""), 9, LostError),
}


def filled(pulls: bool = False) -> Memory:
    """A forge with some pages of issues or pulls."""
    memory = Memory(SIZE)
    for number in range(1, ROWS + 1):
        memory.open({"title": f"number {number}", "head": f"b{number}", "base": "main"}, pulls)
    return memory


def page_of(asked: Asked) -> int:
    return int(asked.query.get("page", "1"))


def marked(memory: Memory) -> list[dict[str, Any]]:
    rows = [*memory.issues.values(), *memory.comments]
    return [row for row in rows if "timmy:once:" in row["body"]]


def lose(peer: Peer, what: str, page: int, faults: list[Fault]) -> None:
    """Let the next write have its effect without an answer, and these faults strike the look for it."""
    peer.memory = filled(what == "pull")
    peer.seen.clear()
    peer.faults = [answer(500, effect=True), *faults]
    peer.breaks = lambda asked: (
        asked.method == "POST" or (any(one.method == "POST" for one in peer.seen) and page_of(asked) == page)
    )


@pytest.mark.parametrize(("what", "page", "own"), LOOKS)
@pytest.mark.parametrize("name", PASSING)
def test_a_look_that_breaks_is_repeated(name: str, what: str, page: int, own: bool) -> None:
    with Peer() as peer:
        for trial in range(TRIALS):
            lose(peer, what, page, [PASSING[name]] * (1 + trial % 2))
            with client(peer, Naps(0.0), seed=trial) as forge:
                done = WRITES[what](forge, "own.marker" if own else None)
            assert [row["id"] for row in marked(peer.memory)] == [done.id]
            assert peer.faults == []


@pytest.mark.parametrize(("what", "page", "own"), LOOKS)
@pytest.mark.parametrize("name", LASTING)
def test_who_cannot_look_does_not_write_again(name: str, what: str, page: int, own: bool) -> None:
    fault, times, _kind = LASTING[name]
    with Peer() as peer:
        for trial in range(TRIALS):
            lose(peer, what, page, [fault] * times)
            with client(peer, Naps(0.0), seed=trial) as forge:
                with pytest.raises(UnknownOutcomeError, match=r"^POST /repos/o/r/.*: 500 it broke") as caught:
                    WRITES[what](forge, "own.marker" if own else None)
                assert "looking for its effect failed too: GET /repos/o/r/" in str(caught.value)
                assert TOKEN[:6] not in str(caught.value)
            assert len(marked(peer.memory)) == 1


def test_where_nothing_can_be_nothing_was_made() -> None:
    """The forge answers 500 to a comment on an issue that is not there: the look says so."""
    with Peer() as peer, client(peer, Naps(0.0)) as forge:
        peer.faults = [answer(500), answer(404)]
        peer.breaks = lambda _asked: True
        with pytest.raises(ForgeError, match="404") as caught:
            forge.create_comment(REPO, 4711, "text")
        assert not isinstance(caught.value, UnknownOutcomeError)


@pytest.mark.parametrize("status", [403, 409, 422])
def test_who_is_told_that_it_exists_after_a_lost_answer_looks_whether_it_is_ours(status: int) -> None:
    with Peer() as peer, client(peer, Naps(0.0)) as forge:
        peer.breaks = lambda _asked: True
        peer.faults = [answer(500, effect=True), answer(200, says=[]), answer(status)]
        done = forge.create_issue(REPO, "one")
        assert [row["id"] for row in marked(peer.memory)] == [done.id]
        peer.seen.clear()
        peer.faults = [answer(status)]
        with pytest.raises(ForgeError, match=f": {status} it broke"):
            forge.create_issue(REPO, "two")
        assert [asked.method for asked in peer.seen] == ["POST"]


@pytest.mark.parametrize("lost", [Fault("html", status=502, effect=True), Fault("reset", effect=True)])
def test_an_effect_that_shows_up_late_is_waited_for(lost: Fault) -> None:
    with Peer() as peer, client(peer, Naps(0.0)) as forge:
        peer.breaks = lambda _asked: True
        peer.faults = [lost, answer(200, says=[]), answer(200, says=[])]
        done = forge.create_issue(REPO, "one")
        assert [row["id"] for row in marked(peer.memory)] == [done.id]
        assert sum(asked.method == "POST" for asked in peer.seen) == 1


@pytest.mark.parametrize("what", ["issue", "pull"])
def test_what_moves_up_between_two_pages_of_the_look_is_found(what: str) -> None:
    """Ours is the first of page two; one that is newer goes just before that page is read."""
    pulls = what == "pull"
    steps: list[int] = []

    def meanwhile(asked: Asked) -> None:
        memory = peer.memory
        looking = asked.method == "GET" and bool(marked(memory))
        if looking and page_of(asked) == 1 and not steps:
            steps.extend(
                memory.open({"title": "newer", "head": "h", "base": "m"}, pulls)["number"]
                for _step in "12345"
            )
        elif looking and page_of(asked) == 2 and len(steps) == SIZE:
            memory.remove(steps.pop())

    with Peer(filled(pulls)) as peer, client(peer, Naps(0.0)) as forge:
        peer.faults = [answer(500, effect=True)]
        peer.before = meanwhile
        done = WRITES[what](forge, None)
    assert [row["id"] for row in marked(peer.memory)] == [done.id]
    assert len(steps) == SIZE - 1


@pytest.mark.parametrize("state", ["all", "open"])
@pytest.mark.parametrize("page", [1, 2, 4])
@pytest.mark.parametrize("name", [*PASSING, "stall"])
def test_a_page_that_breaks_is_read_again(name: str, page: int, state: str) -> None:
    fault = PASSING.get(name, Fault("reset", late_s=STALL_S))
    trials = TRIALS if name in PASSING else max(2, TRIALS // 10)
    with Peer(filled()) as peer:
        peer.memory.change(3, state="closed")
        wanted = [n for n in range(ROWS, 0, -1) if state == "all" or n != 3]
        for trial in range(trials):
            peer.faults = [fault] * (1 + trial % 3)
            peer.breaks = lambda asked: page_of(asked) == page
            with client(
                peer, Naps(0.0), request_s=STALL_S / 2 if fault.late_s else PATIENT_S, seed=trial
            ) as forge:
                assert [one.number for one in forge.list_issues(REPO, state=state)] == wanted
            assert peer.faults == []


@pytest.mark.parametrize("page", [1, 2, 4])
@pytest.mark.parametrize("name", LASTING)
def test_a_list_of_which_a_page_cannot_be_read_is_no_list(name: str, page: int) -> None:
    fault, times, kind = LASTING[name]
    with Peer(filled()) as peer:
        for trial in range(TRIALS):
            peer.faults = [fault] * times
            peer.breaks = lambda asked: page_of(asked) == page
            with (
                client(peer, Naps(0.0), seed=trial) as forge,
                pytest.raises(kind, match=r"^GET /repos/o/r/issues"),
            ):
                forge.list_issues(REPO, state="all")


def test_a_page_of_a_proxy_is_not_taken_for_the_forges_word() -> None:
    page = Fault("html", status=200)
    with Peer(filled(pulls=True)) as peer, client(peer, Naps(0.0)) as forge:
        peer.breaks = lambda _asked: True
        peer.faults = [page]
        forge.delete("/repos/o/r/issues/1")
        assert 1 not in peer.memory.issues
        peer.faults = [page]
        assert not forge.is_merged(REPO, 2)
        for call in (lambda: forge.is_merged(REPO, 2), lambda: forge.delete("/repos/o/r/issues/2")):
            peer.faults = [page] * 9
            with pytest.raises(LostError, match="200 no JSON in the answer: 502 Bad Gateway"):
                call()
        assert 2 in peer.memory.issues
        peer.faults = [page]
        with pytest.raises(ForgeError):
            forge.create_variable(REPO, "NAME", "value")


@pytest.mark.parametrize("what", WRITES)
def test_two_who_write_at_once_get_each_their_own(what: str) -> None:
    """Each marker once and with who brought it, whichever of both a fault strikes."""
    strikes = [
        answer(429),
        answer(500),
        answer(500, effect=True),
        Fault("reset"),
        Fault("reset", effect=True),
        Fault("cut", effect=True),
        Fault("html", status=502, effect=True),
    ]
    rng = random.Random(11)  # noqa: S311 - it is to be repeatable

    def run(peer: Peer, seed: int, marker: str | None) -> Any:
        with client(peer, Naps(0.0), seed=seed) as forge:
            return WRITES[what](forge, marker)

    with Peer() as peer, ThreadPoolExecutor(BESIDE) as pool:
        for trial in range(TRIALS):
            peer.memory = filled(what == "pull")
            peer.faults = [rng.choice(strikes) for _each in range(rng.randrange(4))]
            own = [None, None] if trial % 2 else ["one.marker", "two.marker"]
            done = list(pool.map(lambda at: run(peer, 2 * trial + at, own[at]), range(2)))  # noqa: B023
            rows = marked(peer.memory)
            assert {one.id: one.body for one in done} == {row["id"]: row["body"] for row in rows}
            assert len(rows) == 2
            for one, marker in zip(done, own, strict=True):
                assert marker is None or marker in one.body
