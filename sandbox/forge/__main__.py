# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python3 -m forge serve`` and ``python3 -m forge admin create``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import urllib.parse
from pathlib import Path

from . import accounts, auth, lock
from .errors import ApiError
from .state import Forge
from .store import Store


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, got {text!r}")
    return host.strip("[]"), int(port)


def _url(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query:
        raise argparse.ArgumentTypeError(f"expected an address such as http://forge.test/, got {text!r}")
    return text.rstrip("/")


def serve(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    from . import server, workers  # noqa: PLC0415 - the receive hooks start faster without them

    state = options.state.resolve()
    (state / "repositories").mkdir(parents=True, exist_ok=True)
    keep = lock.take(state)
    lock.sweep(state)
    forge = Forge(state, "http://localhost", keep=(keep,), delay=options.delay)
    try:
        listening = server.Server(options.listen, forge)
    except OSError as error:
        print(f"forge: cannot listen on {options.listen[0]}:{options.listen[1]}: {error}", file=sys.stderr)
        return 1
    host, port = str(listening.server_address[0]), listening.server_address[1]
    here = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    forge.root_url = options.root_url or here
    forge.require_signin = options.require_signin
    workers.start(forge)
    for number in (signal.SIGTERM, signal.SIGINT):
        # shutdown() waits for the serving loop, which is the thread that runs this handler
        signal.signal(number, lambda *_: threading.Thread(target=listening.shutdown).start())
    print(f"listening on {here}", flush=True)
    listening.serve_forever(poll_interval=0.2)
    forge.stopping.set()
    return 0


def _secret(path: Path) -> str:
    return path.read_text(encoding="utf-8").rstrip("\n")


def create_admin(options: argparse.Namespace) -> int:
    """Make a site admin with a token of all scopes, which goes into a file that only the caller can read."""
    state = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    store = Store(state / "forge.sqlite3")
    now = int(time.time())
    try:
        with store.write():
            key = accounts.create_account(
                store, options.name, options.email, _secret(options.password_file), now, admin=1
            )
            _key, token = auth.new_token(store, key, "admin", ["all"], now)
            handle = os.open(options.token_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(f"{token}\n")
    except (ApiError, OSError) as error:
        print(f"forge: {error}", file=sys.stderr)
        return 1
    return 0


def main(argv: list[str]) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="forge", description="The pocket forge: a stand-in for Gitea.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("serve", help="serve until SIGTERM")
    one.add_argument("--state", type=Path, required=True, help="directory of the forge, made if missing")
    one.add_argument("--listen", type=_address, default=("127.0.0.1", 3000), metavar="HOST:PORT")
    one.add_argument("--root-url", type=_url, help="address in links and hooks (default: where it listens)")
    one.add_argument("--require-signin", action="store_true", help="show nothing to those without an account")
    one.add_argument(
        "--delay", type=float, default=0.5, help="seconds until a push or a merge check is worked on"
    )
    two = commands.add_parser("admin", help="manage accounts").add_subparsers(dest="verb", required=True)
    make = two.add_parser("create", help="make a site admin with a token")
    make.add_argument("--state", type=Path, required=True)
    make.add_argument("--name", required=True)
    make.add_argument("--email", required=True)
    make.add_argument("--password-file", type=Path, required=True)
    make.add_argument("--token-file", type=Path, required=True, help="where the token is written, mode 0600")
    options = parser.parse_args(argv)
    return serve(options) if options.command == "serve" else create_admin(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
