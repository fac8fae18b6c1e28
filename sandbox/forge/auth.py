# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asking: tokens and passwords, and the accounts that may not."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING

from .errors import ApiError, not_found

if TYPE_CHECKING:
    from .store import Row, Store
    from .web import Request

WRONG = "invalid username, password or token"
ROUNDS = 1000  # few on purpose: test accounts only, and two slow cores


def hash_password(password: str) -> str:
    """Return a salted hash for storing."""
    salt = secrets.token_hex(8)
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), ROUNDS)
    return f"{salt}${digest.hex()}"


def check_password(password: str, stored: str) -> bool:
    """Compare in constant time; an account without a password matches nothing."""
    salt, _sign, digest = stored.partition("$")
    if not digest:
        return False
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), ROUNDS)
    return hmac.compare_digest(made.hex(), digest)


def hash_token(token: str) -> str:
    """Return what is stored of a token. It is long and random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def by_name(db: Store, name: str) -> Row | None:
    """Return the account or organization of this name, whatever its case."""
    return db.one("select * from user where lower = ?", name.lower())


def by_token(db: Store, token: str) -> tuple[Row, tuple[str, ...]] | None:
    """Return the owner and the scopes of a token."""
    row = db.one("select * from token where hash = ?", hash_token(token))
    if row is None:
        return None
    if time.time() - row["used"] > 60:
        db.run("update token set used = ? where id = ?", int(time.time()), row["id"])
    user = db.get("user", row["user_id"])
    return None if user is None else (user, tuple(str(row["scopes"]).split(",")))


def _basic(db: Store, text: str) -> tuple[Row, tuple[str, ...] | None] | None:
    try:
        name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    if not colon:
        return None
    if password in {"", "x-oauth-basic"}:
        return by_token(db, name)
    found = by_token(db, password)
    if found is not None:
        return found
    user = by_name(db, name) or db.one("select * from user where email = ? and email <> ''", name)
    # Of an account that may not log in, the right password is as wrong as any other.
    may = user is not None and user["kind"] == "user" and not user["prohibit_login"]
    return (user, None) if user and may and check_password(password, user["password"]) else None


def identify(r: Request) -> None:
    """Set doer, scopes and way of a request. :raises ApiError: 401 for credentials that are wrong."""
    header = (r.headers.get("Authorization") or "").split()
    found: tuple[Row, tuple[str, ...] | None] | None = None
    if len(header) == 2 and header[0].lower() in {"token", "bearer"}:
        found, r.way = by_token(r.db, header[1]), "token"
    elif len(header) == 2 and header[0].lower() == "basic":
        found, r.way = _basic(r.db, header[1]), "basic"
    elif r.arg("token") or r.arg("access_token"):
        found, r.way = by_token(r.db, r.arg("token") or r.arg("access_token")), "query"
    else:
        return
    if found is None:
        raise ApiError(401, WRONG)
    r.doer, r.scopes = found


def check_account(r: Request) -> None:
    """Refuse accounts that may not sign in. :raises ApiError: 403 with a message only."""
    user = r.doer
    if user is None:
        if r.forge.require_signin:
            raise ApiError(403, "Only signed in user is allowed to call APIs.", url=False)
        return
    if user["prohibit_login"] or not user["active"]:
        text = "This account is prohibited from signing in, please contact your site administrator."
        raise ApiError(403, text, url=False)
    if user["must_change"]:
        text = f"You must change your password. Change it at: {r.forge.root_url}//user/change_password"
        raise ApiError(403, text, url=False)


def sudo(r: Request) -> None:
    """Let a site admin act as somebody else. :raises ApiError: 403 for others, 404 for an unknown name."""
    name = r.arg("sudo") or (r.headers.get("Sudo") or "")
    if not name or r.doer is None:
        return
    if not r.doer["admin"]:
        raise ApiError(403, "Only administrators allowed to sudo.", url=False)
    other = by_name(r.db, name)
    if other is None:
        raise not_found()
    r.doer = other


def new_token(db: Store, user_id: int, name: str, scopes: list[str], now: int) -> tuple[int, str]:
    """Store a new token; return its id and the secret, which is shown once."""
    token = secrets.token_hex(20)
    columns = {"user_id": user_id, "name": name, "hash": hash_token(token), "last_eight": token[-8:]}
    key = db.insert("token", **columns, scopes=",".join(scopes), created=now, used=now)
    return key, token
