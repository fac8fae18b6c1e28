# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in a temporary directory, with releases to go between, and what is to be seen on it.

The agent is really the user who runs the tests, Hermes is the real one, and everything that is done to the
host is done by processes of their own, so that each can be killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timmy.core import release_format, release_guard

HERE = Path(__file__).resolve().parent
GUARD = HERE.parents[1] / "plugins" / "module_utils" / "guard.py"
PYTHON = "/usr/bin/python3"
TRACE = HERE / "atomic_trace.py"
DRIVE = HERE / "atomic_drive.py"
LIMIT_S = 180
NONE = ""
MANAGED = """\
model:
  default: gemma-4-31b-it
  provider: ollama
  context_length: 65536
providers:
  ollama:
    base_url: http://127.0.0.1:11434/v1
agent:
  max_turns: 60
"""
# What changes from run to run and says nothing: records with times, locks, and Hermes' own times in its jobs.
# A draft that Hermes itself leaves behind when it is killed while it writes its jobs.
HERMES_DRAFT = re.compile(r"home/\.hermes/cron/\.jobs_\w+\.tmp")
UNREAD = ("guard/done/", "home/.hermes/cron/", "timmy/state/", "timmy/lock.json")


@dataclass(frozen=True)
class Release:
    """A release as the controller made it."""

    manifest: dict[str, Any]
    files: dict[str, tuple[bytes, str]]
    archive: Path

    @property
    def name(self) -> str:
        """Return the name of its directory."""
        return str(self.manifest["hash"])[: release_format.SHORT]


@dataclass(frozen=True)
class Done:
    """How a process ended; `killed` when the trial did that."""

    code: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        """Return whether the trial killed it."""
        return self.code == 137

    def answer(self) -> dict[str, Any]:
        """Return what it answered, or fail with everything it said."""
        assert self.code == 0, f"exit code {self.code}\n{self.out}\n{self.err}"
        answer: dict[str, Any] = json.loads(self.out)
        return answer


