# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial: a program of the host half is killed at one change, and what stands then is judged."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from atomic_tree import NONE, Tree

# What has to be as it was, once a host went back.
KEPT_BACK = ("etc/", "home/", "timmy/current", "timmy/previous.json")


@dataclass(frozen=True)
class Program:
    """What is killed: the state that it starts from, its request, and what may be active afterwards."""

    start: str
    do: str
    key: str
    old: str
    new: str


PROGRAMS = {
    "first-deploy": Program("blank", "deploy", "a", NONE, "a"),
    "deploy": Program("b", "deploy", "c", "b", "c"),
    "back": Program("b", "back", "a", "b", "a"),
    "undo": Program("c-armed", "boot", NONE, "c", "b"),
    "undo-of-the-first": Program("a-armed", "boot", NONE, "a", NONE),
    "confirm": Program("b", "confirm", NONE, "b", "c"),
    "absent": Program("b", "absent", NONE, "b", NONE),
}


def confirmed(tree: Tree) -> None:
    done = tree.run("confirm")
    assert done.code == 0, done.err
    tree.run("tick")


def finish(tree: Tree, program: Program) -> None:
    """Do again, to its end, what was killed; for a flip the host has gone back before."""
    if program.do in {"deploy", "back"}:
        tree.run(program.do, program.key).answer()
        confirmed(tree)
    elif program.do == "confirm":
        if tree.active() != program.new:
            tree.run("deploy", program.new).answer()
            confirmed(tree)
        # It may have arrived and only its end is missing; then a second one has nothing to confirm.
        tree.run("confirm")
        tree.run("tick")
    else:
        done = tree.run(program.do, program.key)
        assert done.code == 0, done.out + done.err
        tree.run("tick")


def go_back(tree: Tree, program: Program, *, reboot: bool) -> None:
    """What the host does by itself when the one who deployed does not come back; first another one tries."""
    if program.do not in {"deploy", "back", "confirm"}:
        return
    pending = (tree.host / "guard/sidecar-release.json").exists()
    if reboot:
        done = tree.run("boot")
        assert done.code == 0, done.err
    elif pending and program.do != "confirm":
        before = tree.active()
        assert tree.run("deploy", "c").answer()["held"], "a deploy went over another that is not confirmed"
        assert tree.active() == before
        done = tree.run("undo")
        assert done.code == 0, done.err
    if program.do != "confirm":
        assert tree.active() == program.old


def begin(tree: Tree, program: Program) -> None:
    tree.restore(program.start)
    if program.do == "confirm":
        # A window that is open, which a copy from earlier is not.
        tree.run("deploy", program.new).answer()


def follows(tree: Tree, key: str) -> None:
    """The home has what the release declares, and nothing of another one."""
    wanted = {"tidy": f"Tidy up for {key}."} if key else {}
    assert tree.jobs() == wanted
    for name in ("SOUL.md", "config.yaml"):
        path = tree.home / ".hermes" / name
        text = path.read_text() if path.exists() else ""
        told = {word for word in "abc" if f"I am {word}." in text or f"/x/{word}" in text}
        assert told == ({key} if key else set()), f"{name} is of release {told}, not of {key or 'none'}"


def hurt_at(tree: Tree, program: Program, number: int, wanted: dict[str, str], what: str = "kill") -> str:
    """Kill at one change, or let the disk be full from there on; returns what was wrong then, in words."""
    begin(tree, program)
    before = tree.seen()
    done = tree.run(program.do, program.key, at=number, what=what)
    call = tree.calls()[:number][-1].replace(str(tree.host), "HOST")
    try:
        if what == "full":
            assert "Traceback" not in done.err, done.err
        elif not done.killed:
            assert done.code == 0, f"{done.out}{done.err}"
        assert tree.active() in {program.old, program.new}
        go_back(tree, program, reboot=number % 2 == 0)
        if program.do in {"deploy", "back"}:
            follows(tree, program.old)
        now = tree.seen()
        if program.do in {"deploy", "back"}:
            lost = [
                path for path, what in before.items() if path.startswith(KEPT_BACK) and now.get(path) != what
            ]
            assert not lost, f"not as before after going back: {lost}"
        finish(tree, program)
        assert tree.active() == program.new
        now = tree.seen()
        follows(tree, program.new)
        wrong = sorted(path for path in {*now, *wanted} if now.get(path) != wanted.get(path))
        assert not wrong, f"not as after a run that nobody killed: {wrong}"
    except AssertionError as error:
        return f"{number} {call}: {' '.join(str(error).split())[:600]}"
    return ""


def clean_run(tree: Tree, program: Program) -> tuple[int, dict[str, str]]:
    """The number of changes that a program makes, and the host when nobody disturbs it."""
    begin(tree, program)
    done = tree.run(program.do, program.key, at=0)
    assert done.code == 0, done.out + done.err
    count = len(tree.calls())
    if program.do in {"deploy", "back"}:
        confirmed(tree)
    tree.run("tick")
    return count, tree.seen()


def shared_out(
    numbers: list[int], trees: list[Tree], work: Callable[[Tree, list[int]], list[str]]
) -> list[str]:
    """Work on several hosts side by side."""
    parts = [numbers[first :: len(trees)] for first in range(len(trees))]
    with ThreadPoolExecutor(len(trees)) as pool:
        return [line for lines in pool.map(work, trees, parts) for line in lines]
