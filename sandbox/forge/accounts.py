# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts: /admin/users, /users, /user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import auth, permissions, views
from .body import Form
from .errors import ApiError
from .router import find_account, route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row, Store
    from .web import Request

RESERVED = frozenset(
    [
        "admin",
        "api",
        "assets",
        "attachments",
        "avatars",
        "explore",
        "healthz",
        "issues",
        "login",
        "new",
        "notifications",
        "org",
        "pulls",
        "repo",
        "user",
        "v2",
    ]
)
PASSWORD_LENGTH = 8
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
CREATE = Form(
    "CreateUserOption",
    "username:str! email:str! password:str full_name:str login_name:str must_change_password:bool"
    " restricted:bool source_id:int visibility:str send_notify:bool",
)
EDIT = Form(
    "EditUserOption",
    "source_id:int login_name:str! email:str full_name:str password:str must_change_password:bool active:bool"
    " admin:bool prohibit_login:bool restricted:bool visibility:str description:str location:str website:str",
)
RENAME = Form("RenameUserOption", "new_username:str!")
SELF = Form("UserSettingsOptions", "full_name:str description:str location:str website:str")


def check_name(db: Store, name: str) -> None:
    """Refuse a name that is taken, reserved or malformed. :raises ApiError: 422."""
    if name.lower() in RESERVED:
        raise ApiError(422, f"name is reserved [name: {name}]")
    if not NAME.fullmatch(name):
        raise ApiError(
            422,
            f"user name is invalid [{name}]: must be valid alpha or numeric or dash(-_) or dot characters",
        )
    if auth.by_name(db, name) is not None:
        raise ApiError(422, f"user already exists [name: {name}]")


def create_account(db: Store, name: str, email: str, password: str, now: int, **more: Any) -> int:
    """Store an account. :raises ApiError: 422 when name or address is taken."""
    with db.write():
        check_name(db, name)
        if db.one("select 1 from user where lower(email) = ? and kind = 'user'", email.lower()):
            raise ApiError(422, f"e-mail already in use [email: {email}]")
        hashed = auth.hash_password(password) if password else ""
        base = {"name": name, "lower": name.lower(), "email": email, "password": hashed, "created": now}
        return db.insert("user", **base, **more)


def find(r: Request, name: str) -> Row:
    """Return an account of the path. :raises ApiError: 404 as account routes answer."""
    row = auth.by_name(r.db, name)
    if row is None:
        find_account(r, name)
        raise ApiError(404, f"user redirect does not exist [name: {name}]")
    return row


@route("POST", "/admin/users", scope="admin", token=True, need="site")
def create(r: Request) -> Response:
    """Make an account."""
    form = r.read(CREATE)
    if len(form.get("password") or "") < PASSWORD_LENGTH and not form.get("source_id"):
        raise ApiError(400, "PasswordIsRequired")
    change = form.get("must_change_password")
    more = {
        "full_name": form.get("full_name") or "",
        "login_name": form.get("login_name") or "",
        "must_change": int(change is None or change),
        "restricted": int(bool(form.get("restricted"))),
        "visibility": form.get("visibility") or "public",
    }
    key = create_account(
        r.db, form["username"], form["email"], form.get("password") or "", r.forge.now(), **more
    )
    return Response(201, views.user(r, r.db.get("user", key), r.doer))


@route("GET", "/admin/users", scope="admin", token=True, need="site")
def list_all(r: Request) -> Response:
    """List accounts by name."""
    rows = r.db.all("select * from user where kind = 'user' order by lower")
    return listed(r, [views.user(r, row, r.doer) for row in cut(r, rows)], len(rows), links=True)


@route("PATCH", "/admin/users/{name}", scope="admin", token=True, need="site")
def edit(r: Request) -> Response:
    """Change an account; the login name must come along."""
    row = find(r, r.params["name"])
    form = r.read(EDIT)
    columns: dict[str, Any] = {"login_name": form["login_name"]}
    plain = ("email", "full_name", "visibility", "description", "location", "website")
    columns |= {key: form[key] for key in plain if form.get(key) is not None}
    flags = {key: key for key in ("admin", "active", "prohibit_login", "restricted")}
    flags |= {"must_change_password": "must_change"}
    columns |= {column: int(form[key]) for key, column in flags.items() if form.get(key) is not None}
    if form.get("password"):
        if len(form["password"]) < PASSWORD_LENGTH:
            raise ApiError(400, f"password must be at least {PASSWORD_LENGTH} characters")
        columns["password"] = auth.hash_password(form["password"])
    r.db.update("user", row["id"], **columns)
    return Response(200, views.user(r, r.db.get("user", row["id"]), r.doer))


@route("POST", "/admin/users/{name}/rename", scope="admin", token=True, need="site")
def rename(r: Request) -> Response:
    """Give an account another name and keep a redirect from the old one."""
    row = find(r, r.params["name"])
    new = r.read(RENAME)["new_username"]
    rename_account(r.db, row, new)
    return Response(204)


def rename_account(db: Store, row: Row, new: str) -> None:
    """Change a name, with a redirect."""
    with db.write():
        if new.lower() != row["lower"]:
            check_name(db, new)
            db.run("delete from user_redirect where lower = ?", new.lower())
            db.run("insert or replace into user_redirect values (?, ?)", row["lower"], row["id"])
        db.update("user", row["id"], name=new, lower=new.lower())


@route("GET", "/users/search")
def search(r: Request) -> Response:
    """Find accounts by a part of the name."""
    text = r.arg("q").lower()
    rows = [
        row
        for row in r.db.all("select * from user where kind = 'user' order by lower")
        if text in row["lower"]
    ]
    found = {"ok": True, "data": [views.user(r, row, r.doer) for row in cut(r, rows)]}
    return listed(r, found, len(rows), links=True)


@route("GET", "/users/{name}", scope="user")
def get(r: Request) -> Response:
    """Show an account."""
    return Response(200, views.user(r, find(r, r.params["name"]), r.doer))


@route("GET", "/user", scope="user", token=True)
def whoami(r: Request) -> Response:
    """Show who asks."""
    return Response(200, views.user(r, r.doer, r.doer))


@route("PATCH", "/user/settings", scope="user", token=True)
def edit_self(r: Request) -> Response:
    """Change one's own description."""
    columns = {key: value for key, value in r.read(SELF).items() if value is not None}
    if columns:
        r.db.update("user", r.user_id, **columns)
    row = must(r.db.get("user", r.user_id))
    return Response(200, {key: row[key] for key in ("full_name", "website", "description", "location")})


def _repos(r: Request, owner: int) -> Response:
    rows = r.db.all("select * from repo where owner_id = ? order by id", owner)
    seen = [row for row in cut(r, rows) if permissions.access(r.db, row, r.doer).any]
    return listed(r, [views.repo(r, row) for row in seen], len(rows), links=True)


@route("GET", "/users/{name}/repos", scope="user")
def repos_of(r: Request) -> Response:
    """List an account's repositories; what the doer may not see is left out after paging."""
    return _repos(r, find(r, r.params["name"])["id"])


@route("GET", "/user/repos", scope="user", token=True)
def own_repos(r: Request) -> Response:
    """List what the doer owns or works on."""
    rows = r.db.all("select * from repo order by id")
    mine = []
    for row in rows:
        access = permissions.access(r.db, row, r.doer)
        named = r.db.one("select 1 from collaborator where repo_id = ? and user_id = ?", row["id"], r.user_id)
        if row["owner_id"] == r.user_id or named or access.units or (access.any and row["private"]):
            mine.append(row)
    return listed(r, [views.repo(r, row) for row in cut(r, mine)], len(mine), links=True)
