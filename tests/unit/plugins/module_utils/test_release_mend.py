# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that somebody damaged on the host: named, put right file by file, and nothing else touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.timmy.config.plugins.module_utils import release, release_format
from ansible_collections.timmy.config.tests.unit.plugins.module_utils import test_release_host

Host, host = test_release_host.Host, test_release_host.host

SKILL, MANAGED, SOUL = "skills/x/SKILL.md", "agents/ezra/managed/config.yaml", "agents/ezra/home/SOUL.md"


def _edit(path: Path) -> None:
    path.write_text("edited")


def _truncate(path: Path) -> None:
    os.truncate(path, 0)


def _remove(path: Path) -> None:
    path.unlink()


def _into_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "theirs").write_text("kept")


def _folder_into_link(path: Path) -> None:
    other = path.parent.with_name("theirs")
    path.parent.rename(other)
    (other / path.name).write_text("edited behind a link")
    path.parent.symlink_to(other.name)


HARMS: list[Callable[[Path], None]] = [_edit, _truncate, _remove, _into_link, _into_folder, _folder_into_link]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__.strip("_"))
def test_what_is_damaged_is_asked_for_named_and_put_right(host: Host, harm: Callable[[Path], None]) -> None:
    packed = host.pack()
    host.deploy(packed)
    directory = Path(release.release_dir(str(host.base / "timmy"), packed[1]))
    (directory / "skills/notes.txt").write_text("foreign")
    held = os.open(directory, os.O_RDONLY)
    harm(directory / SKILL)

    asked = host.deploy(("", packed[1]), owner="ada")
    assert (asked.need_archive, asked.changed) == (True, True)
    told = host.deploy(packed, owner="ada")
    (line,) = told.drift["release"]
    assert line.startswith(f"{SKILL}: ")
    assert (told.changed, told.paths, told.restarted) == (True, {"managed": [SKILL]}, [])
    assert release.drift(str(directory)) == []
    mended = (directory / SKILL).stat()
    assert mended.st_mtime == release_format.mtime_of(
        release.load_manifest(str(directory))["files"][SKILL]["sha256"]
    )
    # Who had the directory open reads the mended file there, and files of others stay.
    assert os.stat(SKILL, dir_fd=held).st_ino == mended.st_ino
    os.close(held)
    assert (directory / "skills/notes.txt").read_text() == "foreign"
    assert Path("/etc/passwd").read_bytes()[:4] == b"root"

    again = host.deploy(("", packed[1]))
    assert (again.changed, again.drift, again.need_archive) == (False, {}, False)


def test_a_folder_in_the_place_of_a_file_is_kept_beside_it(host: Host) -> None:
    packed = host.pack()
    host.deploy(packed)
    skill = host.base / "timmy/current" / SKILL
    _into_folder(skill)
    host.deploy(packed)
    assert skill.read_text() == "skill\n"
    assert Path(f"{skill}{release.KEPT}1/theirs").read_text() == "kept"


@pytest.mark.parametrize("content", ["", "{}", '{"files": {}, "hash": "0"}'])
def test_a_damaged_manifest_is_put_right_and_the_gateways_start_afresh(host: Host, content: str) -> None:
    packed = host.pack()
    host.deploy(packed)
    manifest = host.base / "timmy/current" / release_format.MANIFEST
    good = manifest.read_bytes()
    manifest.write_text(content)
    _edit(host.base / "timmy/current" / SKILL)
    told = host.deploy(packed)
    assert [line.partition(":")[0] for line in told.drift["release"]] == [release_format.MANIFEST]
    assert manifest.read_bytes() == good
    assert release.drift(str(manifest.parent)) == []
    assert told.restarted == ["ezra", "bezalel"]


def test_a_gateway_that_may_run_with_the_damage_drains_and_restarts(host: Host) -> None:
    packed = host.pack()
    host.deploy(packed)
    _edit(host.base / "timmy/current" / MANAGED)
    expected = host.deploy(packed, check_mode=True)
    assert (expected.restarted, expected.paths, list(expected.drift)) == (
        ["ezra"],
        {"managed": [MANAGED]},
        ["release"],
    )
    host.turns = {"ezra": 1}
    waiting = host.deploy(packed, drain_s=30.0, owner="ada")
    assert waiting.draining == {"ezra": 1}
    assert host.running == {"ezra": 1, "bezalel": 1}
    # Mended by the visit before, and the restart is still due.
    host.turns = {}
    told = host.deploy(packed, drain_s=30.0, owner="ada")
    assert (told.restarted, told.drift) == (["ezra"], {})
    assert host.running == {"ezra": 2, "bezalel": 1}


def test_a_mend_that_is_killed_leaves_each_file_whole_and_the_next_run_ends_it(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = host.pack()
    host.deploy(packed)
    directory = Path(release.release_dir(str(host.base / "timmy"), packed[1]))
    for path in (SKILL, SOUL):
        _edit(directory / path)
    moves: list[str] = []
    rename = os.rename

    def dies(source: str, target: str) -> None:
        if str(target).startswith(f"{directory}/"):
            if moves:
                raise KeyboardInterrupt
            moves.append(target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", dies)
    with pytest.raises(KeyboardInterrupt):
        host.deploy(packed)
    monkeypatch.setattr(os, "rename", rename)
    assert len(release.drift(str(directory))) == 1
    assert {(directory / path).read_text() for path in (SKILL, SOUL)} <= {"edited", "skill\n", "honest\n"}
    host.deploy(packed)
    assert release.drift(str(directory)) == []


def test_a_release_to_come_that_is_damaged_here_is_put_right_before_the_flip(host: Host) -> None:
    first, second = host.pack(), host.pack(**{SKILL: "better\n"})
    host.deploy(first)
    host.deploy(second)
    directory = Path(release.release_dir(str(host.base / "timmy"), first[1]))
    _edit(directory / SOUL)
    host.deploy(first)
    assert host.current() == first[1][:16]
    assert release.drift(str(directory)) == []
