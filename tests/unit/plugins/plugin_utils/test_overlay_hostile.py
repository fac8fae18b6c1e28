# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overlays that an operator did not mean: one line for each, and no file of others is read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.timmy.config.plugins.module_utils import release_format
from ansible_collections.timmy.config.plugins.plugin_utils import overlay

SHIPPED = Path(overlay.__file__).resolve().parents[2] / "overlay"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the collection's overlay, and a secret of the operator's beside it."""
    place = tmp_path / "overlay"
    shutil.copytree(SHIPPED, place)
    (tmp_path / "secret").write_text("the operator's own key")
    return place


def hostile(tree: Path, what: str) -> None:
    """Put one thing into the overlay that must not be there."""
    spot = tree / "skills" / "evil"
    spot.mkdir()
    changes = {
        "link out": lambda: (spot / "SKILL.md").symlink_to("../../../secret"),
        "absolute link": lambda: (spot / "SKILL.md").symlink_to(tree.parent / "secret"),
        "broken link": lambda: (spot / "SKILL.md").symlink_to("nowhere"),
        "link to a directory": lambda: (spot / "more").symlink_to(tree.parent),
        "pipe": lambda: os.mkfifo(spot / "SKILL.md"),
        "newline": lambda: (spot / "a\nb").write_text("x"),
        "no text": lambda: Path(os.fsdecode(os.fsencode(spot) + b"/a\xff")).write_text("x"),
        "setuid": lambda: ((spot / "SKILL.md").write_text("x"), (spot / "SKILL.md").chmod(0o4755)),
        "1 GiB": lambda: ((spot / "SKILL.md").touch(), os.truncate(spot / "SKILL.md", 2**30)),
    }
    changes[what]()


@pytest.mark.parametrize(
    ("what", "fix"),
    [
        ("link out", "leads out of the overlay; put the file itself there"),
        ("absolute link", "leads out of the overlay; put the file itself there"),
        ("broken link", "is not a regular file"),
        ("link to a directory", "put the directory itself there"),
        ("pipe", "an overlay holds files only"),
        ("newline", "rename it"),
        ("no text", "rename it"),
        ("setuid", "chmod ug-s"),
        ("1 GiB", "keep data elsewhere"),
    ],
)
def test_each_is_refused_with_one_line_that_names_the_fix(tree: Path, what: str, fix: str) -> None:
    hostile(tree, what)
    with pytest.raises(overlay.OverlayError, match=fix) as caught:
        overlay.load_overlay(str(tree))
    line = str(caught.value)
    assert line.isprintable(), "more than one line, or what a terminal takes for a command"
    assert "the operator's own key" not in line


def test_a_link_inside_the_overlay_is_the_file_that_it_leads_to(tree: Path) -> None:
    (tree / "HEART.md").unlink()
    (tree / "HEART.md").symlink_to("SOUL.md")
    loaded = overlay.load_overlay(str(tree))
    assert loaded["HEART.md"] == loaded["SOUL.md"]


def test_an_overlay_of_data_is_refused_before_it_fills_the_memory(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_format, "MAX_FILES", 5)
    with pytest.raises(overlay.OverlayError, match="more than 5 files; an overlay holds text"):
        overlay.load_overlay(str(tree))
    monkeypatch.setattr(release_format, "MAX_FILES", 500)
    monkeypatch.setattr(release_format, "MAX_TOTAL", 5000)
    with pytest.raises(overlay.OverlayError, match="larger than 5000 bytes; an overlay holds text"):
        overlay.load_overlay(str(tree))


def test_100_000_files_are_refused_and_not_read(tmp_path: Path) -> None:
    for number in range(release_format.MAX_FILES + 1):
        # One content under many names: making them takes a second, not a minute.
        name = tmp_path / str(number % 100) / str(number)
        if number < 100:
            name.parent.mkdir()
            name.touch()
        else:
            os.link(tmp_path / str(number % 100) / str(number % 100), name)
    with pytest.raises(overlay.OverlayError, match="holds more than 50000 files"):
        overlay.load_overlay(str(tmp_path))


def test_a_file_of_1_gib_never_comes_into_memory(tree: Path) -> None:
    hostile(tree, "1 GiB")
    code = (
        "import sys\n"
        "from ansible_collections.timmy.config.plugins.plugin_utils import overlay\n"
        "import resource\n"
        "room = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    overlay.load_overlay(sys.argv[1])\n"
        "except overlay.OverlayError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - room)\n"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tree)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    line, grown_kib = done.stdout.splitlines()
    assert "keep data elsewhere" in line
    assert int(grown_kib) < 64 * 1024
