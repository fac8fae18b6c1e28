# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The closing line of a real run whose failures were rescued, or whose rescue failed too."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIRST = {"name": "Change it", "ansible.builtin.fail": {"msg": "no new connection"}}
SECOND = {"name": "Say how it ended", "ansible.builtin.fail": {"msg": "it was undone"}}
MENDED = {"name": "Mend it", "ansible.builtin.debug": {"msg": "mended"}}


@pytest.mark.parametrize(
    ("rescue", "code", "last"),
    [
        (SECOND, 2, "timmy: NOT as declared: localhost failed at 'Say how it ended': it was undone"),
        (MENDED, 0, "timmy: 1 host(s) as declared, 0 change(s)"),
    ],
    ids=["the rescue failed", "the rescue mended it"],
)
def test_the_last_word_of_a_host_counts(
    rescue: dict[str, object], code: int, last: str, tmp_path: Path
) -> None:
    tasks = [{"name": "Try", "block": [FIRST], "rescue": [rescue]}]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]), encoding="utf-8")
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [ROOT / "build/env/bin/ansible-playbook", "--inventory", "localhost,", tmp_path / "play.yml"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1] == last
