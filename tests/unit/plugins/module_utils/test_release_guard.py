# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The window of a flip, and the program that goes back: it runs alone, with nothing of ours beside it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.timmy.config.plugins.module_utils import (
    guard,
    release_guard,
    release_program,
    release_state,
    release_undo,
    wizard_units,
)


@pytest.mark.parametrize(
    ("limit", "stop", "start", "window"),
    [
        (60, 0, 0, 30),
        (60, 10, 15, 55),
        (60, 60, 90, 60),
        (90, 60, 90, 60),
        (12, 60, 90, 12),
        (60, float("inf"), 0, 60),
    ],
)
def test_the_window(limit: float, stop: float, start: float, window: float) -> None:
    assert release_guard.window_of(limit, stop, start) == window


@pytest.mark.parametrize(
    ("left", "window", "wanted", "limit"),
    [(58, 60, 90, 48), (58, 60, 20, 20), (11, 12, 90, 8), (1, 60, 90, 0)],
)
def test_waiting_for_gateways_leaves_time_to_confirm(
    left: float, window: float, wanted: float, limit: float
) -> None:
    assert release_guard.health_limit(left, window, wanted) == limit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1min", 60),
        ("1min 30s", 90),
        ("500ms", 0.5),
        ("0", float("inf")),
        ("infinity", float("inf")),
        ("1h", 3600),
    ],
)
def test_time_spans_of_systemd(text: str, seconds: float) -> None:
    assert wizard_units.seconds(text) == seconds


def settings(root: Path) -> release_state.Settings:
    return release_state.Settings(
        root=str(root / "timmy"),
        hermes_root=str(root / "hermes"),
        config_dir=str(root / "etc"),
        record_dir=str(root / "guard"),
        lib_dir=str(root / "lib"),
        units=False,
        timer=guard.no_timer,
    )


def test_a_controller_knows_the_name_without_asking(tmp_path: Path) -> None:
    texts = release_program.sources()
    path = release_program.install(str(tmp_path))
    assert os.path.basename(path) == release_program.name_of(texts)
    other = {**texts, "timmy_release/guard.py": texts["timmy_release/guard.py"] + "\n"}
    assert release_program.name_of(other) != release_program.name_of(texts)


def imports_of(text: str) -> set[str]:
    """Modules of ours that a source imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module} if node.module else {name.name for name in node.names}
    return found


def test_the_program_holds_all_that_it_imports_and_no_more() -> None:
    texts = release_program.sources()
    package = release_program._PACKAGE
    seen: set[str] = set()
    todo = [release_program.ENTRY]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += imports_of(texts[f"{package}/{name}.py"])
    assert seen == set(release_program.MODULES)


def test_a_damaged_program_is_put_right(tmp_path: Path) -> None:
    path = Path(release_program.install(str(tmp_path)))
    content = path.read_bytes()
    path.write_bytes(content[:1000])
    assert release_program.install(str(tmp_path)) == str(path)
    assert path.read_bytes() == content


def test_the_program_runs_alone_and_older_ones_go(tmp_path: Path) -> None:
    where = settings(tmp_path)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/release-0123456789ab.pyz").touch()
    (tmp_path / "lib/guard.py").touch()
    path = release_program.install(where.lib_dir)
    assert sorted(os.listdir(where.lib_dir)) == sorted(["guard.py", os.path.basename(path)])
    stamp = os.stat(path).st_ino
    assert release_program.install(where.lib_dir) == path
    assert os.stat(path).st_ino == stamp
    facts = release_undo.facts_of(
        where, "", "0123456789abcdef", [{"name": "no-such-agent", "env": {"A": "secret"}}]
    )
    assert "secret" not in json.dumps(facts)
    for step in (release_undo.HOMES, release_undo.UNITS):
        done = subprocess.run(
            [sys.executable, "-I", path, step, json.dumps(facts)],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert (done.returncode, done.stderr) == (0, "")
    lost = json.dumps({**facts, "from": "aaaaaaaaaaaaaaaa"})
    done = subprocess.run(
        [sys.executable, "-I", path, release_undo.HOMES, lost],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert (done.returncode, done.stderr) == (1, "release aaaaaaaaaaaaaaaa cannot be read\n")


def test_without_the_guard_on_the_host_nothing_is_armed(tmp_path: Path) -> None:
    where = release_state.Settings(
        root=str(tmp_path), record_dir=str(tmp_path / "g"), lib_dir=str(tmp_path / "lib")
    )
    with pytest.raises(release_state.DeployError, match="the role common makes it"):
        release_guard.arm(where, {"from": "", "to": "x"}, [], 60)
    assert not (tmp_path / "g").exists()


def test_the_record_takes_the_link_back_first(tmp_path: Path) -> None:
    where = settings(tmp_path)
    os.makedirs(where.root)
    os.symlink("releases/0123456789abcdef", f"{where.root}/current")
    env = tmp_path / "ezra.env"
    env.write_text("A=1\n")
    facts = release_undo.facts_of(where, "0123456789abcdef", "f" * 16, [])
    release_guard.arm(where, facts, [str(env)], 60)
    record = guard.read_record(where.record_dir, release_guard.GUARD_ID)
    assert record is not None
    assert [action["do"] for action in record["undo"]] == ["set_link", "restore_file", "run", "run"]
    assert [action.get("at_boot", False) for action in record["undo"][2:]] == [True, False]
    assert release_guard.state(where)["state"] == guard.ARMED
