# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing a set of files under the guard, without systemd."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import guard, guarded_files


class Host:
    """A directory that stands for a host, with a guard of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = str(root / "guard")

    def want(self, name: str, content: str | None, mode: int = 0o644, validate: tuple[str, ...] = ()) -> Any:
        return guarded_files.Wanted(str(self.root / name), content, mode, os.getuid(), os.getgid(), validate)

    def put(self, files: list[Any], **more: Any) -> Any:
        settings: dict[str, Any] = {
            "check": [],
            "apply": [],
            "window_s": 60,
            "reason": "a test",
            "guard_id": "g",
        }
        settings.update(more)
        return guarded_files.put(record_dir=self.store, files=files, timer=guard.no_timer, **settings)

    def state(self) -> str:
        return str(guard.describe(self.store, "g", guard.boot_time(), guard.boot_id())["state"])


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_change_is_made_armed_and_shown(host: Host) -> None:
    (host.root / "a").write_text("old\n")
    (host.root / "gone").write_text("bye\n")
    log = host.root / "log"
    files = [host.want("a", "new\n"), host.want("sub/b", "b\n", 0o600), host.want("gone", None)]
    outcome = host.put(files, apply=[["sh", "-c", f"echo applied >> {log}"]])
    assert (outcome.changed, outcome.armed) == (True, True)
    assert [(part["before"], part["after"]) for part in outcome.diff] == [
        ("old\n", "new\n"),
        ("", "b\n"),
        ("bye\n", ""),
    ]
    assert (host.root / "a").read_text() == "new\n"
    assert (host.root / "sub/b").stat().st_mode & 0o777 == 0o600
    assert not (host.root / "gone").exists()
    assert log.read_text() == "applied\n"
    assert host.state() == "armed"
    assert 0 < outcome.left_s <= 60

    guard.undo_now(host.store, "g", "asked")
    assert (host.root / "a").read_text() == "old\n"
    assert not (host.root / "sub/b").exists()
    assert (host.root / "gone").read_text() == "bye\n"
    assert log.read_text() == "applied\n" * 2, "the old files must be brought into force as well"


def test_nothing_differs_nothing_is_armed(host: Host) -> None:
    files = [host.want("a", "x")]
    host.put(files)
    guard.confirm(host.store, "g")
    outcome = host.put(files, apply=[["false"]])
    assert (outcome.changed, outcome.armed, outcome.diff) == (False, False, [])


def test_a_change_that_an_earlier_run_left_unconfirmed_is_reported(host: Host) -> None:
    host.put([host.want("a", "x")])
    outcome = host.put([host.want("a", "x")])
    assert (outcome.changed, outcome.armed) == (False, True)


def test_another_change_inside_the_window_is_refused(host: Host) -> None:
    host.put([host.want("a", "x")])
    with pytest.raises(guard.BusyError):
        host.put([host.want("a", "y")])
    assert (host.root / "a").read_text() == "x"


@pytest.mark.parametrize(
    "have",
    [
        lambda path: path.write_text("other"),
        lambda path: (path.write_text("x"), path.chmod(0o600)),
        lambda path: path.symlink_to("elsewhere"),
    ],
)
def test_what_counts_as_a_difference(host: Host, have: Any) -> None:
    have(host.root / "a")
    assert host.put([host.want("a", "x")]).changed
    assert not (host.root / "a").is_symlink()
    guard.undo_now(host.store, "g", "asked")
    found = host.root / "a"
    assert found.is_symlink() or found.read_text() == "other" or found.stat().st_mode & 0o777 == 0o600


def test_check_mode_predicts_and_touches_nothing(host: Host) -> None:
    outcome = host.put([host.want("a", "x")], check_mode=True, apply=[["touch", str(host.root / "ran")]])
    assert (outcome.changed, outcome.armed, len(outcome.diff)) == (True, False, 1)
    assert list(host.root.iterdir()) == []


def test_a_staged_copy_is_refused_before_anything_changes(host: Host) -> None:
    validate = ("sh", "-c", 'echo "bad line in $0" >&2; grep -q good "$0"', "%s")
    with pytest.raises(guard.GuardError) as caught:
        host.put([host.want("b", "x"), host.want("a", "bad", validate=validate)])
    assert str(host.root / "a") in str(caught.value)
    assert list(host.root.iterdir()) == []
    assert host.put([host.want("a", "good", validate=validate)]).changed


@pytest.mark.parametrize("kind", ["check", "apply"])
def test_a_failing_command_undoes_at_once(host: Host, kind: str) -> None:
    (host.root / "a").write_text("old")
    only_old = [["grep", "-q", "old", str(host.root / "a")]]
    with pytest.raises(guard.GuardError, match="undone"):
        host.put([host.want("a", "new")], **{kind: only_old})
    assert (host.root / "a").read_text() == "old"
    assert host.state() == "undone"


def test_a_window_that_ends_before_the_change_is_in_force(host: Host) -> None:
    with pytest.raises(guard.GuardError, match=r"was over.*undone"):
        host.put([host.want("a", "new")], window_s=0.2, apply=[["sleep", "0.4"]])
    assert not (host.root / "a").exists()


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"path": "relative", "content": ""}, "absolute path"),
        ({"path": "/x", "content": None}, "content is needed"),
        ({"path": "/x", "content": "", "mode": "u=rw"}, "not octal"),
        ({"path": "/x", "content": "", "owner": "nobody-here"}, "no user"),
        ({"path": "/x", "content": "", "group": "nobody-here"}, "no group"),
    ],
)
def test_input_that_is_refused(item: dict[str, Any], says: str) -> None:
    with pytest.raises(guard.GuardError, match=says):
        guarded_files.wanted_from(item)


def test_check_mode_knows_that_an_owner_may_come_later() -> None:
    assert (
        guarded_files.wanted_from({"path": "/x", "content": "", "owner": "nobody-here"}, lenient=True).uid
        == -1
    )
