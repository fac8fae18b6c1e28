# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left of wizards that were declared absent: their archive, and nothing else.

The inventory still names them: they were declared absent by extensions/molecule/fleet/absent.yml.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import fleet as live
import pytest
import runs

STORE = "/var/backups/timmy"
ABSENT = "extensions/molecule/fleet/absent.yml"


@dataclass(frozen=True)
class Former:
    """A wizard that was, and its host."""

    name: str
    host: live.Host


@functools.cache
def declared() -> tuple[tuple[live.Host, ...], tuple[Former, ...], dict[str, Any]]:
    """Return the wizard hosts, the former wizards and the variables of the fleet."""
    listed = runs.listed()
    hostvars = listed["_meta"]["hostvars"]
    hosts = {name: live.Host(name, hostvars[name]) for name in listed["wizards"]["hosts"]}
    shared = next(iter(hostvars.values()))
    former = tuple(Former(row["name"], hosts[row["host"]]) for row in shared["timmy_wizards"])
    assert former, "no wizard in timmy_wizards"
    return tuple(hosts.values()), former, shared


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests the former wizards and the hosts where they lived."""
    hosts, former, _shared = declared()
    if "gone" in metafunc.fixturenames:
        metafunc.parametrize("gone", former, ids=[one.name for one in former])
    if "wizard_host" in metafunc.fixturenames:
        metafunc.parametrize("wizard_host", hosts, ids=[one.name for one in hosts])


@pytest.mark.parametrize("database", ["passwd", "group"])
def test_neither_user_nor_group_is_left(gone: Former, database: str) -> None:
    assert gone.host.run("getent", database, "root").rc == 0, "getent itself does not work"
    done = gone.host.run("getent", database, gone.name)
    assert (done.rc, done.out) == (2, "")
    members = gone.host.run("getent", "group", "wizards").out.strip().split(":")[-1]
    assert gone.name not in members.split(",")


def test_no_file_of_the_wizard_is_left(gone: Former) -> None:
    # each of these exists on a host with a wizard, or for the time of a removal
    places = [
        f"/home/{gone.name}",
        f"/home/.{gone.name}.archived",
        f"/etc/timmy/agents/{gone.name}.env",
        f"/etc/timmy/agents/{gone.name}.env.prev",
        f"/etc/systemd/system/timmy-wizard@{gone.name}.service.d",
        f"/etc/systemd/system/multi-user.target.wants/timmy-wizard@{gone.name}.service",
        f"/opt/timmy/current/agents/{gone.name}",
        f"{STORE}/.{gone.name}.partial",
    ]
    done = gone.host.sh(
        "for p in " + " ".join(places) + '; do [ ! -e "$p" ] && [ ! -L "$p" ] || echo "$p"; done'
    )
    assert done.ok() == ""


def test_nothing_on_the_host_belongs_to_nobody(wizard_host: live.Host) -> None:
    """A file whose number no user has any more would fall to the next user who gets the number."""
    assert wizard_host.run("find", "/etc", "/home", "/opt", "-xdev", "-nouser", "-o", "-nogroup").ok() == ""


def test_no_unit_of_a_wizard_is_left(wizard_host: live.Host) -> None:
    argv = ("systemctl", "list-units", "--all", "--plain", "--no-legend")
    assert "ssh.service" in wizard_host.run(*argv, "ssh.service").ok()
    assert wizard_host.run(*argv, "timmy-wizard@*").ok() == ""
    assert wizard_host.run("pgrep", "-af", "bin/[h]ermes ").rc == 1
    failed = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend")
    assert wizard_host.run(*failed).ok().strip() == ""


def test_the_home_is_in_an_archive_that_root_alone_can_read(gone: Former) -> None:
    assert gone.host.run("stat", "-c", "%a %U %G", STORE).ok().strip() == "700 root root"
    archives = gone.host.sh(f"ls -1 {STORE}/{gone.name}-*.tar.gz").ok().split()
    for archive in archives:
        assert gone.host.run("stat", "-c", "%a %U %G", archive).ok().strip() == "600 root root"
    listing = gone.host.run("tar", "--list", "--verbose", "--gzip", "--file", archives[-1]).ok().splitlines()
    entries = {line.split()[5].rstrip("/"): line for line in listing}
    for name in ("", "/.hermes", "/.hermes/memories", "/.hermes/state.db", "/.timmy", "/work"):
        assert f"{gone.name}{name}" in entries, listing
    soul = entries[f"{gone.name}/.hermes/SOUL.md"]
    assert soul.startswith("l")
    assert f"/agents/{gone.name}/home/SOUL.md" in soul
    memory = gone.host.run("tar", "-xzOf", archives[-1], f"{gone.name}/.hermes/memories/MEMORY.md")
    assert memory.ok().strip(), "what the agent remembered is not in its archive"


def test_the_operator_still_gets_in_and_is_root_at_will(wizard_host: live.Host) -> None:
    _hosts, _former, shared = declared()
    ops = str(shared.get("common_ops_user", "ops"))
    assert wizard_host.run("id", "-un").ok().strip() == "root"
    assert wizard_host.run("sudo", "-n", "id", "-un", user=ops).ok().strip() == "root"


def test_a_second_run_changes_nothing() -> None:
    hosts, _former, _shared = declared()
    count = f"ls -1 {STORE}"
    before = {host.name: host.sh(count).ok() for host in hosts}
    done = runs.playbook(ABSENT, inventories=runs.own_inventories()).ok()
    assert {host.name for host in hosts} <= set(done.recap)
    assert done.changed() == dict.fromkeys(done.recap, 0), done.out
    assert "as declared" in done.last
    assert {host.name: host.sh(count).ok() for host in hosts} == before
