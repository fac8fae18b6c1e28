# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comments. Lists of them are never paged, whatever page and limit say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import events, permissions
from .body import Form
from .errors import ApiError, forbidden, not_found
from .issue_view import can_write, comment, find, unit_of
from .issues import Filter, when_of
from .router import route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form("CreateIssueCommentOption", "body:str!")
PATH = "/repos/{owner}/{repo}/issues/{index}/comments"


def span(r: Request, wanted: Filter) -> None:
    """Add since and before."""
    for name, sign in (("since", ">="), ("before", "<=")):
        when = when_of(r, name)
        if when is not None:
            wanted.add(f"updated {sign} ?", when)


@route("GET", PATH, scope="issue")
def list_issue(r: Request) -> Response:
    """List all comments of an issue, oldest first."""
    row = find(r, opaque=True)
    wanted = Filter()
    wanted.add("issue_id = ? and kind = 'comment'", row["id"])
    span(r, wanted)
    rows = r.db.find("comment", wanted.where, wanted.args)
    return listed(r, [comment(r, item, row) for item in rows], len(rows))


@route("POST", PATH, scope="issue", token=True, archived=True)
def create(r: Request) -> Response:
    """Add a comment."""
    form = r.read(CREATE)
    row = find(r, opaque=True)
    if row["locked"] and not can_write(r, row):
        raise ApiError(403, "You cannot comment on a locked issue.")
    with r.db.write() as db:
        key = events.note(r, row, "comment", form["body"])
        db.run("update issue set comments = comments + 1, updated = ? where id = ?", r.forge.now(), row["id"])
        events.refer(r, row, form["body"], "comment_ref")
        made = must(db.get("comment", key))
        events.fire_comment(r, row, made, "created")
    return Response(201, comment(r, made, row))


@route("GET", "/repos/{owner}/{repo}/issues/comments", scope="issue")
def list_repo(r: Request) -> Response:
    """List the comments of a repository; this one is paged."""
    wanted = Filter()
    wanted.add("kind = 'comment' and issue_id in (select id from issue where repo_id = ?)", r.repo["id"])
    span(r, wanted)
    rows = r.db.find("comment", wanted.where, wanted.args)
    shown = [comment(r, row, must(r.db.get("issue", row["issue_id"]))) for row in cut(r, rows)]
    return listed(r, shown, len(rows))


def _comment(r: Request) -> tuple[Row, Row]:
    key = r.number("id")
    row = r.db.one("select * from comment where id = ? and kind = 'comment'", key)
    issue = None if row is None else r.db.get("issue", row["issue_id"])
    if row is None or issue is None or issue["repo_id"] != r.repo["id"]:
        raise not_found(f"comment does not exist [id: {key}, issue_id: 0]")
    if r.access.of(unit_of(issue)) < permissions.READ:
        raise not_found()
    return row, issue


ONE = "/repos/{owner}/{repo}/issues/comments/{id}"


@route("GET", ONE, scope="issue")
def get(r: Request) -> Response:
    """Show a comment."""
    return Response(200, comment(r, *_comment(r)))


@route("PATCH", ONE, scope="issue", token=True)
def edit(r: Request) -> Response:
    """Change a comment: its author or a writer."""
    form = r.read(CREATE)
    row, issue = _comment(r)
    if row["poster_id"] != r.user_id and not can_write(r, issue):
        raise forbidden()
    with r.db.write() as db:
        db.update("comment", row["id"], body=form["body"], updated=r.forge.now())
        now = must(db.get("comment", row["id"]))
        events.fire_comment(r, issue, now, "edited")
    return Response(200, comment(r, now, issue))


@route("DELETE", ONE, scope="issue", token=True)
def delete(r: Request) -> Response:
    """Delete a comment: its author or a writer."""
    row, issue = _comment(r)
    if row["poster_id"] != r.user_id and not can_write(r, issue):
        raise forbidden()
    with r.db.write() as db:
        events.fire_comment(r, issue, row, "deleted")
        db.run("delete from comment where id = ?", row["id"])
        db.run("update issue set comments = comments - 1 where id = ?", issue["id"])
    return Response(204)
