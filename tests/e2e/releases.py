# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploys of a trial's own overlay by the role `sidecar` itself, with the whole answer of the module."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import fleet as live
import runs

if TYPE_CHECKING:
    from pathlib import Path

    from fleet import Host, WizardAt

FULL = os.environ.get("TIMMY_FAULTS", "short") == "full"
# Marks a run with all that it starts.
RUN = "TIMMY_E2E_RUN"
ANSWER = "{{ lookup('ansible.builtin.env', 'TIMMY_E2E_ANSWER') }}"
PLAY: list[dict[str, Any]] = [
    {
        "hosts": "wizards",
        "gather_facts": False,
        "vars": {"ansible_pipelining": True},
        "vars_files": [str(live.ROOT / "playbooks/vars/wiring.yml")],
        "tasks": [
            {"ansible.builtin.include_role": {"name": "timmy.config.sidecar"}},
            {
                "ansible.builtin.copy": {
                    "content": "{{ __sidecar_release | to_json }}",
                    "dest": ANSWER,
                    "mode": "0600",
                },
                "delegate_to": "localhost",
                "check_mode": False,
                "become": False,
                "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            },
        ],
    }
]


@dataclass
class Trial:
    """One wizard's host and an overlay that may be changed at will."""

    wizard: WizardAt
    place: Path
    variables: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take a copy of the overlay and write the play down."""
        shutil.copytree(live.ROOT / "overlay", self.overlay)
        (self.place / "play.yml").write_text(json.dumps(PLAY), encoding="utf-8")

    @property
    def overlay(self) -> Path:
        """Return where the trial's overlay is."""
        return self.place / "overlay"

    @property
    def host(self) -> Host:
        """Return the host that is deployed to."""
        return self.wizard.host

    @property
    def home(self) -> str:
        """Return the agent's home."""
        return f"/home/{self.wizard.name}"

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands once in a file of the overlay."""
        path = self.overlay / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name}: {old!r} stands there {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Add a text to the end of a file of the overlay."""
        path = self.overlay / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    def argv(self, *more: str) -> list[str]:
        """Return the arguments of a deploy."""
        given = {"timmy_overlay_dir": str(self.overlay), **self.variables}
        return [str(self.place / "play.yml"), "--limit", self.host.name, "-e", json.dumps(given), *more]

    def run(self, *more: str) -> runs.Run:
        """Run a deploy to its end, whatever that is."""
        return runs.playbook(*self.argv(*more), inventories=runs.own_inventories(), env=self.env)

    @property
    def env(self) -> dict[str, str]:
        """Return what tells the play where the answer goes."""
        return {"TIMMY_E2E_ANSWER": str(self.place / "answer.json")}

    def start(self, *more: str) -> subprocess.Popen[str]:
        """Begin a deploy, for somebody who wants to watch it."""
        given = [part for place in runs.own_inventories() for part in ("-i", place)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return subprocess.Popen(
            live.ansible(
                "ansible-playbook", "--vault-password-file", str(runs.PASSWORD), *given, *self.argv(*more)
            ),
            cwd=live.ROOT,
            env={**clean, "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1", RUN: uuid.uuid4().hex, **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Its ssh masters may outlive it, and must not keep a reader of ours waiting.
            start_new_session=True,
        )

    def deploy(self, *more: str) -> dict[str, Any]:
        """Deploy the overlay as it is now; the module's answer."""
        (self.place / "answer.json").unlink(missing_ok=True)
        self.run(*more).ok()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Return the module's answer of the deploy that ended last."""
        told: dict[str, Any] = json.loads((self.place / "answer.json").read_text(encoding="utf-8"))
        return told

    def predict(self) -> dict[str, Any]:
        """Return what a check says."""
        return self.deploy("--check", "--diff")

    def release(self) -> str:
        """Return the name of the current release."""
        return self.host.run("readlink", "/opt/timmy/current").ok().strip().rpartition("/")[2]

    def pid(self) -> str:
        """Return the process of the gateway."""
        return (
            self.host.run("systemctl", "show", "--property=MainPID", "--value", self.wizard.unit).ok().strip()
        )
