# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet that deploys are timed on: four wizard hosts in a box, all reached over SSH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
NAME = "bench-release"
INVENTORY = ROOT / "build" / NAME / "inventory"
BIN = ROOT / "build" / "env" / "bin"
COLLECTIONS = ROOT / "build" / "bench-collections"
# The last line of a run that went well.
WELL = "as declared"


class FleetError(Exception):
    """A step of the fleet did not work; its last lines."""


def output(argv: list[str], **more: str) -> str:
    """Run a command that must succeed and return what it printed, its last line last."""
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **more}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise FleetError(f"{' '.join(argv)} ended with {done.returncode}:\n{tail}")
    return done.stderr + done.stdout


def seconds(argv: list[str], **more: str) -> tuple[float, str]:
    """How long a command took that must succeed, and what it printed."""
    began = time.monotonic()
    text = output(argv, **more)
    return time.monotonic() - began, text


class Fleet:
    """Four hosts; each verb is a whole command, as an operator would type it."""

    def __init__(self) -> None:
        self.password = output(["sh", "scripts/vault_password.sh"]).strip()
        self.hosts = ["bench-1", "bench-2", "bench-3", "bench-4"]

    def up(self) -> None:
        """Bring the fleet from nothing to running wizards."""
        output(["sh", "sandbox/engine.sh", "up"])
        self._own("create.yml", "--extra-vars", f"sandbox_fleet_file={HERE / 'fleet.yml'}")
        vault = INVENTORY / "group_vars" / "all" / "vault.yml"
        if not vault.exists():
            made = f"vault_init_dest={vault} vault_init_password_file={self.password}"
            self._play("playbooks/vault_init.yml", "--extra-vars", made)
        self._play("playbooks/site.yml")

    def down(self) -> None:
        """Remove the fleet."""
        self._own("destroy.yml")

    def ping(self) -> float:
        """The measure of all: `ansible all -m ping`."""
        argv = ["ansible", "--inventory", str(INVENTORY), "--vault-password-file", self.password]
        return seconds([*argv, "all", "-m", "ansible.builtin.ping"])[0]

    def sidecar(self, overlay: Path) -> tuple[float, str]:
        """A whole run of the operator's playbook, canary and confirmation included."""
        took, text = seconds(
            self._argv("playbooks/sidecar.yml", "--extra-vars", f"timmy_overlay_dir={overlay}")
        )
        if WELL not in text.splitlines()[-1]:
            raise FleetError(f"the deploy is not well: {text.splitlines()[-1]}")
        return took, text

    def synchronize(self, overlay: Path, facts: bool) -> float:
        """The same tree by ansible.posix.synchronize, which neither proves nor flips nor confirms.

        With `facts` it is a play as people write it, which gathers them; without, it is the transfer alone.
        """
        paths = f"{ROOT / 'build/collections'}:{COLLECTIONS}"
        # Written here, since its module is only at hand where it is measured.
        task = {"src": f"{overlay}/", "dest": "/opt/bench-synchronize/", "delete": True}
        play = {
            "name": "Bring the tree to the hosts",
            "hosts": "wizards",
            "gather_facts": facts,
            "vars": {"ansible_pipelining": True},
            "tasks": [{"name": "Synchronize the tree", "ansible.posix.synchronize": task}],
        }
        playbook = INVENTORY.parent / "synchronize.yml"
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        argv = self._argv(str(playbook))
        return seconds(argv, ANSIBLE_COLLECTIONS_PATH=paths)[0]

    def prepare_synchronize(self) -> None:
        """Provide rsync on both sides, and the collection from its locked wheel."""
        if not (COLLECTIONS / "ansible_collections" / "ansible" / "posix").is_dir():
            lock = ROOT / "requirements" / "bench.txt"
            argv = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            output([*argv, "--no-deps", "--require-hashes", "--target", str(COLLECTIONS), "-r", str(lock)])
        output(["sh", "-c", "command -v rsync || { apt-get -qq update && apt-get -qqy install rsync; }"])

    def on(self, host: str, script: str, *arguments: str) -> str:
        """Run a Python program as root on a host, beside everything that is measured."""
        argv = ["docker", "exec", "--interactive", f"timmy-{NAME}-{host}", "/usr/bin/python3", "-I", "-"]
        argv += arguments
        done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise FleetError(f"{host}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def transport(self) -> str:
        """How hosts are reached, for the reader of the figures."""
        text = output(["ansible-config", "dump", "--type", "connection", "--only-changed"])
        wanted = ("pipelining", "ssh_args")
        found = [line for line in text.splitlines() if line.lower().startswith(wanted)]
        return "; ".join(found) or "Ansible's own defaults"

    def _own(self, playbook: str, *more: str) -> None:
        argv = ["ansible-playbook", "--inventory", "localhost,", "--extra-vars", f"sandbox_name={NAME}"]
        argv += ["--extra-vars", f"sandbox_hosts_file={HERE / 'hosts.yml'}", *more]
        output([*argv, f"sandbox/{playbook}"])

    def _argv(self, playbook: str, *more: str) -> list[str]:
        argv = ["ansible-playbook", "--inventory", str(INVENTORY), "--vault-password-file", self.password]
        return [*argv, *more, playbook]

    def _play(self, playbook: str, *more: str) -> None:
        output(self._argv(playbook, *more))


def say(line: str) -> None:
    """Progress for whoever watches; figures go to standard output."""
    sys.stderr.write(f"{line}\n")
