# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift on a host whose Hermes is the real one: found, settled, and repaired by the next deploy."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from real_host import JOB, Host

from timmy import settings
from timmy.core import release, release_undo
from timmy.core.release_format import ReleaseError
from timmy.errors import NoPermission, UsageError
from timmy.report import drift

if TYPE_CHECKING:
    from timmy.context import Context


@pytest.fixture
def host(tmp_path: Path, hermes_binary: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, hermes_binary, monkeypatch)
    made.deploy()
    return made


def test_drift_is_found_and_restored(host: Host) -> None:
    assert host.found() == {}
    before = {
        path: (host.current() / path).read_bytes() for path in ("bin/doors.txt", "agents/ezra/timmy/SOUL.md")
    }
    wanted = host.spoil()
    found = host.found()
    assert {path: one.problem for path, one in found.items()} == wanted
    assert all(one.since is not None and one.since > time.time() - 600 for one in found.values())
    key = found["home/ezra/.hermes/config.yaml#code_execution.mode"]
    assert (key.detail, key.owner_class) == ('is "strict", ours is "project"', "merged")

    doors = next(path for path in wanted if path.endswith("doors.txt"))
    done = dict(zip(wanted, host.settle(list(wanted)), strict=True))
    assert [path for path, (good, _line) in done.items() if not good] == [doors]
    assert "next deploy has to send" in done[doors][1]
    # The same soul stands for another door in the release, and that copy is good.
    assert "agents/ezra/home/SOUL.md" in next(
        line for _good, line in done.values() if "timmy/SOUL.md" in line
    )
    assert (host.current() / "agents/ezra/timmy/SOUL.md").read_bytes() == before["agents/ezra/timmy/SOUL.md"]
    assert list(host.found()) == [doors]
    assert (host.home / ".timmy/HEART.md.timmy-kept-1").read_text() == "my own heart"
    assert host.jobs()[JOB]["prompt"] != "My own words."

    (host.overlay / "skills/new").mkdir(parents=True)
    (host.overlay / "skills/new/SKILL.md").write_text("---\nname: new\ndescription: Another one.\n---\n")
    host.deploy()
    assert host.found() == {}
    shutil.rmtree(host.overlay / "skills/new")
    old = host.current() / "bin/doors.txt"
    old.write_text("worse")
    assert host.settle([str(old.relative_to(host.base))])[0][0] is False
    host.deploy()


def test_a_damaged_file_comes_back_from_another_release(host: Host) -> None:
    first = host.current()
    (host.overlay / "skills/new").mkdir(parents=True)
    (host.overlay / "skills/new/SKILL.md").write_text("---\nname: new\ndescription: Another one.\n---\n")
    host.deploy()
    file = host.current() / "bin/doors.txt"
    when = file.stat().st_mtime
    # As most editors do it; the releases share the file itself.
    (edited := file.with_suffix(".new")).write_text("worse")
    edited.rename(file)
    ((good, line),) = host.settle([str(file.relative_to(host.base))])
    assert good
    assert str(first / "bin/doors.txt") in line
    assert file.read_bytes() == (first / "bin/doors.txt").read_bytes()
    assert (file.stat().st_mtime, file.stat().st_mode & 0o777) == (when, 0o644)


def test_a_file_that_was_damaged_in_place_is_sent_again_and_good_in_each_release(host: Host) -> None:
    first = host.current()
    (host.overlay / "skills/new").mkdir(parents=True)
    (host.overlay / "skills/new/SKILL.md").write_text("---\nname: new\ndescription: Another one.\n---\n")
    host.deploy()
    file = host.current() / "bin/doors.txt"
    good = file.read_bytes()
    file.write_text("worse")
    ((restored, line),) = host.settle([str(file.relative_to(host.base))])
    assert not restored
    assert "the next deploy has to send its release again" in line
    assert host.deploy().drift["release"] == ["bin/doors.txt: edited"]
    assert file.read_bytes() == (first / "bin/doors.txt").read_bytes() == good
    assert host.found() == {}


def test_the_next_deploy_of_an_equal_release_repairs_what_is_gone(host: Host) -> None:
    (host.home / ".hermes/SOUL.md").unlink()
    host.drop_key()
    host.drop_job(JOB)
    assert {one.problem for one in host.found().values()} == {"link missing", "deleted", "removed"}
    before = host.current()
    result = host.deploy()
    assert host.current() == before
    assert result.linked == {"ezra": [".hermes/SOUL.md"]}
    assert sorted(result.merged["ezra"]) == ["config.yaml: code_execution.mode", f"cron {JOB}: created"]
    assert result.drift == {}
    assert host.found() == {}
    assert not host.deploy().changed


def test_a_deleted_key_comes_back_alone(host: Host) -> None:
    host.drop_key()
    (path,) = host.found()
    assert host.settle([path])[0][0]
    assert "mode: project" in (host.home / ".hermes/config.yaml").read_text()
    assert host.found() == {}
    assert not host.deploy().merged


