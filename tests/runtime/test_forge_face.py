# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pocket forge as one file with Gitea's command line: it refuses what Gitea refuses."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
WHO = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def pack(target: Path) -> dict[str, str]:
    argv = [sys.executable, "-B", str(ROOT / "sandbox/pack_forge.py"), str(target)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(name="place")
def the_place() -> Iterator[Path]:
    """Yield a folder that an unprivileged user owns, with the program and a good configuration in it."""
    with tempfile.TemporaryDirectory(prefix="forge-face-") as name:
        place = Path(name)
        pack(place / "gitea")
        (place / "secret").write_text("s" * 48, encoding="utf-8")
        uri = f"file:{place}/secret"
        (place / "app.ini").write_text(
            f"RUN_USER = {WHO}\n[database]\nDB_TYPE = sqlite3\nPATH = {place}/data/gitea.db\n[security]\n"
            f"INSTALL_LOCK = true\nSECRET_KEY_URI = {uri}\nINTERNAL_TOKEN_URI = {uri}\n"
            f"[oauth2]\nJWT_SECRET_URI = {uri}\n[server]\nLFS_JWT_SECRET_URI = {uri}\n",
            encoding="utf-8",
        )
        place.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(place, pwd.getpwnam(WHO).pw_uid, -1)
        yield place


def gitea(place: Path, *argv: str, root: bool = False) -> subprocess.CompletedProcess[str]:
    lower = [] if root or os.geteuid() != 0 else ["setpriv", f"--reuid={WHO}", "--clear-groups", "--"]
    command = [*lower, PYTHON, "-I", str(place / "gitea"), *argv, "--config", str(place / "app.ini")]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    one, two = pack(tmp_path / "one"), pack(tmp_path / "two")
    assert one["sha256"] == two["sha256"]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_people_and_bots(place: Path) -> None:
    person = ["--username", "ada", "--email", "ada@forge.test", "--admin", "--must-change-password=false"]
    made = gitea(place, "admin", "user", "create", *person, "--random-password")
    assert made.returncode == 0, made.stderr
    bot = ["admin", "user", "create", "--username", "bot", "--email", "bot@forge.test", "--user-type", "bot"]
    assert gitea(place, *bot, "--random-password").returncode == 1
    assert gitea(place, *bot).returncode == 0
    assert "already exists" in gitea(place, *bot).stderr
    rows = gitea(place, "admin", "user", "list").stdout.splitlines()
    assert [row.split()[1:5] for row in rows[1:]] == [["ada", "ada@forge.test", "true", "true"]]
    token = ["admin", "user", "generate-access-token", "--username", "bot", "--token-name", "t", "--raw"]
    assert len(gitea(place, *token).stdout.strip()) == 40
    assert "has been used already" in gitea(place, *token).stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("INSTALL_LOCK = true", "INSTALL_LOCK = false", "INSTALL_LOCK is not true"),
        (f"RUN_USER = {WHO}", "RUN_USER = daemon", "expected user daemon"),
        ("[oauth2]", "SECRET_KEY = both\n[oauth2]", "both SECRET_KEY_URI and SECRET_KEY are set"),
        ("/secret\n[server]", "/missing\n[server]", "JWT_SECRET_URI cannot be read"),
        ("DB_TYPE = sqlite3", "DB_TYPE = mysql", "SQLite only"),
    ],
)
def test_a_configuration_is_refused(place: Path, old: str, new: str, said: str) -> None:
    good = (place / "app.ini").read_text(encoding="utf-8")
    assert old in good
    (place / "app.ini").write_text(good.replace(old, new), encoding="utf-8")
    done = gitea(place, "migrate")
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try to be root")
def test_root_is_refused(place: Path) -> None:
    done = gitea(place, "migrate", root=True)
    assert (done.returncode, "as root" in done.stderr) == (1, True)
