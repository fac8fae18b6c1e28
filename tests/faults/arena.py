# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet of the fault trials: hosts of its own, one wizard on each, and ways past SSH to look at them."""

from __future__ import annotations

import json
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ON_HOST = HERE / "on_host.py"
CURRENT = "/opt/timmy/current"
WATCH_S = 600.0
SILENT = "silent"
HERMES = "/opt/hermes/0.19.0"
# Over a connection of its own each time: one that stands proves nothing.
SSH = ("ssh", "-n", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3", "-o", "ControlPath=none")


def docker(*argv: str, text: str = "", timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run docker; how it ended is for the caller."""
    return subprocess.run(
        ["docker", *argv], input=text, capture_output=True, text=True, timeout=timeout_s, check=False
    )


@dataclass(frozen=True)
class FaultHost:
    """One host of the fleet."""

    name: str
    wizard: str
    vars: dict[str, Any] = field(repr=False)

    @property
    def container(self) -> str:
        """Its container."""
        return str(self.vars["sandbox_container"])

    def sh(self, script: str, timeout_s: float = 60.0) -> str:
        """Run a shell script on it, past SSH, and return what it prints."""
        done = docker("exec", "-i", self.container, "/bin/sh", "-eu", text=script, timeout_s=timeout_s)
        assert done.returncode == 0, f"{self.name}: {script!r}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        return done.stdout.strip()

    def current(self) -> str:
        """The release that is current, none where there is no release."""
        return self.sh(f"readlink {CURRENT} || echo none")

    def trouble(self) -> str:
        """Why no trial can begin here, empty when one can."""
        if docker("exec", self.container, "true").returncode != 0:
            return "it does not run"
        armed = self.sh("ls /var/lib/timmy-guard/*.json 2>/dev/null || true")
        if armed:
            return f"something is armed: {armed}"
        if not self.lets_in():
            return "no login over SSH"
        done = docker("exec", self.container, f"{CURRENT}/bin/timmy", "status")
        return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}".strip() or "no status"

    def lets_in(self) -> bool:
        """Whether a login over SSH works, over a connection of its own."""
        argv = [*SSH, "-p", str(self.vars["ansible_port"]), "-i", self.vars["ansible_ssh_private_key_file"]]
        argv += shlex.split(str(self.vars["ansible_ssh_common_args"]))
        argv += [f"{self.vars['ansible_user']}@{self.vars['ansible_host']}", "true"]
        return subprocess.run(argv, capture_output=True, timeout=30, check=False).returncode == 0


@dataclass(frozen=True)
class Arena:
    """All hosts, and where the files of this fleet are."""

    name: str
    hosts: tuple[FaultHost, ...]

    @property
    def place(self) -> Path:
        """Folder of the fleet."""
        return ROOT / "build" / self.name


HOSTS_HEAD = "# Written by tests/faults: the hosts of the fault trials.\nsandbox_hosts:\n"


def describe(name: str, count: int) -> tuple[Path, Path]:
    """Write hosts and wizards of a fleet of this size, with both Debians and both ways to log in."""
    place = ROOT / "build" / name
    place.mkdir(parents=True, exist_ok=True)
    rows, wizards = [HOSTS_HEAD], []
    for number in range(1, count + 1):
        suite, login = ("trixie", "bookworm")[number % 2], ("root" if number % 4 else "ops")
        rows.append(
            f"  - name: fault-{number:02d}\n    suite: {suite}\n    login: {login}\n"
            "    groups: [wizards]\n    model: true\n"
        )
        wizards.append({"name": f"wizard{number:02d}", "host": f"fault-{number:02d}"})
    usual = yaml.safe_load((ROOT / "group_vars/all/fleet.yml").read_text(encoding="utf-8"))
    hosts, fleet = place / "hosts.yml", place / "fleet.yml"
    hosts.write_text("".join(rows), encoding="utf-8")
    fleet.write_text(yaml.safe_dump({**usual, "timmy_wizards": wizards}), encoding="utf-8")
    return hosts, fleet


def standing(name: str, count: int) -> Arena | None:
    """The fleet if it stands, with these hosts, and is well."""
    place = ROOT / "build" / name
    try:
        listed = yaml.safe_load((place / "inventory/hosts.yml").read_text(encoding="utf-8"))
        fleet = yaml.safe_load((place / "fleet.yml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    found = listed["all"]["hosts"]
    wizards = {row["host"]: row["name"] for row in fleet["timmy_wizards"]}
    hosts = tuple(FaultHost(host, wizards[host], found[host]) for host in sorted(found))
    if len(hosts) != count or any(host.trouble() for host in hosts):
        return None
    return Arena(name, hosts)


def bring_up(name: str, count: int) -> Arena:
    """Set up the fleet as `make up` does; one that stands is used again."""
    there = standing(name, count)
    if there is not None:
        return there
    hosts, fleet = describe(name, count)
    env = {**os.environ, "SANDBOX": name, "SANDBOX_HOSTS": str(hosts), "SANDBOX_FLEET": str(fleet)}
    log = ROOT / "build" / name / "up.log"
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(
            ["sh", "scripts/up.sh"], cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    assert done.returncode == 0, f"the fleet did not come up: {log.read_text(encoding='utf-8')[-3000:]}"
    there = standing(name, count)
    assert there is not None, f"the fleet came up and is not well; its log is {log}"
    return there


def take_down(name: str) -> None:
    """Remove the fleet."""
    env = {**os.environ, "SANDBOX": name}
    done = subprocess.run(["sh", "scripts/down.sh"], cwd=ROOT, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")


class Controller:
    """One run of a playbook, with everything that it starts under a mark, so that a kill leaves nothing."""

    def __init__(self, arena: Arena, log: Path, *argv: str, root: Path = ROOT) -> None:
        self.mark = f"TIMMY_FAULTS_RUN={uuid.uuid4().hex}"
        self.log = log
        clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        name, _sign, value = self.mark.partition("=")
        command = [
            str(ROOT / "build/env/bin/ansible-playbook"),
            "--inventory",
            str(arena.place / "inventory"),
        ]
        command += ["--vault-password-file", str(ROOT / "build/vault-password"), *argv]
        with log.open("w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                command,
                cwd=root,
                env={**clean, "ANSIBLE_NOCOLOR": "1", name: value},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def marked(self) -> list[int]:
        """Every process that carries the mark: workers and ssh have sessions of their own."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if self.mark.encode() in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def kill(self) -> int:
        """Kill -9 all of it; returns how many processes that were."""
        count = 0
        while pids := [pid for pid in self.marked() if pid != os.getpid()]:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                    count += 1
                except ProcessLookupError:
                    continue
            time.sleep(0.02)
        self.process.wait(timeout=30)
        return count

    def wait(self, timeout_s: float) -> int:
        """The exit code; a run that does not end is killed, and that is a failure."""
        try:
            code = self.process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"the run had not ended after {timeout_s:g} s: {self.told()[-2000:]}"
            ) from None
        return code

    def told(self) -> str:
        """What it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")


class Watch:
    """The watch on a host, read line by line; the request is what on_host.py explains."""

    def __init__(self, host: FaultHost, request: dict[str, Any]) -> None:
        self.seen: queue.Queue[dict[str, Any]] = queue.Queue()
        told = json.dumps({"limit_s": WATCH_S, **request})
        with ON_HOST.open("rb") as program:
            self.process = subprocess.Popen(
                ["docker", "exec", "-i", host.container, "/usr/bin/python3", "-I", "-", told],
                stdin=program,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                try:
                    self.seen.put(json.loads(line))
                except ValueError:
                    self.seen.put({"event": "end", "why": line.strip()})
        self.seen.put({"event": "end", "why": "the watch ended"})

    def next(self, timeout_s: float) -> dict[str, Any]:
        """The next event."""
        try:
            return self.seen.get(timeout=timeout_s)
        except queue.Empty:
            return {"event": SILENT, "why": f"nothing was seen within {timeout_s:g} s"}

    def close(self) -> None:
        """End the watch here; on the host it ends at its limit."""
        self.process.kill()
        self.process.wait(timeout=10)
        self.reader.join(timeout=10)
