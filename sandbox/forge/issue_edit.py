# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of an issue. One part is written after another: an error leaves the earlier ones changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import events, issues
from .body import Form
from .errors import ApiError, forbidden, internal
from .issue_view import assignees_of, can_write, find, issue
from .router import route
from .store import must
from .views import moment_or_none
from .web import Response

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

EDIT = Form(
    "EditIssueOption",
    "title:str body:str ref:str assignee:str assignees:[str] milestone:int state:str due_date:time"
    " unset_due_date:bool content_version:smallint",
)
DEADLINE = Form("EditDeadlineOption", "due_date:time")
LOCK = Form("LockIssueOption", "lock_reason:str")
DAY = 86400


def end_of_day(when: int) -> int:
    """Return the last second of a day: deadlines are days."""
    return when - when % DAY + DAY - 1


def change_text(r: Request, row: Row, form: dict[str, Any]) -> None:
    """Write title and body as one; the version guards both, only a body raises it. :raises ApiError: 409."""
    with r.db.write() as db:
        now = must(db.get("issue", row["id"]))
        version = form.get("content_version")
        if version is not None and version != now["version"]:
            raise ApiError(409, "the issue is already changed")
        title = issues.short_title(form["title"]) if form.get("title") else ""
        if title and title != now["title"]:
            db.update("issue", row["id"], title=title)
            events.note(r, row, "change_title", old=now["title"], new=title)
            changes = {"title": {"from": now["title"]}, "added_labels": None, "removed_labels": None}
            events.fire_issue(r, row["id"], "edited", changes=changes)
        if form.get("body") is not None:
            db.update("issue", row["id"], body=form["body"], version=now["version"] + 1)
            if form["body"] != now["body"]:
                changes = {"body": {"from": now["body"]}, "added_labels": None, "removed_labels": None}
                events.fire_issue(r, row["id"], "edited", changes=changes)
                events.refer(r, row, form["body"], "issue_ref")
        if form.get("ref") is not None:
            db.update("issue", row["id"], ref=form["ref"])
        events.touch(r, row)


def change_due(r: Request, row: Row, form: dict[str, Any]) -> None:
    """Write the deadline."""
    if form.get("unset_due_date"):
        r.db.update("issue", row["id"], due=0)
    elif form.get("due_date"):
        r.db.update("issue", row["id"], due=end_of_day(form["due_date"]))


def toggle_assignee(r: Request, row: Row, user: Row) -> None:
    """Add somebody, or take away whoever is there. Racing requests undo each other, as in the forge."""
    with r.db.write() as db:
        gone = db.run("delete from assignee where issue_id = ? and user_id = ?", row["id"], user["id"])
        if not gone:
            db.insert("assignee", issue_id=row["id"], user_id=user["id"])
        events.note(r, row, "assignees", assignee=user["id"], removed=bool(gone))
        events.touch(r, row)
        events.fire_issue(r, row["id"], "unassigned" if gone else "assigned", "assign")


def change_assignees(r: Request, row: Row, names: list[str]) -> None:
    """Make these the assignees. Who is there is read before anything is written, and not again."""
    wanted = issues.people(r, names)
    there = assignees_of(r, row["id"])
    for user in there:
        if user["id"] not in {one["id"] for one in wanted}:
            toggle_assignee(r, row, user)
    for user in wanted:
        if user["id"] not in {one["id"] for one in there}:
            toggle_assignee(r, row, user)


def change_milestone(r: Request, row: Row, key: int) -> None:
    """Set or clear the milestone. :raises ApiError: 500 for one of another repository."""
    if key and r.db.one("select 1 from milestone where id = ? and repo_id = ?", key, row["repo_id"]) is None:
        raise internal(f"milestone does not exist [id: {key}, repo_id: {row['repo_id']}]")
    if key == row["milestone_id"]:
        return
    with r.db.write() as db:
        db.update("issue", row["id"], milestone_id=key)
        events.note(r, row, "milestone", milestone=key, old=row["milestone_id"])
        events.touch(r, row)
        events.fire_issue(r, row["id"], "milestoned" if key else "demilestoned", "milestone")


