# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories that change hands: at once where the doer may make them there, else when they are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import auth, permissions, views
from .body import Form
from .errors import ApiError
from .router import route
from .store import must
from .web import Response

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

TRANSFER = Form("TransferRepoOption", "new_owner:str! team_ids:[int]")


@route("POST", "/repos/{owner}/{repo}/transfer", scope="repository", token=True, need="owner")
def transfer(r: Request) -> Response:
    """Give a repository to another account or organization, or offer it."""
    new = auth.by_name(r.db, r.read(TRANSFER)["new_owner"])
    if new is None:
        raise ApiError(404, "The new owner does not exist or cannot be found")
    with r.db.write() as db:
        if db.one("select 1 from transfer where repo_id = ?", r.repo["id"]):
            raise ApiError(409, "repository is already being transferred [uname: , name: ]")
        if db.one("select 1 from repo where owner_id = ? and lower = ?", new["id"], r.repo["lower"]):
            raise ApiError(422, f"repository already exists [uname: {new['name']}, name: {r.repo['name']}]")
        if _may_make(r, new):
            _move(r, new)
            return Response(202, _shown(r))
        db.insert("transfer", repo_id=r.repo["id"], doer_id=r.user_id, recipient_id=new["id"])
    return Response(201, _shown(r))


@route("POST", "/repos/{owner}/{repo}/transfer/accept", scope="repository", token=True)
def accept(r: Request) -> Response:
    """Take a repository that is offered."""
    _move(r, _offered(r))
    return Response(202, _shown(r))


@route("POST", "/repos/{owner}/{repo}/transfer/reject", scope="repository", token=True)
def reject(r: Request) -> Response:
    """Refuse a repository that is offered."""
    _offered(r)
    r.db.run("delete from transfer where repo_id = ?", r.repo["id"])
    return Response(200, _shown(r))


def _shown(r: Request) -> dict[str, object]:
    return views.repo(r, must(r.db.get("repo", r.repo["id"])))


def _may_make(r: Request, owner: Row) -> bool:
    if r.site_admin or owner["id"] == r.user_id or permissions.is_org_owner(r.db, owner["id"], r.doer):
        return True
    return any(team["create_repo"] for team in permissions.teams_of(r.db, owner["id"], r.user_id))


def _offered(r: Request) -> Row:
    """Return who is to have it, if the doer may speak for them. :raises ApiError: 404 for no offer, 403."""
    offer = r.db.one("select * from transfer where repo_id = ?", r.repo["id"])
    if offer is None:
        raise ApiError(404, "repository has no pending transfer")
    recipient = must(r.db.get("user", offer["recipient_id"]))
    if not _may_make(r, recipient):
        raise ApiError(403, "user is not allowed to decide on this transfer")
    return recipient


def _move(r: Request, new: Row) -> None:
    key, lower, old = r.repo["id"], r.repo["lower"], r.repo["owner_id"]
    with r.db.write() as db:
        db.run("delete from repo_redirect where owner_id = ? and lower = ?", new["id"], lower)
        db.run("insert or replace into repo_redirect values (?, ?, ?)", old, lower, key)
        db.run("delete from team_repo where repo_id = ?", key)
        db.run("delete from collaborator where repo_id = ? and user_id = ?", key, new["id"])
        db.run("delete from transfer where repo_id = ?", key)
        db.update("repo", key, owner_id=new["id"])
