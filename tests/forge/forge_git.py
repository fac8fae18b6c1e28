# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real git against a forge: a clone that makes commits without a work tree, and pushes that report."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forge_stuck import stuck
from forge_wire import basic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from forge_wire import Actor

TIMEOUT_S = 180
MAIN = "refs/remotes/origin/main"


@dataclass(frozen=True)
class Push:
    """What a push came to: exit code, one flag per ref ("*", " ", "+", "-", "=" or "!"), and all words."""

    code: int
    flags: dict[str, str]
    output: str

    @property
    def ok(self) -> bool:
        """Return whether git was content. For a claim that is not enough: see `flags`."""
        return self.code == 0


@dataclass(frozen=True)
class Clone:
    """A bare clone of one repository, used under one account."""

    path: Path
    url: str
    actor: Actor

    def git(
        self, *argv: str, data: bytes | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git in the clone; the credentials are in the environment, never in arguments or addresses."""
        config = {"gc.auto": "0", "user.name": self.actor.login or "nobody", "user.email": "git@forge.test"}
        if self.actor.token:
            config["http.extraHeader"] = (
                "Authorization: " + basic(self.actor.login, self.actor.token)["Authorization"]
            )
        env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_COUNT": str(len(config)),
        }
        for at, (key, value) in enumerate(config.items()):
            env |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
        argv = ("git", "-C", str(self.path), *argv)
        done = _run(argv, data, env)
        if check and done.returncode != 0:
            raise AssertionError(f"git {argv[3]} failed: {done.stderr.decode('utf-8', 'replace')[-1500:]}")
        return done

    def start(self) -> Clone:
        """Make the clone on disk and fetch what the forge has."""
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=none", ".")
        self.git("remote", "add", "origin", self.url)
        return self.fetch()

    def fetch(self) -> Clone:
        """Bring the branches up to date."""
        self.git("fetch", "--quiet", "--prune", "origin")
        return self

    def commit(self, files: Mapping[str, str | None], parent: str = MAIN, message: str = "change") -> str:
        """Make one commit on top of `parent` ("" for none) and return its id; a file with None is removed."""
        work = f"refs/made/{os.urandom(6).hex()}"
        lines = [f"commit {work}\ncommitter T <git@forge.test> now\n".encode(), block(message)]
        if parent:
            lines.append(f"from {parent}^0\n".encode())
        for name, text in files.items():
            if text is None:
                lines.append(f"D {name}\n".encode())
            else:
                lines += [f"M 100644 inline {name}\n".encode(), block(text)]
        self.git("fast-import", "--quiet", "--date-format=now", data=b"".join(lines))
        return self.sha(work)

    def unique(self, message: str = "claim") -> str:
        """Return a commit that nobody else can have: no parent, an empty tree, a random message."""
        return self.commit({}, parent="", message=f"{message} {os.urandom(12).hex()}")

    def sha(self, name: str) -> str:
        """Return the commit that a name in the clone stands for."""
        return self.git("rev-parse", "--verify", f"{name}^0").stdout.decode().strip()

    def parents(self, name: str) -> list[str]:
        """Return the parents of a commit."""
        return self.git("rev-list", "--parents", "-n1", name).stdout.decode().split()[1:]

    def files(self, name: str) -> dict[str, str]:
        """Return the files of a commit with their text."""
        names = self.git("ls-tree", "-r", "-z", "--name-only", name).stdout.decode().split("\0")
        return {at: self.git("cat-file", "blob", f"{name}:{at}").stdout.decode() for at in names if at}

    def push(self, *refspecs: str, options: tuple[str, ...] = ()) -> Push:
        """Push and report; a refusal is an answer, not an error."""
        done = self.git("push", "--porcelain", *options, "origin", *refspecs, check=False)
        flags = {}
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            flag, _tab, rest = line.partition("\t")
            if rest and ":" in rest.partition("\t")[0]:
                flags[rest.partition("\t")[0].partition(":")[2]] = flag or " "
        return Push(done.returncode, flags, (done.stdout + done.stderr).decode("utf-8", "replace"))

    def remote(self, pattern: str = "") -> dict[str, str]:
        """Return the refs that the forge has now, name to commit."""
        listed = self.git("ls-remote", "origin", *([pattern] if pattern else [])).stdout.decode()
        return {name: sha for sha, _tab, name in (line.partition("\t") for line in listed.splitlines())}


def _run(
    argv: tuple[str, ...], data: bytes | None, env: dict[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run git; one that does not end is killed, after a look at what it and the forge wait for."""
    pipe = subprocess.PIPE
    stdin = None if data is None else pipe
    with subprocess.Popen(argv, stdin=stdin, stdout=pipe, stderr=pipe, env=env) as child:
        try:
            out, err = child.communicate(data, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            found = stuck()
            child.kill()
            raise AssertionError(f"git {argv[3]} had not ended after {TIMEOUT_S} s\n{found}") from None
        except BaseException:
            child.kill()
            raise
    return subprocess.CompletedProcess(argv, child.returncode, out, err)


def block(text: str) -> bytes:
    """Return a counted block of a fast-import stream."""
    raw = text.encode()
    return b"data %d\n%s\n" % (len(raw), raw)
