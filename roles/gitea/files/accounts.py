# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and tokens of the forge, through its own command line.

No secret leaves the host or stands in an argument. The argument is JSON,
{"check": bool, "accounts": [{"name", "email", "admin", "bot", "scopes"}]}; the answer, JSON too, says which
accounts and tokens were made (or would be), and which accounts are not as declared.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

CLI = "/usr/local/sbin/gitea"
TOKENS = Path("/etc/gitea/tokens")
ROW = re.compile(r"^\d+\s+(\S+)\s+(\S*)\s+(true|false)\s+(true|false)\s+(true|false)\s*$")
TOKEN = re.compile(r"^[0-9a-f]{40}$", re.MULTILINE)
TAKEN = "has been used already"
THERE = "already exists"


class RefusedError(Exception):
    """The command line said no."""


def gitea(*argv: str) -> str:
    """Return what the command prints. :raises RefusedError: with its last line of errors."""
    done = subprocess.run([CLI, *argv], capture_output=True, text=True, check=False, timeout=300)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise RefusedError(f"gitea {' '.join(argv[:3])} ended with {done.returncode}: {said[-1][:300]}")
    return done.stdout


def known() -> dict[str, bool]:
    """Return who is there, by name in lower case, and whether they are site admins."""
    rows = (ROW.match(line) for line in gitea("admin", "user", "list").splitlines())
    return {row.group(1).lower(): row.group(4) == "true" for row in rows if row}


def create(account: dict[str, Any]) -> None:
    """Make an account. The password of a person is random and thrown away: an admin sets another one."""
    argv = ["admin", "user", "create", "--username", account["name"], "--email", account["email"]]
    if account["bot"]:
        argv += ["--user-type", "bot"]
    else:
        argv += ["--random-password", "--random-password-length", "40", "--must-change-password=false"]
    try:
        gitea(*argv, *(["--admin"] if account["admin"] else []))
    except RefusedError as error:
        if not (account["bot"] and THERE in str(error)):
            raise


def open_bot(account: dict[str, Any]) -> None:
    """Let a bot work: Gitea waits for it to change a password that it cannot have."""
    gitea("admin", "user", "must-change-password", "--unset", account["name"])


def issue(account: dict[str, Any]) -> None:
    """Make a token and keep it in a file that only root can read."""
    if account["bot"]:
        open_bot(account)
    made = ""
    for number in range(1, 100):
        name = "timmy" if number == 1 else f"timmy-{number}"
        who = ["--username", account["name"], "--token-name", name, "--scopes", ",".join(account["scopes"])]
        try:
            made = gitea("admin", "user", "generate-access-token", *who, "--raw")
        except RefusedError as error:
            if TAKEN in str(error):  # an earlier one, whose file is lost
                continue
            raise
        break
    found = TOKEN.findall(made)
    if len(found) != 1:
        raise RefusedError(f"gitea gave no token for {account['name']}")
    TOKENS.mkdir(mode=0o700, exist_ok=True)
    beside = TOKENS / f".{account['name']}.new"
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(f"{found[0]}\n")
        stream.flush()
        os.fsync(stream.fileno())
    beside.rename(TOKENS / account["name"])


def settle(asked: dict[str, Any]) -> dict[str, Any]:
    """Make what is missing; in check mode only say it."""
    there = known() if os.access(CLI, os.X_OK) and Path("/opt/gitea/current/gitea").exists() else {}
    bare = [one for one in asked["accounts"] if one["scopes"] and not (TOKENS / one["name"]).exists()]
    # Gitea lists people only. A bot was made before its token, which every bot has.
    missing = [one for one in asked["accounts"] if not one["bot"] and one["name"].lower() not in there]
    missing += [one for one in bare if one["bot"]]
    wrong = [
        one["name"]
        for one in asked["accounts"]
        if there.get(one["name"].lower(), one["admin"]) != one["admin"]
    ]
    if not asked["check"]:
        for one in missing:
            create(one)
        for one in bare:
            issue(one)
    return {
        "accounts": [one["name"] for one in missing],
        "tokens": [one["name"] for one in bare],
        "wrong": wrong,
    }


if __name__ == "__main__":
    try:
        print(json.dumps(settle(json.loads(sys.argv[1]))))
    except RefusedError as error:
        sys.exit(str(error))
