# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pocket forge of a test's own, as a process that can be killed and started again on the same state."""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import signal
import subprocess
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SANDBOX = Path(__file__).resolve().parents[2] / "sandbox"
# The interpreter that the sandbox's hosts have; the forge must not need more.
PYTHON = "/usr/bin/python3"
START_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What the forge said."""

    status: int
    json: Any
    headers: dict[str, str]


@dataclass
class Account:
    """One account with a token of all scopes."""

    name: str
    token: str
    scheme: str = "token"


@dataclass
class Box:
    """The forge's process, its state, and its site admin."""

    state: Path
    delay: float = 0.1
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    process: subprocess.Popen[str] | None = None
    url: str = ""
    admin: Account = field(default_factory=lambda: Account("boss", ""))

    def environment(self) -> dict[str, str]:
        """Return what the forge is started with."""
        return os.environ | {"PYTHONPATH": str(SANDBOX), "PYTHONDONTWRITEBYTECODE": "1"}

    def create(self) -> None:
        """Make the site admin."""
        self.state.mkdir(parents=True)
        word, token = self.state / "password", self.state / "token"
        word.write_text(self.password, encoding="utf-8")
        argv = [
            PYTHON,
            "-m",
            "forge",
            "admin",
            "create",
            "--state",
            str(self.state),
            "--name",
            self.admin.name,
        ]
        argv += ["--email", "boss@forge.test", "--password-file", str(word), "--token-file", str(token)]
        subprocess.run(argv, env=self.environment(), check=True, timeout=60)
        assert token.stat().st_mode & 0o777 == 0o600
        self.admin.token = token.read_text(encoding="utf-8").strip()

    def start(self, *wrapper: str) -> None:
        """Start the forge and wait until it says where it listens."""
        argv = [*wrapper, PYTHON, "-m", "forge", "serve", "--state", str(self.state)]
        argv += ["--listen", "127.0.0.1:0", "--delay", str(self.delay)]
        self.process = subprocess.Popen(argv, env=self.environment(), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://"), line
        self.url = line.split()[-1]

    def kill(self) -> None:
        """End the forge without any warning."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self._close()

    def stop(self) -> int:
        """Ask the forge to end; return its exit code."""
        if self.process is None or self.process.poll() is not None:
            self._close()
            return 0
        self.process.terminate()
        code = self.process.wait(30)
        self._close()
        return code

    def _close(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def ask(self, method: str, path: str, body: Any = None, *, who: Account | None = None) -> Answer:
        """Send one API request. :raises OSError: when the forge is gone."""
        parts = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        account = self.admin if who is None else who
        headers = {"Authorization": f"{account.scheme} {account.token}"}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body), "application/json"
        try:
            connection.request(method, f"/api/v1{path}", data, headers)
            reply = connection.getresponse()
            raw = reply.read()
            return Answer(reply.status, json.loads(raw) if raw else None, dict(reply.getheaders()))
        finally:
            connection.close()

    def must(self, method: str, path: str, body: Any = None, *, who: Account | None = None) -> Any:
        """Send a request that has to go well; return its JSON."""
        got = self.ask(method, path, body, who=who)
        assert 200 <= got.status < 300, (method, path, got)
        return got.json

    def account(self, name: str) -> Account:
        """Make an account."""
        user = {"username": name, "email": f"{name}@forge.test", "password": secrets.token_urlsafe(12)}
        self.must("POST", "/admin/users", user | {"must_change_password": False})
        by_word = Account(name, base64.b64encode(f"{name}:{user['password']}".encode()).decode(), "Basic")
        made = self.must("POST", f"/users/{name}/tokens", {"name": "t", "scopes": ["all"]}, who=by_word)
        return Account(name, made["sha1"])

    def repo(self, name: str = "work", writers: tuple[Account, ...] = ()) -> str:
        """Make a repository with a first commit; return its API path."""
        self.must("POST", "/user/repos", {"name": name, "auto_init": True})
        path = f"/repos/{self.admin.name}/{name}"
        for writer in writers:
            self.must("PUT", f"{path}/collaborators/{writer.name}", {"permission": "write"})
        return path

    def branch(self, repo: str, name: str, file: str, text: str = "eA==") -> str:
        """Put a file on a new branch; return the commit."""
        body = {"content": text, "branch": "main", "new_branch": name, "message": f"put {file}"}
        found: str = self.must("POST", f"{repo}/contents/{file}", body)["commit"]["sha"]
        return found

    def pull(self, repo: str, head: str, title: str = "") -> int:
        """Open a pull; return its number."""
        body = {"head": head, "base": "main", "title": title or f"pull {head}"}
        found: int = self.must("POST", f"{repo}/pulls", body)["number"]
        return found

    def merge(self, repo: str, number: int, **more: Any) -> Answer:
        """Merge a pull, waiting while it is being checked."""
        end = time.monotonic() + 60
        while True:
            got = self.ask("POST", f"{repo}/pulls/{number}/merge", {"Do": "merge", **more})
            again = got.status == 405 and got.json["message"] == "Please try again later"
            if not again or time.monotonic() > end:
                return got
            time.sleep(0.5)

    def clone(self, repo: str, where: Path, who: Account) -> Clone:
        """Clone a repository as somebody."""
        parts = urllib.parse.urlsplit(self.url)
        url = f"http://{who.name}:{who.token}@{parts.netloc}{repo.removeprefix('/repos')}.git"
        made = Clone(where)
        subprocess.run(
            ["git", "clone", "--quiet", url, str(where)], check=True, env=GIT_ENV, capture_output=True
        )
        return made


GIT_ENV = os.environ | {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    **{
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "t"), ("EMAIL", "t@t"))
    },
}


@dataclass(frozen=True)
class Clone:
    """A working copy."""

    path: Path

    def git(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run git here."""
        return subprocess.run(
            ["git", *argv], cwd=self.path, env=GIT_ENV, capture_output=True, text=True, check=False
        )

    def commit(self, file: str, text: str) -> str:
        """Commit one file; return the commit."""
        path = self.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        assert self.git("add", "--force", file).returncode == 0
        assert self.git("commit", "--quiet", "--message", f"put {file}").returncode == 0
        return self.git("rev-parse", "HEAD").stdout.strip()
