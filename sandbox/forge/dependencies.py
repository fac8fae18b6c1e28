# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an issue waits for. Doubled, circular and missing ones are 500, as measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import auth, events, permissions
from .body import Form
from .errors import ApiError, internal, not_found
from .issue_view import can_write, find, issue, unit_of
from .router import route
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

META = Form("IssueMeta", "owner:str repo:str index:int")
NEEDS, BLOCKS = "dependencies", "blocks"
PATH = "/repos/{owner}/{repo}/issues/{index}/"


def _other(r: Request) -> Row:
    form = r.read(META)
    owner = auth.by_name(r.db, form.get("owner") or "")
    sql = "select * from repo where owner_id = ? and lower = ?"
    repo = None if owner is None else r.db.one(sql, owner["id"], str(form.get("repo") or "").lower())
    if repo is None:
        raise not_found(message="IsErrRepoNotExist")
    number = form.get("index") or 0
    row = r.db.one("select * from issue where repo_id = ? and number = ?", repo["id"], number)
    if row is None:
        text = f"issue does not exist [id: 0, repo_id: {repo['id']}, index: {number}]"
        raise not_found(text, message="IsErrIssueNotExist")
    if permissions.access(r.db, repo, r.doer).of(unit_of(row)) < permissions.READ:
        raise not_found()
    return row


def _pair(r: Request, way: str) -> tuple[Row, Row, Row]:
    """Return (issue of the path, issue that waits, issue that is waited for)."""
    here = find(r)
    other = _other(r)
    if not can_write(r, here):
        raise ApiError(403, "write permission is required")
    return (here, here, other) if way == NEEDS else (here, other, here)


def _list(r: Request, way: str) -> Response:
    here = find(r)
    mine, theirs = ("issue_id", "needs_id") if way == NEEDS else ("needs_id", "issue_id")
    sql = f"select i.* from issue i join dependency d on d.{theirs} = i.id where d.{mine} = ? order by i.id"  # noqa: S608
    rows = r.db.all(sql, here["id"])
    shown = [issue(r, row) for row in cut(r, rows)]
    return listed(r, shown, len(rows)) if way == NEEDS else Response(200, shown)


def _add(r: Request, way: str) -> Response:
    here, waits, needed = _pair(r, way)
    with r.db.write() as db:
        sql = "select 1 from dependency where issue_id = ? and needs_id = ?"
        if waits["id"] == needed["id"] or db.one(sql, needed["id"], waits["id"]):
            raise internal(
                f"circular dependencies exists (two issues blocking each other) [issue id: {waits['id']}]"
            )
        if db.one(sql, waits["id"], needed["id"]):
            raise internal(f"issue dependency does already exist [issue id: {waits['id']}]")
        db.run("insert into dependency values (?, ?)", waits["id"], needed["id"])
        events.note(r, waits, "add_dependency", dependent=needed["id"])
        events.note(r, needed, "add_dependency", dependent=waits["id"])
    return Response(201, issue(r, here))


def _remove(r: Request, way: str) -> Response:
    here, waits, needed = _pair(r, way)
    with r.db.write() as db:
        if not db.run(
            "delete from dependency where issue_id = ? and needs_id = ?", waits["id"], needed["id"]
        ):
            raise internal(f"issue dependency does not exist [issue id: {waits['id']}]")
        events.note(r, waits, "remove_dependency", dependent=needed["id"])
    return Response(201, issue(r, here))


@route("GET", PATH + NEEDS, scope="issue")
def list_needs(r: Request) -> Response:
    """List what an issue waits for."""
    return _list(r, NEEDS)


@route("POST", PATH + NEEDS, scope="issue", token=True)
def add_need(r: Request) -> Response:
    """Make an issue wait for another."""
    return _add(r, NEEDS)


@route("DELETE", PATH + NEEDS, scope="issue", token=True)
def remove_need(r: Request) -> Response:
    """End a wait."""
    return _remove(r, NEEDS)


@route("GET", PATH + BLOCKS, scope="issue")
def list_blocks(r: Request) -> Response:
    """List what waits for an issue."""
    return _list(r, BLOCKS)


@route("POST", PATH + BLOCKS, scope="issue", token=True)
def add_block(r: Request) -> Response:
    """Make another issue wait for this one."""
    return _add(r, BLOCKS)


@route("DELETE", PATH + BLOCKS, scope="issue", token=True)
def remove_block(r: Request) -> Response:
    """End another issue's wait."""
    return _remove(r, BLOCKS)
