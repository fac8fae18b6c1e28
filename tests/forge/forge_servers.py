# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A forge to test: the one at FORGE_URL, a Gitea from FORGE_BINARY, or the pocket forge of this project."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from forge_wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ADMIN = "boss"
START_S = 120
UNPRIVILEGED = "nobody"

APP_INI = """\
APP_NAME = contract
RUN_USER = {user}
RUN_MODE = prod
WORK_PATH = {work}

[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {work}/gitea.db

[repository]
ROOT = {work}/repositories
DEFAULT_BRANCH = main

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret_key}
INTERNAL_TOKEN = {internal_token}
PASSWORD_HASH_ALGO = pbkdf2$1000$50
ALLOWED_HOST_LIST = loopback

[oauth2]
ENABLED = false
JWT_SECRET = {jwt_secret}

[service]
DISABLE_REGISTRATION = true

[webhook]
ALLOWED_HOST_LIST = loopback

[actions]
ENABLED = false

[indexer]
ISSUE_INDEXER_TYPE = db

[picture]
DISABLE_GRAVATAR = true

[log]
MODE = file
LEVEL = Warn
ROOT_PATH = {work}/log
"""


@dataclass(frozen=True)
class Forge:
    """A running forge: its address, its kind, and the token of a site admin."""

    url: str
    kind: str
    token: str = field(repr=False)

    @property
    def local(self) -> bool:
        """Return whether the forge can call this machine's loopback."""
        return (urlsplit(self.url).hostname or "") in {"127.0.0.1", "localhost", "::1"}


@contextmanager
def running_forge() -> Iterator[Forge]:
    """Yield the forge that the environment names; stop and remove what was started."""
    url, binary = os.environ.get("FORGE_URL", ""), os.environ.get("FORGE_BINARY", "")
    if url:
        token_file = os.environ.get("FORGE_TOKEN_FILE", "")
        if not token_file:
            raise ValueError(
                "FORGE_URL is set, FORGE_TOKEN_FILE is not: name a file with a site admin's token"
            )
        yield Forge(url.rstrip("/"), "remote", Path(token_file).read_text(encoding="utf-8").strip())
        return
    # Not below a test's own folder: those are closed to the user that Gitea has to run as.
    work = Path(tempfile.mkdtemp(prefix="forge-contract-"))
    try:
        with gitea(Path(binary).resolve(), work) if binary else pocket(work) as forge:
            yield forge
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def pocket(work: Path) -> Iterator[Forge]:
    """Run the pocket forge on a free port of loopback."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "sandbox")}
    command = [sys.executable, "-m", "forge"]
    password, token = work / "password", work / "token"
    password.write_text(secrets.token_urlsafe(12), encoding="utf-8")
    who = (
        "--name",
        ADMIN,
        "--email",
        f"{ADMIN}@forge.test",
        "--password-file",
        password,
        "--token-file",
        token,
    )
    make = [*command, "admin", "create", "--state", work / "state", *who]
    subprocess.run(make, env=env, check=True, timeout=START_S)
    with (work / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "serve", "--state", work / "state", "--listen", "127.0.0.1:0"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert server.stdout is not None
            said = server.stdout.readline().strip()
            if not said.startswith("listening on "):
                raise RuntimeError(
                    f"the pocket forge did not start: {said} {(work / 'log').read_text()[-2000:]}"
                )
            yield Forge(
                said.removeprefix("listening on "), "pocket", token.read_text(encoding="utf-8").strip()
            )
        finally:
            stop(server)


@contextmanager
def gitea(binary: Path, work: Path) -> Iterator[Forge]:
    """Run a Gitea with a work folder of its own on loopback, as an unprivileged user: it refuses root."""
    user = UNPRIVILEGED if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    account = pwd.getpwnam(user)
    run_as: dict[str, object] = {}
    if os.geteuid() == 0:
        os.chown(work, account.pw_uid, account.pw_gid)
        run_as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    env = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(work),
        "USER": user,
        "LC_ALL": "C.UTF-8",
    }
    ini, port = work / "app.ini", free_port()

    def tool(*argv: str) -> str:
        done = subprocess.run(  # type: ignore[call-overload]
            [binary, *argv],
            env=env,
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S,
            **run_as,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{binary.name} {argv[0]} failed: {(done.stdout + done.stderr)[-2000:]}")
        return str(done.stdout).strip()

    made = {name: tool("generate", "secret", name) for name in ("SECRET_KEY", "INTERNAL_TOKEN", "JWT_SECRET")}
    ini.write_text(
        APP_INI.format(
            user=user, work=work, port=port, **{name.lower(): text for name, text in made.items()}
        ),
        encoding="utf-8",
    )
    os.chown(ini, account.pw_uid, account.pw_gid)
    place = ("--config", str(ini), "--work-path", str(work))
    tool("migrate", *place)
    create = (
        "--username",
        ADMIN,
        "--email",
        f"{ADMIN}@forge.test",
        "--admin",
        "--must-change-password=false",
    )
    tool("admin", "user", "create", *place, *create, "--random-password")
    token = tool(
        "admin", "user", "generate-access-token", *place, "--username", ADMIN, "--scopes", "all", "--raw"
    )
    with (work / "output").open("wb") as log:
        server = subprocess.Popen(  # type: ignore[call-overload]
            [binary, "web", *place], env=env, cwd=work, stdout=log, stderr=log, **run_as
        )
        try:
            wait_healthy(f"http://127.0.0.1:{port}", server, work / "output")
            yield Forge(f"http://127.0.0.1:{port}", "gitea", token.splitlines()[-1])
        finally:
            stop(server)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server says that it is well."""
    wire, until = Wire(url), time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            if wire.send("GET", "//api/healthz").status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"the server did not become healthy: {log.read_text(errors='replace')[-2000:]}")


def stop(server: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """End a server that was started here."""
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout:
        server.stdout.close()
