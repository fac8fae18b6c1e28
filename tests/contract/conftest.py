# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository for each module of tests, a judge of every answer. The forge is in tests/conftest.py."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from forge_description import Description
from forge_hooks import Receiver, receiving
from forge_servers import Forge
from forge_wire import Answer
from forge_world import Repo, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    AtOnce = Callable[[list[Callable[[], Any]]], list[Any]]


@pytest.fixture(scope="module")
def repo(world: World, request: pytest.FixtureRequest) -> Repo:
    """Return a repository that the tests of one module share."""
    return world.repo(request.module.__name__.removeprefix("test_contract_").replace("_", "-"))


@pytest.fixture
def own(world: World) -> Repo:
    """Return a repository for one test alone."""
    return world.repo("own")


@pytest.fixture
def receiver(forge: Forge) -> Iterator[Receiver]:
    """Return a receiver of hooks, where the forge can reach one."""
    if not forge.local:
        pytest.skip("the forge is on another machine; it cannot deliver to this one's loopback")
    with receiving() as running:
        yield running


@pytest.fixture(autouse=True)
def described(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose answers do not fit the API description."""
    judge: Description | None = request.getfixturevalue("description")
    before = len(judge.wrong) if judge else 0
    yield
    if judge and judge.wrong[before:]:
        found = list(dict.fromkeys(judge.wrong[before:]))
        pytest.fail(
            "answers that the API description does not have:\n" + "\n".join(found[:20]), pytrace=False
        )


@pytest.fixture
def at_once() -> AtOnce:
    """Return a function that starts calls in the same moment and returns what they returned, in order."""

    def run(calls: list[Callable[[], Any]]) -> list[Any]:
        start = threading.Barrier(len(calls))

        def one(call: Callable[[], Any]) -> Any:
            start.wait()
            return call()

        with ThreadPoolExecutor(max_workers=len(calls)) as pool:
            return list(pool.map(one, calls))

    return run


@pytest.fixture
def count() -> Callable[[list[Answer]], dict[int, int]]:
    """Return a function that counts answers by their status."""
    return lambda answers: dict(Counter(answer.status for answer in answers))
