# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input ends in one clear last line at the door that was used, before any host is contacted.

The hosts of these fleets are one listener of the test, which counts who knocks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TOKEN = "123456789:canary-token-7f1e-never-shown"
FLEET_SECRET = "canary0f" * 8
VERDICT = "timmy: NOT as declared: "


class Listener:
    """Stands for every host: takes a connection, counts it, hangs up."""

    def __init__(self) -> None:
        self.knocks = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self._socket.accept()
            except OSError:
                return
            self.knocks += 1
            connection.close()

    def close(self) -> None:
        """Stop listening; the thread ends with it."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@dataclass
class Fleet:
    """A fleet of two wizard hosts on paper, in a folder of its own."""

    path: Path
    listener: Listener
    variables: dict[str, Any]

    @property
    def inventory(self) -> Path:
        """Return the inventory of the fleet."""
        return self.path / "inventory"

    @property
    def password(self) -> Path:
        """Return the file with the right password of the vault."""
        return self.path / "password"

    def write(self) -> None:
        """Write the inventory; JSON is YAML."""
        reached = {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.listener.port,
            "ansible_user": "nobody",
            "ansible_ssh_common_args": "-o ControlMaster=no -o ControlPath=none",
        }
        groups: dict[str, Any] = {"wizards": {"hosts": {"tower": {}, "cellar": {}}}}
        variables = self.inventory / "group_vars/all"
        variables.mkdir(parents=True, exist_ok=True)
        (self.inventory / "hosts.yml").write_text(json.dumps({"all": {"vars": reached, "children": groups}}))
        (variables / "fleet.yml").write_text(json.dumps(self.variables))

    def overlay(self) -> Path:
        """Return a copy of the overlay that this fleet uses from now on."""
        copy = self.path / "overlay"
        shutil.copytree(ROOT / "overlay", copy)
        self.variables["timmy_overlay_dir"] = str(copy)
        return copy

    def encrypt(self) -> None:
        """Move the secret of the fleet into a vault."""
        self.password.write_text("the right one\n")
        del self.variables["timmy_fleet_secret"]
        self.write()
        argv = ["encrypt", f"--vault-password-file={self.password}", "--encrypt-vault-id=default"]
        text = json.dumps({"timmy_fleet_secret": FLEET_SECRET})
        output = self.inventory / "group_vars/all/vault.yml"
        subprocess.run(
            [str(BIN / "ansible-vault"), *argv, f"--output={output}"],
            input=text,
            text=True,
            cwd=self.path,
            env=self.env(),
            capture_output=True,
            timeout=60,
            check=True,
        )

    def env(self, **more: str) -> dict[str, str]:
        """Return an environment that knows nothing of the user who runs the tests."""
        home = str(self.path)
        return {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1", **more}

    def run(self, *argv: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> Done:
        """Run a door of the checkout."""
        done = subprocess.run(
            argv, cwd=cwd, env=env or self.env(), capture_output=True, text=True, timeout=120, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr, self.listener.knocks)

    def playbook(self, *argv: str, name: str = "playbooks/site.yml") -> Done:
        """Run a playbook of the checkout on this fleet."""
        return self.run(str(BIN / "ansible-playbook"), "-i", str(self.inventory), *argv, name)

    def deploy(self, *argv: str, **env: str) -> Done:
        """Run deploy.sh on this fleet."""
        given = {
            "TIMMY_INVENTORY": str(self.inventory),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.password),
            **env,
        }
        return self.run("./deploy.sh", *argv, env=self.env(**given))


@dataclass(frozen=True)
class Done:
    """How a door ended, and how often a host was contacted."""

    rc: int
    out: str
    err: str
    knocks: int

    def last(self) -> str:
        """Return the line that stays on the screen: the door's own line, on either stream."""
        told = (self.out if VERDICT in self.out else self.err or self.out).strip().splitlines()
        return told[-1] if told else ""

    def refused(self, *words: str) -> None:
        """Check that it was refused at the door, with these words in the last line."""
        everything = f"{self.out}\n{self.err}"
        assert self.rc != 0, everything
        assert [word for word in words if word not in self.last()] == [], everything
        assert "Traceback" not in everything
        assert "Find out who answers" not in self.out, "the play that contacts hosts has begun"
        assert self.knocks == 0, "a host was contacted"
        for secret in (TOKEN, FLEET_SECRET):
            assert secret not in everything


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Return a fleet whose input is right."""
    listener = Listener()
    one = Fleet(
        tmp_path,
        listener,
        {
            "timmy_wizards": [{"name": "anna", "host": "tower"}, {"name": "berta", "host": "cellar"}],
            "timmy_fleet_secret": FLEET_SECRET,
            "timmy_wizard_secrets": {"anna": {"TELEGRAM_BOT_TOKEN": TOKEN}},
        },
    )
    yield one
    listener.close()


def same_token(fleet: Fleet) -> None:
    fleet.variables["timmy_wizard_secrets"]["berta"] = {"TELEGRAM_BOT_TOKEN": TOKEN}


def no_unix_name(fleet: Fleet) -> None:
    fleet.variables["timmy_wizards"][1]["name"] = "Berta the Second"


def stray_host(fleet: Fleet) -> None:
    fleet.variables["timmy_wizards"][1]["host"] = "celler"


def short_context(fleet: Fleet) -> None:
    fleet.variables["timmy_model"] = {"context_length": 63999}


def misspelt_wizard_key(fleet: Fleet) -> None:
    fleet.variables["timmy_wizards"][1]["memory_maxx"] = "2G"


def misspelt_role_variables(fleet: Fleet) -> None:
    fleet.variables.update({"sidecar_agent": [], "common_agnets": []})


def broken_yaml(fleet: Fleet) -> None:
    path = fleet.overlay() / "config.yaml"
    path.write_text(path.read_text() + "broken: [1, 2\n")


def unknown_key(fleet: Fleet) -> None:
    path = fleet.overlay() / "config.yaml"
    path.write_text(path.read_text().replace("  max_turns: 60\n", "  max_turn: 60\n", 1))


def mistyped_key(fleet: Fleet) -> None:
    path = fleet.overlay() / "config.yaml"
    path.write_text(path.read_text().replace("  max_turns: 60\n", "  max_turns: many\n", 1))


def short_context_in_overlay(fleet: Fleet) -> None:
    path = fleet.overlay() / "config.yaml"
    before = 'context_length: "{{ wizard.primary.context_length }}"'
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, "context_length: 32768", 1))


def no_overlay(fleet: Fleet) -> None:
    fleet.variables["timmy_overlay_dir"] = str(fleet.path / "nowhere")


REFUSED: list[tuple[Callable[[Fleet], None], tuple[str, ...]]] = [
    (same_token, ("anna and berta", "TELEGRAM_BOT_TOKEN", "one bot for each agent")),
    (no_unix_name, ("timmy_wizards[1]", "no Unix name", "lower-case letters")),
    (stray_host, ("'celler' is no host of the inventory", "cellar")),
    (short_context, ("timmy_model: context_length", "63999", "64000", "use 65536")),
    (misspelt_wizard_key, ("timmy_wizards[1]", "memory_maxx", "did you mean", "memory_max")),
    (misspelt_role_variables, ("common_agnets, sidecar_agent", "README")),
    (broken_yaml, ("overlay/config.yaml:", "broken YAML")),
    (unknown_key, ("overlay/config.yaml", "agent.max_turn", "max_turns")),
    (mistyped_key, ("overlay/config.yaml", "agent.max_turns", "whole number")),
    (short_context_in_overlay, ("overlay/config.yaml", "model.context_length", "64000")),
    (no_overlay, ("nowhere", "set timmy_overlay_dir")),
]


@pytest.mark.parametrize(("spoil", "words"), REFUSED, ids=[case[0].__name__ for case in REFUSED])
def test_bad_input_stops_before_any_host(
    fleet: Fleet, spoil: Callable[[Fleet], None], words: tuple[str, ...]
) -> None:
    spoil(fleet)
    fleet.write()
    done = fleet.playbook()
    done.refused(VERDICT, *words)
    recap = re.findall(r"changed=(\d+) +unreachable=(\d+)", done.out)
    assert recap
    assert set(recap) == {("0", "0")}


def test_deploy_ends_with_the_same_line(fleet: Fleet) -> None:
    same_token(fleet)
    fleet.encrypt()
    fleet.deploy("tower").refused(VERDICT, "TELEGRAM_BOT_TOKEN", "one bot for each agent")


def test_the_right_input_does_contact_the_hosts(fleet: Fleet) -> None:
    """The control: the same fleet unspoilt gets past the door, and then names who did not answer."""
    fleet.encrypt()
    done = fleet.playbook(f"--vault-password-file={fleet.password}")
    assert done.rc != 0
    assert done.knocks >= 2, done.out
    assert done.last() == f"{VERDICT}cellar, tower did not answer"


def test_vault_passwords(fleet: Fleet) -> None:
    """Missing and wrong, at both doors; one fleet, since it is the same vault."""
    fleet.encrypt()
    wrong = fleet.path / "wrong"
    wrong.write_text("another one\n")
    missing = str(fleet.path / "missing")
    fleet.playbook(f"--vault-password-file={missing}").refused("vault password file", missing, "not found")
    fleet.playbook().refused(VERDICT, "no host was touched", "--vault-password-file FILE")
    fleet.playbook(f"--vault-password-file={wrong}").refused(
        VERDICT, "no host was touched", "--vault-password-file FILE"
    )
    absent = fleet.deploy("tower", ANSIBLE_VAULT_PASSWORD_FILE=missing)
    absent.refused("deploy: no vault password", missing, "set ANSIBLE_VAULT_PASSWORD_FILE")
    other = fleet.deploy("tower", ANSIBLE_VAULT_PASSWORD_FILE=str(wrong))
    other.refused("deploy: ", str(wrong), "does not open", "vault.yml", "set ANSIBLE_VAULT_PASSWORD_FILE")


def test_deploy_knows_what_it_was_asked(fleet: Fleet) -> None:
    fleet.encrypt()
    fleet.deploy("towr").refused("deploy: towr is no wizard host", "known: ", "tower")
    fleet.deploy("tower", "towr").refused("deploy: towr is no wizard host")
    fleet.deploy("--chek", "tower").refused("deploy: unknown option --chek", "--help")
    fleet.deploy().refused("deploy: this machine (", "is no wizard host", "name one: ", "tower", "cellar")
    nowhere = str(fleet.path / "elsewhere")
    fleet.deploy("tower", TIMMY_INVENTORY=nowhere).refused(
        "deploy: no inventory at", nowhere, "TIMMY_INVENTORY"
    )


def test_deploy_without_an_environment_says_how_to_make_it(fleet: Fleet) -> None:
    shutil.copy(ROOT / "deploy.sh", fleet.path)
    fleet.run("./deploy.sh", "tower", cwd=fleet.path).refused("deploy: ", "no environment", "make env")