def test_what_is_adopted_is_quiet_and_says_the_line_for_the_overlay(host: Host) -> None:
    wanted = host.spoil()
    mine = [path for path in wanted if path.startswith("home/")]
    done = host.settle(mine, adopt=True)
    assert [good for good, _line in done] == [True] * len(mine)
    lines = "\n".join(line for _good, line in done)
    for word in (
        'put into overlay/home-config.yaml: code_execution: {"mode": "strict"}',
        "remove overlay/channel_directory.json",
        "HEART.md into overlay/HEART.md",
        "in the job morning-self-check of overlay/cron/*.yaml",
        "remove the job weekly-memory-tidy from overlay/cron/*.yaml",
    ):
        assert word in lines
    assert sorted(host.found()) == sorted(set(wanted) - set(mine))
    refused = host.settle(sorted(set(wanted) - set(mine)), adopt=True)
    assert [good for good, _line in refused] == [False, False]
    # An equal release leaves all of it alone and says nothing of it; its own files it puts right.
    before = {path: (host.home / path).read_bytes() for path in (".timmy/HEART.md", ".hermes/config.yaml")}
    host.hermes("config", "set", "skills.inline_shell", "true")
    before[".hermes/config.yaml"] = (host.home / ".hermes/config.yaml").read_bytes()
    result = host.deploy()
    assert (result.changed, list(result.drift)) == (True, ["release"])
    again = host.deploy()
    assert (again.changed, again.drift) == (False, {})
    assert {path: (host.home / path).read_bytes() for path in before} == before
    assert not os.path.lexists(host.home / ".hermes/channel_aliases.json")
    assert "weekly-memory-tidy" not in host.jobs()
    assert host.jobs()[JOB]["prompt"] == "My own words."
    # The overlay says something else: what was accepted is drift again, or comes back where it was gone. Of
    # the mode it says what stands there by now.
    for name, old, new in (
        ("HEART.md", "", "More.\n"),
        ("channel_directory.json", '"id": null', '"id": "-100123"'),
        ("home-config.yaml", "mode: project", "mode: strict"),
        ("cron/morning-self-check.yaml", "Check yourself", "Do check yourself"),
        ("cron/weekly-memory-tidy.yaml", "Read your", "Read all your"),
    ):
        host.rewrite(name, old, new)
    result = host.deploy()
    assert sorted(result.drift["ezra"]) == [
        ".timmy/HEART.md: no longer our link",
        f"cron {JOB}: prompt: edited",
    ]
    assert result.linked == {"ezra": [".hermes/channel_aliases.json"]}
    assert result.merged == {"ezra": ["cron weekly-memory-tidy: created"]}
    assert {path.removeprefix("home/ezra/") for path in host.found()} == {
        ".timmy/HEART.md",
        f".hermes/cron/jobs.json#{JOB}",
    }
    assert (host.home / ".timmy/HEART.md").read_text() == "my own heart"


def test_settings_are_known_by_name_after_a_deploy_and_not_after_an_undo(host: Host) -> None:
    env, fleet = Path(host.where.config_dir, "agents/ezra.env"), fleet_file(host)
    env.write_text(env.read_text() + "EXTRA=canary\n")
    fleet.write_text("{}")
    found = host.found()
    assert {path: one.detail for path, one in found.items() if one.kind == "env"} == {
        "etc/agents/ezra.env": "differs in EXTRA"
    }
    assert [one.problem for one in found.values() if one.kind == "settings"] == ["edited"]
    host.deploy()
    assert host.found() == {}
    before = host.current().name
    host.rewrite("HEART.md", "", "More.\n")
    after = host.deploy().release
    assert after != before
    agents = [{"name": "ezra", "home": str(host.home)}]
    release.flip(host.where.root, before)
    release_undo.Undo(release_undo.facts_of(host.where, before, after, agents)).homes()
    env.write_text(env.read_text() + "OLDER=x\n")
    assert host.found() == {}


def fleet_file(host: Host) -> Path:
    return Path(host.where.config_dir, "fleet.json")


def test_the_verb(host: Host, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0) if os.geteuid() != 0 else None
    answer = drift.command([], context, fleet_file(host))
    assert (answer.exit_code, answer.lines) == (0, ("no drift",))
    link = host.home / ".hermes/SOUL.md"
    link.unlink()
    link.write_text("mine")
    host.drop_key()
    answer = drift.command(["--json"], context, fleet_file(host))
    assert answer.exit_code == 1
    assert len(answer.lines) == 2
    json.dumps(answer.data)
    assert set(answer.data["drift"][0]) == {
        "path",
        "kind",
        "problem",
        "detail",
        "owner_class",
        "agent",
        "held_by",
        "since",
        "age_s",
    }
    assert drift.count(settings.load(fleet_file(host)), Path(host.where.config_dir)) == (2, "")
    answer = drift.command(["--restore", str(link)], context, fleet_file(host))
    assert answer.exit_code == 1
    assert "SOUL.md.timmy-kept-1" in answer.lines[0]
    rest = [row["path"] for row in answer.data["drift"]]
    answer = drift.command(["--adopt", rest[0]], context, fleet_file(host))
    assert answer.exit_code == 0
    with pytest.raises(UsageError, match="no drift here"):
        drift.command(["--restore", rest[0]], context, fleet_file(host))
    with pytest.raises(UsageError, match="not both"):
        drift.command(["--restore", "/x", "--adopt", "/x"], context, fleet_file(host))


def test_only_root_may_look(context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NoPermission, match="only root"):
        drift.command([], context, tmp_path / "fleet.json")
    known = settings.Settings("here", tmp_path, (), ())
    assert drift.count(known, tmp_path) == (None, "only root can see it")


def test_a_host_whose_release_is_not_confirmed_is_left_alone(host: Host) -> None:
    text = (host.overlay / "HEART.md").read_text()
    (host.overlay / "HEART.md").write_text(text + "\nMore.\n")
    host.deploy(confirm=False)
    (host.home / ".hermes/SOUL.md").unlink()
    with pytest.raises(ReleaseError, match="not confirmed yet"):
        drift.settle(drift.Host(host.where, {}), [str(host.home / ".hermes/SOUL.md")], [])
    assert not (host.home / ".hermes/SOUL.md").is_symlink()


@pytest.mark.parametrize(
    ("seconds", "word"), [(-3, "0 s"), (59, "59 s"), (61, "1 min"), (7200, "2 h"), (200000, "2 d")]
)
def test_an_age(seconds: float, word: str) -> None:
    assert drift.age(seconds) == word
