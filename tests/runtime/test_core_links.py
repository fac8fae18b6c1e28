# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy.core` is plugins/module_utils: one copy of shared code, one file link each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE, SHARED = ROOT / "src/timmy/core", ROOT / "plugins/module_utils"
NAMES = sorted(path.stem for path in SHARED.glob("*.py") if path.stem != "__init__")


def test_the_two_sets_are_equal() -> None:
    linked = sorted(path.stem for path in CORE.iterdir() if path.suffix == ".py" and path.stem != "__init__")
    assert linked == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_relative_file_link(name: str) -> None:
    assert os.readlink(CORE / f"{name}.py") == f"../../../plugins/module_utils/{name}.py"
    assert (CORE / f"{name}.py").is_file()


def test_each_can_be_imported_by_the_runtime_where_no_ansible_is() -> None:
    lines = [f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})"]
    lines += [f"import timmy.core.{name}" for name in NAMES]
    lines.append("assert not [name for name in sys.modules if name.split('.')[0].startswith('ansible')]")
    argv = [sys.executable, "-ISB", "-c", "\n".join(lines)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
