# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop and start of the sandbox's hosts: all is back within two minutes, and nobody lent a hand."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

from fleet import TIMMY

if TYPE_CHECKING:
    from fleet import Fleet, Host

LIMIT_S = 120.0


def docker(*argv: str, timeout_s: float = 180.0) -> str:
    """Run docker and return what it prints."""
    done = subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"docker {' '.join(argv)}: {done.stderr}"
    return done.stdout


def containers(fleet: Fleet) -> dict[str, str]:
    """Return the container of each host, found by the ssh port that it publishes."""
    found = {}
    for name in docker("ps", "--format", "{{.Names}}").split():
        ports = json.loads(docker("inspect", "--format", "{{json .HostConfig.PortBindings}}", name)) or {}
        for binding in ports.get("22/tcp") or []:
            for host in fleet.hosts:
                if str(host.port) == binding["HostPort"]:
                    found[host.name] = name
    return found


def boot_id(host: Host) -> str:
    """Return what identifies the run of the host's init; containers share the kernel's own boot id."""
    return host.run("stat", "-c", "%Y.%Z", "/proc/1").ok().strip()


def well(host: Host) -> str:
    """Return an empty string when the host is up and says that all is well, else what is not."""
    try:
        up = host.run("systemctl", "is-system-running", timeout_s=10.0)
        if up.out.strip() != "running":
            return f"systemd says {up.out.strip() or up.err.strip()}"
        if host.run("test", "-e", "/etc/timmy/fleet.json", timeout_s=10.0).rc != 0:
            return ""  # no wizard is meant to live there
        status = host.run(TIMMY, "status", timeout_s=20.0)
    except subprocess.TimeoutExpired:
        return "no answer"
    return "" if status.rc == 0 else status.out.strip() or status.err.strip()


def test_after_a_stop_and_a_start_everything_is_back_without_hands(fleet: Fleet) -> None:
    names = containers(fleet)
    assert set(names) == {host.name for host in fleet.hosts}, "a host of the inventory has no container"
    before = {host.name: boot_id(host) for host in fleet.hosts}
    releases = {one.name: one.host.run("readlink", "/opt/timmy/current").ok() for one in fleet.wizards}
    docker("stop", "--time", "60", *names.values())
    docker("start", *names.values())
    started = time.monotonic()
    waiting = {host.name: "not asked yet" for host in fleet.hosts}
    while waiting and time.monotonic() - started < LIMIT_S:
        for host in fleet.hosts:
            if host.name in waiting:
                waiting[host.name] = well(host)
        waiting = {name: problem for name, problem in waiting.items() if problem}
        time.sleep(1.0)
    assert waiting == {}, f"not back after {LIMIT_S:.0f} s"
    assert not [host.name for host in fleet.hosts if boot_id(host) == before[host.name]], (
        "a host was never stopped"
    )
    assert {
        one.name: one.host.run("readlink", "/opt/timmy/current").ok() for one in fleet.wizards
    } == releases
    for one in fleet.wizards:
        assert one.api("GET", "/health/detailed")["status"] == "ok", one.name
