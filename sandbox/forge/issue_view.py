# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issues as they look from outside, and how a route finds one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import permissions, views
from .errors import internal, not_found
from .store import must

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

WIP = ("wip:", "[wip]")


def unit_of(issue: Row) -> str:
    """Return the unit that rules an issue's rights."""
    return permissions.PULLS if issue["is_pull"] else permissions.ISSUES


def find(r: Request, *, opaque: bool = False) -> Row:
    """Return the issue or pull of the path. :raises ApiError: 404, or 500 where the forge answers that."""
    number = r.number("index")
    row = r.db.one("select * from issue where repo_id = ? and number = ?", r.repo["id"], number)
    if row is None:
        if opaque:
            text = f"issue does not exist [id: 0, repo_id: {r.repo['id']}, index: {number}]"
            raise internal(text)
        raise not_found()
    if r.access.of(unit_of(row)) < permissions.READ:
        raise not_found()
    return row


def can_write(r: Request, issue: Row) -> bool:
    """Say whether the doer may change what others wrote."""
    return r.access.of(unit_of(issue)) >= permissions.WRITE


def is_draft(title: str) -> bool:
    """Say whether a title marks work in progress."""
    return title.lower().startswith(WIP)


def label(r: Request, row: Row) -> dict[str, Any]:
    """Return a label definition."""
    if row["repo_id"]:
        repo = must(r.db.get("repo", row["repo_id"]))
        url = f"{r.api}/repos/{views.full_name(r, repo)}/labels/{row['id']}"
    else:
        url = f"{r.api}/orgs/{must(r.db.get('user', row['org_id']))['name']}/labels/{row['id']}"
    return {
        "id": row["id"],
        "name": row["name"],
        "exclusive": bool(row["exclusive"]),
        "is_archived": bool(row["archived"]),
        "color": row["color"],
        "description": row["description"],
        "url": url,
    }


def labels_of(r: Request, issue_id: int) -> list[Row]:
    """Return the labels that are set, by name."""
    sql = (
        "select l.* from label l join issue_label i on i.label_id = l.id where i.issue_id = ?"
        " order by l.name, l.id"
    )
    return r.db.all(sql, issue_id)


def assignees_of(r: Request, issue_id: int) -> list[Row]:
    """Return who is assigned; racing requests can leave somebody twice."""
    sql = "select u.* from user u join assignee a on a.user_id = u.id where a.issue_id = ? order by a.id"
    return r.db.all(sql, issue_id)


def milestone(r: Request, row: Row | None) -> dict[str, Any] | None:
    """Return a milestone with its counts."""
    if row is None:
        return None
    sql = "select closed, count(*) as many from issue where milestone_id = ? group by closed"
    counts = {bool(line["closed"]): line["many"] for line in r.db.all(sql, row["id"])}
    return {
        "id": row["id"],
        "title": row["title"],
        "description": row["description"],
        "state": "closed" if row["closed"] else "open",
        "open_issues": counts.get(False, 0),
        "closed_issues": counts.get(True, 0),
        "created_at": views.moment(row["created"]),
        "updated_at": views.moment(row["updated"]),
        "closed_at": views.moment_or_none(row["closed_at"]),
        "due_on": views.moment_or_none(row["due"]),
    }


def issue_milestone(r: Request, issue: Row) -> dict[str, Any] | None:
    """Return the milestone of an issue."""
    return milestone(r, r.db.get("milestone", issue["milestone_id"])) if issue["milestone_id"] else None


def _pull_meta(r: Request, issue: Row, html_url: str) -> dict[str, Any] | None:
    if not issue["is_pull"]:
        return None
    pull = must(r.db.one("select * from pull where issue_id = ?", issue["id"]))
    return {
        "merged": bool(pull["merged"]),
        "merged_at": views.moment_or_none(pull["merged_at"]),
        "draft": is_draft(issue["title"]),
        "html_url": html_url,
    }


def issue(r: Request, row: Row, repo: Row | None = None) -> dict[str, Any]:
    """Return an issue, or a pull as an issue."""
    home = repo if repo is not None else must(r.db.get("repo", row["repo_id"]))
    owner, name = views.full_name(r, home).split("/")
    kind = "pulls" if row["is_pull"] else "issues"
    html_url = f"{r.site}/{owner}/{name}/{kind}/{row['number']}"
    # The account objects differ: the poster is shown as the doer may see it, the others as anybody may.
    people = [views.user(r, user) for user in assignees_of(r, row["id"])]
    return {
        "id": row["id"],
        "url": f"{r.api}/repos/{owner}/{name}/issues/{row['number']}",
        "html_url": html_url,
        "number": row["number"],
        "user": views.user_by_id(r, row["poster_id"], r.doer),
        "original_author": "",
        "original_author_id": 0,
        "title": row["title"],
        "body": row["body"],
        "ref": row["ref"],
        "assets": [],
        "labels": [label(r, item) for item in labels_of(r, row["id"])],
        "milestone": issue_milestone(r, row),
        "assignee": people[0] if people else None,
        "assignees": people or None,
        "state": "closed" if row["closed"] else "open",
        "is_locked": bool(row["locked"]),
        "comments": row["comments"],
        "created_at": views.moment(row["created"]),
        "updated_at": views.moment(row["updated"]),
        "closed_at": views.moment_or_none(row["closed_at"]),
        "due_date": views.moment_or_none(row["due"]),
        "time_estimate": 0,
        "pull_request": _pull_meta(r, row, html_url),
        "repository": {"id": home["id"], "name": name, "owner": owner, "full_name": f"{owner}/{name}"},
        "pin_order": row["pin"],
        "content_version": row["version"],
    }


def comment(r: Request, row: Row, on: Row) -> dict[str, Any]:
    """Return a comment on an issue or a pull."""
    repo = must(r.db.get("repo", on["repo_id"]))
    kind = "pulls" if on["is_pull"] else "issues"
    there = f"{r.site}/{views.full_name(r, repo)}/{kind}/{on['number']}"
    return {
        "id": row["id"],
        "html_url": f"{there}#issuecomment-{row['id']}",
        "pull_request_url": there if on["is_pull"] else "",
        "issue_url": "" if on["is_pull"] else there,
        "user": views.user_by_id(r, row["poster_id"]),
        "original_author": "",
        "original_author_id": 0,
        "body": row["body"],
        "assets": [],
        "created_at": views.moment(row["created"]),
        "updated_at": views.moment(row["updated"]),
    }
