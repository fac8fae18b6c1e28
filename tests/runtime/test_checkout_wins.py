"""A run from a clone uses the clone, also while an older copy of the collection is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"


@pytest.fixture
def older_copy(tmp_path: Path) -> Path:
    """Install a copy of the collection whose `common` role would only say that it ran."""
    copy = tmp_path / ".ansible/collections/ansible_collections/timmy/config"
    tasks = copy / "roles/common/tasks/main.yml"
    tasks.parent.mkdir(parents=True)
    tasks.write_text("---\n- name: Older copy\n  ansible.builtin.debug:\n    msg: older copy\n")
    info = {"namespace": "timmy", "name": "config", "version": "0.0.1"}
    (copy / "MANIFEST.json").write_text(json.dumps({"collection_info": info}))
    return tmp_path


def run(home: Path, cwd: Path, playbook: Path) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"}
    env["ANSIBLE_LOCAL_TEMP"] = str(home / "tmp")
    argv = [str(PLAYBOOK), "-vv", "-i", "localhost,", "-c", "local", str(playbook)]
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    # The misspelt variable stops the role at its first task, before it looks at this machine.
    path = tmp_path / "probe.yml"
    path.write_text(
        "- name: Probe\n  hosts: all\n  gather_facts: false\n  vars:\n    common_misspelt: 1\n"
        "  roles:\n    - timmy.config.common\n"
    )
    return path


def role_paths(output: str) -> set[Path]:
    found = re.findall(r"^task path: (\S+)/tasks/\S+$", output, re.MULTILINE)
    return {Path(path).resolve() for path in found}


def test_the_checkout_is_used_from_inside_the_checkout(older_copy: Path, playbook: Path) -> None:
    output = run(older_copy, ROOT, playbook)
    assert role_paths(output) == {ROOT / "roles/common"}, output


def test_the_older_copy_would_be_used_elsewhere(older_copy: Path, playbook: Path, tmp_path: Path) -> None:
    """The control: without the checkout's ansible.cfg the planted copy really is what runs."""
    output = run(older_copy, tmp_path, playbook)
    assert "older copy" in output
