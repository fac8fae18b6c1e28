# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge of a scenario as its inventory describes it: its host, its API, and runs of its roles on it."""

from __future__ import annotations

import functools
import json
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fleet as live
import runs

CONVERGE = "extensions/molecule/gitea/converge.yml"


@dataclass(frozen=True)
class Forge:
    """One forge and the release that its inventory asks for."""

    host: live.Host

    @functools.cached_property
    def url(self) -> str:
        """Return where it answers, seen from this machine: an address of the sandbox's network."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        argv = ["docker", "container", "inspect", "--format", form, self.container]
        found = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
        return f"http://{found}:3000"

    @property
    def container(self) -> str:
        """Return the container that the host is."""
        return str(self.host.vars["sandbox_container"])

    @property
    def version(self) -> str:
        """Return the version that the inventory asks for."""
        return str(self.host.vars["gitea_version"])

    @property
    def release(self) -> str:
        """Return the release in force."""
        return self.host.run("readlink", "/opt/gitea/current").ok().strip()

    def token(self, name: str = "forge-admin") -> str:
        """Return an account's token, from the file that only root can read."""
        return self.host.run("cat", f"/etc/gitea/tokens/{name}").ok().strip()

    def api(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """Return status and answer of a call."""
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(f"{self.url}/api/{path}", data=data, method=method)  # noqa: S310
        call.add_header("Content-Type", "application/json")
        if token:
            call.add_header("Authorization", f"token {token}")
        try:
            with urllib.request.urlopen(call, timeout=30) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def wait(self, timeout_s: float = 120.0) -> None:
        """Wait until it is well."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            try:
                if self.api("GET", "healthz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise AssertionError("the forge did not become well")

    def sha256(self, path: Path) -> str:
        """Return the hash of a program of this machine."""
        argv = ["sha256sum", str(path)]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.split()[0]

    def deploy(self, *options: str, **variables: Any) -> runs.Run:
        """Run the role `gitea` on it, with further variables."""
        return self._play("gitea", *options, **variables)

    def settle(self, *options: str, **variables: Any) -> runs.Run:
        """Run the role `forge` on it and on the hosts that need tokens, with further variables."""
        return self._play("forge", *options, **variables)

    def _play(self, tag: str, *options: str, **variables: Any) -> runs.Run:
        argv = [CONVERGE, "--tags", tag, *options, "-e", json.dumps(variables)]
        return runs.playbook(*argv, inventories=runs.own_inventories())

    def program(self, folder: Path, version: str, web: str) -> dict[str, str]:
        """Make a server program that says another version and does ``web`` when it shall serve.

        All else is done by the release that is in force now, which stays on the host.
        """
        path = folder / f"gitea-{version}"
        path.write_text(
            "#!/bin/sh\n"
            f'[ "$1" != --version ] || {{ echo "gitea version {version} made for a trial"; exit 0; }}\n'
            f'[ "$1" != web ] || {{ {web}; }}\n'
            f'exec /opt/gitea/{self.release}/gitea "$@"\n',
            encoding="utf-8",
        )
        path.chmod(0o755)
        return {"gitea_binary": str(path), "gitea_binary_sha256": self.sha256(path), "gitea_version": version}


@functools.cache
def listed() -> dict[str, Any]:
    """Return the inventory of the scenario."""
    told = runs.command("ansible-inventory", *live.inventories(), "--list", timeout_s=120)
    found: dict[str, Any] = json.loads(told.ok().out)
    return found


@functools.cache
def current() -> Forge:
    """Read the forge from the inventory of the scenario."""
    (name,) = listed()["forge"]["hosts"]
    return Forge(live.Host(name, listed()["_meta"]["hostvars"][name]))
