# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that does not answer, the canary included: the others go on, and the last line names it."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
import runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fleet import Fleet


@pytest.fixture
def dead_port() -> Iterator[int]:
    """Return a port of this machine that is taken, so that nobody else listens there, and never answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def wizard_hosts(fleet: Fleet) -> list[str]:
    """Return the wizard hosts in the order of the inventory; the first of them is the canary."""
    found: list[str] = runs.listed()["wizards"]["hosts"]
    assert len(found) >= 2, "a fleet of one host has no others that could go on"
    return found


@pytest.mark.parametrize("place", [0, -1], ids=["canary", "follower"])
def test_the_others_go_on_without_a_silent_host(
    place: int, fleet: Fleet, dead_port: int, tmp_path: Path
) -> None:
    names = wizard_hosts(fleet)
    silent = names[place]
    moved = {"all": {"hosts": {silent: {"ansible_host": "127.0.0.1", "ansible_port": dead_port}}}}
    (tmp_path / "moved.yml").write_text(json.dumps(moved))

    done = runs.playbook("playbooks/sidecar.yml", inventories=[*runs.own_inventories(), str(tmp_path)])

    assert done.rc != 0
    assert done.last == f"timmy: NOT as declared: {silent} did not answer"
    assert f"--limit {silent}" in done.out, "it does not say how to go on"
    others = [name for name in names if name != silent]
    told = {name: done.recap[name] for name in others}
    assert [name for name in others if told[name]["failed"] or told[name]["unreachable"]] == [], done.out
    assert done.changed() == dict.fromkeys(done.recap, 0), done.out
    # the question to each host, so that the recap cannot be one of hosts that were passed over
    asked = done.out.split("Ask each wizard host", 1)[1]
    assert [name for name in others if f"ok: [{name}]" not in asked] == [], done.out
    assert done.recap[silent]["unreachable"] + done.recap[silent]["ignored"] >= 1


def test_with_all_hosts_silent_nothing_is_called_well(fleet: Fleet, dead_port: int, tmp_path: Path) -> None:
    names = wizard_hosts(fleet)
    everybody = [host.name for host in fleet.hosts]
    reached = {"ansible_host": "127.0.0.1", "ansible_port": dead_port}
    (tmp_path / "moved.yml").write_text(json.dumps({"all": {"hosts": dict.fromkeys(everybody, reached)}}))

    done = runs.playbook("playbooks/sidecar.yml", inventories=[*runs.own_inventories(), str(tmp_path)])

    assert done.rc != 0
    assert done.last == f"timmy: NOT as declared: {', '.join(sorted(names))} did not answer"
    assert set(names) <= set(done.recap)
    assert done.changed() == dict.fromkeys(done.recap, 0)
