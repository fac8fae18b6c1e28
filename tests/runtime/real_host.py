# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in a temporary directory with the real Hermes and one agent."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.timmy.config.plugins.action import sidecar_release
from ansible_collections.timmy.config.plugins.plugin_utils import release_tree

from timmy.core import (
    guard,
    hermes_home,
    release_drift,
    release_format,
    release_guard,
    release_host,
    release_state,
)
from timmy.report import drift

if TYPE_CHECKING:
    import pytest

OVERLAY = Path(sidecar_release.COLLECTION) / "overlay"
MODEL = {
    "provider": "ollama",
    "default": "gemma-4-31b-it",
    "base_url": "http://127.0.0.1:11434/v1",
    "context_length": 65536,
}
JOB = "morning-self-check"
SECRETS = {"ezra": {"API_SERVER_KEY": "0123456789abcdef"}}
KEY = ["code_execution", "mode"]


class Host:
    """A host in a temporary directory, with one agent who is really this user, and no units."""

    def __init__(self, base: Path, binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base = base
        self.binary = binary
        self.home = base / "home/ezra"
        (self.home / ".hermes").mkdir(parents=True)
        self.overlay = base / "overlay"
        shutil.copytree(OVERLAY, self.overlay, symlinks=True)
        monkeypatch.setattr(hermes_home, "account", self.account)
        self.where = release_state.Settings(
            root=str(base / "timmy"),
            hermes_root=str(binary.parents[2]),
            config_dir=str(base / "etc"),
            record_dir=str(base / "guard"),
            lib_dir=str(base / "lib"),
            timer=guard.no_timer,
            units=False,
        )

    def account(self, name: str, _home: str = "") -> hermes_home.Account:
        groups = tuple(os.getgroups())
        return hermes_home.Account(name, os.geteuid(), os.getegid(), groups, str(self.home))

    def deploy(self, *, confirm: bool = True) -> release_state.Result:
        """Render and deploy the overlay as it is now."""
        where = self.where
        fleet = [{"name": "ezra", "host": "hermes-vps", "home": str(self.home)}]
        tree = release_tree.build(
            Templar(loader=DataLoader()),
            overlay_dir=str(self.overlay),
            package_dir=os.path.join(sidecar_release.COLLECTION, "src", "timmy"),
            agents=fleet,
            fleet=fleet,
            model=MODEL,
            host="hermes-vps",
            secrets=SECRETS,
            hermes_version=self.binary.parents[1].name,
            release_root=where.root,
            hermes_root=where.hermes_root,
            config_dir=where.config_dir,
            timezone="UTC",
        )
        archive = self.base / "release.tar.gz"
        archive.write_bytes(release_format.pack(tree.manifest, tree.files))
        self.wanted = release_state.Wanted(tree.manifest["hash"], fleet, SECRETS, tree.fleet_json)
        result = release_host.Deploy(where, self.wanted).run(str(archive))
        if confirm and result.armed:
            guard.confirm(where.record_dir, release_guard.GUARD_ID)
        return result

    def ask(self) -> release_host.Deploy:
        """The visit that only asks, for the release of the last deploy."""
        return release_host.Deploy(self.where, self.wanted)

    def found(self) -> dict[str, release_drift.Finding]:
        """The drift, by path below this host's directory."""
        return {one.path.removeprefix(f"{self.base}/"): one for one in release_drift.find(self.where)}

    def hermes(self, *argv: str) -> None:
        environment = {**os.environ, "HOME": str(self.home), "HERMES_HOME": str(self.home / ".hermes")}
        subprocess.run([self.binary, *argv], env=environment, check=True, capture_output=True, timeout=60)

    def jobs(self) -> dict[str, dict[str, Any]]:
        data = json.loads((self.home / ".hermes/cron/jobs.json").read_text())
        return {job["name"]: job for job in data["jobs"]}

    def drop_job(self, name: str) -> None:
        path = self.home / ".hermes/cron/jobs.json"
        data = json.loads(path.read_text())
        data["jobs"] = [job for job in data["jobs"] if job["name"] != name]
        path.write_text(json.dumps(data))

    def drop_key(self) -> None:
        path = self.home / ".hermes/config.yaml"
        lines = [line for line in path.read_text().splitlines() if line.strip() != "mode: project"]
        path.write_text("\n".join(lines) + "\n")

    def current(self) -> Path:
        return Path(self.where.root, "current").resolve()

    def spoil(self) -> dict[str, str]:
        """Change one thing of each kind; returns path -> problem."""
        release = self.current().relative_to(self.base)
        (self.current() / "HEART").write_text("foreign files are not ours")
        shared = self.current() / "agents/ezra/timmy/SOUL.md"
        shared.write_text("worse")
        only = self.current() / "bin/doors.txt"
        only.unlink()
        # Not SOUL.md: Hermes itself puts its own in the place of one that is gone.
        (self.home / ".hermes/channel_aliases.json").unlink()
        heart = self.home / ".timmy/HEART.md"
        heart.unlink()
        heart.write_text("my own heart")
        self.hermes("config", "set", ".".join(KEY), "strict")
        self.hermes("cron", "edit", JOB, "--prompt", "My own words.")
        self.drop_job("weekly-memory-tidy")
        return {
            f"{release}/agents/ezra/timmy/SOUL.md": "edited",
            f"{release}/bin/doors.txt": "missing",
            "home/ezra/.hermes/channel_aliases.json": "link missing",
            "home/ezra/.timmy/HEART.md": "link edited",
            "home/ezra/.hermes/config.yaml#code_execution.mode": "edited",
            f"home/ezra/.hermes/cron/jobs.json#{JOB}": "edited",
            "home/ezra/.hermes/cron/jobs.json#weekly-memory-tidy": "removed",
        }

    def rewrite(self, name: str, old: str, new: str) -> None:
        """Change a file of the overlay: `old` becomes `new`, or `new` is put at the end."""
        text = (self.overlay / name).read_text()
        assert old in text
        (self.overlay / name).write_text(text.replace(old, new, 1) if old else text + new)

    def settle(self, paths: list[str], *, adopt: bool = False) -> list[tuple[bool, str]]:
        full = [f"{self.base}/{path}" for path in paths]
        host = drift.Host(self.where, {})
        return [(one.done, one.line) for one in drift.settle(host, *(([], full) if adopt else (full, [])))]
