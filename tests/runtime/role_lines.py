# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role says to variables: its validate.yml, run once for many cases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
OWN = {"ansible_python_interpreter": sys.executable}

# Name of a case: variables, and what the line has to say; nothing for what is taken.
Cases = dict[str, tuple[dict[str, Any], str]]


def said(role: str, cases: Cases, folder: Path, unsaid: str = "\0") -> dict[str, str]:
    """Return what the role said to each case, from one run: a refusal's line, or nothing.

    ``unsaid`` is a secret of the cases that must not be printed.
    """
    tasks = [
        _task(role, variables, folder / str(number))
        for number, (variables, _line) in enumerate(cases.values())
    ]
    path = folder / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "vars": OWN, "tasks": tasks}]))
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    argv = [str(PLAYBOOK), "-i", "here,", "-c", "local", str(path)]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert unsaid not in done.stdout + done.stderr
    return {name: (folder / str(number)).read_text() for number, name in enumerate(cases)}


def _task(role: str, variables: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a block that writes to a file what the role says to these variables."""
    include = {"name": f"timmy.config.{role}", "tasks_from": "validate.yml"}
    out = {"dest": str(path), "mode": "0600"}
    return {
        "block": [
            {"ansible.builtin.include_role": include, "vars": dict(variables)},
            {"ansible.builtin.copy": {**out, "content": ""}},
        ],
        "rescue": [{"ansible.builtin.copy": {**out, "content": "{{ ansible_failed_result.msg }}"}}],
    }


def judge(line: str, wanted: str) -> None:
    """Hold what was said to what it has to say: one line, or nothing."""
    if wanted:
        assert wanted in line
        assert "\n" not in line.strip()
    else:
        assert line == ""
