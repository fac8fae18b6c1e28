# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change leaves behind: an entry in the timeline, and a delivery for each hook that wants to know.

Both are written in the transaction of the change itself, so a kill loses neither or both.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from . import issue_view, permissions, views
from .store import must

if TYPE_CHECKING:
    from collections.abc import Callable

    from .store import Row
    from .web import Request

COARSE = {
    "issue_assign": "issues",
    "issue_label": "issues",
    "issue_milestone": "issues",
    "pull_request_comment": "issue_comment",
    "pull_request_assign": "pull_request",
    "pull_request_label": "pull_request",
    "pull_request_milestone": "pull_request",
    "pull_request_sync": "pull_request",
    "pull_request_review_request": "pull_request",
    "pull_request_review_approved": "pull_request_approved",
    "pull_request_review_rejected": "pull_request_rejected",
    "pull_request_review_comment": "pull_request_comment",
}
REFERENCE = re.compile(r"(?<![\w/#])(?:([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+))?#(\d+)\b")
CLOSING = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):? +(?:([\w.-]+)/([\w.-]+))?#(\d+)\b", re.IGNORECASE
)


def from_root(r: Request) -> Request:
    """Return the request as hooks see it: addresses follow the configured root, not the client's Host."""
    return dataclasses.replace(r, headers={})


def note(r: Request, issue: Row, kind: str, body: str = "", **data: Any) -> int:
    """Add a timeline entry; return its id."""
    now = r.forge.now()
    columns = {"issue_id": issue["id"], "kind": kind, "poster_id": r.user_id, "body": body}
    return r.db.insert("comment", **columns, data=json.dumps(data), created=now, updated=now)


def touch(r: Request, issue: Row) -> None:
    """Move an issue's time of change."""
    r.db.update("issue", issue["id"], updated=r.forge.now())


def fire(r: Request, repo: Row, event_type: str, payload: Callable[[Request], dict[str, Any]]) -> None:
    """Queue a delivery for each active hook of the repository or its organization that asked for it."""
    sql = "select * from hook where active = 1 and (repo_id = ? or org_id = ?) order by id"
    wanted = "pull_request_review" if event_type.startswith("pull_request_review_") else event_type
    if event_type == "pull_request_review_request":
        wanted = event_type
    hooks = [
        row for row in r.db.all(sql, repo["id"], repo["owner_id"]) if wanted in json.loads(row["events"])
    ]
    if not hooks:
        return
    plain = from_root(r)
    body = payload(plain)
    body["repository"] = views.repo(plain, must(r.db.get("repo", repo["id"])))
    body["sender"] = views.user(plain, r.doer)
    text = json.dumps(body, ensure_ascii=False, indent=2)
    for hook in hooks:
        columns = {
            "hook_id": hook["id"],
            "uuid": str(uuid.uuid4()),
            "event": COARSE.get(event_type, event_type),
        }
        r.db.insert("delivery", **columns, event_type=event_type, payload=text, created=time.time())
    r.forge.store.ring(r.forge.deliveries)


def fire_issue(r: Request, issue_id: int, action: str, detail: str = "", **more: Any) -> None:
    """Tell hooks of a change of an issue or a pull. ``detail`` is assign, label and so on."""
    issue = must(r.db.get("issue", issue_id))
    repo = must(r.db.get("repo", issue["repo_id"]))
    kind = "pull_request" if issue["is_pull"] else "issue" if detail else "issues"
    event_type = f"{kind}_{detail}" if detail else kind

    def payload(plain: Request) -> dict[str, Any]:
        body: dict[str, Any] = {"action": action, "number": issue["number"], **more, "commit_id": ""}
        if issue["is_pull"]:
            from . import pull_view  # noqa: PLC0415 - pulls know of events, and events of how a pull looks

            pull = must(r.db.one("select * from pull where issue_id = ?", issue_id))
            body |= {"pull_request": pull_view.pull(plain, pull), "requested_reviewer": None}
            body.setdefault("review", None)
        else:
            body["issue"] = issue_view.issue(plain, issue)
        return body

    fire(r, repo, event_type, payload)


def fire_comment(r: Request, issue: Row, comment: Row, action: str) -> None:
    """Tell hooks of a comment."""
    repo = must(r.db.get("repo", issue["repo_id"]))

    def payload(plain: Request) -> dict[str, Any]:
        return {
            "action": action,
            "issue": issue_view.issue(plain, must(r.db.get("issue", issue["id"]))),
            "comment": issue_view.comment(plain, comment, issue),
            "is_pull": bool(issue["is_pull"]),
        }

    fire(r, repo, "pull_request_comment" if issue["is_pull"] else "issue_comment", payload)


def _target(r: Request, home: Row, owner: str | None, name: str | None, number: str) -> Row | None:
    if len(number) > 18:
        return None
    repo: Row | None = home
    if owner:
        sql = "select r.* from repo r join user u on u.id = r.owner_id where u.lower = ? and r.lower = ?"
        repo = r.db.one(sql, owner.lower(), (name or "").lower())
    if repo is None:
        return None
    issue = r.db.one("select * from issue where repo_id = ? and number = ?", repo["id"], int(number))
    if (
        issue is None
        or permissions.access(r.db, repo, r.doer).of(issue_view.unit_of(issue)) < permissions.READ
    ):
        return None
    return issue


def refer(r: Request, source: Row, text: str, kind: str) -> None:
    """Leave a trace on each issue that a text mentions."""
    home = must(r.db.get("repo", source["repo_id"]))
    for owner, name, number in dict.fromkeys(REFERENCE.findall(text)):
        target = _target(r, home, owner, name, number)
        if target is not None and target["id"] != source["id"]:
            key = note(r, target, kind, ref_issue=source["id"])
            r.db.update("comment", key, ref_repo_id=home["id"])


def closed_by(r: Request, home: Row, text: str) -> list[Row]:
    """Return the open issues that a merged text says it closes."""
    found = [_target(r, home, *match) for match in CLOSING.findall(text)]
    return [issue for issue in found if issue is not None and not issue["closed"] and not issue["is_pull"]]
