# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organizations and their repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import auth, permissions, repos, views
from .accounts import check_name, rename_account
from .body import Form
from .errors import ApiError, no_user, not_found
from .router import find_account, route
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row, Store
    from .web import Request

FIELDS = (
    "description:str email:str full_name:str location:str website:str visibility:str"
    " repo_admin_change_team_access:bool"
)
CREATE = Form("CreateOrgOption", f"username:str! {FIELDS}")
EDIT = Form("EditOrgOption", FIELDS)
RENAME = Form("RenameOrgOption", "new_name:str!")


def find(r: Request, name: str) -> Row:
    """Return an organization that the doer may see. :raises ApiError: 404 as organization routes answer."""
    row = auth.by_name(r.db, name)
    if row is None or row["kind"] != "org":
        find_account(r, name)
        raise not_found(f"user redirect does not exist [name: {name}]", message="GetOrgByName")
    hidden = row["visibility"] == "private" or (row["visibility"] == "limited" and r.doer is None)
    member = r.doer is not None and (r.site_admin or permissions.is_org_member(r.db, row["id"], r.user_id))
    if hidden and not member:
        raise not_found()
    return row


def need_owner(r: Request, row: Row) -> None:
    """Let owners pass. :raises ApiError: 403."""
    if not permissions.is_org_owner(r.db, row["id"], r.doer):
        raise ApiError(403, "Must be an organization owner")


@route("POST", "/orgs", scope="organization", token=True)
def create(r: Request) -> Response:
    """Make an organization; its maker owns it."""
    form = r.read(CREATE)
    with r.db.write() as db:
        check_name(db, form["username"])
        plain = ("description", "email", "full_name", "location", "website")
        columns = {key: form.get(key) or "" for key in plain}
        columns["visibility"] = form.get("visibility") or "public"
        base = {
            "name": form["username"],
            "lower": form["username"].lower(),
            "kind": "org",
            "created": r.forge.now(),
        }
        admin_team = int(bool(form.get("repo_admin_change_team_access")))
        key = db.insert("user", **base, **columns, repo_admin_team=admin_team)
        owners = {
            "name": "Owners",
            "lower": "owners",
            "permission": "owner",
            "all_repos": 1,
            "create_repo": 1,
        }
        team = db.insert("team", org_id=key, **owners)
        db.run("insert into team_member values (?, ?)", team, r.user_id)
        row = db.get("user", key)
    return Response(201, views.org(r, row) if row else None)


@route("GET", "/orgs", scope="organization")
def list_all(r: Request) -> Response:
    """List organizations."""
    rows = r.db.all("select * from user where kind = 'org' and visibility <> 'private' order by lower")
    return listed(r, [views.org(r, row) for row in cut(r, rows)], len(rows), links=True)


@route("GET", "/user/orgs", scope="organization", token=True)
def own(r: Request) -> Response:
    """List the organizations of the doer."""
    sql = (
        "select distinct u.* from user u join team t on t.org_id = u.id"
        " join team_member m on m.team_id = t.id"
        " where m.user_id = ? order by u.lower"
    )
    rows = r.db.all(sql, r.user_id)
    return listed(r, [views.org(r, row) for row in cut(r, rows)], len(rows), links=True)


@route("GET", "/users/{name}/orgs", scope="organization")
def of_user(r: Request) -> Response:
    """List the organizations of an account that the doer may see."""
    user = auth.by_name(r.db, r.params["name"])
    if user is None:
        raise ApiError(404, f"user redirect does not exist [name: {r.params['name']}]")
    every = r.db.all("select * from user where kind = 'org' order by lower")
    rows = [row for row in every if permissions.is_org_member(r.db, row["id"], user["id"])]
    near = r.site_admin or r.user_id == user["id"]
    shown = [row for row in rows if near or row["visibility"] == "public"]
    return listed(r, [views.org(r, row) for row in cut(r, shown)], len(shown), links=True)


@route("GET", "/admin/orgs", scope="admin", token=True, need="site")
def list_admin(r: Request) -> Response:
    """List every organization."""
    rows = r.db.all("select * from user where kind = 'org' order by lower")
    return listed(r, [views.org(r, row) for row in cut(r, rows)], len(rows), links=True)


@route("GET", "/orgs/{org}", scope="organization")
def get(r: Request) -> Response:
    """Show an organization."""
    return Response(200, views.org(r, find(r, r.params["org"])))


