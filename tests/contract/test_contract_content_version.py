# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one compare-and-swap of an issue: `content_version` sent with the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from forge_wire import Answer
    from forge_world import Repo, World

THREADS = 12


@pytest.fixture
def path(repo: Repo) -> str:
    """Return the path of a new issue."""
    return f"{repo.api}/issues/{repo.issue(body='first')}"


def version(world: World, path: str) -> int:
    """Return the version that an issue has now."""
    return int(world.reader.must("GET", path)["content_version"])


def test_a_new_body_raises_it(world: World, path: str) -> None:
    assert version(world, path) == 0
    for wanted, body in ((1, {"body": "a", "content_version": 0}), (2, {"body": "b"}), (2, {"title": "t"})):
        assert world.writer.must("PATCH", path, body)["content_version"] == wanted


@pytest.mark.parametrize("sent", [0, 99])
@pytest.mark.parametrize(
    "fields",
    [
        {"body": "lost"},
        {"title": "lost"},
        {"state": "closed"},
        {"body": "lost", "title": "lost", "state": "closed"},
    ],
)
def test_another_version_is_409_before_anything_is_written(
    world: World, path: str, sent: int, fields: dict[str, Any]
) -> None:
    world.writer.must("PATCH", path, {"body": "second"})
    got = world.writer.patch(path, {**fields, "content_version": sent})
    assert got.status == 409, got
    read = world.reader.must("GET", path)
    assert (read["title"], read["body"], read["state"], read["content_version"]) == (
        "an issue",
        "second",
        "open",
        1,
    )


def test_a_body_raises_it_also_when_it_is_the_same(world: World, path: str) -> None:
    assert world.writer.patch(path, {"body": "first", "content_version": 0}).status == 201
    assert version(world, path) == 1
    assert world.writer.patch(path, {"body": "first", "content_version": 0}).status == 409


def test_null_is_no_version_and_text_is_a_mistake(world: World, path: str) -> None:
    assert world.writer.patch(path, {"body": "x", "content_version": None}).status == 201
    assert world.writer.patch(path, {"body": "x", "content_version": "1"}).status == 422


def test_a_pull_has_it_as_well(world: World, own: Repo) -> None:
    own.branches(own.clone(), {"f": {"f.txt": "f\n"}})
    path = f"{own.api}/pulls/{own.pull('f')}"
    assert world.writer.patch(path, {"body": "x", "content_version": 7}).status == 409
    assert world.writer.patch(path, {"body": "x", "content_version": 0}).status == 201


@pytest.mark.parametrize("same", [False, True])
def test_of_many_with_one_version_exactly_one_wins(
    world: World, repo: Repo, at_once: Any, count: Callable[[list[Answer]], dict[int, int]], same: bool
) -> None:
    for _turn in range(3):
        path = f"{repo.api}/issues/{repo.issue(body='first')}"
        bodies = ["equal" if same else f"by {n}" for n in range(THREADS)]

        def call(text: str, path: str = path) -> Answer:
            return world.writer.patch(path, {"body": text, "content_version": 0})

        answers = at_once([lambda text=text: call(text) for text in bodies])
        assert count(answers) == {201: 1, 409: THREADS - 1}
        winner = next(answer for answer in answers if answer.status == 201)
        read = world.reader.must("GET", path)
        assert (read["body"], read["content_version"]) == (winner.json["body"], 1)


def test_body_and_assignees_are_the_winners(world: World, repo: Repo, at_once: Any) -> None:
    path = f"{repo.api}/issues/{repo.issue(body='first')}"
    people = [world.writer.login, world.writer2.login] * (THREADS // 2)
    answers = at_once(
        [
            lambda n=n, login=login: world.writer.patch(
                path, {"body": f"{n} {login}", "assignees": [login], "content_version": 0}
            )
            for n, login in enumerate(people)
        ]
    )
    assert [answer.status for answer in answers].count(201) == 1
    read = world.reader.must("GET", path)
    assert [row["login"] for row in read["assignees"]] == [read["body"].split()[1]]


@pytest.mark.parametrize("field", ["title", "assignees"])
def test_without_the_body_it_is_no_lock(world: World, path: str, at_once: Any, field: str) -> None:
    people = [world.writer.login, world.writer2.login]

    def call(n: int) -> Answer:
        fields = {"title": f"by {n}"} if field == "title" else {"assignees": [people[n % 2]]}
        return world.writer.patch(path, {**fields, "content_version": 0})

    answers = at_once([lambda n=n: call(n) for n in range(THREADS)])
    assert [answer.status for answer in answers] == [201] * THREADS
    assert version(world, path) == 0
