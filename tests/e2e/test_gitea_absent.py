# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge's removal: first all but the data, which a new forge takes over, then everything."""

from __future__ import annotations

import forge_host
import pytest

TRACES = (
    "ls -d /opt/gitea /etc/gitea /var/lib/gitea /var/backups/gitea /usr/local/sbin/gitea /run/gitea-swap.lock"
    " /etc/systemd/system/gitea.service /etc/systemd/system/*.wants/gitea.service 2>/dev/null;"
    " getent passwd gitea; getent group gitea; pgrep -a gitea;"
    " systemctl list-units --all --plain --no-legend 'gitea*'; true"
)


@pytest.fixture(name="forge")
def the_forge() -> forge_host.Forge:
    return forge_host.current()


def test_data_stays_until_its_removal_is_asked_for(forge: forge_host.Forge) -> None:
    token = forge.token()
    gone = forge.deploy(gitea_state="absent").ok()
    assert "its data stays in /var/lib/gitea" in gone.out
    left = forge.host.sh(TRACES).ok().split("\n")
    assert [line for line in left if line] == ["/etc/gitea", "/var/backups/gitea", "/var/lib/gitea"]
    assert (
        forge.host.sh("find /var/lib/gitea /etc/gitea -nouser -o -nogroup | grep -c . || true").ok() == "0\n"
    )

    forge.deploy().ok()
    status, who = forge.api("GET", "v1/user", token=token)
    assert (status, who["login"]) == (200, "forge-admin")


def test_nothing_is_left(forge: forge_host.Forge) -> None:
    told = forge.deploy("--check", gitea_state="absent", gitea_remove_data="true").ok()
    assert forge.api("GET", "healthz")[0] == 200
    done = forge.deploy(gitea_state="absent", gitea_remove_data="true").ok()
    assert done.changed() == told.changed()
    assert forge.host.sh(TRACES).ok().strip() == ""
    assert forge.deploy(gitea_state="absent", gitea_remove_data="true").ok().changed() == {forge.host.name: 0}