@route("PATCH", "/orgs/{org}", scope="organization", token=True)
def edit(r: Request) -> Response:
    """Change an organization."""
    row = find(r, r.params["org"])
    need_owner(r, row)
    form = r.read(EDIT)
    columns = {key: value for key, value in form.items() if value is not None}
    if "repo_admin_change_team_access" in columns:
        columns["repo_admin_team"] = int(columns.pop("repo_admin_change_team_access"))
    if columns:
        r.db.update("user", row["id"], **columns)
    return Response(200, views.org(r, find(r, r.params["org"])))


@route("DELETE", "/orgs/{org}", scope="organization", token=True)
def delete(r: Request) -> Response:
    """Delete an organization that has no repositories."""
    row = find(r, r.params["org"])
    need_owner(r, row)
    with r.db.write() as db:
        if db.one("select 1 from repo where owner_id = ?", row["id"]):
            raise ApiError(422, f"user still has ownership of repositories [uid: {row['id']}]")
        remove(db, row["id"])
    return Response(204)


def remove(db: Store, key: int) -> None:
    """Remove an organization by id, with its teams."""
    with db.write():
        db.run("delete from team_member where team_id in (select id from team where org_id = ?)", key)
        db.run("delete from team where org_id = ?", key)
        db.run("delete from user where id = ?", key)


@route("POST", "/orgs/{org}/rename", scope="organization", token=True)
def rename(r: Request) -> Response:
    """Give an organization another name and keep a redirect."""
    row = find(r, r.params["org"])
    need_owner(r, row)
    rename_account(r.db, row, r.read(RENAME)["new_name"])
    return Response(204)


@route("GET", "/orgs/{org}/repos", scope="organization")
def list_repos(r: Request) -> Response:
    """List repositories. Those a signed-in doer may not see drop out after paging, and stay in the total."""
    row = find(r, r.params["org"])
    rows = r.db.all("select * from repo where owner_id = ? order by id", row["id"])
    if r.doer is None or "public-only" in (r.scopes or ()):
        rows = [repo for repo in rows if not repo["private"]]
    seen = [repo for repo in cut(r, rows) if permissions.access(r.db, repo, r.doer).any]
    return listed(r, [views.repo(r, repo) for repo in seen], len(rows), links=True)


@route("POST", "/orgs/{org}/repos", scope="organization", token=True)
def create_repo(r: Request) -> Response:
    """Make a repository of the organization."""
    row = find(r, r.params["org"])
    form = r.read(repos.CREATE)
    creators = [team for team in permissions.teams_of(r.db, row["id"], r.user_id) if team["create_repo"]]
    if not creators and not permissions.is_org_owner(r.db, row["id"], r.doer):
        raise ApiError(403, "User is not allowed to create repositories in this organization.")
    return repos.create(r, row, form)


@route("GET", "/orgs/{org}/members", scope="organization")
def members(r: Request) -> Response:
    """List members."""
    row = find(r, r.params["org"])
    sql = (
        "select distinct u.* from user u join team_member m on m.user_id = u.id"
        " join team t on t.id = m.team_id"
        " where t.org_id = ? order by u.id"
    )
    rows = r.db.all(sql, row["id"])
    return listed(r, [views.user(r, user, r.doer) for user in cut(r, rows)], len(rows))


def _member(r: Request) -> tuple[Row, Row]:
    row = find(r, r.params["org"])
    user = auth.by_name(r.db, r.params["user"])
    if user is None:
        raise not_found(no_user(r.params["user"]), message="GetUserByName")
    return row, user


@route("GET", "/orgs/{org}/members/{user}", scope="organization")
def is_member(r: Request) -> Response:
    """Say whether somebody is a member: 204 or 404."""
    row, user = _member(r)
    if not permissions.is_org_member(r.db, row["id"], user["id"]):
        raise not_found()
    return Response(204)


@route("DELETE", "/orgs/{org}/members/{user}", scope="organization", token=True)
def remove_member(r: Request) -> Response:
    """Take somebody out of every team."""
    row, user = _member(r)
    need_owner(r, row)
    sql = "delete from team_member where user_id = ? and team_id in (select id from team where org_id = ?)"
    r.db.run(sql, user["id"], row["id"])
    return Response(204)
