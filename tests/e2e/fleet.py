# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live fleet as its own inventory describes it, and a way to run a program on one of its hosts.

TIMMY_E2E_INVENTORY names the inventories, separated by colons (default build/sandbox/inventory).
"""

from __future__ import annotations

import base64
import functools
import json
import os
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TIMMY = "/opt/timmy/current/bin/timmy"


@dataclass(frozen=True)
class Done:
    """How a program on a host ended."""

    rc: int
    out: str
    err: str

    def ok(self) -> str:
        """Return its output, or fail with everything it said."""
        assert self.rc == 0, f"exit code {self.rc}\n{self.out[-3000:]}\n{self.err[-3000:]}"
        return self.out


@dataclass(frozen=True)
class Host:
    """A host with the ssh settings that its inventory gives."""

    name: str
    # What a failing test prints must not hold the vault.
    vars: dict[str, Any] = field(repr=False)

    @property
    def address(self) -> str:
        """Return where it answers."""
        return str(self.vars.get("ansible_host", self.name))

    @property
    def port(self) -> int:
        """Return its ssh port."""
        return int(self.vars.get("ansible_port", 22))

    def ssh(self, *options: str) -> list[str]:
        """Return the ssh command up to the remote command, with the inventory's own arguments."""
        argv = ["ssh", "-n", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-p", str(self.port)]
        for name in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
            argv += shlex.split(str(self.vars.get(name, "")))
        if key := self.vars.get("ansible_ssh_private_key_file"):
            argv += ["-i", str(key)]
        user = self.vars.get("ansible_user")
        return [*argv, *options, f"{user}@{self.address}" if user else self.address]

    def run(self, *argv: str, user: str = "root", timeout_s: float = 60.0) -> Done:
        """Run a program on the host as this user; sudo where the login is not root."""
        if user != "root":
            argv = (
                "setpriv",
                f"--reuid={user}",
                f"--regid={user}",
                "--init-groups",
                "--reset-env",
                "--",
                *argv,
            )
        if self.vars.get("ansible_user", "root") != "root":
            argv = ("sudo", "-n", "--", *argv)
        done = subprocess.run(
            [*self.ssh(), shlex.join(argv)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def sh(self, script: str, user: str = "root", timeout_s: float = 60.0) -> Done:
        """Run a shell script on the host."""
        return self.run("/bin/sh", "-c", script, user=user, timeout_s=timeout_s)

    def write(self, path: str, text: str, mode: str = "0644") -> None:
        """Write a small file as root."""
        packed = base64.b64encode(text.encode()).decode()
        where = shlex.quote(path)
        self.sh(f"umask 077; echo {packed} | base64 -d >{where} && chmod {mode} {where}").ok()

    def unpack(self, archive: Path, into: str, user: str) -> None:
        """Unpack a tar archive of this machine into a folder of a user on the host."""
        where = shlex.quote(into)
        as_user = f"setpriv --reuid={user} --regid={user} --init-groups"
        command = f"{as_user} sh -c 'mkdir -p {where} && tar -x -C {where}'"
        if self.vars.get("ansible_user", "root") != "root":
            command = f"sudo -n -- {command}"
        argv = [part for part in self.ssh() if part != "-n"]
        with archive.open("rb") as stream:
            subprocess.run([*argv, command], stdin=stream, timeout=120, check=True, capture_output=True)

    def json(self, *argv: str, user: str = "root", timeout_s: float = 60.0) -> Any:
        """Return the JSON that a program prints, whatever its exit code says."""
        done = self.run(*argv, user=user, timeout_s=timeout_s)
        try:
            return json.loads(done.out)
        except ValueError:
            raise AssertionError(f"no JSON from {argv}: exit {done.rc}\n{done.out}\n{done.err}") from None


@dataclass(frozen=True)
class WizardAt:
    """A wizard and its host."""

    name: str
    host: Host
    api_port: int
    unit: str

    def api(
        self, method: str, path: str, body: Any = None, *, key: bool = True, timeout_s: float = 90.0
    ) -> Any:
        """Ask its gateway from its own host; the key is read there and never stands in an argument."""
        data = "" if body is None else f"data = {json.dumps(json.dumps(body))}\n"
        config = self.host.sh("mktemp").ok().strip()
        self.host.write(
            config,
            f'url = "http://127.0.0.1:{self.api_port}{path}"\nrequest = {method}\nsilent\n'
            f'header = "Content-Type: application/json"\nmax-time = {timeout_s:g}\n{data}',
            "0600",
        )
        read_key = f"sed -n 's/^API_SERVER_KEY=//p' /etc/timmy/agents/{self.name}.env | tr -d \"'\\\"\""
        header = (
            f'printf \'header = "Authorization: Bearer %s"\\n\' "$({read_key})" >>{config};' if key else ""
        )
        done = self.host.sh(
            f"{header} curl --config {config}; rc=$?; rm -f {config}; exit $rc", timeout_s=timeout_s + 10
        )
        assert done.rc == 0, f"{self.name}: curl ended with {done.rc}: {done.err}"
        return json.loads(done.out)


@dataclass(frozen=True)
class Fleet:
    """All of it."""

    hosts: tuple[Host, ...]
    wizards: tuple[WizardAt, ...]
    variables: dict[str, Any] = field(repr=False)

    def host(self, name: str) -> Host:
        """Return one host."""
        return next(one for one in self.hosts if one.name == name)


def ansible(*argv: str) -> list[str]:
    """Return an Ansible command of the project's own environment."""
    return [str(ROOT / "build/env/bin" / argv[0]), *argv[1:]]


def inventories() -> list[str]:
    """Return the inventory arguments."""
    given = os.environ.get("TIMMY_E2E_INVENTORY", "build/sandbox/inventory").split(":")
    return [part for place in given for part in ("-i", str(ROOT / place))]


def _vault() -> list[str]:
    # the project's door for the password; without one the values that are not secret are still to be read
    password = ROOT / "build/vault-password"
    return ["--vault-password-file", str(password)] if password.exists() else []


@functools.cache
def current() -> Fleet:
    """Read the fleet from its inventory, once."""
    # Else the group_vars of the checkout that we stand in would count as a playbook's, and win.
    own = ["--playbook-dir", str(ROOT / "playbooks")]
    argv = ansible("ansible-inventory", *inventories(), *_vault(), *own, "--list")
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, f"the inventory cannot be read: {done.stderr}"
    listed = json.loads(done.stdout)
    hostvars = listed["_meta"]["hostvars"]
    members = {name for group in ("wizards", "forge") for name in listed.get(group, {}).get("hosts", ())}
    hosts = {name: Host(name, hostvars.get(name, {})) for name in sorted(members)}
    shared = next(iter(hostvars.values()))
    wizards = [row for row in shared["timmy_wizards"] if row.get("state", "present") == "present"]
    assert hosts, "no host in the groups wizards and forge"
    assert wizards, "no wizard in timmy_wizards"
    found = []
    for row in wizards:
        settings = hosts[row["host"]].json("cat", "/etc/timmy/fleet.json")
        (mine,) = [one for one in settings["wizards"] if one["name"] == row["name"]]
        found.append(WizardAt(row["name"], hosts[row["host"]], mine["api_port"], mine["unit"]))
    return Fleet(tuple(hosts.values()), tuple(found), shared)
