# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way its users run it: the installed collection, an overlay and group_vars of their own, which win.

The tests go on from one another: a check of all hosts, then a run on one. Afterwards the checkout's own
playbook brings the fleet back.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fleet as live
import pytest
import runs
import yaml
from test_secrets import vault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet import Fleet, WizardAt

HEADING = "## Honest"
LINE = "- Greet the operator of this trial by name: Ada."
NAME = "Name of a trial"
# Not a secret of anybody: they are only ever given to a check.
OTHER_FLEET_SECRET = "e2e0" * 16
OTHER_TOKEN = "987654321:e2e-canary-of-a-check"


@dataclass(frozen=True)
class Operator:
    """Somebody who installed the collection and has a fleet, and no checkout."""

    place: Path
    inventories: list[str]
    chosen: WizardAt

    @property
    def env(self) -> dict[str, str]:
        """Return what leads Ansible to the installed copy, and to no settings of the checkout."""
        settings = {"COLLECTIONS_PATH": self.place / "collections", "CONFIG": self.place / "empty.cfg"}
        return {f"ANSIBLE_{name}": str(value) for name, value in settings.items()}

    def sidecar(self, *argv: str) -> runs.Run:
        """Run the installed playbook by its full name, from an empty folder."""
        return runs.playbook(
            *argv,
            "timmy.config.sidecar",
            inventories=self.inventories,
            cwd=self.place / "empty",
            env=self.env,
        )

    def galaxy(self, *argv: str) -> runs.Run:
        """Run ansible-galaxy collection."""
        return runs.command("ansible-galaxy", "collection", *argv, cwd=self.place / "empty", env=self.env)


def soul(wizard: WizardAt) -> str:
    """Return the soul that the agent itself finds in its home."""
    return wizard.host.run("cat", f"/home/{wizard.name}/.hermes/SOUL.md", user=wizard.name).ok()


def state(fleet: Fleet) -> dict[str, tuple[str, str, str]]:
    """Return of each wizard its soul, its release and what its env file holds, unread."""
    return {
        one.name: (
            soul(one),
            one.host.run("readlink", "/opt/timmy/current").ok(),
            one.host.run("sha256sum", f"/etc/timmy/agents/{one.name}.env").ok(),
        )
        for one in fleet.wizards
    }


def own_inventory(place: Path, overlay: Path, wizard: str) -> list[str]:
    """Return copies of the fleet's inventories; in the first, the fleet is described by the operator."""
    given = [Path(path) for path in runs.own_inventories()]
    copies = []
    for number, source in enumerate(given):
        copy = place / f"inventory-{number}"
        # a link to the project's fleet.yml arrives as a file
        shutil.copytree(source, copy)
        copies.append(str(copy))
    path = Path(copies[0], "group_vars/all/fleet.yml")
    own = yaml.safe_load(path.read_text(encoding="utf-8"))
    for row in own["timmy_wizards"]:
        if row["name"] == wizard:
            row["display_name"] = NAME
    own["timmy_overlay_dir"] = str(overlay)
    path.write_text(json.dumps(own), encoding="utf-8")
    return copies


