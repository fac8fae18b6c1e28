# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills at random moments of one host's life: deploys and undos, one after the other, none of them spared."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, field
from random import Random

from atomic_tree import Done, Tree
from atomic_trial import confirmed, follows

LIMIT_S = 60.0
# Names that only something half done has; what the guard settled lies in done/.
HALF_DONE = re.compile(
    r"timmy-guard~|timmy-seed~|\.timmy~|\.tmp|\.bad-|\.gone\.|(?<!done/)sidecar-release\.(json|d)$"
)


@dataclass
class Tally:
    """What was tried, and what was wrong."""

    kills: dict[str, int] = field(default_factory=dict)
    late: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        """Note one more of a kind."""
        self.kills[what] = self.kills.get(what, 0) + 1


class Life:
    """One host that is deployed to and killed, again and again."""

    def __init__(self, tree: Tree, chance: Random) -> None:
        self.tree = tree
        self.chance = chance
        self.tally = Tally()
        self.active = "b"
        tree.restore("b")
        # How long each program takes when nobody kills it; learned on the way.
        self.takes = {"deploy": 1.5, "boot": 1.0, "undo": 1.0}

    def kill(self, do: str, key: str = "") -> None:
        """Begin a program and kill it somewhere: all of its processes, or the first one alone."""
        alone = self.chance.random() < 0.3
        delay = self.chance.uniform(0, self.takes[do])
        begin = time.monotonic()
        with subprocess.Popen(
            self.tree.argv(do, key),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
                self.tally.count(f"{do}, {'first process' if alone else 'all'}")
            else:
                self.tally.late += 1
                self.takes[do] = 0.9 * self.takes[do] + 0.1 * (time.monotonic() - begin)

    def patiently(self, do: str, key: str = "") -> Done:
        """Run a program to its end; a child of one that was killed may hold the host for a moment."""
        limit = time.monotonic() + LIMIT_S
        begin = time.monotonic()
        while True:
            done = self.tree.run(do, key)
            if do != "deploy" or done.code != 0 or not done.answer()["held"] or time.monotonic() > limit:
                break
            time.sleep(0.5)
        self.takes[do] = 0.7 * self.takes.get(do, 1.0) + 0.3 * (time.monotonic() - begin)
        return done

    def one(self) -> None:
        """A deploy that is killed, its way back, maybe killed as well, and the deploy that then succeeds."""
        tree, old = self.tree, self.active
        new = self.chance.choice([key for key in "abc" if key != old])
        self.kill("deploy", new)
        assert tree.active() in {old, new}, "after the deploy"
        back = self.chance.choice(["boot", "undo"])
        if self.chance.random() < 0.5:
            self.kill(back)
            assert tree.active() in {old, new}, "after the undo"
        if (tree.host / "guard/sidecar-release.json").exists():
            done = self.patiently(back)
            assert done.code == 0, done.err
        assert tree.active() == old, "after going back"
        answer = self.patiently("deploy", new).answer()
        assert not answer["held"], answer["held"]
        confirmed(tree)
        assert tree.active() == new
        self.active = new
        follows(tree, new)
        seen = tree.seen()
        left = sorted(path for path in seen if HALF_DONE.search(path))
        assert not left, f"left over: {left}"
        there = {path.split("/")[2] for path in seen if path.startswith("timmy/releases/")}
        assert there == {tree.releases[key].name for key in (old, new)}, "other releases than the last two"

    def run(self, kills: int) -> Tally:
        """Live until so many kills were made."""
        told = 0
        while sum(self.tally.kills.values()) < kills:
            old = self.active
            if sum(self.tally.kills.values()) // 50 > told:
                told = sum(self.tally.kills.values()) // 50
                print(f"so far: {self.tally.kills}, {len(self.tally.wrong)} wrong", flush=True)
            try:
                self.one()
            except AssertionError as error:
                self.tally.wrong.append(f"from {old}: {' '.join(str(error).split())[:400]}")
                self.tree.restore("b")
                self.active = "b"
        return self.tally
