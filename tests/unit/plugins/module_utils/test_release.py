# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases on a real file system: staging, the flip, drift, pruning, and kills at random moments."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import (
    guard,
    release,
    release_format,
    release_stage,
)

PLACES = {"hermes_root": "/opt/hermes", "config_dir": "/etc/timmy"}


class Host:
    """A release root in a temporary directory."""

    def __init__(self, root: Path) -> None:
        self.base = root
        self.root = str(root / "timmy")
        os.makedirs(self.root)

    def pack(self, **contents: str) -> tuple[str, str]:
        """An archive and its hash."""
        files = {name.replace("__", "/"): (text.encode(), "0644") for name, text in contents.items()}
        manifest = release_format.make_manifest(
            files,
            {"hermes": "/opt/hermes/0.19.0"},
            hermes_version="0.19.0",
            agents=[],
            classify=lambda _path: ("managed", "none"),
        )
        path = self.base / f"{manifest['hash'][:8]}.tar.gz"
        path.write_bytes(release_format.pack(manifest, files))
        return str(path), str(manifest["hash"])

    def stage(self, **contents: str) -> str:
        path, digest = self.pack(**contents)
        return release_stage.stage(path, self.root, digest, **PLACES)

    def names(self) -> list[str]:
        return sorted(os.listdir(os.path.join(self.root, release.RELEASES)))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_staged_release_is_exactly_what_was_packed(host: Host) -> None:
    directory = host.stage(a="one", b__c="two")
    assert Path(directory, "b", "c").read_text() == "two"
    assert os.readlink(os.path.join(directory, "hermes")) == "/opt/hermes/0.19.0"
    assert release.drift(directory) == []
    assert host.names() == [os.path.basename(directory)]
    status = os.stat(os.path.join(directory, "b", "c"))
    entry = release.load_manifest(directory)["files"]["b/c"]
    assert stat.S_IMODE(status.st_mode) == 0o644
    assert int(status.st_mtime) == release_format.mtime_of(entry["sha256"])
    assert stat.S_IMODE(os.stat(os.path.join(directory, "b")).st_mode) == 0o755


def test_an_archive_of_another_release_is_refused_and_leaves_nothing(host: Host) -> None:
    path, _digest = host.pack(a="one")
    with pytest.raises(release_format.ReleaseError, match="not ffffffff"):
        release_stage.stage(path, host.root, "f" * 64, **PLACES)
    assert not os.path.exists(os.path.join(host.root, release.RELEASES))


def test_a_broken_archive_leaves_no_staging_directory(host: Host) -> None:
    path, digest = host.pack(a="one")
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[:-40])
    with pytest.raises(release_format.ReleaseError):
        release_stage.stage(path, host.root, digest, **PLACES)
    assert host.names() == []


def test_a_damaged_release_is_replaced_as_a_whole(host: Host) -> None:
    directory = host.stage(a="one")
    Path(directory, "a").write_text("bad")
    assert [one["path"] for one in release.drift(directory)] == ["a"]
    assert host.stage(a="one") == directory
    assert release.drift(directory) == []
    release.prune(host.root, 5, set())
    assert host.names() == [os.path.basename(directory)]


def test_a_manifest_that_was_edited_along_with_its_file_does_not_hide_the_edit(host: Host) -> None:
    directory = host.stage(a="one")
    manifest = release.load_manifest(directory)
    Path(directory, "a").write_text("bad")
    manifest["files"]["a"].update(sha256=hashlib.sha256(b"bad").hexdigest(), size=3)
    Path(directory, release.MANIFEST).write_text(json.dumps(manifest))
    found = [(one["path"], one["problem"]) for one in release.drift(directory)]
    assert found == [(release.MANIFEST, "edited")]


def test_a_release_without_a_readable_manifest_is_no_clean_release(host: Host) -> None:
    directory = host.stage(a="one")
    Path(directory, release.MANIFEST).write_text("{")
    assert [one["path"] for one in release.drift(directory)] == [release.MANIFEST]


def _relink(directory: str) -> None:
    os.unlink(os.path.join(directory, "hermes"))
    os.symlink("/x", os.path.join(directory, "hermes"))


def _folder(directory: str) -> None:
    os.unlink(os.path.join(directory, "a"))
    os.mkdir(os.path.join(directory, "a"))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda d: Path(d, "a").write_text("onE"), {"path": "a", "problem": "edited"}),
        (lambda d: os.unlink(os.path.join(d, "a")), {"path": "a", "problem": "missing"}),
        (lambda d: os.chmod(os.path.join(d, "a"), 0o600), {"path": "a", "problem": "mode 0600"}),
        (_relink, {"path": "hermes", "problem": "link edited"}),
        (_folder, {"path": "a", "problem": "not a regular file"}),
    ],
)
def test_drift_names_what_differs(host: Host, damage: Any, problem: dict[str, str]) -> None:
    directory = host.stage(a="one")
    damage(directory)
    assert release.drift(directory) == [problem]


