# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge's upgrade on folders of a test's own: only systemd and the server's answer are played here.

The real ones are tried by tests/e2e/test_gitea_upgrade.py.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "roles/gitea/files/swap.py"
OLD, NEW = "1.27.3-aaaa", "1.28.0-bbbb"


class Host:
    """A host with a forge; ``well`` says of a release whether it will answer."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        spec = importlib.util.spec_from_file_location("gitea_swap", PROGRAM)
        assert spec is not None
        assert spec.loader is not None
        self.swap: Any = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "gitea_swap", self.swap)
        spec.loader.exec_module(self.swap)
        self.opt, self.etc, self.data = root / "opt", root / "etc", root / "data"
        self.backups, self.unit = root / "backups", root / "gitea.service"
        self.well, self.calls = {OLD: True, NEW: True}, []
        for folder in (self.opt / OLD, self.opt / NEW, self.etc / "secrets", self.data / "repositories"):
            folder.mkdir(parents=True)
        for release in (OLD, NEW):
            (self.opt / release / "gitea").write_text(release)
        (self.opt / "current").symlink_to(OLD)
        (self.etc / "app.ini").write_text("old")
        (self.etc / "app.ini.next").write_text("new")
        (self.etc / "gitea.service.next").write_text("new")
        (self.etc / "secrets/KEY").write_text("secret")
        self.unit.write_text("old")
        (self.data / "repositories/one").write_text("one")
        places = {"OPT": self.opt, "ETC": self.etc, "DATA": self.data, "UNIT_FILE": self.unit}
        for name, path in {**places, "MARKER": self.opt / "upgrade.json"}.items():
            monkeypatch.setattr(self.swap, name, path)
        monkeypatch.setattr(self.swap, "stop", lambda: self.calls.append("stop"))
        monkeypatch.setattr(self.swap, "start", self.start)
        monkeypatch.setattr(self.swap, "answers", lambda _url: self.well[self.release])
        monkeypatch.setattr(
            self.swap, "healthy", lambda _url, _s: "" if self.well[self.release] else "it died"
        )
        monkeypatch.setattr(self.swap, "last_words", lambda: "")

    @property
    def release(self) -> str:
        return str(self.swap.current())

    def start(self) -> None:
        """Start what is in force; a release that is no good spoils the data before it dies."""
        self.calls.append(f"start {self.release}")
        if not self.well[self.release]:
            shutil.rmtree(self.data / "repositories", ignore_errors=True)
            (self.data / "left").write_text("by the bad one")

    def upgrade(self, **more: Any) -> dict[str, Any]:
        asked = {
            "to": NEW,
            "health": "",
            "timeout_s": 1,
            "user": "",
            "backup_dir": str(self.backups),
            "keep": 2,
        }
        found: dict[str, Any] = self.swap.upgrade(
            self.swap.Swap(**{**asked, "postgres": None, "pgpass": "", **more})
        )
        return found

    def seen(self) -> tuple[str, str, str, list[str]]:
        """Return release, configuration, unit and data."""
        names = sorted(path.name for path in self.data.iterdir() if not path.name.startswith(".replaced"))
        return self.release, (self.etc / "app.ini").read_text(), self.unit.read_text(), names


@pytest.fixture(name="host")
def the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_a_good_release_is_put_in_force_with_its_files(host: Host) -> None:
    done = host.upgrade()
    assert host.seen() == (NEW, "new", "new", ["repositories"])
    assert host.calls == ["stop", f"start {NEW}"]
    assert (done["from"], done["to"]) == (OLD, NEW)
    assert json.loads((Path(done["copy"]) / "about.json").read_text())["release"] == OLD
    assert not (host.opt / "upgrade.json").exists()
    assert host.upgrade()["copy"] == ""


def test_a_bad_release_goes_back_with_files_and_data(host: Host) -> None:
    host.well[NEW] = False
    with pytest.raises(host.swap.SwapError, match="was taken back: it died"):
        host.upgrade()
    assert host.seen() == (OLD, "old", "old", ["repositories"])
    assert (host.data / "repositories/one").read_text() == "one"
    assert list(host.data.glob(".re*")) == []
    assert host.calls == ["stop", f"start {NEW}", "stop", f"start {OLD}"]
    assert not (host.opt / "upgrade.json").exists()


def _power_cut(*_args: object) -> bool:
    raise KeyboardInterrupt


def test_what_a_power_cut_left_is_taken_back_first_and_newer_data_kept(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.well[NEW] = False
    with monkeypatch.context() as power:
        power.setattr(host.swap, "healthy", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            host.upgrade()
    assert host.release == NEW
    done = host.upgrade(to=OLD)
    assert host.seen() == (OLD, "old", "old", ["repositories"])
    assert (Path(done["aside"]) / "left").read_text() == "by the bad one"


def test_a_release_that_became_well_after_a_power_cut_stays(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as power:
        power.setattr(host.swap, "healthy", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            host.upgrade()
    (host.data / "repositories/two").write_text("served meanwhile")
    assert host.upgrade()["aside"] == ""
    assert host.release == NEW
    assert (host.data / "repositories/two").exists()
    assert not (host.opt / "upgrade.json").exists()


def test_without_room_nothing_stops(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage("/")._replace(free=1)
    monkeypatch.setattr(host.swap.shutil, "disk_usage", lambda _path: full)
    with pytest.raises(host.swap.SwapError, match="MiB free"):
        host.upgrade()
    assert host.calls == []


def test_a_copy_that_fails_leaves_the_forge_running(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise host.swap.SwapError("no copy")

    monkeypatch.setattr(host.swap, "back_up", fail)
    with pytest.raises(host.swap.SwapError, match="no copy"):
        host.upgrade()
    assert host.calls == ["stop", f"start {OLD}"]
    assert host.seen() == (OLD, "old", "old", ["repositories"])


@pytest.mark.parametrize(("keep", "left"), [(0, 0), (1, 1), (2, 2), (9, 4)])
def test_old_copies_and_programs_go(host: Host, keep: int, left: int) -> None:
    names = ["20200101T000000Z-a", "20210101T000000Z-b", "20220101T000000Z-c"]
    for name in names:
        (host.backups / name).mkdir(parents=True)
        (host.backups / name / "about.json").write_text("{}")
    (host.opt / "1.26.4-cccc").mkdir()
    made = Path(host.upgrade(keep=keep)["copy"]).name
    kept = sorted(path.name for path in host.backups.iterdir())
    assert kept == [*names, made][4 - left :]
    assert sorted(path.name for path in host.opt.glob("*-*")) == [OLD, NEW]
