# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook runs of a trial on the live fleet, and what their recap says."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fleet as live

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PASSWORD = live.ROOT / "build/vault-password"
RECAP = re.compile(r"^(\S+) +: (ok=.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """How a run of a command of Ansible ended."""

    rc: int
    out: str
    err: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Return the numbers of each host in the recap."""
        return {
            host: {name: int(number) for name, number in (part.split("=") for part in numbers.split())}
            for host, numbers in RECAP.findall(self.out)
        }

    @property
    def last(self) -> str:
        """Return the last line."""
        return self.out.strip().splitlines()[-1]

    def changed(self) -> dict[str, int]:
        """Return how much each host changed."""
        return {host: numbers["changed"] for host, numbers in self.recap.items()}

    def ok(self) -> Run:
        """Return itself, or fail with what it said."""
        assert self.rc == 0, f"exit code {self.rc}\n{self.out[-6000:]}\n{self.err[-3000:]}"
        return self


def command(
    *argv: str, cwd: Path = live.ROOT, env: Mapping[str, str] | None = None, timeout_s: float = 900.0
) -> Run:
    """Run a command of the project's own Ansible."""
    # Molecule hands its own settings down to us; ours are those of the folder that we run in.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        live.ansible(*argv),
        cwd=cwd,
        env={**clean, "ANSIBLE_NOCOLOR": "1", **(env or {})},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def playbook(
    *argv: str,
    inventories: Sequence[str] = (),
    cwd: Path = live.ROOT,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 900.0,
) -> Run:
    """Run a playbook on the fleet; the inventories come after its own, or instead of it when they say so."""
    given = [part for place in inventories for part in ("-i", place)]
    return command(
        "ansible-playbook",
        "--vault-password-file",
        str(PASSWORD),
        *given,
        *argv,
        cwd=cwd,
        env=env,
        timeout_s=timeout_s,
    )


def own_inventories() -> list[str]:
    """Return the paths of the inventories of the fleet under trial."""
    return [part for part in live.inventories() if part != "-i"]


def listed() -> dict[str, Any]:
    """Return what the inventory declares; no host is asked, so that it works where no wizard is left."""
    # Else the group_vars of the folder that we run in, which is the checkout, count as a playbook's, and win.
    own = ["--vault-password-file", str(PASSWORD), "--playbook-dir", str(live.ROOT / "playbooks")]
    told = command("ansible-inventory", *live.inventories(), *own, "--list", timeout_s=120)
    found: dict[str, Any] = json.loads(told.ok().out)
    return found
