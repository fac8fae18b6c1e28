# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills of the host half, and readers while it flips: what is active is the old or the new release, whole.

A host with real Hermes stands in a temporary directory; atomic_scale.py says how much is tried.
"""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import atomic_scale
import atomic_trace
import pytest
from atomic_chance import Life
from atomic_scale import Scale
from atomic_tree import PYTHON, Tree, real_hermes
from atomic_trial import PROGRAMS, clean_run, confirmed, hurt_at, shared_out


@pytest.fixture(scope="module")
def scale(request: pytest.FixtureRequest) -> Scale:
    """Return how much is tried; `make faults` knows the option, a lone pytest need not."""
    return atomic_scale.chosen(full=bool(request.config.getoption("--full", default=False)))


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> list[Tree]:
    """Return hosts that are equal but for their place, each with all the states that programs start from."""
    hermes = real_hermes()

    def make(base: Path) -> Tree:
        tree = Tree(base, hermes)
        for key in "abc":
            tree.make(key)
        tree.keep("blank")
        tree.run("deploy", "a").answer()
        tree.keep("a-armed")
        confirmed(tree)
        tree.run("deploy", "c").answer()
        # Hermes has read it once, which trials of a first deploy are about; the others need not wait again.
        assert tree.run("boot").code == 0
        tree.forget("c")
        tree.run("deploy", "b").answer()
        confirmed(tree)
        tree.keep("b")
        tree.run("deploy", "c").answer()
        tree.keep("c-armed")
        return tree

    with ThreadPoolExecutor(scale.beside) as pool:
        return list(pool.map(make, [tmp_path_factory.mktemp("host") for _one in range(scale.beside)]))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("what", ["kill", "full"])
def test_a_kill_or_a_full_disk_at_any_change_leaves_the_old_or_the_new_release(
    trees: list[Tree], scale: Scale, name: str, what: str
) -> None:
    if not atomic_trace.supported(what):
        pytest.skip("the system calls of this machine are not known here")
    program, seed = PROGRAMS[name], atomic_scale.seed()
    count, _seen = clean_run(trees[0], program)
    numbers = list(range(1, count + 1))
    if scale.steps:
        numbers = sorted(Random(seed).sample(numbers, min(scale.steps, count)))  # noqa: S311

    def work(tree: Tree, part: list[int]) -> list[str]:
        _count, wanted = clean_run(tree, program)
        return [hurt_at(tree, program, number, wanted, what) for number in part]

    found = [line for line in shared_out(numbers, trees, work) if line]
    print(f"{name}: {what} at {len(numbers)} of {count} changes, {len(found)} wrong, seed {seed}")
    assert not found, f"{len(found)} of {len(numbers)}:\n" + "\n".join(found[:40])


def test_kills_at_random_moments_leave_the_old_or_the_new_release(trees: list[Tree], scale: Scale) -> None:
    seed = atomic_scale.seed()

    def live(tree: Tree, part: list[int]) -> list[str]:
        life = Life(tree, Random(seed + part[0]))  # noqa: S311
        tally = life.run(len(part))
        print(f"{tally.kills}, {tally.late} came too late, {len(tally.wrong)} wrong, seed {seed}")
        return tally.wrong

    wrong = shared_out(list(range(scale.kills)), trees, live)
    assert not wrong, f"seed {seed}:\n" + "\n".join(wrong[:40])


def test_readers_meet_no_mixture_while_it_flips(trees: list[Tree], scale: Scale, tmp_path: Path) -> None:
    tree = trees[0]
    tree.restore("b")
    files = {key: tree.releases[key].manifest["files"] for key in "ab"}
    wanted = {
        path: {key: files[key][path]["sha256"] for key in "ab"}
        for path in files["a"]
        if path in files["b"] and files["a"][path].get("sha256") != files["b"][path].get("sha256")
    }
    assert len(wanted) >= 4, "too few files differ between the two releases"
    (tmp_path / "wanted.json").write_text(json.dumps(wanted))
    reader = Path(__file__).with_name("atomic_read.py")
    readers = [
        subprocess.Popen(
            [PYTHON, "-I", reader, tree.host / "timmy", tmp_path / "wanted.json", how],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for how in ("dirfd", "dirfd", "path", "path")
    ]  # fmt: skip
    try:
        names = [tree.releases[key].name for key in "ab"]
        flipped = tree.run("flips", flips=scale.flips, names=names, limit_s=3600).answer()["flips"]
    finally:
        ends = [reader.communicate("", timeout=60) for reader in readers]
    assert flipped == scale.flips
    for out, err in ends:
        counts = json.loads(out)
        print(f"{flipped} flips: {counts}")
        assert counts["rounds"] > flipped / 20, "a reader that hardly read proves nothing"
        assert (counts["mixed"], counts["torn"], counts["failed"]) == (0, 0, 0), f"{counts}\n{err[-2000:]}"
        assert counts["a"] > 0
        assert counts["b"] > 0
