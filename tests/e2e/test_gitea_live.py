# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge as the role brought it up: it works, it is closed, and its secrets are on its host alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import forge_host
import pytest

PRIVATE = {
    "/etc/gitea": "750 root gitea",
    "/etc/gitea/app.ini": "640 root gitea",
    "/etc/gitea/secrets": "750 root gitea",
    "/etc/gitea/secrets/SECRET_KEY": "640 root gitea",
    "/etc/gitea/secrets/INTERNAL_TOKEN": "640 root gitea",
    "/etc/gitea/secrets/JWT_SECRET": "640 root gitea",
    "/etc/gitea/secrets/LFS_JWT_SECRET": "640 root gitea",
    "/etc/gitea/tokens": "700 root root",
    "/etc/gitea/tokens/forge-admin": "600 root root",
    "/etc/gitea/tokens/reader": "600 root root",
    "/var/lib/gitea": "750 gitea gitea",
    "/var/backups/gitea": "700 root root",
}


@pytest.fixture(name="forge")
def the_forge() -> forge_host.Forge:
    return forge_host.current()


def secrets_of(forge: forge_host.Forge) -> list[str]:
    """Return all that must stay on the host: secrets and tokens."""
    found = (
        forge.host.sh("for f in /etc/gitea/secrets/* /etc/gitea/tokens/*; do cat $f; echo; done").ok().split()
    )
    assert len(found) == 6
    assert all(len(one) >= 40 for one in found)
    return found


def test_it_runs_the_version_that_was_asked_for(forge: forge_host.Forge) -> None:
    assert forge.api("GET", "healthz")[0] == 200
    status, answer = forge.api("GET", "v1/version", token=forge.token())
    assert (status, answer["version"]) == (200, forge.version)
    assert forge.release.startswith(f"{forge.version}-")


def test_it_is_closed_to_strangers(forge: forge_host.Forge) -> None:
    assert forge.api("GET", "v1/version")[0] == 403
    assert forge.api("GET", "v1/repos/search")[0] == 403


def test_tokens_can_do_what_was_declared_and_no_more(forge: forge_host.Forge) -> None:
    status, who = forge.api("GET", "v1/user", token=forge.token())
    assert (status, who["login"], who["is_admin"]) == (200, "forge-admin", True)
    status, who = forge.api("GET", "v1/user", token=forge.token("reader"))
    assert (status, who["login"], who["is_admin"]) == (200, "reader", False)
    status, _said = forge.api("POST", "v1/user/repos", {"name": "mine"}, token=forge.token("reader"))
    assert status == 403


def test_files_belong_to_whom_they_should(forge: forge_host.Forge) -> None:
    shown = forge.host.run("stat", "--format=%n:%a %U %G", *PRIVATE).ok().splitlines()
    assert dict(line.split(":") for line in shown) == PRIVATE


def test_no_secret_is_anywhere_else(forge: forge_host.Forge) -> None:
    """Not in the configuration, the journal, an argument, or what the runs printed on the controller."""
    places = forge.host.sh(
        "cat /etc/gitea/app.ini /etc/systemd/system/gitea.service /usr/local/sbin/gitea;"
        " journalctl --no-pager --output cat; tr '\\0' ' ' </proc/[0-9]*/cmdline; cat /proc/[0-9]*/cmdline"
    ).out
    logs = "".join(Path(name).read_text(errors="replace") for name in os.environ["TIMMY_E2E_LOGS"].split(":"))
    assert "gitea web" in places.replace("\0", " ")
    assert "Make accounts and tokens that are missing" in logs
    for secret in secrets_of(forge):
        assert secret not in places
        assert secret not in logs
    assert "random password is" not in places + logs


def test_the_unit_is_hardened_and_nothing_else_listens(forge: forge_host.Forge) -> None:
    shown = forge.host.run(
        "systemctl", "show", "--property=User,MainPID,MemoryMax,ProtectSystem", "gitea"
    ).ok()
    values = dict(line.split("=", 1) for line in shown.splitlines())
    assert (values["User"], values["ProtectSystem"], values["MemoryMax"]) == ("gitea", "strict", str(2 << 30))
    status = forge.host.run("cat", f"/proc/{values['MainPID']}/status").ok()
    fields = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines()}
    assert fields["CapBnd"] == ["0000000000000000"]
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == (["1"], ["2"])
    listening = forge.host.run("ss", "--listening", "--tcp", "--numeric", "--no-header").ok().splitlines()
    # The engine's own name server stands in the host's network as well.
    places = [line.split()[3].rpartition(":") for line in listening]
    ports = {port for address, _colon, port in places if address != "127.0.0.11"}
    assert ports == {"22", "3000"}


def test_a_push_is_kept_through_a_kill(forge: forge_host.Forge, tmp_path: Path) -> None:
    token = forge.token()
    assert forge.api("POST", "v1/user/repos", {"name": "kept", "auto_init": True}, token=token)[0] == 201
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: token {token}",
        "GIT_TERMINAL_PROMPT": "0",
    }

    def git(*argv: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@forge.test")
        done = subprocess.run(
            ["git", *who, *argv],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    address = f"{forge.url}/forge-admin/kept.git"
    git("clone", "--quiet", address, "kept")
    git("-C", "kept", "commit", "--quiet", "--allow-empty", "--message", "more")
    git("-C", "kept", "push", "--quiet", "origin", "HEAD:main")
    mine = git("-C", "kept", "rev-parse", "HEAD")
    forge.host.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "gitea").ok()
    forge.wait()
    assert git("ls-remote", address, "refs/heads/main").split()[0] == mine


def test_a_change_of_the_configuration_is_foretold_and_restarts_once(forge: forge_host.Forge) -> None:
    def started() -> str:
        return forge.host.run("systemctl", "show", "--property=ExecMainStartTimestampMonotonic", "gitea").ok()

    before = started(), forge.host.run("cat", "/etc/gitea/app.ini").ok()
    told = forge.deploy("--check", "--diff", gitea_default_branch="trunk").ok()
    assert "+DEFAULT_BRANCH = trunk" in told.out
    assert (started(), forge.host.run("cat", "/etc/gitea/app.ini").ok()) == before
    done = forge.deploy(gitea_default_branch="trunk").ok()
    assert done.changed() == told.changed() == {forge.host.name: 2}
    assert started() != before[0]
