# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Teams: rights by unit, members, and the repositories they reach."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import auth, permissions, views
from .body import Form
from .errors import ApiError, internal, no_user, not_found
from .orgs import find, need_owner
from .router import route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

FIELDS = (
    "description:str permission:str units:[str] units_map:map includes_all_repositories:bool"
    " can_create_org_repo:bool"
)
CREATE = Form("CreateTeamOption", f"name:str! {FIELDS}")
EDIT = Form("EditTeamOption", f"name:str {FIELDS}")


def _units(form: dict[str, Any]) -> dict[str, str]:
    """Return units with their words; an unknown unit is stored under an empty name, as the forge does."""
    given = form.get("units_map") or dict.fromkeys(form.get("units") or [], form.get("permission") or "read")
    return {(unit if unit in permissions.UNITS else ""): word for unit, word in given.items()}


def _words(form: dict[str, Any]) -> dict[str, Any]:
    if form.get("permission") == "admin":
        return {"permission": "admin", "units": "{}"}
    return {"permission": "none", "units": json.dumps(_units(form))}


@route("POST", "/orgs/{org}/teams", scope="organization", token=True)
def create(r: Request) -> Response:
    """Make a team."""
    org = find(r, r.params["org"])
    need_owner(r, org)
    form = r.read(CREATE)
    columns = _words(form)
    if columns["permission"] == "none" and columns["units"] == "{}":
        raise internal("units permission should not be empty")
    with r.db.write() as db:
        if db.one("select 1 from team where org_id = ? and lower = ?", org["id"], form["name"].lower()):
            raise ApiError(422, f"team already exists [org_id: {org['id']}, name: {form['name']}]")
        base = {"org_id": org["id"], "name": form["name"], "lower": form["name"].lower()}
        flags = {
            "all_repos": int(bool(form.get("includes_all_repositories"))),
            "create_repo": int(bool(form.get("can_create_org_repo"))),
        }
        key = db.insert("team", **base, **columns, **flags, description=form.get("description") or "")
    return Response(201, views.team(r, must(r.db.get("team", key))))


@route("GET", "/orgs/{org}/teams", scope="organization", token=True)
def list_all(r: Request) -> Response:
    """List the teams of an organization."""
    org = find(r, r.params["org"])
    rows = r.db.all("select * from team where org_id = ? order by lower = 'owners' desc, lower", org["id"])
    return listed(r, [views.team(r, row, with_org=False) for row in cut(r, rows)], len(rows), links=True)


@route("GET", "/user/teams", scope="organization", token=True)
def own(r: Request) -> Response:
    """List the teams of the doer."""
    sql = "select t.* from team t join team_member m on m.team_id = t.id where m.user_id = ? order by t.id"
    rows = r.db.all(sql, r.user_id)
    return listed(r, [views.team(r, row) for row in cut(r, rows)], len(rows), links=True)


@route("GET", "/orgs/{org}/teams/search", scope="organization", token=True)
def search(r: Request) -> Response:
    """Find teams by a part of the name."""
    org = find(r, r.params["org"])
    rows = r.db.all("select * from team where org_id = ? order by lower", org["id"])
    hits = [row for row in rows if r.arg("q").lower() in row["lower"]]
    found = {"ok": True, "data": [views.team(r, row, with_org=False) for row in cut(r, hits)]}
    return listed(r, found, len(hits), links=True)


def _team(r: Request, *, change: bool = False) -> Row:
    row = r.db.get("team", r.number("id"))
    if row is None:
        raise not_found()
    org = must(r.db.get("user", row["org_id"]))
    if change:
        need_owner(r, org)
    elif not r.site_admin and not permissions.is_org_member(r.db, org["id"], r.user_id):
        raise not_found()
    return row


@route("GET", "/teams/{id}", scope="organization", token=True)
def get(r: Request) -> Response:
    """Show a team."""
    return Response(200, views.team(r, _team(r)))


