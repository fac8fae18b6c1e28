# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels that are set on an issue: ids or names, unknown ones ignored, exclusive ones one per scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import events
from .body import Form
from .errors import ApiError
from .issue_view import can_write, find, label, labels_of
from .router import route
from .web import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .store import Row
    from .web import Request

SET = Form("IssueLabelsOption", "labels:any")


def scope_of(row: Row) -> str:
    """Return the part that exclusive labels share, or nothing."""
    return str(row["name"]).rpartition("/")[0] if row["exclusive"] else ""


def resolve(r: Request, repo: Row, wanted: Sequence[Any]) -> list[Row]:
    """Return the definitions that ids or names mean, by name; a name that is there twice means both."""
    kinds = {type(item) for item in wanted}
    if kinds - {int} and kinds - {str}:
        raise ApiError(400, "labels should be an array of strings or integers")
    every = r.db.all("select * from label where repo_id = ? or org_id = ?", repo["id"], repo["owner_id"])
    column = "name" if kinds == {str} else "id"
    return sorted((row for row in every if row[column] in wanted), key=lambda row: (row["name"], row["id"]))


def put(r: Request, issue: Row, row: Row) -> None:
    """Set one label; the others of an exclusive scope go."""
    scope = scope_of(row)
    for other in labels_of(r, issue["id"]):
        if other["id"] == row["id"]:
            return
        if scope and scope_of(other) == scope:
            take(r, issue, other)
    r.db.run("insert or ignore into issue_label values (?, ?)", issue["id"], row["id"])
    events.note(r, issue, "label", "1", label=row["id"])


def take(r: Request, issue: Row, row: Row) -> None:
    """Remove one label."""
    if r.db.run("delete from issue_label where issue_id = ? and label_id = ?", issue["id"], row["id"]):
        events.note(r, issue, "label", "", label=row["id"])


def replace(r: Request, issue: Row, rows: list[Row]) -> None:
    """Make these the labels, one after another in the order of names."""
    keep = {row["id"] for row in rows}
    for row in labels_of(r, issue["id"]):
        if row["id"] not in keep:
            take(r, issue, row)
    for row in rows:
        put(r, issue, row)


def _issue(r: Request) -> Row:
    issue = find(r)
    if not can_write(r, issue):
        raise ApiError(403, "write permission is required")
    return issue


def _answer(r: Request, issue: Row) -> Response:
    return Response(200, [label(r, row) for row in labels_of(r, issue["id"])])


PATH = "/repos/{owner}/{repo}/issues/{index}/labels"


@route("GET", PATH, scope="issue")
def get(r: Request) -> Response:
    """List the labels, all of them."""
    return _answer(r, find(r))


@route("POST", PATH, scope="issue", token=True)
def add(r: Request) -> Response:
    """Add labels. Hooks hear of it even when nothing changed."""
    issue = _issue(r)
    rows = resolve(r, r.repo, r.read(SET).get("labels") or [])
    with r.db.write():
        for row in rows:
            put(r, issue, row)
        events.touch(r, issue)
        events.fire_issue(r, issue["id"], "label_updated", "label")
    return _answer(r, issue)


@route("PUT", PATH, scope="issue", token=True)
def set_all(r: Request) -> Response:
    """Replace the labels; without the key all go."""
    issue = _issue(r)
    rows = resolve(r, r.repo, r.read(SET).get("labels") or [])
    with r.db.write():
        replace(r, issue, rows)
        events.touch(r, issue)
        events.fire_issue(r, issue["id"], "label_updated", "label")
    return _answer(r, issue)


@route("DELETE", PATH, scope="issue", token=True)
def clear(r: Request) -> Response:
    """Remove every label."""
    issue = _issue(r)
    with r.db.write():
        for row in labels_of(r, issue["id"]):
            take(r, issue, row)
        events.touch(r, issue)
        events.fire_issue(r, issue["id"], "label_cleared", "label")
    return Response(204)


@route("DELETE", PATH + "/{id}", scope="issue", token=True)
def remove(r: Request) -> Response:
    """Remove one label by the id of its definition."""
    issue = _issue(r)
    sql = "select * from label where id = ? and (repo_id = ? or org_id = ?)"
    row = r.db.one(sql, r.number("id"), r.repo["id"], r.repo["owner_id"])
    if row is None:
        raise ApiError(422, "label does not exist [label_id: 0]")
    with r.db.write():
        take(r, issue, row)
        events.touch(r, issue)
        events.fire_issue(r, issue["id"], "label_updated", "label")
    return Response(204)
