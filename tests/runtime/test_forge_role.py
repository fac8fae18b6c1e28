# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `forge` refuses, each with one line that names the fix, and what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
WORK = [{"name": "work", "work": True}]
READ = {"code": "read"}
WRITE = {"code": "write", "pulls": "write"}
HOOK = {"url": "https://hooks.test/x", "secret": "s" * 16, "events": ["push"]}
OWN = {"ansible_python_interpreter": sys.executable}
# Name of the case: variables, and what the line has to say; nothing for what is taken.
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "defaults": ({}, ""),
    "work": ({"forge_repos": WORK, "forge_agents": [{"name": "ada", "host": "here"}]}, ""),
    "hook": ({"forge_webhooks": [HOOK]}, ""),
    "name twice": ({"forge_agents": [{"name": "Timmy"}]}, "timmy, Timmy: each name"),
    "name of the organization": ({"forge_agents": [{"name": "fleet"}]}, "fleet, fleet: each name"),
    "bad name": ({"forge_repos": [{"name": "../x"}]}, "../x: each name"),
    "team of owners": ({"forge_teams": [{"name": "owners", "rights": READ}]}, "Owners, owners: each name"),
    "duty of nobody": (
        {"forge_duties": [{"duty": "land", "account": "nobody", "hosts": []}]},
        "duty land of nobody: the account of a duty stands in forge_accounts",
    ),
    "duty of an agent": (
        {
            "forge_agents": [{"name": "ada"}],
            "forge_duties": [{"duty": "publish", "account": "ada", "hosts": []}],
        },
        "duty publish of ada",
    ),
    "two duties": (
        {"forge_duties": [{"duty": duty, "account": "timmy", "hosts": []} for duty in ("land", "check")]},
        "duty land of timmy; duty check of timmy",
    ),
    "unknown member": (
        {"forge_teams": [{"name": "t", "rights": READ, "members": ["who"]}]},
        "team t has the unknown member who: members stand in",
    ),
    "member that left": (
        {
            "forge_agents": [{"name": "ada", "state": "absent"}],
            "forge_teams": [{"name": "t", "rights": READ, "members": ["ada"]}],
        },
        "team t has the unknown member ada",
    ),
    "unknown repository": (
        {"forge_teams": [{"name": "t", "rights": READ, "repos": ["what"]}]},
        "team t has the unknown repository what",
    ),
    "agent that writes": (
        {
            "forge_agents": [{"name": "ada"}],
            "forge_teams": [{"name": "t", "rights": WRITE, "members": ["ada"]}],
        },
        "team t writes and has the agent ada",
    ),
    "right that is none": (
        {"forge_teams": [{"name": "t", "rights": {"code": "admin"}}]},
        "team t has the rights",
    ),
    "repository that no team sees": (
        {"forge_teams": [{"name": "t", "rights": READ, "repos": ["ledger"]}]},
        "no team has timmy-home: name it in repos of one of forge_teams",
    ),
    "work that nobody lands": ({"forge_repos": WORK, "forge_duties": []}, "work: a work repository needs"),
    "work without a check": ({"forge_repos": WORK, "forge_checks": []}, "work: a work repository needs"),
    "lander without a team": (
        {"forge_repos": WORK, "forge_teams": [{"name": "t", "rights": WRITE, "members": ["timmy"]}]},
        "work: a work repository needs",
    ),
    "colour": ({"forge_labels": [{"name": "x", "color": "red"}]}, "forge_labels: a color has"),
    "exclusive label without a scope": (
        {"forge_labels": [{"name": "x", "color": "#fff", "exclusive": True}]},
        "an exclusive name the form scope/name",
    ),
    "short secret": ({"forge_webhooks": [{**HOOK, "secret": "hunter2"}]}, "a secret of 16 characters"),
    "hook of no repository": (
        {"forge_webhooks": [{**HOOK, "repo": "what"}]},
        "no repo that is not in forge_repos",
    ),
}


@pytest.fixture(scope="module", name="lines")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what the role said to each case, from one run: a refusal's line, or nothing."""
    folder = tmp_path_factory.mktemp("forge")
    tasks: list[dict[str, Any]] = []
    for number, (variables, _line) in enumerate(CASES.values()):
        role = {"name": "timmy.config.forge", "tasks_from": "validate.yml"}
        out = {"dest": str(folder / str(number)), "mode": "0600"}
        line = {**out, "content": "{{ ansible_failed_result.msg }}"}
        tasks.append(
            {
                "block": [
                    {"ansible.builtin.include_role": role, "vars": variables},
                    {"ansible.builtin.copy": {**out, "content": ""}},
                ],
                "rescue": [{"ansible.builtin.copy": line}],
            }
        )
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "vars": OWN, "tasks": tasks}]))
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    argv = [str(PLAYBOOK), "-i", "here,", "-c", "local", str(path)]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    return {name: (folder / str(number)).read_text() for number, name in enumerate(CASES)}


@pytest.mark.parametrize("case", CASES)
def test_the_data_are_refused_by_one_line_or_taken(lines: dict[str, str], case: str) -> None:
    wanted = CASES[case][1]
    if wanted:
        assert wanted in lines[case]
        assert "\n" not in lines[case].strip()
    else:
        assert lines[case] == ""
