# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merges that meet: of one pull, of two into one base, and with a push to the head."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from forge_world import until

if TYPE_CHECKING:
    from forge_wire import Answer
    from forge_world import Repo, World

MAIN = "refs/remotes/origin/main"
ROUNDS = 3


def test_one_pull_is_merged_once_and_the_others_get_an_error(own: Repo, at_once: Any) -> None:
    clone = own.clone()
    names = [f"f{n}" for n in range(ROUNDS)]
    own.branches(clone, {name: {f"{name}.txt": "text\n"} for name in names})
    for name in names:
        number = own.pull(name)
        own.checked(number)
        answers = at_once([lambda number=number: own.merge(number)] * 6)
        statuses = sorted(answer.status for answer in answers)
        assert statuses.count(200) <= 1
        assert set(statuses) <= {200, 405, 409, 500}, statuses
        if 200 not in statuses:  # all of them met a pull that went back to checking
            assert own.merge_when_checked(number).status == 200
        tip = clone.fetch().sha(MAIN)
        assert len(clone.parents(tip)) == 2
        assert own.world.writer.must("GET", f"{own.api}/pulls/{number}")["merge_commit_sha"] == tip
    merges = clone.git("rev-list", "--merges", "--count", MAIN).stdout.decode().strip()
    assert merges == str(ROUNDS)


def test_two_pulls_on_one_line_are_never_both_merged(own: Repo, at_once: Any) -> None:
    clone = own.clone()
    for turn in range(ROUNDS):
        clone.fetch()
        own.branches(clone, {f"{side}{turn}": {"same.txt": f"{side} {turn}\n"} for side in "ab"})
        numbers = [own.pull(f"{side}{turn}") for side in "ab"]
        for number in numbers:
            own.checked(number)
        answers = at_once([lambda number=number: own.merge(number) for number in numbers])
        won = [number for number, answer in zip(numbers, answers, strict=True) if answer.status == 200]
        assert len(won) <= 1
        merged = [
            number for number in numbers if own.world.writer.get(f"{own.api}/pulls/{number}").json["merged"]
        ]
        assert merged == won
        if not won:
            assert own.merge_when_checked(numbers[0]).status == 200


def test_pulls_into_one_base_are_each_there_when_the_forge_said_so(own: Repo, at_once: Any) -> None:
    clone = own.clone()
    names = [f"f{n}" for n in range(4)]
    own.branches(clone, {name: {f"{name}.txt": "text\n"} for name in names})
    numbers = {name: own.pull(name) for name in names}
    for number in numbers.values():
        own.checked(number)
    answers = at_once([lambda number=number: own.merge(number) for number in numbers.values()])
    said = dict(zip(names, answers, strict=True))
    assert {answer.status for answer in answers} <= {200, 405, 409}
    assert any(answer.status == 200 for answer in answers)
    files = clone.fetch().files(MAIN)
    for name, answer in said.items():
        assert (f"{name}.txt" in files) is (answer.status == 200), name
        if answer.status != 200:
            assert own.merge_when_checked(numbers[name]).status == 200
    assert set(clone.fetch().files(MAIN)) >= {f"{name}.txt" for name in names}


def test_no_unchecked_head_is_merged_when_its_id_is_given(world: World, own: Repo, at_once: Any) -> None:
    clone, luck = own.clone(), random.Random(7)  # noqa: S311  # delays, not secrets
    rounds = 4 * ROUNDS
    names = [f"f{n}" for n in range(rounds)]
    checked = own.branches(clone, {name: {f"{name}.txt": "checked\n"} for name in names})
    answers: list[Answer] = []
    for name in names:
        number = own.pull(name)
        own.checked(number)
        unchecked = clone.commit({f"{name}.txt": "unchecked\n"}, parent=checked[name])
        pause = luck.uniform(0, 0.6)

        def push(name: str = name, unchecked: str = unchecked) -> bool:
            return clone.push(f"{unchecked}:refs/heads/{name}").ok

        def merge(number: int = number, name: str = name, pause: float = pause) -> Answer:
            time.sleep(pause)
            return own.merge(number, head_commit_id=checked[name])

        pushed, answer = at_once([push, merge])
        assert pushed
        answers.append(answer)
        files = clone.fetch().files(MAIN)
        assert files.get(f"{name}.txt") in {None, "checked\n"}, f"an unchecked head was merged: {answer}"
        merged = world.writer.must("GET", f"{own.api}/pulls/{number}")["merged"]
        assert merged is (answer.status == 200) is (f"{name}.txt" in files)
    assert {answer.status for answer in answers} <= {200, 405, 409}


def test_without_its_id_a_head_that_nobody_checked_is_merged(own: Repo, at_once: Any) -> None:
    """Whatever the head is at that moment: a push on the way is no reason to refuse, only to look again."""
    clone = own.clone()
    names = [f"f{n}" for n in range(ROUNDS)]
    heads = own.branches(clone, {name: {f"{name}.txt": "checked\n"} for name in names})
    unchecked_merged = 0
    for name in names:
        number = own.pull(name)
        own.checked(number)
        unchecked = clone.commit({f"{name}.txt": "unchecked\n"}, parent=heads[name])
        push = f"{unchecked}:refs/heads/{name}"
        if name == names[0]:  # the push is over and looked at, so that one is certain
            assert clone.push(push).ok
            read = f"{own.api}/pulls/{number}"
            until(
                lambda read=read: own.world.writer.must("GET", read),
                lambda pull, unchecked=unchecked: pull["head"]["sha"] == unchecked and pull["mergeable"],
            )
            answer = own.merge(number)
        else:
            pushed, answer = at_once([lambda push=push: clone.push(push).ok, lambda n=number: own.merge(n)])
            assert pushed
        assert answer.status in {200, 405}, answer
        if answer.status == 405:
            assert own.merge_when_checked(number).status == 200
        text = clone.fetch().files(MAIN)[f"{name}.txt"]
        assert text in {"checked\n", "unchecked\n"}
        unchecked_merged += text == "unchecked\n"
    assert unchecked_merged
