# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules for declarations, called as a play calls them, on a host with the real Hermes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.timmy.config.plugins.module_utils import hermes_home as in_collection
from ansible_collections.timmy.config.plugins.modules import hermes_config, hermes_cron
from real_host import Host

from timmy.core import declarations

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS: dict[str, Any] = {"browser": {"headed": True}, "tts": {"piper": {"voice": "de_DE-thorsten"}}}
NAMES = ["browser.headed", "tts.piper.voice"]
MINE: dict[str, Any] = {
    "name": "tidy",
    "schedule": "5 6 * * *",
    "prompt": "Tidy up.",
    "model": "gemma-4-31b-it",
    "provider": "ollama",
}
# As the module hands it on.
FULL = {**MINE, "deliver": "local", "enabled": True}


class Play:
    """The modules on a host, called with their arguments as Ansible hands them over."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = host
        self.monkeypatch = monkeypatch
        self.config_path = host.home / ".hermes/config.yaml"
        self.text = ""

    def run(self, module: Any, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        out = io.StringIO()
        where = self.host.where
        given = {
            "agent": "ezra",
            "release_root": where.root,
            "record_dir": where.record_dir,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            "_ansible_remote_tmp": "/tmp",
            "lock_wait_s": 0,
            **arguments,
        }
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            with patch_module_args(given), pytest.raises(SystemExit):
                module.main()
        self.text = out.getvalue()
        return dict(json.loads(self.text))

    def config(self, wanted: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
        """Foretell, do, and do again: what is foretold is done, and the second run changes nothing."""
        return self._thrice(hermes_config, {"config": wanted}, more)

    def cron(self, jobs: list[dict[str, Any]] | None, **more: Any) -> dict[str, Any]:
        """As config, for jobs."""
        return self._thrice(hermes_cron, {"jobs": jobs}, more)

    def _thrice(self, module: Any, wanted: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        arguments = {key: value for key, value in {**wanted, **more}.items() if value is not None}
        before = self.tree()
        foretold = self.run(module, check=True, **arguments)
        assert self.tree() == before
        done = self.run(module, **arguments)
        assert done == foretold
        if not done.get("failed"):
            after = self.tree()
            again = self.run(module, **{**arguments, "restore": []})
            assert (again["changed"], again["changes"]) == (False, [])
            assert self.tree() == after
        return done

    def tree(self) -> dict[str, bytes]:
        """What a module may change: the home's files and our records."""
        files = [self.config_path, self.host.home / ".hermes/cron/jobs.json"]
        files += sorted(Path(self.host.where.root, "state").rglob("*.json"))
        return {str(path): path.read_bytes() for path in files if path.exists()}

    def records(self) -> list[str]:
        return declarations.Declarations(self.host.where.root, "ezra").records.names()

    def data(self) -> dict[str, Any]:
        return dict(yaml.safe_load(self.config_path.read_text()))

    def get(self, key: str) -> Any:
        """What Hermes itself says."""
        home = str(self.host.home)
        environment = {**os.environ, "HOME": home, "HERMES_HOME": f"{home}/.hermes"}
        environment["HERMES_MANAGED_DIR"] = f"{self.host.where.root}/current/agents/ezra/managed"
        argv = [str(self.host.binary), "config", "get", key, "--json"]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None


LIMIT: dict[str, Any] = {"browser": {"command_timeout": 31, "headed": True}}


def declare_in_overlay(host: Host) -> None:
    host.rewrite("home-config.yaml", "browser:\n", "browser:\n  command_timeout: 32\n")


def make(base: Path, binary: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """A host with a release, and the modules on it."""
    host = Host(base, binary, monkeypatch)
    monkeypatch.setattr(in_collection, "account", host.account)
    host.deploy()
    return Play(host, monkeypatch)
