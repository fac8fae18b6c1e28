# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of the vault stand in the env files and nowhere else.

The canaries are the real secrets of this fleet: what the env files hold on each host, and what the vault
holds. They travel to a host on stdin of a program, never in an argument. TIMMY_E2E_LOGS names files and
directories, separated by colons, with what the playbook runs printed.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fleet as live
import pytest

if TYPE_CHECKING:
    from fleet import Host

# Runs on the host as root. Names of secrets and places are printed, values never.
SEARCH = """
import json, os, pathlib, subprocess, sys
canaries = json.loads(sys.stdin.read())
for env in pathlib.Path("/etc/timmy/agents").glob("*.env"):
    for line in env.read_text().splitlines():
        name, sign, value = line.partition("=")
        value = value.strip().strip("'\\"")
        if sign and len(value) >= 16 and any(word in name for word in ("KEY", "TOKEN", "SECRET", "PASSWORD")):
            canaries[env.stem + "/" + name] = value
found = []
def look(place, data):
    for name, value in canaries.items():
        if value.encode() in data:
            found.append(name + " in " + place)
def tree(root):
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and os.path.isfile(path):
                look(path, open(path, "rb").read())
for root in ("/opt/timmy", "/var/log", "/var/lib/timmy", "/tmp", "/root"):
    tree(root)
journal = ["journalctl", "--no-pager", "-o", "export"]
look("the journal", subprocess.run(journal, stdout=subprocess.PIPE).stdout)
for entry in os.listdir("/proc"):
    if entry.isdigit() and int(entry) != os.getpid():
        try:
            look("/proc/" + entry + "/cmdline", open("/proc/" + entry + "/cmdline", "rb").read())
        except OSError:
            pass
print(json.dumps({"canaries": len(canaries), "found": found}))
"""


def vault() -> dict[str, str]:
    """Return every secret of the vault by name, flattened."""
    found: dict[str, str] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{name}.{key}", inner)
        elif isinstance(value, str) and len(value) >= 16:
            found[name] = value

    for name, value in live.current().variables.items():
        if name.startswith("vault_"):
            walk(name, value)
    return found


def search(host: Host, canaries: dict[str, str]) -> dict[str, Any]:
    """Run the search on a host, the canaries on its stdin."""
    code = base64.b64encode(SEARCH.encode()).decode()
    python = ["python3", "-c", f"import base64; exec(base64.b64decode('{code}'))"]
    sudo = ["sudo", "-n", "--"] if host.vars.get("ansible_user", "root") != "root" else []
    argv = [word for word in host.ssh() if word != "-n"]
    done = subprocess.run(
        [*argv, shlex.join([*sudo, *python])],
        input=json.dumps(canaries), capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_search_would_find_a_leak(host: Host) -> None:
    canary = "e2e-leaked-secret-0123456789"
    host.write("/var/log/e2e-leak.log", f"password={canary}\n", "0600")
    try:
        told = search(host, {"planted": canary})
    finally:
        host.run("rm", "-f", "/var/log/e2e-leak.log")
    assert "planted in /var/log/e2e-leak.log" in told["found"]


def test_no_secret_is_in_logs_releases_or_arguments(host: Host) -> None:
    canaries = vault()
    assert canaries, "the vault holds nothing that could be looked for"
    told = search(host, canaries)
    assert told["found"] == []


def test_each_wizard_has_secrets_that_were_looked_for() -> None:
    for host in {one.host.name: one.host for one in live.current().wizards}.values():
        told = search(host, {})
        assert told["canaries"] >= 1, f"{host.name}: no env file with a secret"


def test_what_the_playbooks_printed_holds_no_secret() -> None:
    given = os.environ.get("TIMMY_E2E_LOGS")
    if not given:
        pytest.fail("TIMMY_E2E_LOGS is not set: there is no output to search", pytrace=False)
    places = [Path(part) for part in given.split(":")]
    files = [
        path
        for place in places
        for path in ([place] if place.is_file() else place.rglob("*"))
        if path.is_file()
    ]
    assert files, f"no file in {given}"
    canaries = vault()
    for host in {one.host.name: one.host for one in live.current().wizards}.values():
        for wizard in live.current().wizards:
            if wizard.host.name == host.name:
                text = host.run("cat", f"/etc/timmy/agents/{wizard.name}.env").ok()
                for line in text.splitlines():
                    name, sign, value = line.partition("=")
                    if sign and len(value) >= 16 and name.endswith(("KEY", "TOKEN", "SECRET", "PASSWORD")):
                        canaries[f"{wizard.name}/{name}"] = value.strip("'\"")
    found = [
        f"{name} in {path}"
        for path in files
        for name, value in canaries.items()
        if value.encode() in path.read_bytes()
    ]
    assert found == []


def test_env_files_are_closed_to_others(host: Host) -> None:
    told = host.sh("for f in /etc/timmy/agents/*.env; do [ ! -e $f ] || stat -c '%a %U %G %n' $f; done").ok()
    for line in told.splitlines():
        mode, owner, group, path = line.split()
        assert (mode, owner, group) == ("640", "root", Path(path).stem), line
