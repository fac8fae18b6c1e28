# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module of the forge keeps its promises: foretells, does, and then leaves alone; says no secret.

A module is tested by a file in `cases`, named after it; `module_life.py` says what stands in it.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forge_recorder import recording
from module_life import CASES, ROOT, Life, live, read_case

if TYPE_CHECKING:
    from forge_world import World


def values_for(world: World, folder: Path) -> dict[str, Any]:
    """Return the variables that a case file can use; those of SECRETS must show up in no output."""
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(world.admin.token + "\n", encoding="utf-8")
    people = {part: world.people[part].login for part in ("writer", "writer2", "reader", "outsider")}
    return {
        **people,
        "admin": world.admin.login,
        "forge_url": world.forge.url,
        "token": world.admin.token,
        "token_file": str(token_file),
        "wrong_token": secrets.token_hex(20),
        "writer_password": world.writer.password,
        "secret": "s3cret-" + secrets.token_hex(12),
        "secret2": "s3cret-" + secrets.token_hex(12),
        "org": world.org,
        "repo": f"{world.org}/{world.repo('modules').name}",
        "fresh": world.unused("fresh"),
    }


SECRETS = ("token", "wrong_token", "writer_password", "secret", "secret2")


@pytest.fixture(scope="module", params=sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def lived(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Life, dict[str, Any]]:
    """Return what became of one case, and the variables that it had."""
    case = read_case(request.param)
    folder = tmp_path_factory.mktemp(case.module)
    values = values_for(world, folder)
    with recording(world.forge.url) as recorder:
        return live(case, recorder, values, folder), values


@pytest.fixture
def life(lived: tuple[Life, dict[str, Any]]) -> Life:
    """Return what became of one case."""
    return lived[0]


def test_each_step_ends_as_it_should(life: Life) -> None:
    wrong = []
    for step in life.steps:
        changes = step.phase.get("changes", True) and not step.turn.endswith("again")
        failed, said = step.result.get("failed", False), str(step.result.get("msg", ""))
        if "fails" not in step.phase:
            good = not failed and step.result["changed"] is changes
        else:
            good = failed and step.phase["fails"] in said and "\n" not in said
        if not good:
            wrong.append(f"{step}: changed={step.result.get('changed')} failed={failed} {said}")
    assert wrong == []


def test_only_the_step_that_does_it_writes(life: Life) -> None:
    wrong = []
    for step in life.steps:
        does = step.turn == "done" and "fails" not in step.phase and step.phase.get("changes", True)
        if bool(step.writes) is not does:
            wrong.append(f"{step}: {step.writes}")
    assert wrong == []
    assert life.read_writes == []


def test_what_was_foretold_is_what_was_done(life: Life) -> None:
    for foretold, done, *again in life.works():
        assert foretold.result["diff"] == done.result["diff"], str(done)
        differs = done.result["diff"]["before"] != done.result["diff"]["after"]
        assert differs is done.phase.get("changes", True), str(done)
        for step in again:
            assert step.result["diff"]["before"] == step.result["diff"]["after"], str(step)
        shapes = [[sorted(row) for row in life.case.rows(step.result)] for step in (foretold, done, *again)]
        assert all(shape == shapes[0] for shape in shapes), str(done)


def test_each_phase_returns_what_then_is(life: Life) -> None:
    for foretold, done, *again in life.works():
        last = again[-1] if again else foretold
        assert life.case.rows(done.result) == life.case.rows(last.result), str(done)
        rows = life.case.rows(done.result)
        assert bool(rows) is not done.phase.get("gone", False), str(done)
        for wanted in done.phase.get("returns", []):
            fits = [row for row in rows if wanted.items() <= row.items()]
            assert len(fits) == 1, f"{done}: {wanted} in {rows}"
        for step in (foretold, done, last):
            warned = " ".join(step.result.get("warnings") or [])
            assert done.phase.get("warns", "") in warned, str(step)


def test_the_info_module_reads_the_same(life: Life) -> None:
    if not life.case.listed:
        pytest.skip("this one has no info module")
    gone: list[dict[str, Any]] = []
    for turns, read in zip(life.works(), life.read, strict=True):
        last = turns[-1]
        assert not read.get("failed"), f"{last.phase['name']}: {read.get('msg')}"
        assert read["changed"] is False
        rows, listed = life.case.rows(last.result), life.case.rows(read)
        assert [row for row in rows if row not in listed] == [], str(last)
        if last.phase.get("gone"):
            assert [row for row in gone if row in listed] == [], str(last)
        gone += rows


def test_no_secret_is_in_any_output(lived: tuple[Life, dict[str, Any]]) -> None:
    life, values = lived
    assert "PLAY RECAP" in life.output
    assert [name for name in SECRETS if values[name] in life.output] == []


def test_every_module_has_a_case() -> None:
    modules = {path.stem for path in ROOT.glob("plugins/modules/gitea_*.py")}
    cases = {path.stem for path in CASES.glob("*.yml")}
    assert sorted(cases ^ {name for name in modules if not name.endswith("_info")}) == []
    read = {case.module for case in map(read_case, CASES.glob("*.yml")) if case.listed}
    assert sorted(read ^ {name.removesuffix("_info") for name in modules if name.endswith("_info")}) == []
