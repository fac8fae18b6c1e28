# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions secrets (write-only) and variables of repositories, organizations and accounts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import orgs, views
from .body import Form
from .errors import ApiError, not_found
from .router import route
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

SECRET = Form("CreateOrUpdateSecretOption", "data:str! description:str")
CREATE = Form("CreateVariableOption", "value:str! description:str")
UPDATE = Form("UpdateVariableOption", "name:str value:str! description:str")
NAME = re.compile(r"(?!GITEA_|GITHUB_|CI\Z)[A-Z_][A-Z0-9_]*")
VALUE_BYTES = 65536
DESCRIPTION_LENGTH = 4096


def _name(r: Request, text: str | None = None) -> str:
    name = (r.params["name"] if text is None else text).upper()
    if not NAME.fullmatch(name):
        raise ApiError(400, "invalid variable or secret name")
    return name


def _texts(form: dict[str, Any], key: str) -> dict[str, str]:
    """Return value and description as they are kept. :raises ApiError: 400 for a value that is too long."""
    if len(form[key].encode()) > VALUE_BYTES:
        raise ApiError(400, "data too long")
    description = (form.get("description") or "")[:DESCRIPTION_LENGTH]
    return {"data": form[key].replace("\r\n", "\n"), "description": description}


def _home(r: Request) -> tuple[int, int]:
    """Return (repository, owner) of the path, one of them 0. :raises ApiError: 403."""
    if "repo" in r.params:
        return int(r.repo["id"]), 0
    if "org" in r.params:
        row = orgs.find(r, r.params["org"])
        orgs.need_owner(r, row)
        return 0, int(row["id"])
    return 0, r.user_id


def _rows(r: Request, table: str) -> list[Row]:
    where = ["repo_id = ?", "owner_id = ?"]
    return r.db.find(table, where, _home(r), order="name")


def _row(r: Request, table: str, name: str) -> Row | None:
    return next((row for row in _rows(r, table) if row["name"] == name), None)


def _variable(row: Row) -> dict[str, Any]:
    keys = ("owner_id", "repo_id", "name", "data", "description")
    return {key: row[key] for key in keys}


def list_secrets(r: Request) -> Response:
    """List the names of secrets."""
    rows = _rows(r, "secret")
    shown = [
        {"name": row["name"], "description": row["description"], "created_at": views.moment(row["created"])}
        for row in cut(r, rows)
    ]
    return listed(r, shown, len(rows), links=True)


def put_secret(r: Request) -> Response:
    """Write a secret: 201 when it is new, 204 when it was there."""
    form, name = r.read(SECRET), _name(r)
    repo, owner = _home(r)
    columns = _texts(form, "data")
    with r.db.write() as db:
        there = _row(r, "secret", name)
        if there is not None:
            db.update("secret", there["id"], **columns)
            return Response(204)
        db.insert("secret", repo_id=repo, owner_id=owner, name=name, created=r.forge.now(), **columns)
    return Response(201)


def delete_secret(r: Request) -> Response:
    """Remove a secret."""
    there = _row(r, "secret", r.params["name"].upper())
    if there is None:
        raise not_found()
    r.db.run("delete from secret where id = ?", there["id"])
    return Response(204)


def list_variables(r: Request) -> Response:
    """List variables with their values."""
    rows = _rows(r, "variable")
    return listed(r, [_variable(row) for row in cut(r, rows)], len(rows), links=True)


def get_variable(r: Request) -> Response:
    """Show a variable."""
    row = _row(r, "variable", r.params["name"].upper())
    if row is None:
        raise not_found()
    return Response(200, _variable(row))


def create_variable(r: Request) -> Response:
    """Add a variable."""
    form, name = r.read(CREATE), _name(r)
    repo, owner = _home(r)
    with r.db.write() as db:
        if _row(r, "variable", name) is not None:
            raise ApiError(409, f"variable name {r.params['name']} already exists")
        columns = _texts(form, "value")
        db.insert("variable", repo_id=repo, owner_id=owner, name=name, created=r.forge.now(), **columns)
    return Response(201)


def update_variable(r: Request) -> Response:
    """Change a variable, its name included."""
    form = r.read(UPDATE)
    with r.db.write() as db:
        row = _row(r, "variable", r.params["name"].upper())
        if row is None:
            raise not_found()
        columns = _texts(form, "value")
        columns["name"] = _name(r, form.get("name") or row["name"])
        db.update("variable", row["id"], **columns)
    return Response(204)


def delete_variable(r: Request) -> Response:
    """Remove a variable."""
    row = _row(r, "variable", r.params["name"].upper())
    if row is None:
        raise not_found()
    r.db.run("delete from variable where id = ?", row["id"])
    return Response(204)


def _register() -> None:
    places = (
        ("/repos/{owner}/{repo}", "repository", "admin"),
        ("/orgs/{org}", "organization", ""),
        ("/user", "user", ""),
    )
    secret, variable = "/actions/secrets", "/actions/variables"
    table = (
        ("GET", secret, list_secrets),
        ("PUT", f"{secret}/{{name}}", put_secret),
        ("DELETE", f"{secret}/{{name}}", delete_secret),
        ("GET", variable, list_variables),
        ("GET", f"{variable}/{{name}}", get_variable),
        ("POST", f"{variable}/{{name}}", create_variable),
        ("PUT", f"{variable}/{{name}}", update_variable),
        ("DELETE", f"{variable}/{{name}}", delete_variable),
    )
    for place, scope, need in places:
        for method, path, handler in table:
            if not (place == "/user" and handler is list_secrets):
                route(method, place + path, scope=scope, token=True, need=need)(handler)


_register()
