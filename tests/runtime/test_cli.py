# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `timmy`: its table, its errors, its envelope, its launcher and its start."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from timmy import __version__, cli, errors
from timmy.answer import Answer, render, render_error

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree shaped as a release: the launcher, and the package with its links resolved."""
    root = tmp_path_factory.mktemp("host")
    live = root / "releases" / "abc"
    (live / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "overlay/bin/timmy", live / "bin/timmy")
    shutil.copytree(ROOT / "src/timmy", live / "lib/timmy", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "current").symlink_to("releases/abc")
    return root


def run(release: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the launcher through the link `current`, as units and people do."""
    argv = [str(release / "current/bin/timmy"), *args]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, env=env, cwd="/")


@pytest.mark.parametrize("verb", sorted(cli.COMMANDS))
def test_each_verb_exists_and_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, function, told = cli.COMMANDS[verb]
    assert callable(getattr(importlib.import_module(module), function))
    assert cli.main([verb, "--help"]) == 0
    assert f"timmy {verb}" in capsys.readouterr().out
    assert f"  {verb}" in cli.usage()
    assert told in cli.usage()


def test_help_names_no_verb_of_a_later_release() -> None:
    listed = {line.split()[0] for line in cli.usage().splitlines() if line.startswith("  ")}
    assert listed == set(cli.COMMANDS)
    assert not listed & cli.LATER


def test_every_door_opens_a_verb_that_is_known() -> None:
    lines = (ROOT / "overlay/bin/doors.txt").read_text(encoding="utf-8").splitlines()
    verbs = {line.split("#")[0].split()[1] for line in lines if line.split("#")[0].strip()}
    assert verbs
    assert verbs <= set(cli.COMMANDS) | cli.LATER


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (["statu"], 2, "timmy: unknown verb 'statu' (did you mean 'status'?)"),
        (["qqqq"], 2, "timmy: unknown verb 'qqqq' (see timmy --help)"),
        (["deadman"], 69, f"timmy: deadman is not part of this release ({__version__})"),
        (["ask"], 2, "timmy: give a prompt or a brief, and neither may be empty"),
        (["ask", " "], 2, "timmy: give a prompt or a brief, and neither may be empty"),
        (["ask", "x", "--timeout", "0"], 2, "timmy: --timeout must be above zero"),
        (["status", "--jsn"], 2, "timmy: unrecognized arguments: --jsn (see timmy status --help)"),
    ],
)
def test_a_bad_command_line_gets_one_line(release: Path, args: list[str], code: int, line: str) -> None:
    done = run(release, *args)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", line + "\n")


def test_an_error_fits_the_same_envelope_as_an_answer() -> None:
    good = json.loads(render("status", Answer({"a": 1}, ("text",), ("bad",), 1), as_json=True))
    failed = json.loads(render_error("status", errors.NotConfigured("no file", "make it"), as_json=True))
    keys = {"schema", "timmy", "command", "exit_code", "data", "problems", "error"}
    assert set(good) == set(failed) == keys
    assert (good["data"], good["problems"], good["exit_code"], good["error"]) == ({"a": 1}, ["bad"], 1, None)
    assert failed["error"] == {"code": "not-configured", "message": "no file", "hint": "make it"}
    assert failed["exit_code"] == 78


def test_codes_of_the_error_tree_are_distinct() -> None:
    tree = errors.TimmyError.__subclasses__()
    assert len({one.code for one in tree}) == len(tree)
    numbers = [one.exit_code for one in tree if one is not errors.Terminated]
    assert len(set(numbers)) == len(numbers)


def test_the_launcher_answers_through_the_link_and_leaves_no_byte_code(release: Path) -> None:
    done = run(release, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"timmy {__version__}")
    assert run(release).returncode == 2
    assert not list(release.rglob("__pycache__"))


def test_the_launcher_imports_nothing_of_the_caller(release: Path, tmp_path: Path) -> None:
    trap = tmp_path / "timmy"
    trap.mkdir()
    (trap / "__init__.py").write_text("raise SystemExit('trapped')\n", encoding="utf-8")
    (tmp_path / "json.py").write_text("raise SystemExit('trapped')\n", encoding="utf-8")
    argv = [str(release / "current/bin/timmy"), "version", "--json"]
    env = {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=30, check=False, env=env, cwd=tmp_path
    )
    assert json.loads(done.stdout)["data"]["version"] == __version__


def test_a_reader_that_leaves_early_is_no_traceback(release: Path) -> None:
    pipe = f"{release}/current/bin/timmy version --json | true"
    done = subprocess.run(["/bin/sh", "-c", pipe], capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""


def test_help_imports_next_to_nothing() -> None:
    code = "import sys; from timmy import cli; cli.main(['--help']); print('|'.join(sorted(sys.modules)))"
    argv = [sys.executable, "-IS", "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); {code}"]
    loaded = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout.splitlines()[
        -1
    ]
    ours = [name for name in loaded.split("|") if name.startswith("timmy")]
    assert ours == ["timmy", "timmy.cli"]
    for costly in ("argparse", "dataclasses", "json", "logging", "http.client", "typing", "re", "subprocess"):
        assert costly not in loaded.split("|"), costly


def test_a_start_costs_at_most_three_bare_pythons() -> None:
    argv = [sys.executable, str(ROOT / "tests/bench/cli_startup.py")]
    figure = json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True).stdout)
    assert figure["name"] == "cli.startup"
    assert figure["ratio"] <= 3.0, figure