@pytest.fixture(scope="module")
def operator(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Install the collection for an operator, and bring the fleet back in the end."""
    place = tmp_path_factory.mktemp("operator")
    (place / "empty").mkdir()
    (place / "empty.cfg").touch()
    overlay = place / "overlay"
    shutil.copytree(live.ROOT / "overlay", overlay)
    text = (overlay / "SOUL.md").read_text(encoding="utf-8")
    assert text.count(f"{HEADING}\n\n") == 1
    (overlay / "SOUL.md").write_text(
        text.replace(f"{HEADING}\n\n", f"{HEADING}\n\n{LINE}\n"), encoding="utf-8"
    )

    chosen = fleet.wizards[-1]
    one = Operator(place, own_inventory(place, overlay, chosen.name), chosen)
    one.galaxy("build", str(live.ROOT), "--output-path", str(place / "dist")).ok()
    (tarball,) = (place / "dist").glob("timmy-config-*.tar.gz")
    one.galaxy("install", "--offline", "--collections-path", str(place / "collections"), str(tarball)).ok()
    # What the checkout says is the state to come back to, whatever ran on this fleet before.
    runs.playbook("playbooks/sidecar.yml", inventories=runs.own_inventories()).ok()
    before = state(fleet)
    yield one
    runs.playbook("playbooks/sidecar.yml", inventories=runs.own_inventories()).ok()
    assert state(fleet) == before


def test_a_check_shows_the_change_and_changes_nothing(operator: Operator, fleet: Fleet) -> None:
    before = state(fleet)
    new: dict[str, Any] = {
        "timmy_fleet_secret": OTHER_FLEET_SECRET,
        "timmy_wizard_secrets": {operator.chosen.name: {"TELEGRAM_BOT_TOKEN": OTHER_TOKEN}},
    }
    (operator.place / "new.json").write_text(json.dumps(new), encoding="utf-8")
    done = operator.sidecar("--check", "--diff", "-e", f"@{operator.place / 'new.json'}").ok()

    for one in fleet.wizards:
        assert done.recap[one.host.name]["changed"] >= 1, done.out
        assert re.search(rf"^\+\+\+ .*{one.name}.*SOUL\.md", done.out, re.MULTILINE), done.out
    assert done.out.count(f"+{LINE}") >= len(fleet.wizards)
    assert f"+# {NAME}" in done.out
    assert f"-# {soul(operator.chosen).splitlines()[0].removeprefix('# ')}" in done.out

    derived = [
        hmac.new(OTHER_FLEET_SECRET.encode(), f"api-server:{one.name}".encode(), hashlib.sha256).hexdigest()
        for one in fleet.wizards
    ]
    secrets = [*vault().values(), *derived, OTHER_FLEET_SECRET, OTHER_TOKEN]
    assert len(secrets) > len(derived) + 2, "the vault holds nothing that could be looked for"
    assert [number for number, secret in enumerate(secrets) if secret in done.out + done.err] == []
    assert "TELEGRAM_BOT_TOKEN" in done.out, "which secrets would change is to be seen by name"
    assert state(fleet) == before


def test_a_run_on_one_host_reaches_this_host_alone(operator: Operator, fleet: Fleet) -> None:
    chosen, before = operator.chosen, state(fleet)
    done = operator.sidecar("--limit", chosen.host.name).ok()
    assert done.changed().keys() == {chosen.host.name}
    assert done.changed()[chosen.host.name] >= 1
    told = soul(chosen)
    assert told.splitlines()[0] == f"# {NAME}"
    assert f"{HEADING}\n\n{LINE}\n" in told
    assert chosen.api("GET", "/health/detailed")["status"] == "ok"
    others = {one.name for one in fleet.wizards if one.host.name != chosen.host.name}
    after = state(fleet)
    assert others, "the fleet has one host only"
    assert {name: after[name] for name in others} == {name: before[name] for name in others}

    again = operator.sidecar("--limit", chosen.host.name).ok()
    assert again.changed() == {chosen.host.name: 0}, again.out


def test_use_leaves_the_installed_collection_as_it_was_built(operator: Operator) -> None:
    installed = operator.place / "collections/ansible_collections/timmy/config"
    operator.galaxy("verify", "--offline", "timmy.config").ok()
    # verify looks at the files that it knows; what came later is for us to find
    listed = json.loads((installed / "FILES.json").read_text(encoding="utf-8"))["files"]
    known = {entry["name"] for entry in listed} | {"MANIFEST.json", "FILES.json"}
    there = {path.relative_to(installed).as_posix() for path in installed.rglob("*")}
    assert sorted(name for name in there - known if "__pycache__" not in name) == []

    probe = installed / "overlay/SOUL.md"
    text = probe.read_bytes()
    probe.write_bytes(text + b"\n")
    try:
        done = operator.galaxy("verify", "--offline", "timmy.config")
    finally:
        probe.write_bytes(text)
    assert done.rc != 0, "verify would not even see a change"
