# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pocket forge under kill -9: what it has acknowledged is there when it comes back."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from forge_box import PYTHON, Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 6


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """Return a forge that a test may kill."""
    made = Box(tmp_path / "forge")
    made.create()
    made.start()
    yield made
    made.stop()


def git(box: Box, repo_id: int, *argv: str) -> str:
    """Run git in a bare repository of the forge."""
    path = box.state / "repositories" / f"{repo_id}.git"
    done = subprocess.run(["git", f"--git-dir={path}", *argv], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_every_acknowledged_issue_and_comment_survives_kills_under_load(box: Box) -> None:
    repo = box.repo()
    issues: dict[int, str] = {}
    comments: dict[int, int] = {}
    chance = random.Random(5)  # noqa: S311 - times, not secrets
    for _round in range(ROUNDS):
        stop = threading.Event()

        def work(name: str, stop: threading.Event = stop) -> None:
            at = 0
            while not stop.is_set():
                at += 1
                title = f"{name}-{at}"
                try:
                    made = box.ask("POST", f"{repo}/issues", {"title": title})
                    if made.status == 201:
                        issues[made.json["number"]] = title
                        said = box.ask(
                            "POST", f"{repo}/issues/{made.json['number']}/comments", {"body": title}
                        )
                        if said.status == 201:
                            comments[said.json["id"]] = made.json["number"]
                except (OSError, http.client.HTTPException, json.JSONDecodeError):
                    return

        threads = [threading.Thread(target=work, args=(f"{_round}-{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.3, 1.2))
        box.kill()
        stop.set()
        for thread in threads:
            thread.join()
        box.start()
    assert len(issues) > ROUNDS, "the load must have done something"
    for number, title in issues.items():
        assert box.must("GET", f"{repo}/issues/{number}")["title"] == title
    there = {row["id"] for number in issues for row in box.must("GET", f"{repo}/issues/{number}/comments")}
    assert set(comments) <= there
    assert box.must("POST", f"{repo}/issues", {"title": "next"})["number"] > max(issues)
    with sqlite3.connect(box.state / "forge.sqlite3") as db:
        assert db.execute("pragma integrity_check").fetchone()[0] == "ok"


def test_merges_are_whole_or_not_there_after_kills(box: Box) -> None:
    repo = box.repo()
    key = box.must("GET", repo)["id"]
    pulls = {}
    for number in range(5):
        box.branch(repo, f"b{number}", f"f{number}.txt")
        pulls[number] = box.pull(repo, f"b{number}")
    chance = random.Random(7)  # noqa: S311 - times, not secrets
    answered: set[int] = set()
    for number, pull in pulls.items():

        def merge(number: int = number, pull: int = pull) -> None:
            try:
                if box.merge(repo, pull).status == 200:
                    answered.add(number)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                return

        thread = threading.Thread(target=merge)
        thread.start()
        time.sleep(chance.uniform(0.02, 0.4))
        box.kill()
        thread.join()
        box.start()
    for number, pull in pulls.items():
        there = f"f{number}.txt" in git(box, key, "ls-tree", "--name-only", "main").split()
        said = box.must("GET", f"{repo}/pulls/{pull}")["merged"]
        assert said == there, f"pull {pull}: the forge says {said}, the branch says {there}"
        assert said or number not in answered
    left = [pull for pull in pulls.values() if not box.must("GET", f"{repo}/pulls/{pull}")["merged"]]
    assert all(box.merge(repo, pull).status == 200 for pull in left), "what was cut off can be merged again"


def test_a_merge_cut_between_branch_and_record_is_finished_at_the_start(box: Box) -> None:
    repo = box.repo()
    key = box.must("GET", repo)["id"]
    for name in ("moved", "not-moved"):
        box.branch(repo, name, f"{name}.txt")
    moved, left = box.pull(repo, "moved", "Fixes #3"), box.pull(repo, "not-moved")
    box.must("POST", f"{repo}/issues", {"title": "to be closed"})
    box.kill()
    base, head = git(box, key, "rev-parse", "main"), git(box, key, "rev-parse", "moved")
    other = git(box, key, "rev-parse", "not-moved")
    intent = {"from": base, "to": head, "head": head, "user": 1, "style": "fast-forward-only"}
    with sqlite3.connect(box.state / "forge.sqlite3") as db:
        db.execute("update pull set intent = ? where number = ?", (json.dumps(intent), moved))
        intent |= {"to": other, "head": other}
        db.execute("update pull set intent = ? where number = ?", (json.dumps(intent), left))
    git(box, key, "update-ref", "refs/heads/main", head, base)
    box.start()
    done = box.must("GET", f"{repo}/pulls/{moved}")
    assert (done["merged"], done["merge_commit_sha"], done["merged_by"]["login"]) == (True, head, "boss")
    assert box.must("GET", f"{repo}/issues/3")["state"] == "closed"
    assert not box.must("GET", f"{repo}/pulls/{left}")["merged"]
    assert box.merge(repo, left).status == 200


def test_lock_files_that_a_killed_git_left_are_swept(box: Box) -> None:
    repo = box.repo()
    key = box.must("GET", repo)["id"]
    box.kill()
    stale = box.state / "repositories" / f"{key}.git" / "refs" / "heads" / "main.lock"
    stale.touch()
    box.start()
    assert not stale.exists()
    body = {"content": "eA==", "branch": "main", "message": "m"}
    assert box.ask("POST", f"{repo}/contents/x.txt", body).status == 201


def test_one_state_has_one_forge(box: Box) -> None:
    argv = [
        PYTHON,
        "-c",
        "import pathlib, sys; from forge import lock; lock.take(pathlib.Path(sys.argv[1]), 0.3)",
    ]
    done = subprocess.run(
        [*argv, str(box.state)], env=box.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip() == f"forge: another forge runs on {box.state}; stop it or give another --state"


def test_it_ends_in_order_when_asked(box: Box) -> None:
    box.repo()
    assert box.stop() == 0
    box.start()
    assert box.ask("GET", "/repos/boss/work").status == 200
