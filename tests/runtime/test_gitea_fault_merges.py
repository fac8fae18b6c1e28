# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A merge or an update whose answer breaks: it is asked for once, and the pull says what came of it.

How many trials: see `gitea_trials`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from gitea_peer import Fault, Memory, Peer
from gitea_trials import PATIENT_S, REPO, STALL_S, TOKEN, TRIALS, Naps, answer, beside, client

from timmy.core.gitea_errors import BadTokenError, ForgeError, MovedError
from timmy.core.gitea_merge import MergeState, UpdateState

MERGED, UNKNOWN, BLOCKED = MergeState.MERGED, MergeState.UNKNOWN_RECHECK, MergeState.BLOCKED
HEAD = "a" * 40
TOLD_LATE = Fault("stall", effect=True, late_s=STALL_S)


@dataclass(frozen=True)
class Cell:
    """What breaks the merge, and what is said of it."""

    name: str
    fault: Fault
    state: MergeState | type[ForgeError]
    merges: int
    words: str = ""


CELLS = [
    Cell("429", answer(429), MERGED, 1),
    Cell("429 Retry-After", answer(429, headers={"Retry-After": "2"}), MERGED, 1),
    Cell("500 before", answer(500), UNKNOWN, 0, "it broke"),
    Cell("500 after", answer(500, effect=True), MERGED, 1),
    Cell("405", answer(405), BLOCKED, 0, "it broke"),
    Cell("reset before", Fault("reset"), UNKNOWN, 0, "the connection broke"),
    Cell("reset after", Fault("reset", effect=True), MERGED, 1),
    Cell("HTML 502 before", Fault("html", status=502), UNKNOWN, 0, "502 Bad Gateway"),
    Cell("HTML 502 after", Fault("html", status=502, effect=True), MERGED, 1),
    Cell("HTML 200 before", Fault("html", status=200), UNKNOWN, 0, "no JSON in the answer"),
    Cell("HTML 200 after", Fault("html", status=200, effect=True), MERGED, 1),
    Cell("an old 200", answer(200, says=b""), UNKNOWN, 0, "the pull is not merged"),
    Cell("stall after", TOLD_LATE, MERGED, 1),
    Cell("stall for nothing", Fault("reset", late_s=STALL_S), UNKNOWN, 0, "within the time limit"),
    Cell("301", answer(301, headers={"Location": "/api/v1/x"}), MovedError, 0, "moved to /api/v1/x"),
    Cell("expired token", answer(401), BadTokenError, 0, "it broke"),
]


def offered(behind: bool = False) -> Memory:
    """A forge with one pull; its head may lack what its base has."""
    memory = Memory()
    row = memory.open({"title": "a pull", "head": "f", "base": "main"}, pull=True)
    row["base"]["sha"], row["merge_base"] = "d" * 40, ("e" if behind else "d") * 40
    return memory


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_merge_that_breaks_is_called_what_it_is(cell: Cell) -> None:
    """On a busy machine a scaled stall may hit the reading as well; then nobody knows, and nobody says so."""
    late = cell.fault.late_s

    def some(share: range) -> int:
        usual = 0
        with Peer() as peer:
            # Who reads again, reads what came of the merge.
            peer.before = lambda asked: asked.method != "GET" or peer.settle(others=1)
            for trial in share:
                peer.memory = offered()
                peer.faults = [cell.fault]
                result = None
                # Only the merge itself is in a hurry; what reads it again may take its time.
                with client(
                    peer, Naps(0.0001), slow_s=STALL_S / 2 if late else PATIENT_S, seed=trial
                ) as forge:
                    if isinstance(cell.state, MergeState):
                        result = forge.merge_pull(REPO, 1, HEAD)
                        said = result.reason
                        assert result.state is cell.state or (late and result.state is UNKNOWN), result
                        assert result.sha == ("c" * 40 if result.state is MERGED else "")
                        usual += result.state is cell.state
                    else:
                        with pytest.raises(cell.state) as caught:
                            forge.merge_pull(REPO, 1, HEAD)
                        said = str(caught.value)
                        usual += 1
                        assert said.startswith(f"POST /repos/o/r/pulls/1/merge: {cell.fault.status} ")
                assert late or cell.words in said
                assert TOKEN[:6] not in said
                peer.settle()
                # Late may also mean that the forge never heard of it; then nobody says that it is merged.
                unheard = late and peer.memory.merges == 0 and result and result.state is UNKNOWN
                assert peer.memory.merges == cell.merges or unheard
        return usual

    usual = beside(TRIALS, some)
    assert usual == TRIALS or (late and usual)


@pytest.mark.parametrize(
    ("answered", "state", "reason"),
    [
        (answer(200, says=b"", effect=True), MERGED, "merged; not read again"),
        (Fault("html", status=200, effect=True), UNKNOWN, "reading the pull again failed too"),
        (answer(500, effect=True), UNKNOWN, "reading the pull again failed too"),
    ],
)
def test_a_merge_that_cannot_be_read_again(answered: Fault, state: MergeState, reason: str) -> None:
    with Peer(offered()) as peer, client(peer, Naps(0.0)) as forge:
        peer.faults = [answered, *[answer(500)] * 9]
        peer.breaks = lambda _asked: True
        result = forge.merge_pull(REPO, 1, HEAD)
        assert (result.state, reason in result.reason) == (state, True), result
        assert sum(asked.method == "POST" for asked in peer.seen) == 1


UPDATES = [
    ("429", answer(429), UpdateState.UPDATED, 2),
    ("500 before", answer(500), UpdateState.UNKNOWN_RECHECK, 1),
    ("500 after", answer(500, effect=True), UpdateState.UPDATED, 1),
    ("reset before", Fault("reset"), UpdateState.UNKNOWN_RECHECK, 1),
    ("reset after", Fault("reset", effect=True), UpdateState.UPDATED, 1),
    ("HTML 200 before", Fault("html", status=200), UpdateState.UNKNOWN_RECHECK, 1),
    ("HTML 200 after", Fault("html", status=200, effect=True), UpdateState.UPDATED, 1),
    ("409", answer(409), UpdateState.CONFLICT, 1),
    ("403", answer(403), UpdateState.BLOCKED, 1),
]


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row[0])
def test_an_update_that_breaks_is_asked_for_once(row: tuple[str, Fault, UpdateState, int]) -> None:
    _name, fault, state, asked = row
    with Peer() as peer:
        for trial in range(TRIALS):
            peer.memory = offered(behind=True)
            peer.seen.clear()
            peer.faults = [fault]
            with client(peer, Naps(0.0), seed=trial) as forge:
                result = forge.update_pull_branch(REPO, 1)
            assert result.state is state, result
            assert result.head == ("b" if state is UpdateState.UPDATED else "a") * 40
            assert sum(one.method == "POST" for one in peer.seen) == asked


@pytest.mark.parametrize(
    ("answered", "state"),
    [
        (answer(200, says=b"", effect=True), UpdateState.UPDATED),
        (answer(500, effect=True), UpdateState.UNKNOWN_RECHECK),
    ],
)
def test_an_update_that_cannot_be_read_again(answered: Fault, state: UpdateState) -> None:
    with Peer(offered(behind=True)) as peer, client(peer, Naps(0.0)) as forge:
        peer.faults = [answered, *[answer(500)] * 9]
        peer.breaks = lambda _asked: any(one.method == "POST" for one in peer.seen)
        result = forge.update_pull_branch(REPO, 1)
        assert (result.state, result.head) == (state, "")
        assert "reading the pull again failed: GET /repos/o/r/pulls/1: 500 it broke" in result.reason