def change_state(r: Request, row: Row, state: str) -> None:
    """Open or close. :raises ApiError: 412 for another word, or while a dependency is open."""
    if state not in {"open", "closed"}:
        raise ApiError(412, f"unknown state: {state}")
    close = state == "closed"
    with r.db.write() as db:
        now = must(db.get("issue", row["id"]))
        if bool(now["closed"]) == close:
            return
        if close and open_needs(r, row["id"]):
            raise ApiError(
                412, "cannot close this issue or pull request because it still has open dependencies"
            )
        db.update("issue", row["id"], closed=int(close), closed_at=r.forge.now() if close else 0)
        events.note(r, row, "close" if close else "reopen")
        events.touch(r, row)
        events.fire_issue(r, row["id"], "closed" if close else "reopened")


def open_needs(r: Request, issue_id: int) -> bool:
    """Say whether something that an issue depends on is still open."""
    sql = "select 1 from dependency d join issue i on i.id = d.needs_id where d.issue_id = ? and i.closed = 0"
    return r.db.one(sql, issue_id) is not None


@route("PATCH", "/repos/{owner}/{repo}/issues/{index}", scope="issue", token=True)
def edit(r: Request) -> Response:
    """Change an issue: 201 when all went well."""
    row = find(r)
    writer = can_write(r, row)
    form = r.read(EDIT)
    if not writer and row["poster_id"] != r.user_id:
        raise forbidden()
    change_text(r, row, form)
    if writer:
        change_due(r, row, form)
        names = form.get("assignees")
        if names is not None or form.get("assignee") is not None:
            try:
                change_assignees(r, row, issues.names_of(form))
            except ApiError as error:  # on a change the forge calls it its own failure
                raise internal(str(error.message).partition("[name: ")[2][:-1]) from error
        if form.get("milestone") is not None:
            change_milestone(r, row, form["milestone"])
    if form.get("state") is not None:
        _state(r, row, form["state"])
    return Response(201, issue(r, must(r.db.get("issue", row["id"])), r.repo))


def _state(r: Request, row: Row, state: str) -> None:
    merged = row["is_pull"] and r.db.value("select merged from pull where issue_id = ?", row["id"])
    if merged:
        raise ApiError(412, "cannot change state of this pull request, it was already merged")
    change_state(r, row, state)


@route("DELETE", "/repos/{owner}/{repo}/issues/{index}", scope="issue", token=True, need="admin")
def delete(r: Request) -> Response:
    """Delete an issue for good."""
    row = find(r)
    with r.db.write() as db:
        events.fire_issue(r, row["id"], "deleted")
        for table in ("issue_label", "assignee", "comment"):
            db.run(f"delete from {table} where issue_id = ?", row["id"])  # noqa: S608 - the names stand above
        db.run("delete from dependency where issue_id = ? or needs_id = ?", row["id"], row["id"])
        db.run("delete from pull where issue_id = ?", row["id"])
        db.run("delete from issue where id = ?", row["id"])
    return Response(204)


@route("POST", "/repos/{owner}/{repo}/issues/{index}/deadline", scope="issue", token=True)
def deadline(r: Request) -> Response:
    """Set the deadline to the end of a day."""
    row = find(r)
    form = r.read(DEADLINE)
    if not can_write(r, row):
        raise ApiError(403, "Not repo writer")
    due = end_of_day(form["due_date"]) if form.get("due_date") else 0
    r.db.update("issue", row["id"], due=due)
    return Response(201, {"due_date": moment_or_none(due)})


@route("PUT", "/repos/{owner}/{repo}/issues/{index}/lock", scope="issue", token=True, need="admin")
def lock(r: Request) -> Response:
    """Lock the conversation."""
    row = find(r)
    r.read(LOCK)
    with r.db.write() as db:
        if db.run("update issue set locked = 1 where id = ? and locked = 0", row["id"]):
            events.note(r, row, "lock")
    return Response(204)


@route("DELETE", "/repos/{owner}/{repo}/issues/{index}/lock", scope="issue", token=True, need="admin")
def unlock(r: Request) -> Response:
    """Unlock the conversation."""
    row = find(r)
    with r.db.write() as db:
        if db.run("update issue set locked = 0 where id = ? and locked = 1", row["id"]):
            events.note(r, row, "unlock")
    return Response(204)
