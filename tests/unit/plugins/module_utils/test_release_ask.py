# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one question to a settled host, and what a host finds of a release in the one before."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import (
    env_file,
    hermes_home,
    release,
    release_format,
    release_info,
    release_program,
    release_stage,
)
from ansible_collections.timmy.config.tests.unit.plugins.module_utils import test_release_host

Host, host = test_release_host.Host, test_release_host.host


def _nothing(_host: Host) -> None:
    """The host stays as it was deployed."""


def _secret(host: Host) -> None:
    host.secrets["ezra"] = {**host.secrets["ezra"], "TELEGRAM_BOT_TOKEN": "canary-token"}


def _env_gone(host: Host) -> None:
    (host.base / "etc/agents/ezra.env").unlink()


def _env_open(host: Host) -> None:
    (host.base / "etc/agents/ezra.env").chmod(0o644)


def _fleet_gone(host: Host) -> None:
    (host.base / "etc/fleet.json").unlink()


def _link_gone(host: Host) -> None:
    (host.base / "home/ezra/.hermes/SOUL.md").unlink()


def _ill(host: Host) -> None:
    host.well = False


HARMS: list[tuple[Callable[[Host], None], bool]] = [
    (_nothing, False),
    (_secret, True),
    (_env_gone, True),
    (_env_open, True),
    (_fleet_gone, True),
    (_link_gone, True),
    (_ill, True),
]


@pytest.mark.parametrize(("harm", "due"), HARMS, ids=[harm.__name__.strip("_") for harm, _due in HARMS])
def test_a_host_says_whether_there_is_anything_to_do_and_the_deploy_does_it(
    host: Host, harm: Callable[[Host], None], due: bool
) -> None:
    packed = host.pack()
    host.deploy(packed)
    harm(host)
    before = host.picture()
    told = host.deployer(("", packed[1])).ask()
    assert (told.due, told.changed, told.need_archive) == (due, False, False)
    assert host.picture() == before
    host.well = True
    host.deploy(packed)
    assert host.deployer(("", packed[1])).ask().due is False


def test_a_flip_that_nobody_has_confirmed_is_something_to_do(host: Host) -> None:
    host.deploy(host.pack())
    packed = host.pack(**{"skills/y": "y"})
    host.deploy(packed, confirm=False)
    assert host.deployer(("", packed[1])).ask().due
    host.confirm()
    assert not host.deployer(("", packed[1])).ask().due


def test_a_release_that_is_not_here_is_something_to_do(host: Host) -> None:
    host.deploy(host.pack())
    told = host.deployer(("", host.pack(**{"skills/y": "y"})[1])).ask()
    assert told.need_archive
    assert release_format.blobs_in(told.blobs)


def test_the_mode_of_an_env_file_is_foretold_and_put_right(host: Host) -> None:
    packed = host.pack()
    host.deploy(packed)
    env = host.base / "etc/agents/ezra.env"
    env.chmod(0o644)
    told = host.deploy(("", packed[1]), check_mode=True)
    assert told.changed
    assert env.stat().st_mode & 0o777 == 0o644
    done = host.deploy(("", packed[1]))
    assert (done.changed, done.paths) == (told.changed, told.paths)
    assert env.stat().st_mode & 0o777 == 0o640
    assert done.restarted == []


def test_a_content_that_somebody_damaged_is_not_taken_over(host: Host) -> None:
    packed = host.pack(**{"skills/y": "right"})
    host.deploy(packed)
    directory = Path(release.release_dir(str(host.base / "timmy"), packed[1]))
    find = release_stage.contents_of(str(directory))
    sha256 = release.load_manifest(str(directory))["files"]["skills/y"]["sha256"]
    assert find(sha256) == b"right"
    (directory / "skills/y").write_text("wrong")
    assert find(sha256) is None
    (directory / "skills/y").write_text("right and more")
    assert find(sha256) is None
    (directory / "skills/y").unlink()
    (directory / "skills/y").symlink_to("x/SKILL.md")
    assert find(sha256) is None
    assert find("0" * 64) is None


@pytest.mark.parametrize("keep", [-1, 0, 1, 2, 3, 4])
def test_exactly_those_beyond_the_newest_go(host: Host, keep: int) -> None:
    names = []
    for number in range(4):
        packed = host.pack(**{"skills/x/SKILL.md": f"{number}\n"})
        host.deploy(packed, keep=9)
        name = packed[1][:16]
        os.utime(host.base / "timmy/releases" / name, (number, number))
        names.append(name)
    root = str(host.base / "timmy")
    in_use, rest = {names[3]}, names[:3]
    gone = release.spare(root, keep, in_use)
    assert sorted(gone) == sorted(rest[: max(len(rest) - max(keep, 0), 0)])
    assert release.prune(root, keep, in_use) == gone
    left = {one["release"] for one in release_info.info(host.settings())["releases"]}
    assert left == set(names) - set(gone)


def test_a_host_tool_whose_bytecode_was_damaged_is_put_in_place_again(tmp_path: Path) -> None:
    path = Path(release_program.install(str(tmp_path)))
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("timmy_release/release.pyc")
    # Behind the entry's local header, in the middle of its compressed bytes.
    place = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    whole = path.read_bytes()
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
    assert release_program.install(str(tmp_path)) == str(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_an_edit_of_settings_is_still_told_after_going_back_to_a_kept_release(host: Host) -> None:
    first = host.pack()
    host.deploy(first)
    host.deploy(host.pack(**{"skills/y": "y"}))
    env = host.base / "etc/agents/ezra.env"
    env.write_bytes(env.read_bytes() + env_file.render({"THEIRS": "x"}).splitlines(keepends=True)[-1])
    before = release_info.info(host.settings())["drift"]
    assert before
    host.back(first[1][:16])
    assert release_info.info(host.settings())["drift"] == before


def test_the_group_of_an_env_file_counts_as_well(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = host.pack()
    host.deploy(packed)
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        test_release_host.release_files, "owned_as", lambda *args: bool(asked.append(args)) or False
    )
    assert host.deployer(("", packed[1])).ask().due
    gid = hermes_home.account("ezra", str(host.base / "home/ezra"))
    assert gid is not None
    assert asked[0] == (str(host.base / "etc/agents/ezra.env"), 0, gid.gid, 0o640)
