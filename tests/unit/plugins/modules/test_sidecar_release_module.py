# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules themselves: their arguments reach the core, every failure is one line, no secret comes out."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.timmy.config.plugins.module_utils import (
    hermes_home,
    release_format,
    release_host,
    release_state,
)
from ansible_collections.timmy.config.plugins.modules import sidecar_release, sidecar_release_info

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a module with arguments and reads its answer."""

    def call(module: Any, check: bool = False, **arguments: Any) -> dict[str, Any]:
        out = io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        wanted = {"_ansible_check_mode": check, "_ansible_remote_tmp": "/tmp", **arguments}
        with patch_module_args(wanted), pytest.raises(SystemExit):
            module.main()
        return dict(json.loads(out.getvalue()))

    return call


def places(root: Path) -> dict[str, Any]:
    return {
        "release_root": str(root / "timmy"),
        "hermes_root": str(root / "hermes"),
        "config_dir": str(root / "etc"),
        "manage_units": False,
    }


def test_the_parameters_reach_the_core(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def deploy(self: release_host.Deploy, archive: str = "") -> release_state.Result:
        seen.update(settings=self.settings, wanted=self.wanted, archive=archive)
        return self.result

    monkeypatch.setattr(release_host.Deploy, "run", deploy)
    answer = run(
        sidecar_release,
        wanted="f" * 64,
        agents=[{"name": "ezra", "api_port": 8643, "env": {"PLAIN": 1, "BOTH": "plain"}}],
        secrets={"ezra": {"BOTH": "canary-both"}},
        fleet_json={"schema": 1},
        archive="/x.tar.gz",
        keep=3,
        health_timeout_s=7,
        **places(tmp_path),
    )
    assert answer["changed"] is False
    assert seen["wanted"].secrets == {"ezra": {"PLAIN": "1", "BOTH": "canary-both"}}
    assert (seen["wanted"].digest, seen["archive"]) == ("f" * 64, "/x.tar.gz")
    assert (seen["settings"].keep, seen["settings"].health_timeout_s, seen["settings"].units) == (
        3,
        7.0,
        False,
    )
    assert "canary" not in json.dumps(answer)


def test_a_host_without_the_release_asks_for_it(run: Run, tmp_path: Path) -> None:
    for check in (True, False):
        answer = run(sidecar_release, check, wanted="f" * 64, **places(tmp_path))
        assert (answer["need_archive"], answer["changed"]) == (True, True)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({}, "action plugin"),
        ({"wanted": "f" * 64, "archive": "/nowhere.tar.gz"}, "/nowhere.tar.gz: No such file"),
    ],
)
def test_failures_are_one_line(run: Run, tmp_path: Path, arguments: dict[str, Any], word: str) -> None:
    answer = run(sidecar_release, **arguments, **places(tmp_path))
    assert answer["failed"]
    assert word in answer["msg"]
    assert "\n" not in answer["msg"]


def test_a_wrong_release_in_the_archive(run: Run, tmp_path: Path) -> None:
    files = {"x": (b"x", "0644")}
    manifest = release_format.make_manifest(
        files, {}, hermes_version="1", agents=[], classify=lambda _path: ("managed", "none")
    )
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(release_format.pack(manifest, files))
    answer = run(sidecar_release, wanted="f" * 64, archive=str(archive), **places(tmp_path))
    assert answer["failed"]
    assert "not ffffffffffffffff" in answer["msg"]


@pytest.mark.parametrize("kind", [release_state.DeployError, hermes_home.HomeError, OSError])
def test_whatever_stops_a_run_leaves_the_module_in_order(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[Exception]
) -> None:
    def deploy(_self: release_host.Deploy, _archive: str = "") -> release_state.Result:
        raise OSError(28, "No space left on device", "/opt/timmy") if kind is OSError else kind("told so")

    monkeypatch.setattr(release_host.Deploy, "run", deploy)
    answer = run(sidecar_release, wanted="f" * 64, **places(tmp_path))
    assert answer["failed"]
    full = "/opt/timmy: No space left on device; free some space there and deploy again"
    assert answer["msg"] == (full if kind is OSError else "told so")


def test_absent_on_a_blank_host_changes_nothing(run: Run, tmp_path: Path) -> None:
    assert run(sidecar_release, state="absent", **places(tmp_path))["changed"] is False


def test_info_of_a_blank_host(run: Run, tmp_path: Path) -> None:
    answer = run(sidecar_release_info, release_root=str(tmp_path / "timmy"))
    answer.pop("invocation")
    assert answer == {"changed": False, "current": "", "previous": "", "releases": [], "drift": []}
