# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an account goes: alone when it owns nothing, or with all that it owns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import orgs, repos
from .accounts import find
from .errors import ApiError
from .router import route
from .web import Response

if TYPE_CHECKING:
    from .web import Request


@route("DELETE", "/admin/users/{name}", scope="admin", token=True, need="site")
def delete(r: Request) -> Response:
    """Delete an account that owns nothing; with `purge` what it owns goes first."""
    row = find(r, r.params["name"])
    if row["id"] == r.user_id:
        raise ApiError(422, "you cannot delete yourself")
    if r.arg("purge") == "true":
        _purge(r, row["id"])
    with r.db.write() as db:
        if db.one("select 1 from repo where owner_id = ?", row["id"]):
            raise ApiError(422, f"user still has ownership of repositories [uid: {row['id']}]")
        if db.one(
            "select 1 from team_member m join team t on t.id = m.team_id where m.user_id = ?", row["id"]
        ):
            raise ApiError(422, f"user still has membership of organizations [uid: {row['id']}]")
        db.run("delete from token where user_id = ?", row["id"])
        db.run("delete from collaborator where user_id = ?", row["id"])
        db.run("delete from assignee where user_id = ?", row["id"])
        db.run("delete from user where id = ?", row["id"])
    return Response(204)


def _purge(r: Request, key: int) -> None:
    """Remove an account's repositories and memberships, and the organizations that only it owns."""
    for repo in r.db.all("select id from repo where owner_id = ?", key):
        repos.remove(r, repo["id"])
    sql = "select t.* from team t join team_member m on m.team_id = t.id where m.user_id = ?"
    for team in r.db.all(sql, key):
        others = "select 1 from team_member where team_id = ? and user_id <> ?"
        if team["lower"] == "owners" and r.db.one(others, team["id"], key) is None:
            for repo in r.db.all("select id from repo where owner_id = ?", team["org_id"]):
                repos.remove(r, repo["id"])
            orgs.remove(r.db, team["org_id"])
    r.db.run("delete from team_member where user_id = ?", key)
