# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's face: its options, its check mode, and that every failure is one line."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.timmy.config.plugins.module_utils import wheel_env as core
from ansible_collections.timmy.config.plugins.modules import wheel_env

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}-{platform.machine()}"
LOCK = f"pip==26.0 --hash=sha256:{'a' * 64}\ntiny==1 --hash=sha256:{'b' * 64}\n"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(**args: Any) -> dict[str, Any]:
        args.setdefault("python", sys.executable)
        with patch_module_args(args), pytest.raises(SystemExit):
            wheel_env.main()
        result = json.loads(capsys.readouterr().out)
        assert isinstance(result, dict)
        return result

    return run


def test_probe_of_a_blank_host(call: Any, tmp_path: Path) -> None:
    result = call(state="probe", path=str(tmp_path / "env"), locks={TAG: core.lock_digest(LOCK)})
    assert (result["needed"], result["changed"], result["tag"]) == (True, False, TAG)
    assert result["python_version"] == platform.python_version()
    assert list(tmp_path.iterdir()) == []


def test_check_mode_on_a_blank_host_predicts_and_touches_nothing(call: Any, tmp_path: Path) -> None:
    result = call(path=str(tmp_path / "no" / "env"), locks={TAG: LOCK}, _ansible_check_mode=True)
    assert (result["changed"], result["packages"], result["lock"]) == (True, 1, core.lock_digest(LOCK))
    assert list(tmp_path.iterdir()) == []


def test_probe_names_a_leftover_of_a_killed_run(call: Any, tmp_path: Path) -> None:
    (tmp_path / ".env.timmy-trash").mkdir()
    assert call(state="absent", path=str(tmp_path / "env"), _ansible_check_mode=True)["changed"] is True
    assert call(state="absent", path=str(tmp_path / "env"))["changed"] is True
    assert list(tmp_path.iterdir()) == []
    assert call(state="absent", path=str(tmp_path / "env"))["changed"] is False


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"state": "present", "path": "{tmp}/env", "locks": {TAG: LOCK}}, "no archive was given"),
        ({"state": "present", "path": "{tmp}/env", "locks": {TAG: "c" * 64}}, "needs the text of the lock"),
        ({"state": "present", "path": "{tmp}/env", "locks": {"cp27-vax": LOCK}}, "no wheel set for"),
        ({"state": "present", "path": "{tmp}/env", "locks": {TAG: "x==1\n"}}, "lock line 1"),
        ({"state": "probe", "path": "{tmp}/env"}, "locks"),
        ({"state": "bundled", "locks": {TAG: LOCK}}, "archive"),
        ({"state": "probe", "path": "{tmp}", "locks": {TAG: LOCK}}, "was not made by this module"),
        ({"state": "absent", "path": "{tmp}"}, "left alone"),
        (
            {"state": "probe", "path": "{tmp}/env", "locks": {TAG: LOCK}, "python": "/nonexistent"},
            "cannot ask the interpreter",
        ),
    ],
)
def test_a_failure_is_one_line(call: Any, tmp_path: Path, args: dict[str, Any], says: str) -> None:
    (tmp_path / "somebody's").touch()
    filled = {key: value.format(tmp=tmp_path) if key == "path" else value for key, value in args.items()}
    result = call(**filled)
    assert result["failed"] is True
    assert says in result["msg"]
    assert "\n" not in result["msg"]