@route("PATCH", "/teams/{id}", scope="organization", token=True)
def edit(r: Request) -> Response:
    """Change a team; includes_all_repositories is read only when permission comes along."""
    row = _team(r, change=True)
    form = r.read(EDIT)
    columns: dict[str, Any] = {}
    if form.get("name"):
        columns |= {"name": form["name"], "lower": form["name"].lower()}
    if form.get("description") is not None:
        columns["description"] = form["description"]
    if form.get("can_create_org_repo") is not None:
        columns["create_repo"] = int(form["can_create_org_repo"] or row["lower"] == "owners")
    if row["lower"] != "owners":
        if form.get("permission"):
            if form.get("includes_all_repositories") is not None:
                columns["all_repos"] = int(form["includes_all_repositories"])
            if form["permission"] == "admin":
                columns |= {"permission": "admin", "units": "{}"}
        if (form.get("units") or form.get("units_map")) and form.get("permission") != "admin":
            columns |= {"permission": "none", "units": json.dumps(_units(form))}
    with r.db.write() as db:
        if row["all_repos"] and columns.get("all_repos") == 0:
            # What it had as one of all stays with it.
            every = "insert or ignore into team_repo select ?, id from repo where owner_id = ?"
            db.run(every, row["id"], row["org_id"])
        if columns:
            db.update("team", row["id"], **columns)
    return Response(200, views.team(r, must(r.db.get("team", row["id"]))))


@route("DELETE", "/teams/{id}", scope="organization", token=True)
def delete(r: Request) -> Response:
    """Delete a team."""
    row = _team(r, change=True)
    with r.db.write() as db:
        db.run("delete from team_member where team_id = ?", row["id"])
        db.run("delete from team_repo where team_id = ?", row["id"])
        db.run("delete from team where id = ?", row["id"])
    return Response(204)


@route("GET", "/teams/{id}/members", scope="organization", token=True)
def members(r: Request) -> Response:
    """List the members of a team."""
    sql = "select u.* from user u join team_member m on m.user_id = u.id where m.team_id = ? order by u.id"
    rows = r.db.all(sql, _team(r)["id"])
    return listed(r, [views.user(r, row, r.doer) for row in cut(r, rows)], len(rows))


def _person(r: Request) -> Row:
    user = auth.by_name(r.db, r.params["user"])
    if user is None:
        raise not_found(no_user(r.params["user"]), message="GetUserByName")
    return user


@route("GET", "/teams/{id}/members/{user}", scope="organization", token=True)
def member(r: Request) -> Response:
    """Show one member."""
    row, user = _team(r), _person(r)
    if r.db.one("select 1 from team_member where team_id = ? and user_id = ?", row["id"], user["id"]) is None:
        raise not_found()
    return Response(200, views.user(r, user, r.doer))


@route("PUT", "/teams/{id}/members/{user}", scope="organization", token=True)
def add_member(r: Request) -> Response:
    """Add a member; again is no error."""
    row, user = _team(r, change=True), _person(r)
    r.db.run("insert or ignore into team_member values (?, ?)", row["id"], user["id"])
    return Response(204)


@route("DELETE", "/teams/{id}/members/{user}", scope="organization", token=True)
def remove_member(r: Request) -> Response:
    """Remove a member; nobody is no error."""
    row, user = _team(r, change=True), _person(r)
    with r.db.write() as db:
        last = db.value("select count(*) from team_member where team_id = ?", row["id"]) == 1
        there = db.one("select 1 from team_member where team_id = ? and user_id = ?", row["id"], user["id"])
        if row["lower"] == "owners" and last and there:
            raise internal(f"user is the last member of owner team [uid: {user['id']}]")
        db.run("delete from team_member where team_id = ? and user_id = ?", row["id"], user["id"])
    return Response(204)


