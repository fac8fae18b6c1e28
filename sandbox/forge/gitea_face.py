# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pocket forge behind Gitea's command line, as far as the role `gitea` uses it.

`sandbox/pack_forge.py` makes one executable file of it. It insists on what Gitea insists on: an installed
configuration, the user that is named there, and secrets that can be read.
"""

from __future__ import annotations

import argparse
import configparser
import os
import pwd
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import accounts, auth, scopes
from .errors import ApiError
from .state import VERSION
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRETS = (
    ("security", "SECRET_KEY"),
    ("security", "INTERNAL_TOKEN"),
    ("oauth2", "JWT_SECRET"),
    ("server", "LFS_JWT_SECRET"),
)
HEAD = "head"  # what the keys before the first section are found under
SIZES = {"SECRET_KEY": 48, "INTERNAL_TOKEN": 78, "JWT_SECRET": 32, "LFS_JWT_SECRET": 32}


class RefusedError(Exception):
    """One line for standard error."""


class Config:
    """An app.ini: sections of keys, with the nameless section at its head."""

    def __init__(self, path: Path) -> None:
        self._ini = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=(";", "#"))
        self._ini.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            self._ini.read_string(f"[{HEAD}]\n" + path.read_text(encoding="utf-8"))
        except (OSError, configparser.Error) as error:
            raise RefusedError(f"cannot read {path}: {error}") from None

    def text(self, section: str, key: str) -> str:
        """Return a value, or nothing."""
        return self._ini.get(section or HEAD, key, fallback="").strip()

    def on(self, section: str, key: str) -> bool:
        """Say whether a switch is on."""
        return self.text(section, key).lower() in {"true", "1", "yes", "on"}

    def secret(self, section: str, key: str) -> str:
        """Return a secret, from the file that its _URI names or from the line itself."""
        uri, line = self.text(section, f"{key}_URI"), self.text(section, key)
        if uri and line:
            raise RefusedError(f"both {key}_URI and {key} are set")
        try:
            found = Path(urlsplit(uri).path).read_text(encoding="utf-8").strip() if uri else line
        except OSError as error:
            raise RefusedError(f"{key}_URI cannot be read: {error}") from None
        if not found:
            raise RefusedError(f"{key} is empty")
        return found

    def state(self) -> Path:
        """Return the folder of database and repositories."""
        place = self.text("database", "PATH")
        if self.text("database", "DB_TYPE") != "sqlite3" or not place.startswith("/"):
            raise RefusedError("the pocket forge keeps its state in SQLite only, at an absolute PATH")
        return Path(place).parent


def opened(path: Path) -> Config:
    """Read a configuration and refuse what Gitea refuses."""
    who = pwd.getpwuid(os.geteuid()).pw_name
    if who == "root":
        raise RefusedError("Gitea is not supposed to be run as root")
    config = Config(path)
    if not config.on("security", "INSTALL_LOCK"):
        raise RefusedError(
            f"{path} is not the configuration of an installed server: INSTALL_LOCK is not true"
        )
    if config.text("", "RUN_USER") not in {"", who}:
        raise RefusedError(f"expected user {config.text('', 'RUN_USER')} but this is {who}")
    for section, key in SECRETS:
        config.secret(section, key)
    return config


def store(config: Config) -> Store:
    """Open the state, made if it is missing."""
    config.state().mkdir(parents=True, exist_ok=True)
    return Store(config.state() / "forge.sqlite3")


def web(options: argparse.Namespace) -> int:
    """Serve until SIGTERM."""
    from .__main__ import serve  # noqa: PLC0415 - the other commands start faster without it

    config = opened(options.config)
    host, port = config.text("server", "HTTP_ADDR") or "0.0.0.0", config.text("server", "HTTP_PORT") or "3000"  # noqa: S104
    return serve(
        argparse.Namespace(
            state=config.state(),
            listen=(host, int(port)),
            root_url=config.text("server", "ROOT_URL").rstrip("/"),
            delay=0.5,
            require_signin=config.on("service", "REQUIRE_SIGNIN_VIEW"),
        )
    )


def migrate(options: argparse.Namespace) -> int:
    """Make the database."""
    store(opened(options.config))
    return 0


def generate(options: argparse.Namespace) -> int:
    """Print a new secret, without a newline."""
    sys.stdout.write(secrets.token_urlsafe(SIZES[options.name]))
    return 0


def list_users(options: argparse.Namespace) -> int:
    """Print the accounts of people as a table; bots are left out, as Gitea does."""
    people = "select * from user where kind = 'user' and password <> '' order by id"
    rows = store(opened(options.config)).all(people)
    print("ID   Username    Email       IsActive IsAdmin 2FA")
    for row in rows:
        flags = [str(bool(row[key])).lower() for key in ("active", "admin")]
        print(f"{row['id']:<4} {row['name']} {row['email']} {' '.join(flags)} false")
    return 0


def create_user(options: argparse.Namespace) -> int:
    """Make an account; the random password of a person is printed, as Gitea does."""
    db, bot = store(opened(options.config)), options.user_type == "bot"
    if bot and options.random_password:
        raise RefusedError("password can only be set for individual users")
    if not bot and not options.random_password:
        raise RefusedError("must set either password or random-password flag")
    password = secrets.token_urlsafe(options.random_password_length) if options.random_password else ""
    # A bot too, although it cannot: must-change-password --unset is what lets it work.
    more = {"admin": int(options.admin), "must_change": int(options.must_change_password)}
    accounts.create_account(db, options.username, options.email, password, int(time.time()), **more)
    if password:
        print(f"generated random password is '{password}'")
    print(f"New user '{options.username}' has been successfully created!")
    return 0


def must_change(options: argparse.Namespace) -> int:
    """Say whether accounts have to change their password before anything else."""
    db = store(opened(options.config))
    for name in options.names:
        user = auth.by_name(db, name)
        if user is not None:
            db.update("user", user["id"], must_change=int(not options.unset))
    print(
        f"Updated {len(options.names)} users setting MustChangePassword to {str(not options.unset).lower()}"
    )
    return 0


def make_token(options: argparse.Namespace) -> int:
    """Print a new token."""
    db = store(opened(options.config))
    user = auth.by_name(db, options.username)
    if user is None:
        raise RefusedError(f"user does not exist [uid: 0, name: {options.username}]")
    if db.one("select 1 from token where user_id = ? and name = ?", user["id"], options.token_name):
        raise RefusedError("access token name has been used already")
    wanted = scopes.checked(options.scopes.split(","))
    _key, token = auth.new_token(db, user["id"], options.token_name, wanted, int(time.time()))
    print(token if options.raw else f"Access token was successfully created: {token}")
    return 0


def _switch(text: str) -> bool:
    return text.lower() in {"true", "1", "t"}


def _parser() -> argparse.ArgumentParser:
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--config", type=Path, required=True)
    parser = argparse.ArgumentParser(prog="gitea", description="The pocket forge, with Gitea's command line.")
    version = f"gitea version {VERSION} built with the pocket forge"
    parser.add_argument("--version", action="version", version=version)
    top = parser.add_subparsers(required=True)
    top.add_parser("web", parents=[place]).set_defaults(run=web)
    top.add_parser("migrate", parents=[place]).set_defaults(run=migrate)
    secret = top.add_parser("generate").add_subparsers(required=True).add_parser("secret")
    secret.add_argument("name", choices=sorted(SIZES))
    secret.set_defaults(run=generate)
    user = top.add_parser("admin").add_subparsers(required=True).add_parser("user")
    verbs = user.add_subparsers(required=True)
    verbs.add_parser("list", parents=[place]).set_defaults(run=list_users)
    create = verbs.add_parser("create", parents=[place])
    create.add_argument("--username", required=True)
    create.add_argument("--email", required=True)
    create.add_argument("--user-type", choices=["individual", "bot"], default="individual")
    create.add_argument("--random-password", action="store_true")
    create.add_argument("--random-password-length", type=int, default=12)
    create.add_argument("--must-change-password", type=_switch, default=True)
    create.add_argument("--admin", action="store_true")
    create.set_defaults(run=create_user)
    change = verbs.add_parser("must-change-password", parents=[place])
    change.add_argument("--unset", action="store_true")
    change.add_argument("names", nargs="+")
    change.set_defaults(run=must_change)
    token = verbs.add_parser("generate-access-token", parents=[place])
    token.add_argument("--username", required=True)
    token.add_argument("--token-name", default="gitea-admin")
    token.add_argument("--scopes", default="all")
    token.add_argument("--raw", action="store_true")
    token.set_defaults(run=make_token)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except RefusedError as error:
        print(f"Command error: {error}", file=sys.stderr)
    except ApiError as error:
        print(f"Command error: {error.message}", file=sys.stderr)
    return 1
