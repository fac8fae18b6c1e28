# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many get who ask for the same in one moment: where there is one winner, and where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from forge_wire import Answer
    from forge_world import Repo, World

    Count = Callable[[list[Answer]], dict[int, int]]

THREADS, ROUNDS = 8, 2


def test_a_repository_has_one_maker(world: World, at_once: Any, count: Count) -> None:
    for _turn in range(ROUNDS):
        body = {"name": world.unused("race")}
        answers = at_once([lambda body=body: world.admin.post(f"/orgs/{world.org}/repos", body)] * THREADS)
        assert count(answers) == {201: 1, 409: THREADS - 1}


def test_a_tag_has_one_maker(world: World, own: Repo, at_once: Any, count: Count) -> None:
    for turn in range(ROUNDS):
        body = {"tag_name": f"v{turn}", "target": "main"}
        answers = at_once([lambda body=body: world.writer.post(f"{own.api}/tags", body)] * THREADS)
        assert count(answers)[201] == 1
        assert set(count(answers)) <= {201, 409, 500}
    names = [row["name"] for row in world.reader.must("GET", f"{own.api}/tags")]
    assert sorted(names) == [f"v{turn}" for turn in range(ROUNDS)]


def test_a_rule_has_one_maker(world: World, own: Repo, at_once: Any, count: Count) -> None:
    rules = f"{own.api}/branch_protections"
    answers = at_once([lambda: world.admin.post(rules, {"rule_name": "r"})] * THREADS)
    assert count(answers)[201] == 1
    assert set(count(answers)) <= {201, 403, 500}
    assert len(world.admin.must("GET", rules)) == 1


def test_a_label_has_as_many_makers_as_ask(world: World, own: Repo, at_once: Any, count: Count) -> None:
    body = {"name": "same", "color": "#00aabb"}
    answers = at_once([lambda: world.writer.post(f"{own.api}/labels", body)] * THREADS)
    assert count(answers) == {201: THREADS}
    assert len(world.reader.must("GET", f"{own.api}/labels")) == THREADS


def test_a_pair_gets_several_pulls(world: World, own: Repo, at_once: Any, count: Count) -> None:
    names = [f"f{n}" for n in range(3)]
    own.branches(own.clone(), {name: {f"{name}.txt": "text\n"} for name in names})
    made = 0
    for name in names:
        body = {"head": name, "base": "main", "title": "t"}
        answers = at_once([lambda body=body: world.writer.post(f"{own.api}/pulls", body)] * 6)
        assert set(count(answers)) <= {201, 409}
        made += count(answers)[201]
        rows = world.reader.must("GET", f"{own.api}/pulls?limit=50")
        assert sum(row["head"]["ref"] == name for row in rows) == count(answers)[201]
    assert made > len(names), "a pull is no lock: somewhere several got one"


def test_numbers_of_issues_are_given_once(world: World, own: Repo, at_once: Any) -> None:
    def five() -> list[int]:
        return [own.issue() for _turn in range(5)]

    numbers = [number for made in at_once([five] * THREADS) for number in made]
    assert sorted(numbers) == list(range(1, 5 * THREADS + 1))


def test_the_lowest_comment_is_seen_by_its_author_alone(world: World, own: Repo, at_once: Any) -> None:
    for _turn in range(ROUNDS):
        path = f"{own.api}/issues/{own.issue()}/comments"

        def claim(path: str = path) -> bool:
            mine = world.writer.must("POST", path, {"body": "mine"})["id"]
            return bool(min(row["id"] for row in world.writer.must("GET", path)) == mine)

        assert at_once([claim] * THREADS).count(True) == 1


def test_of_exclusive_labels_one_is_left(world: World, own: Repo, at_once: Any, count: Count) -> None:
    names = [f"fleet/{n}" for n in range(THREADS)]
    for name in names:
        own.label(name, exclusive=True)
    for _turn in range(ROUNDS):
        path = f"{own.api}/issues/{own.issue()}/labels"
        answers = at_once(
            [lambda name=name, path=path: world.writer.post(path, {"labels": [name]}) for name in names]
        )
        assert count(answers) == {200: THREADS}
        assert len(world.reader.must("GET", path)) == 1


def test_assignees_are_no_claim(world: World, own: Repo, at_once: Any, count: Count) -> None:
    """All are told that they won; who is assigned in the end is anybody's guess, nobody included."""
    people = [world.writer.login, world.writer2.login] * (THREADS // 2)
    for _turn in range(ROUNDS):
        path = f"{own.api}/issues/{own.issue()}"
        answers = at_once(
            [lambda one=one, path=path: world.writer.patch(path, {"assignees": [one]}) for one in people]
        )
        assert count(answers) == {201: THREADS}
        assert {row["login"] for row in world.reader.must("GET", path)["assignees"] or []} <= set(people)


def test_comments_of_many_are_all_kept(world: World, own: Repo, at_once: Any) -> None:
    path = f"{own.api}/issues/{own.issue()}/comments"
    at_once([lambda n=n: world.writer.must("POST", path, {"body": str(n)}) for n in range(THREADS)])
    assert sorted(row["body"] for row in world.reader.must("GET", path)) == [str(n) for n in range(THREADS)]
