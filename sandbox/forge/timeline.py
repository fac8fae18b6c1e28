# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of an issue: paged first and filtered after, so a short or empty page proves nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import issue_view, permissions, views
from .router import route
from .store import must
from .web import Response, cut

if TYPE_CHECKING:
    from .store import Row
    from .web import Request


def entry(r: Request, row: Row, issue: Row) -> dict[str, Any]:
    """Return one entry."""
    data: dict[str, Any] = json.loads(row["data"])
    found = issue_view.comment(r, row, issue)
    for name in ("original_author", "original_author_id", "assets"):
        found.pop(name)
    label = r.db.get("label", data.get("label") or 0)
    ref = r.db.get("issue", data.get("ref_issue") or 0)
    title = row["kind"] == "change_title"
    branch = row["kind"] == "change_target_branch"
    milestone = row["kind"] == "milestone"
    return found | {
        "type": row["kind"],
        "old_project_id": 0,
        "project_id": 0,
        "old_milestone": issue_view.milestone(r, r.db.get("milestone", data.get("old") or 0))
        if milestone
        else None,
        "milestone": issue_view.milestone(r, r.db.get("milestone", data.get("milestone") or 0))
        if milestone
        else None,
        "tracked_time": None,
        "old_title": data.get("old", "") if title else "",
        "new_title": data.get("new", "") if title else "",
        "old_ref": data.get("old", "") if branch else "",
        "new_ref": data.get("new", "") if branch else "",
        "ref_issue": None if ref is None else issue_view.issue(r, ref),
        "ref_comment": None,
        "ref_action": "none" if ref is None else "neutral",
        "ref_commit_sha": data.get("commit", ""),
        "review_id": data.get("review", 0),
        "label": None if label is None else issue_view.label(r, label),
        "assignee": views.user_by_id(r, data.get("assignee") or 0),
        "assignee_team": None,
        "removed_assignee": bool(data.get("removed")),
        "resolve_doer": None,
        "dependent_issue": _dependent(r, data),
    }


def _dependent(r: Request, data: dict[str, Any]) -> dict[str, Any] | None:
    row = r.db.get("issue", data.get("dependent") or 0)
    return None if row is None else issue_view.issue(r, row)


def visible(r: Request, row: Row) -> bool:
    """Say whether the doer may see an entry: references from hidden repositories are not shown."""
    if not row["ref_repo_id"]:
        return True
    home = r.db.get("repo", row["ref_repo_id"])
    return home is not None and permissions.access(r.db, home, r.doer).any


@route("GET", "/repos/{owner}/{repo}/issues/{index}/timeline", scope="issue")
def timeline(r: Request) -> Response:
    """Show a page; its total is its own length, and an empty page is null."""
    issue = issue_view.find(r, opaque=True)
    rows = r.db.all("select * from comment where issue_id = ? order by id", issue["id"])
    shown = [entry(r, row, must(r.db.get("issue", issue["id"]))) for row in cut(r, rows) if visible(r, row)]
    return Response(200, shown or None, {"X-Total-Count": str(len(shown))})
