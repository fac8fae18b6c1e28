# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A list that changes while it is read is still read whole, each row once, with one request for a page.

How many generated histories: see `gitea_trials`.
"""

from __future__ import annotations

import math
import random
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from gitea_peer import API, Asked, Memory, Peer
from gitea_trials import FUZZED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_errors import ListingError
from timmy.core.gitea_transport import Reply

MANY = 5000
REPO = "o/r"


def filled(rows: int, page_size: int = 50, closed_every: int = 0) -> Memory:
    memory = Memory(page_size)
    for number in range(1, rows + 1):
        row = memory.open({"title": f"issue {number}", "body": "text"})
        row["updated_at"] = "2026-01-01T00:00:00Z"
        if closed_every and number % closed_every == 0:
            row["state"] = "closed"
    return memory


@pytest.mark.parametrize("page_size", [50, 20])
def test_quiet_lists_cost_one_request_a_page_on_one_connection(page_size: int) -> None:
    with Peer(filled(MANY, page_size)) as peer, GiteaClient(peer.url) as forge:
        for state in ("all", "open"):
            peer.seen.clear()
            numbers = [issue.number for issue in forge.list_issues(REPO, state=state)]
            assert numbers == list(range(MANY, 0, -1))
            assert len(peer.seen) == math.ceil(MANY / page_size)
        assert peer.connections == 1


@pytest.mark.parametrize("state", ["all", "open"])
def test_all_are_there_once_while_issues_are_opened_and_closed(state: str) -> None:
    memory = filled(MANY)
    rng = random.Random(5)  # noqa: S311 - it is to be repeatable
    closed: set[int] = set()

    def churn(_asked: Asked) -> None:
        for _each in range(rng.randrange(4)):
            memory.open({"title": "new"})
        for _each in range(rng.randrange(4)):
            number = rng.randrange(1, MANY + 1)
            memory.change(number, state="closed")
            closed.add(number)

    with Peer(memory) as peer, GiteaClient(peer.url) as forge:
        peer.before = churn
        numbers = [issue.number for issue in forge.list_issues(REPO, state=state)]
        assert peer.connections == 1
    assert len(numbers) == len(set(numbers))
    wanted = set(range(1, MANY + 1)) - (closed if state == "open" else set())
    assert wanted <= set(numbers)
    # What was opened meanwhile is there as well, up to the last request.
    assert max(numbers) >= max(memory.issues) - 4


def test_a_loop_until_the_last_page_would_miss_some() -> None:
    """The churn above is one that skips rows: without it the test could not fail."""
    memory = filled(200)
    seen: set[int] = set()
    for page in range(1, 5):
        rows = memory.list(
            Asked("GET", "", {"state": "open", "limit": "50", "page": str(page)}, {}, None), False
        )
        seen |= {row["number"] for row in rows[1]}
        memory.change(200 - page, state="closed")
    assert not {number for number, row in memory.issues.items() if row["state"] == "open"} <= seen


def test_a_filter_that_the_server_drops_is_applied_here() -> None:
    with Peer(filled(120)) as peer, GiteaClient(peer.url) as forge:
        peer.memory.issues[7]["labels"] = [{"id": 1, "name": "fleet/queued"}]
        assert [issue.number for issue in forge.list_issues(REPO, labels=["fleet/queued"])] == [7]
        assert forge.list_issues(REPO, labels=["fleet/Queued"]) == []


class Direct:
    """A transport without a socket, on a memory whose clock the history moves."""

    base = "direct"

    def __init__(self, memory: Memory, history: list[list[tuple[str, int]]]) -> None:
        self.memory = memory
        self.history = list(history)
        self.clock = 1_800_000_000.0
        memory.now = lambda: self.clock
        self.always_open = {n for n, row in memory.issues.items() if row["state"] == "open"}
        self.removed: set[int] = set()

    def send(self, method: str, path: str) -> Reply:
        parts = urlsplit(path)
        asked = Asked(method, API + parts.path, dict(parse_qsl(parts.query)), {}, None)
        status, rows, headers = self.memory.answer(asked)
        date = formatdate(self.clock, usegmt=True)
        if self.history:
            for verb, number in self.history.pop(0):
                self.step(verb, number)
        told = {name.lower(): value for name, value in headers.items()}
        return Row(status, {**told, "date": date, "content-type": "application/json"}, rows)

    def step(self, verb: str, number: int) -> None:
        numbers = list(self.memory.issues)
        if verb == "open":
            self.memory.open({"title": "new"})
        elif verb == "tick":
            self.clock += number
        elif numbers:
            number = numbers[number % len(numbers)]
            if verb == "delete":
                self.memory.remove(number)
                self.removed.add(number)
            else:
                self.memory.change(number, state="closed" if verb == "close" else "open")
            if verb != "reopen":
                self.always_open.discard(number)


class Row(Reply):
    """A reply that holds its data already."""

    empty = False

    def data(self, *_where: str) -> Any:
        return self.body


STEPS = st.tuples(st.sampled_from(["open", "close", "close", "reopen", "delete", "tick"]), st.integers(0, 60))
HISTORIES = st.lists(st.lists(STEPS, max_size=5), max_size=20)


@settings(max_examples=FUZZED, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES, st.integers(0, 80), st.integers(6, 12), st.sampled_from([0, 2, 3]))
def test_whatever_happens_nothing_that_stayed_is_missed(
    history: list[list[tuple[str, int]]], rows: int, page_size: int, closed_every: int
) -> None:
    for state in ("open", "all"):
        memory = filled(rows, page_size, closed_every)
        there = set(memory.issues)
        direct = Direct(memory, history)
        forge = GiteaClient("http://forge.test")
        forge.transport = direct  # type: ignore[assignment]
        numbers = [issue.number for issue in forge.list_issues(REPO, state=state)]
        assert len(numbers) == len(set(numbers))
        stayed = there - direct.removed if state == "all" else direct.always_open
        assert stayed <= set(numbers)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([[("close", 29), ("reopen", 2)]], id="one leaves, one comes back further down"),
        pytest.param(
            [[("close", 29), ("reopen", 2)], [("close", 2), ("open", 0)]], id="and goes, when one is opened"
        ),
        pytest.param([[("close", 29)], [("open", 0)]], id="the total falls and rises"),
    ],
)
def test_moves_that_leave_the_total_alone_are_noticed(steps: list[list[tuple[str, int]]]) -> None:
    memory = filled(30, 6)
    memory.issues[3]["state"] = "closed"
    forge = GiteaClient("http://forge.test")
    forge.transport = Direct(memory, steps)  # type: ignore[assignment]
    numbers = {issue.number for issue in forge.list_issues(REPO)}
    assert set(range(1, 30)) - {3} <= numbers


def test_a_server_that_ignores_the_page_is_not_asked_for_ever() -> None:
    with Peer(filled(1000)) as peer, GiteaClient(peer.url) as forge:
        peer.before = lambda asked: asked.query.pop("page", None)
        with pytest.raises(ListingError, match=r"GET /repos/o/r/issues: a page brings nothing new"):
            forge.list_issues(REPO)
        assert len(peer.seen) < 8
