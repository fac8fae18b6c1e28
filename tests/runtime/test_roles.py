# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every role and playbook owes its user: one list of variables, and none that is ignored in silence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))
# One letter too few, one too many, two swapped.
MISSPELT = {
    "common": "common_agnets",
    "forge": "forge_tems",
    "gitea": "gitea_verison",
    "hermes_agent": "hermes_agent_versionn",
    "sidecar": "sidecar_agent",
}


def run(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook in the checkout, as somebody who has nothing of their own."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    argv = (str(PLAYBOOK), *argv)
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("role", ROLES)
def test_spec_and_defaults_name_the_same_variables(role: str) -> None:
    folder = ROOT / "roles" / role
    spec = yaml.safe_load((folder / "meta/argument_specs.yml").read_text())["argument_specs"]
    defaults = yaml.safe_load((folder / "defaults/main.yml").read_text())
    assert set(spec) == {"main"}
    options = spec["main"]["options"]
    assert sorted(options) == sorted(defaults)
    assert [name for name in options if not name.startswith(f"{role}_")] == []
    # A variable that must be given has no default to be equal to.
    assert [name for name, option in options.items() if option.get("required")] == []


@pytest.mark.parametrize("role", ROLES)
def test_a_role_refuses_a_misspelt_variable_by_name(role: str, tmp_path: Path) -> None:
    """Without the preflight's help, as in a playbook of the operator's own: before anything else it does."""
    wrong = MISSPELT[role]
    play = {"hosts": "all", "gather_facts": False, "vars": {wrong: []}, "roles": [f"timmy.config.{role}"]}
    path = tmp_path / "misspelt.yml"
    path.write_text(json.dumps([play]))
    done = run(tmp_path, "-i", "here,", "-c", "local", str(path))
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 2, done.stdout + done.stderr
    assert last.startswith(f"timmy: NOT as declared: here failed at 'timmy.config.{role} : Refuse"), last
    assert wrong in last
    assert "changed=0" in done.stdout


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbooks_are_playbooks(playbook: str, tmp_path: Path) -> None:
    """Without an inventory of ours, a vault or a password: a syntax check needs none of them."""
    done = run(tmp_path, "--syntax-check", "-i", "localhost,", f"playbooks/{playbook}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ERROR" not in done.stderr, done.stderr
