# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collaborators of a repository, and who may be assigned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import auth, permissions, views
from .body import Form
from .errors import ApiError, internal, no_user, not_found
from .router import route
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

ADD = Form("AddCollaboratorOption", "permission:str")


def _person(r: Request) -> Row:
    user = auth.by_name(r.db, r.params["user"])
    if user is None:
        raise ApiError(422, no_user(r.params["user"]))
    return user


@route("GET", "/repos/{owner}/{repo}/collaborators", scope="repository", token=True)
def list_all(r: Request) -> Response:
    """List collaborators."""
    sql = "select u.* from user u join collaborator c on c.user_id = u.id where c.repo_id = ? order by u.id"
    rows = r.db.all(sql, r.repo["id"])
    return listed(r, [views.user(r, row, r.doer) for row in cut(r, rows)], len(rows))


@route("GET", "/repos/{owner}/{repo}/collaborators/{user}", scope="repository", token=True)
def check(r: Request) -> Response:
    """Say whether somebody is a collaborator: 204 or 404."""
    sql = "select 1 from collaborator where repo_id = ? and user_id = ?"
    if r.db.one(sql, r.repo["id"], _person(r)["id"]) is None:
        raise not_found()
    return Response(204)


@route("PUT", "/repos/{owner}/{repo}/collaborators/{user}", scope="repository", token=True, need="admin")
def add(r: Request) -> Response:
    """Add a collaborator, or change the mode; write when no word is given."""
    form = r.read(ADD)
    user = _person(r)
    mode = permissions.MODES.get(form.get("permission") or "write", permissions.NONE)
    if not permissions.READ <= mode <= permissions.ADMIN:
        raise internal("Invalid access mode")
    r.db.run("insert or replace into collaborator values (?, ?, ?)", r.repo["id"], user["id"], mode)
    return Response(204)


@route("DELETE", "/repos/{owner}/{repo}/collaborators/{user}", scope="repository", token=True, need="admin")
def remove(r: Request) -> Response:
    """Remove a collaborator; nobody is no error."""
    r.db.run("delete from collaborator where repo_id = ? and user_id = ?", r.repo["id"], _person(r)["id"])
    return Response(204)


@route("GET", "/repos/{owner}/{repo}/collaborators/{user}/permission", scope="repository", token=True)
def permission(r: Request) -> Response:
    """Show what somebody may do."""
    user = auth.by_name(r.db, r.params["user"])
    if user is None:
        raise not_found(no_user(r.params["user"]))
    if not r.access.admin and user["id"] != r.user_id:
        raise ApiError(
            403, "Only admins can query all permissions, repo admins can query all repo permissions"
        )
    word = permissions.mode_word(permissions.access(r.db, r.repo, user))
    return Response(200, {"permission": word, "role_name": word, "user": views.user(r, user, r.doer)})


def assignable(r: Request) -> list[Row]:
    """Return the accounts that were given a part in the repository."""
    sql = (
        "select distinct u.* from user u where u.kind = 'user' and (u.id = ?1 or"
        " u.id in (select user_id from collaborator where repo_id = ?2) or"
        " u.id in (select m.user_id from team_member m join team t on t.id = m.team_id where t.org_id = ?1))"
        " order by u.lower"
    )
    rows = r.db.all(sql, r.repo["owner_id"], r.repo["id"])
    return [row for row in rows if permissions.access(r.db, r.repo, row).any]


@route("GET", "/repos/{owner}/{repo}/assignees", scope="repository", token=True)
def assignees(r: Request) -> Response:
    """List who may be assigned, all of them."""
    return Response(200, [views.user(r, row, r.doer) for row in assignable(r)])


@route("GET", "/repos/{owner}/{repo}/reviewers", scope="repository", token=True)
def reviewers(r: Request) -> Response:
    """List who may review, all of them."""
    return Response(200, [views.user(r, row, r.doer) for row in assignable(r)])
