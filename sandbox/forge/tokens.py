# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access tokens: made, listed and removed by password (or by a token in the password's place) only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import auth, scopes, views
from .accounts import find
from .body import Form
from .errors import ApiError, not_found
from .router import route
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form("CreateAccessTokenOption", "name:str! scopes:[str]")


def _owner(r: Request) -> Row:
    owner = find(r, r.params["name"])
    if r.doer is None or (r.doer["id"] != owner["id"] and not r.doer["admin"]):
        raise ApiError(403, "doer should be the site admin or be same as the contextUser")
    if r.way != "basic":
        raise ApiError(401, "auth required")
    return owner


def _view(row: Row, secret: str = "") -> dict[str, Any]:
    # The answer to the creation carries no times: they are the database's, and it is not asked again.
    return {
        "id": row["id"],
        "name": row["name"],
        "sha1": secret,
        "token_last_eight": row["last_eight"],
        "scopes": str(row["scopes"]).split(","),
        "created_at": views.NEVER if secret else views.moment(row["created"]),
        "last_used_at": views.NEVER if secret else views.moment(row["used"]),
    }


@route("POST", "/users/{name}/tokens", scope="user")
def create(r: Request) -> Response:
    """Make a token; the secret is in this answer and nowhere else."""
    owner = _owner(r)
    form = r.read(CREATE)
    with r.db.write() as db:
        if db.one("select 1 from token where user_id = ? and name = ?", owner["id"], form["name"]):
            raise ApiError(400, "access token name has been used already")
        wanted = scopes.checked(form.get("scopes") or [])
        key, secret = auth.new_token(db, owner["id"], form["name"], wanted, r.forge.now())
        row = db.get("token", key)
    return Response(201, _view(row, secret) if row else None)


@route("GET", "/users/{name}/tokens", scope="user")
def list_all(r: Request) -> Response:
    """List tokens, newest first, without their secrets."""
    rows = r.db.all("select * from token where user_id = ? order by id desc", _owner(r)["id"])
    return listed(r, [_view(row) for row in cut(r, rows)], len(rows))


@route("DELETE", "/users/{name}/tokens/{token}", scope="user")
def delete(r: Request) -> Response:
    """Remove a token by name, or by id: a name of digits only is read as an id."""
    owner = _owner(r)
    key = r.params["token"]
    column = "id" if key.isdigit() else "name"
    if column == "id":
        gone = r.db.run("delete from token where user_id = ? and id = ?", owner["id"], int(key))
    else:
        gone = r.db.run("delete from token where user_id = ? and name = ?", owner["id"], key)
    if not gone:
        raise not_found()
    return Response(204)