def test_the_flip_goes_forward_and_back_and_to_nothing(host: Host) -> None:
    one, two = (os.path.basename(host.stage(a=text)) for text in ("one", "two"))
    for name in (one, two, one):
        release.flip(host.root, name)
        assert release.current_name(host.root) == name
        assert Path(host.root, "current", "a").read_text() == ("one" if name == one else "two")
    release.flip(host.root, "")
    release.flip(host.root, "")
    assert release.current_name(host.root) == ""


def test_a_current_that_leads_elsewhere_is_none_of_ours(host: Host) -> None:
    os.symlink("/etc", os.path.join(host.root, "current"))
    assert release.current_name(host.root) == ""


def test_pruning_keeps_the_newest_the_protected_and_everything_foreign(host: Host) -> None:
    names = []
    for number in range(8):
        names.append(os.path.basename(host.stage(a=str(number), b__c="x")))
        time.sleep(0.02)
    foreign = os.path.join(host.root, release.RELEASES, names[1], "b", "mine.txt")
    Path(foreign).write_text("keep me")
    Path(host.root, release.RELEASES, "notes").mkdir()
    removed = release.prune(host.root, 3, {names[0], names[7]})
    assert sorted(removed) == sorted(names[1:4])
    assert Path(foreign).read_text() == "keep me"
    assert not os.path.exists(os.path.join(host.root, release.RELEASES, names[1], "a"))
    kept = {names[0], *names[4:], names[1], "notes"}
    assert set(host.names()) == kept


def test_leftovers_of_killed_runs_go_at_the_next_pruning(host: Host) -> None:
    name = os.path.basename(host.stage(a="one"))
    Path(host.root, release.RELEASES, f".{name}.tmp-123").mkdir()
    release.prune(host.root, 5, set())
    assert host.names() == [name]


@pytest.mark.parametrize("removed", [["a"], ["a", "b/c"], ["a", "b/c", release.GONE]])
def test_a_release_that_is_half_removed_is_none_and_goes_for_good(host: Host, removed: list[str]) -> None:
    directory = host.stage(a="one", b__c="two")
    os.rename(os.path.join(directory, release.MANIFEST), os.path.join(directory, release.GONE))
    for path in removed:
        os.unlink(os.path.join(directory, path))
    if len(removed) == 3:
        os.unlink(os.path.join(directory, "hermes"))
        os.rmdir(os.path.join(directory, "b"))
    assert release.releases(host.root) == []
    assert release.leftovers(host.root) == [os.path.basename(directory)]
    release.prune(host.root, 5, set())
    assert host.names() == []


def test_a_release_that_is_half_removed_is_staged_anew(host: Host) -> None:
    directory = host.stage(a="one")
    os.rename(os.path.join(directory, release.MANIFEST), os.path.join(directory, release.GONE))
    assert host.stage(a="one") == directory
    assert release.drift(directory) == []
    assert host.names() == [os.path.basename(directory)]


def test_write_file_replaces_whole_and_follows_no_planted_link(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "file"
    victim.write_text("safe")
    os.symlink(victim, guard.temp_name(str(target)))
    release.write_file(str(target), b"new", 0o640)
    assert victim.read_text() == "safe"
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


_CHILD = """
import sys
sys.path[:0] = {path!r}
from ansible_collections.timmy.config.plugins.module_utils import release, release_lock, release_stage
root, one, first, two, second = sys.argv[1:]
print("ready", flush=True)
while True:
    for archive, digest in ((one, first), (two, second)):
        with release_lock.locked(root):
            release_stage.stage(archive, root, digest, hermes_root="/opt/hermes", config_dir="/etc/timmy")
            release.flip(root, digest[:16])
            release.prune(root, 0, {{digest[:16]}})
"""


def test_a_kill_at_a_random_moment_leaves_one_whole_release_active(host: Host) -> None:
    same = {f"s{number}": "same" for number in range(20)}
    one = host.pack(**same, **{f"f{number}": "one" for number in range(20)})
    two = host.pack(**same, **{f"f{number}": "two" for number in range(20)})
    release_stage.stage(*one[:1], host.root, one[1], **PLACES)
    release.flip(host.root, one[1][:16])
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    argv = [sys.executable, "-c", _CHILD.format(path=sys.path), host.root, *one, *two]
    for _trial in range(12):
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.random() * 0.08)
            child.send_signal(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        active = release.current_name(host.root)
        assert active in {one[1][:16], two[1][:16]}
        assert release.drift(os.path.join(host.root, release.RELEASES, active)) == []
    for archive, digest in (one, two):
        assert release.drift(release_stage.stage(archive, host.root, digest, **PLACES)) == []
