# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one Gitea to the next: good, bad, cut off by a power cut, and never to an older one."""

from __future__ import annotations

import concurrent.futures
import subprocess
import time
from typing import TYPE_CHECKING

import forge_host
import pytest
import runs

if TYPE_CHECKING:
    from pathlib import Path

# What a release may do to the data before it turns out to be no good.
HAVOC = (
    "cd /var/lib/gitea && echo gone >left && rm -rf repositories data/repositories;"
    " for f in data/*.db data/*.sqlite3; do [ ! -e $f ] || echo broken >$f; done; exit 1"
)


@pytest.fixture(name="forge")
def the_forge() -> forge_host.Forge:
    return forge_host.current()


def issues(forge: forge_host.Forge) -> list[str]:
    """Return the titles of the issues of a repository that all upgrades have to keep."""
    status, found = forge.api("GET", "v1/repos/forge-admin/upgrades/issues", token=forge.token())
    assert status == 200, found
    return sorted(one["title"] for one in found)


def write_issue(forge: forge_host.Forge, title: str) -> None:
    path = "v1/repos/forge-admin/upgrades/issues"
    assert forge.api("POST", path, {"title": title}, token=forge.token())[0] == 201


def test_a_program_that_is_not_its_hash_is_refused(forge: forge_host.Forge, tmp_path: Path) -> None:
    other = forge.program(tmp_path, "1.26.5", "exit 1")
    done = forge.deploy(**{**other, "gitea_binary_sha256": "0" * 64})
    assert done.rc == 2
    assert f"not {'0' * 64}" in done.last
    assert done.changed() == {forge.host.name: 0}


def test_an_older_gitea_is_refused(forge: forge_host.Forge, tmp_path: Path) -> None:
    done = forge.deploy(**forge.program(tmp_path, "1.26.3", "true"))
    assert done.rc == 2
    assert "1.26.3 cannot read it" in done.last
    assert done.changed() == {forge.host.name: 0}


def test_upgrades(forge: forge_host.Forge, tmp_path: Path) -> None:
    """One story, since each step starts from what the one before left."""
    token = forge.token()
    assert forge.api("POST", "v1/user/repos", {"name": "upgrades", "auto_init": True}, token=token)[0] == 201
    write_issue(forge, "one")
    first, files = forge.release, forge.host.sh("cd /etc/gitea && sha256sum secrets/* tokens/*").ok()

    told = forge.deploy("--check", **forge.program(tmp_path, "1.26.5", "true")).ok()
    assert sum(told.changed().values()) > 0
    assert forge.release == first
    assert issues(forge) == ["one"]

    # The next one: the forge is copied, and goes on with its data.
    following = forge.program(tmp_path, "1.26.5", "true")
    forge.deploy(**following).ok()
    second = forge.release
    assert second.startswith("1.26.5-")
    assert issues(forge) == ["one"]
    assert forge.host.sh("cd /etc/gitea && sha256sum secrets/* tokens/*").ok() == files
    copies = forge.host.sh("ls /var/backups/gitea").ok().split()
    assert copies[-1].partition("-")[2] == first

    # One that spoils all data and dies: back to the second, with the issue written meanwhile.
    write_issue(forge, "two")
    bad = forge.deploy(**forge.program(tmp_path, "1.26.6", HAVOC))
    assert bad.rc == 2
    assert "was taken back: it died as it started" in bad.last
    assert f"{second} runs again with its data" in bad.last
    assert forge.release == second
    assert issues(forge) == ["one", "two"]
    assert forge.host.run("test", "-e", "/var/lib/gitea/left").rc == 1
    assert forge.host.sh("ls -A /var/lib/gitea | grep '^[.]re'").rc == 1
    clone = forge.api("GET", "v1/repos/forge-admin/upgrades/contents/README.md", token=token)
    assert clone[0] == 200, clone
    assert forge.host.sh("cd /etc/gitea && ls -A . | grep -c next").out.strip() == "0"

    # One that never answers, and the power goes while it is waited for.
    stuck = forge.program(tmp_path, "1.26.7", "echo stuck >/var/lib/gitea/left; exec sleep 600")
    cut_off(forge, stuck)
    assert forge.release.startswith("1.26.7-")
    assert forge.host.run("test", "-e", "/opt/gitea/upgrade.json").rc == 0
    back = forge.deploy(**following).ok()
    assert "An upgrade that never became healthy was taken back first" in back.out
    assert forge.release == second
    assert issues(forge) == ["one", "two"]
    assert forge.host.sh("cat /var/lib/gitea/.replaced-*/left").ok() == "stuck\n"
    assert forge.host.run("test", "-e", "/opt/gitea/upgrade.json").rc == 1
    assert forge.deploy(**following).ok().changed() == {forge.host.name: 0}


def cut_off(forge: forge_host.Forge, program: dict[str, str]) -> None:
    """Start an upgrade and take the host's power when the new release is in force."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(forge.deploy, **program)
        until = time.monotonic() + 120
        while not forge.host.run("cat", "/var/lib/gitea/left").out.startswith("stuck"):
            assert time.monotonic() < until, "the new release was never started"
            assert not running.done(), running.result().out[-3000:]
            time.sleep(0.5)
        power = ["docker", "container"]
        subprocess.run([*power, "kill", forge.container], check=True, capture_output=True, timeout=60)
        done: runs.Run = running.result(timeout=120)
        subprocess.run([*power, "start", forge.container], check=True, capture_output=True, timeout=60)
    assert done.rc != 0
    while forge.host.run("true").rc != 0:
        assert time.monotonic() < until + 120, "the host did not come back"
        time.sleep(0.5)
    forge.__dict__.pop("url", None)  # another address, perhaps