@route("GET", "/teams/{id}/repos", scope="organization", token=True)
def repos(r: Request) -> Response:
    """List the repositories that a team reaches."""
    row = _team(r)
    every = r.db.all("select * from repo where owner_id = ? order by id", row["org_id"])
    rows = [repo for repo in every if permissions.team_covers(r.db, row, repo["id"])]
    return listed(r, [views.repo(r, repo) for repo in cut(r, rows)], len(rows))


def _team_repo(r: Request, *, change: bool) -> tuple[Row, Row]:
    row = _team(r, change=change)
    owner = auth.by_name(r.db, r.params["org"])
    repo = None
    if owner is not None and owner["id"] == row["org_id"]:
        sql = "select * from repo where owner_id = ? and lower = ?"
        repo = r.db.one(sql, owner["id"], r.params["repo"].lower())
    if repo is None:
        raise not_found()
    return row, repo


@route("GET", "/teams/{id}/repos/{org}/{repo}", scope="organization", token=True)
def has_repo(r: Request) -> Response:
    """Show one repository of a team."""
    row, repo = _team_repo(r, change=False)
    if not permissions.team_covers(r.db, row, repo["id"]):
        raise not_found()
    return Response(200, views.repo(r, repo))


@route("PUT", "/teams/{id}/repos/{org}/{repo}", scope="organization", token=True)
def add_repo(r: Request) -> Response:
    """Give a team a repository."""
    row, repo = _team_repo(r, change=True)
    r.db.run("insert or ignore into team_repo values (?, ?)", row["id"], repo["id"])
    return Response(204)


@route("DELETE", "/teams/{id}/repos/{org}/{repo}", scope="organization", token=True)
def remove_repo(r: Request) -> Response:
    """Take a repository from a team."""
    row, repo = _team_repo(r, change=True)
    r.db.run("delete from team_repo where team_id = ? and repo_id = ?", row["id"], repo["id"])
    return Response(204)


def _repo_teams(r: Request) -> list[Row]:
    rows = r.db.all(
        "select * from team where org_id = ? order by lower = 'owners' desc, lower", r.repo["owner_id"]
    )
    return [row for row in rows if permissions.team_covers(r.db, row, r.repo["id"])]


@route("GET", "/repos/{owner}/{repo}/teams", scope="repository")
def of_repo(r: Request) -> Response:
    """List the teams of a repository, all of them."""
    if must(r.db.get("user", r.repo["owner_id"]))["kind"] != "org":
        raise ApiError(405, "repo is not owned by an organization")
    return Response(200, [views.team(r, row, with_org=False) for row in _repo_teams(r)])


def _named_team(r: Request) -> Row:
    sql = "select * from team where org_id = ? and lower = ?"
    row = r.db.one(sql, r.repo["owner_id"], r.params["team"].lower())
    if row is None:
        raise not_found()
    return row


@route("GET", "/repos/{owner}/{repo}/teams/{team}", scope="repository")
def one_of_repo(r: Request) -> Response:
    """Show one team of a repository."""
    row = _named_team(r)
    if not permissions.team_covers(r.db, row, r.repo["id"]):
        raise not_found()
    return Response(200, views.team(r, row))


@route("PUT", "/repos/{owner}/{repo}/teams/{team}", scope="repository", token=True, need="admin")
def add_to_repo(r: Request) -> Response:
    """Give a team this repository."""
    row = _named_team(r)
    if permissions.team_covers(r.db, row, r.repo["id"]):
        raise ApiError(422, f"team '{row['name']}' is already added to repo")
    r.db.run("insert or ignore into team_repo values (?, ?)", row["id"], r.repo["id"])
    return Response(204)


@route("DELETE", "/repos/{owner}/{repo}/teams/{team}", scope="repository", token=True, need="admin")
def remove_from_repo(r: Request) -> Response:
    """Take this repository from a team."""
    row = _named_team(r)
    if r.db.run("delete from team_repo where team_id = ? and repo_id = ?", row["id"], r.repo["id"]) == 0:
        raise ApiError(422, f"team '{row['name']}' was not added to repo")
    return Response(204)
