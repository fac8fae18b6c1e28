# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Milestones of a repository. Titles need not differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .body import Form
from .errors import not_found
from .issue_view import milestone
from .router import route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form("CreateMilestoneOption", "title:str description:str state:str due_on:time")
EDIT = Form("EditMilestoneOption", "title:str description:str state:str due_on:time")
PATH = "/repos/{owner}/{repo}/milestones"
DAY_S = 24 * 3600


@route("GET", PATH, scope="issue")
def list_all(r: Request) -> Response:
    """List milestones: the open ones unless state says closed or all."""
    rows = r.db.all("select * from milestone where repo_id = ? order by due = 0, due, id", r.repo["id"])
    state = r.arg("state")
    if state != "all":
        rows = [row for row in rows if bool(row["closed"]) == (state == "closed")]
    if r.arg("name"):
        rows = [row for row in rows if r.arg("name").lower() in row["title"].lower()]
    return listed(r, [milestone(r, row) for row in cut(r, rows)], len(rows))


@route("POST", PATH, scope="issue", token=True, need="write")
def create(r: Request) -> Response:
    """Add a milestone."""
    form = r.read(CREATE)
    now = r.forge.now()
    closed = form.get("state") == "closed"
    columns = {
        "title": (form.get("title") or "").strip(),
        "description": form.get("description") or "",
        "due": form.get("due_on") or 0,
    }
    columns |= {"closed": int(closed), "closed_at": now if closed else 0}
    key = r.db.insert("milestone", repo_id=r.repo["id"], created=now, updated=now, **columns)
    return Response(201, milestone(r, must(r.db.get("milestone", key))))


def _find(r: Request) -> Row:
    key = r.params["id"]
    if key.isdigit():
        row = r.db.one("select * from milestone where repo_id = ? and id = ?", r.repo["id"], r.number("id"))
    else:
        row = r.db.one("select * from milestone where repo_id = ? and title = ?", r.repo["id"], key)
    if row is None:
        raise not_found()
    return row


@route("GET", PATH + "/{id}", scope="issue")
def get(r: Request) -> Response:
    """Show a milestone by id or title."""
    return Response(200, milestone(r, _find(r)))


def _end_of_day(moment: int) -> int:
    """Return the last second of a day in UTC; 0 stays what it is, never."""
    return moment - moment % DAY_S + DAY_S - 1 if moment > 0 else 0


@route("PATCH", PATH + "/{id}", scope="issue", token=True, need="write")
def edit(r: Request) -> Response:
    """Change a milestone. A due time is moved to the end of its day, and cleared unless it is sent."""
    row, form, now = _find(r), r.read(EDIT), r.forge.now()
    columns: dict[str, Any] = {"due": _end_of_day(form.get("due_on") or 0)}
    if form.get("title"):
        columns["title"] = form["title"].strip()
    if form.get("description") is not None:
        columns["description"] = form["description"]
    if form.get("state") is not None:
        closed = form["state"] == "closed"
        columns |= {"closed": int(closed), "closed_at": (row["closed_at"] or now) if closed else 0}
    r.db.update("milestone", row["id"], **columns, updated=now)
    return Response(200, milestone(r, must(r.db.get("milestone", row["id"]))))


@route("DELETE", PATH + "/{id}", scope="issue", token=True, need="write")
def delete(r: Request) -> Response:
    """Delete a milestone; issues keep on without it."""
    row = _find(r)
    with r.db.write() as db:
        db.run("update issue set milestone_id = 0 where milestone_id = ?", row["id"])
        db.run("delete from milestone where id = ?", row["id"])
    return Response(204)
