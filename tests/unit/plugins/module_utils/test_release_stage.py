# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new release shares with the active one, and that no damage comes over with it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import release, release_format, release_stage
from ansible_collections.timmy.config.tests.unit.plugins.module_utils import test_release

Host, host, PLACES = test_release.Host, test_release.host, test_release.PLACES


def _active(host: Host, **contents: str) -> Path:
    """A release that is staged and active."""
    directory = host.stage(**contents)
    release.flip(host.root, os.path.basename(directory))
    return Path(directory)


def _inode(path: Path) -> int:
    return path.lstat().st_ino


def test_only_what_differs_is_written(host: Host) -> None:
    one = _active(host, a="same", b="old", **{"skills/x/c": "same too"})
    two = Path(host.stage(a="same", b="new", d="added", **{"skills/x/c": "same too"}))
    for path in ("a", "skills/x/c"):
        assert _inode(one / path) == _inode(two / path)
    assert [(one / "b").read_text(), (two / "b").read_text()] == ["old", "new"]
    assert _inode(one / "manifest.json") != _inode(two / "manifest.json")
    assert release.drift(str(one)) == release.drift(str(two)) == []


def _edit(path: Path) -> None:
    path.write_text("evil")


def _edit_unseen(path: Path) -> None:
    status = path.stat()
    path.write_text("evil")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size


def _mode(path: Path) -> None:
    path.chmod(0o666)


def _time(path: Path) -> None:
    os.utime(path, (1, 1))


def _link(path: Path) -> None:
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)


def _gone(path: Path) -> None:
    path.unlink()


HARMS: list[Callable[[Path], None]] = [_edit, _edit_unseen, _mode, _time, _link, _gone]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__.strip("_"))
def test_what_somebody_touched_is_not_shared(host: Host, harm: Callable[[Path], None]) -> None:
    one = _active(host, a="same", b="old")
    harm(one / "a")
    two = Path(host.stage(a="same", b="new"))
    assert release.drift(str(two)) == []
    assert (two / "a").lstat().st_nlink == 1
    assert (two / "a").lstat().st_mtime == release_format.mtime_of(
        release.load_manifest(str(two))["files"]["a"]["sha256"]
    )


@pytest.mark.parametrize("reason", [errno.EMLINK, errno.EXDEV, errno.EPERM])
def test_where_nothing_can_be_linked_all_is_written(
    host: Host, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    one = _active(host, a="same", b="old")

    def refuse(*_args: Any, **_more: Any) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "link", refuse)
    two = Path(host.stage(a="same", b="new"))
    assert _inode(one / "a") != _inode(two / "a")
    assert release.drift(str(two)) == []


def test_damage_that_is_shared_is_put_right_in_each_release(host: Host) -> None:
    older = _active(host, a="same", b="1", c="kept")
    old = _active(host, a="same", b="2", c="kept")
    packed = host.pack(a="same", b="3", c="kept")
    active = Path(release_stage.stage(packed[0], host.root, packed[1], **PLACES))
    assert _inode(older / "a") == _inode(active / "a")
    (active / "a").write_text("damaged, and thereby in all of them")
    assert [one["path"] for one in release.drift(str(old))] == ["a"]
    release_stage.stage(packed[0], host.root, packed[1], **PLACES)
    for directory in (older, old, active):
        assert release.drift(str(directory)) == []
        assert (directory / "a").read_text() == "same"
    assert not [name for name in os.listdir(active.parent) if name.startswith(".")]


def test_a_link_that_somebody_made_to_other_content_stays_as_he_made_it(host: Host) -> None:
    theirs = _active(host, a="theirs", b="1")
    packed = host.pack(a="ours", b="2")
    active = Path(release_stage.stage(packed[0], host.root, packed[1], **PLACES))
    (theirs / "a").unlink()
    os.link(active / "a", theirs / "a")
    (active / "a").write_text("damaged")
    release_stage.stage(packed[0], host.root, packed[1], **PLACES)
    assert release.drift(str(active)) == []
    assert (theirs / "a").read_text() == "damaged"