def real_hermes() -> Path:
    """Return the directory of the real Hermes, which is made where there is none yet."""
    made = subprocess.run(
        [sys.executable, HERE.parents[1] / "scripts/hermes.py"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, f"there is no Hermes to test with: {made.stderr}"
    return Path(made.stdout.strip()).parents[1]


class Tree:
    """One host."""

    def __init__(self, base: Path, hermes: Path) -> None:
        self.base = base
        self.host = base / "host"
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.hermes = hermes
        self.log = base / "calls"
        self.home = self.host / "home"
        for place in ("timmy", "etc", "guard", "lib", "home/.hermes"):
            (self.host / place).mkdir(parents=True)
        (self.home / ".hermes/notes.txt").write_text("the agent's own\n")
        self.releases: dict[str, Release] = {}

    # --- releases

    def make(self, key: str, *, cron: bool = True) -> Release:
        """Make and keep a release whose files all say which one they belong to."""
        head = f"agents/{self.user}"
        job = {
            "name": "tidy", "schedule": "5 6 * * *", "prompt": f"Tidy up for {key}.", "enabled": True,
            "model": "gemma-4-31b-it", "provider": "ollama", "deliver": "local",
        }  # fmt: skip
        texts = {
            f"{head}/home/SOUL.md": f"I am {key}.\n" * 50,
            f"{head}/timmy/HEART.md": f"The heart of {key}.\n",
            f"{head}/managed/config.yaml": MANAGED,
            f"{head}/seeded/config.yaml": "_config_version: 33\n",
            f"{head}/seeded/memories/MEMORY.md": "# Memory\n",
            f"{head}/merged/config.json": json.dumps({"skills": {"external_dirs": [f"/x/{key}"]}}),
            f"{head}/merged/cron.json": json.dumps({"jobs": [job] if cron else []}),
            "bin/timmy": f"#!/bin/sh\necho {key}\n",
            f"skills/only-{key}/SKILL.md": f"skill of {key}\n",
            "big.bin": f"{key}{'x' * 4095}" * 64,
        }
        files = {
            path: (text.encode(), "0755" if path == "bin/timmy" else "0644") for path, text in texts.items()
        }
        links = {
            "hermes": str(self.hermes),
            f"{head}/managed/.env": f"{self.host}/etc/agents/{self.user}.env",
            "bin/door": "timmy",
        }
        manifest = release_format.make_manifest(
            files, links, hermes_version=self.hermes.name, agents=[self.user],
            classify=lambda path: ("merged" if "/merged/" in path else "managed", "none"),
        )  # fmt: skip
        archive = self.base / f"{key}.tar.gz"
        archive.write_bytes(release_format.pack(manifest, files))
        self.releases[key] = Release(manifest, files, archive)
        return self.releases[key]

    def key_of(self, name: str) -> str:
        """Return which release has this directory name; one that nobody made is an error."""
        if not name:
            return NONE
        (key,) = [key for key, one in self.releases.items() if one.name == name]
        return key

    # --- processes

    def request(self, do: str, key: str = NONE, **more: Any) -> Path:
        """Return the file with a request to the host half."""
        one = self.releases.get(key)
        host = self.host
        settings = {
            "root": f"{host}/timmy", "hermes_root": str(self.hermes.parent), "config_dir": f"{host}/etc",
            "record_dir": f"{host}/guard", "lib_dir": f"{host}/lib", "keep": 0, "young_s": 0, "owner": do,
        }  # fmt: skip
        agent = {"name": self.user, "home": str(self.home)}
        wanted = {
            "digest": one.manifest["hash"] if one and do == "deploy" else "",
            "agents": [agent],
            "secrets": {self.user: {"API_SERVER_KEY": f"0123456789abcdef-{key}"}},
            "fleet": {"schema": 1, "wizards": [{**agent, "api_port": 8642}], "made_for": key},
            "kept": one.name if one and do == "back" else "",
        }
        path = self.base / f"{do}-{key}.json"
        body = {"do": do, "settings": settings, "wanted": wanted, **more}
        if one and do == "deploy":
            body["archive"] = str(one.archive)
        path.write_text(json.dumps(body))
        return path

    def argv(self, do: str, key: str = NONE, **more: Any) -> list[str]:
        """Return the command for a deploy, back, absent or flips; or for a verb of the host's guard."""
        if do in {"boot", "tick", "undo", "confirm"}:
            words = [do, release_guard.GUARD_ID] if do in {"undo", "confirm"} else [do]
            return [PYTHON, "-I", str(GUARD), "--dir", f"{self.host}/guard", "--no-timer", *words]
        # Nobody's compiled files: those beside the sources are not the trial's to write.
        cache = f"pycache_prefix={self.base}/pycache"
        return [PYTHON, "-I", "-X", cache, str(DRIVE), str(self.request(do, key, **more))]

    def run(
        self,
        do: str,
        key: str = NONE,
        *,
        at: int = -1,
        what: str = "kill",
        limit_s: float = LIMIT_S,
        **more: Any,
    ) -> Done:
        """Run it to its end; with `at` under the tracer, to the call with this number unless it is 0."""
        argv = self.argv(do, key, **more)
        if at >= 0:
            argv = [sys.executable, "-I", str(TRACE), str(self.log), what, str(at), *argv]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def calls(self) -> list[str]:
        """Return the changes that the last traced run made, or was about to make."""
        return [line.partition(" ")[2] for line in self.log.read_text().splitlines()]

    # --- what is to be seen

    def active(self) -> str:
        """Return which release is active, having looked at every file of it."""
        link = self.host / "timmy/current"
        if not os.path.lexists(link):
            return NONE
        head, name = os.path.split(os.readlink(link))
        assert head == "releases", f"current leads to {head}/{name}"
        key = self.key_of(name)
        self.verify(key)
        return key

    def verify(self, key: str) -> None:
        """Compare the tree of a release with what the controller made: nothing missing, torn or too much."""
        one = self.releases[key]
        wanted = {
            path: f"{mode} {hashlib.sha256(content).hexdigest()}"
            for path, (content, mode) in one.files.items()
        }
        wanted |= {path: entry["link"] for path, entry in one.manifest["files"].items() if "link" in entry}
        manifest = release_format.encode_manifest(one.manifest)
        wanted[release_format.MANIFEST] = f"0644 {hashlib.sha256(manifest).hexdigest()}"
        assert {path: seen for path, seen in picture(self.host / "timmy/releases" / one.name).items()
                if not seen.endswith("/")} == wanted  # fmt: skip

    def seen(self) -> dict[str, str]:
        """Return everything that stands on the host, in a form that is equal for equal hosts."""
        found = picture(self.host)
        return {
            path: "there" if path.startswith(UNREAD) else what
            for path, what in found.items()
            if not HERMES_DRAFT.fullmatch(path)
        }

    def jobs(self) -> dict[str, str]:
        """Return the prompts of the agent's jobs."""
        path = self.home / ".hermes/cron/jobs.json"
        if not path.exists():
            return {}
        return {job["name"]: job["prompt"] for job in json.loads(path.read_text())["jobs"]}

    # --- beginnings

    def forget(self, key: str) -> None:
        """Take a release away that is not active."""
        shutil.rmtree(self.host / "timmy/releases" / self.releases[key].name)

    def keep(self, name: str) -> None:
        """Remember the whole host under a name."""
        shutil.rmtree(self.base / f"kept-{name}", ignore_errors=True)
        _copy(self.host, self.base / f"kept-{name}")

    def restore(self, name: str) -> None:
        """Bring the host back to what it was when it was kept."""
        shutil.rmtree(self.host)
        _copy(self.base / f"kept-{name}", self.host)


def _copy(source: Path, target: Path) -> None:
    """Copy a tree with modes and times, folder after folder in the order of their names."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def picture(base: Path) -> dict[str, str]:
    """Return mode and content of everything below a directory, by its path."""
    found = {}
    for folder, folders, names in os.walk(base):
        for name in [*folders, *names]:
            full = Path(folder, name)
            status = full.lstat()
            path, mode = str(full.relative_to(base)), f"{stat.S_IMODE(status.st_mode):04o}"
            if stat.S_ISLNK(status.st_mode):
                found[path] = os.readlink(full)
            elif stat.S_ISDIR(status.st_mode):
                found[path] = f"{mode}/"
            else:
                found[path] = f"{mode} {hashlib.sha256(full.read_bytes()).hexdigest()}"
    return found
