# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reviews of pulls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import auth, events, permissions, rules, views
from .body import Form
from .errors import ApiError, not_found
from .pull_view import find, head_now
from .router import route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form("CreatePullReviewOptions", "event:str body:str commit_id:str comments:any")
DISMISS = Form("DismissPullReviewOptions", "message:str priors:bool")
ASK = Form("PullReviewRequestOptions", "reviewers:[str] team_reviewers:[str]")
STATES = {"APPROVED": "APPROVED", "REQUEST_CHANGES": "REQUEST_CHANGES", "COMMENT": "COMMENT"}
DETAILS = {"APPROVED": "review_approved", "REQUEST_CHANGES": "review_rejected", "COMMENT": "review_comment"}
PATH = "/repos/{owner}/{repo}/pulls/{index}"


def view(r: Request, row: Row, pull: Row) -> dict[str, Any]:
    """Return a review."""
    repo = must(r.db.get("repo", pull["repo_id"]))
    there = f"{r.site}/{views.full_name(r, repo)}/pulls/{pull['number']}"
    return {
        "id": row["id"],
        "user": views.user_by_id(r, row["user_id"]),
        "team": None,
        "state": row["state"],
        "body": row["body"],
        "commit_id": row["commit_id"],
        "stale": bool(row["stale"]),
        "official": bool(row["official"]),
        "dismissed": bool(row["dismissed"]),
        "comments_count": 0,
        "submitted_at": views.moment(row["created"]),
        "updated_at": views.moment(row["updated"]),
        "html_url": f"{there}#issuecomment-{row['comment_id']}",
        "pull_request_url": there,
    }


def _official(r: Request, pull: Row) -> bool:
    if r.access.of(permissions.CODE) < permissions.WRITE:
        return False
    rule = rules.rule_for(r.db, r.repo["id"], pull["base"])
    return rule is None or rule.official(r.db, r.user)


@route("GET", PATH + "/reviews", scope="repository", need="see:repo.pulls")
def list_all(r: Request) -> Response:
    """List reviews."""
    pull, _issue = find(r)
    rows = r.db.all("select * from review where pull_id = ? order by id", pull["id"])
    return listed(r, [view(r, row, pull) for row in cut(r, rows)], len(rows))


@route("POST", PATH + "/reviews", scope="repository", token=True, need="see:repo.pulls")
def create(r: Request) -> Response:
    """Add a review; an unknown event makes a pending one, with 200."""
    form = r.read(CREATE)
    pull, issue = find(r)
    state = STATES.get(form.get("event") or "", "PENDING")
    body = form.get("body") or ""
    if state in {"APPROVED", "REQUEST_CHANGES"}:
        if issue["closed"]:
            raise ApiError(422, "can't submit review for a closed or merged PR")
        if issue["poster_id"] == r.user_id:
            word = "approve" if state == "APPROVED" else "reject"
            raise ApiError(422, f"{word} your own pull is not allowed")
    if state in {"REQUEST_CHANGES", "COMMENT"} and not body.strip():
        raise ApiError(422, f"body must be set for event {state}")
    head = head_now(r, pull) or pull["head_sha"]
    commit = form.get("commit_id") or head
    now = r.forge.now()
    with r.db.write() as db:
        sql = "select id from review where pull_id = ? and user_id = ? and state = 'PENDING'"
        waiting = db.value(sql, pull["id"], r.user_id)
        columns: dict[str, Any] = {"state": state, "body": body, "commit_id": commit, "updated": now}
        columns["official"] = int(state in {"APPROVED", "REQUEST_CHANGES"} and _official(r, pull))
        columns["stale"] = int(commit != head)
        columns["comment_id"] = events.note(r, issue, "review", body, state=state)
        if waiting:
            key = int(waiting)
            db.update("review", key, **columns)
        else:
            key = db.insert("review", pull_id=pull["id"], user_id=r.user_id, created=now, **columns)
        if state != "PENDING":
            sql = "delete from review where pull_id = ? and user_id = ? and state = 'REQUEST_REVIEW'"
            db.run(sql, pull["id"], r.user_id)
            found = {"type": f"pull_request_{DETAILS[state]}", "content": body}
            events.fire_issue(r, issue["id"], "reviewed", DETAILS[state], review=found)
    r.forge.store.ring(r.forge.checks)
    return Response(200, view(r, must(r.db.get("review", key)), pull))


def _one(r: Request) -> tuple[Row, Row, Row]:
    pull, issue = find(r)
    row = r.db.one("select * from review where pull_id = ? and id = ?", pull["id"], r.number("id"))
    if row is None:
        raise not_found()
    return row, pull, issue


@route("GET", PATH + "/reviews/{id}", scope="repository", need="see:repo.pulls")
def get(r: Request) -> Response:
    """Show a review."""
    row, pull, _issue = _one(r)
    return Response(200, view(r, row, pull))


@route("DELETE", PATH + "/reviews/{id}", scope="repository", token=True, need="see:repo.pulls")
def delete(r: Request) -> Response:
    """Remove a review of one's own."""
    row, _pull, _issue = _one(r)
    if row["user_id"] != r.user_id and not r.site_admin:
        raise ApiError(403, None)
    r.db.run("delete from review where id = ?", row["id"])
    return Response(204)


@route("POST", PATH + "/reviews/{id}/dismissals", scope="repository", token=True, need="see:repo.pulls")
def dismiss(r: Request) -> Response:
    """Dismiss a review."""
    r.read(DISMISS)
    if not r.access.admin:
        raise ApiError(403, "Must be repo admin")
    row, pull, issue = _one(r)
    with r.db.write() as db:
        db.update("review", row["id"], dismissed=1, updated=r.forge.now())
        events.note(r, issue, "dismiss_review", review=row["id"])
    return Response(200, view(r, must(r.db.get("review", row["id"])), pull))


@route("POST", PATH + "/requested_reviewers", scope="repository", token=True, need="see:repo.pulls")
def ask(r: Request) -> Response:
    """Ask for reviews."""
    pull, issue = find(r)
    made = []
    for name in r.read(ASK).get("reviewers") or []:
        user = auth.by_name(r.db, name)
        if user is None:
            raise not_found(message=f"User '{name}' not exist")
        now = r.forge.now()
        writer = permissions.access(r.db, r.repo, user).of(permissions.CODE) >= permissions.WRITE
        columns = {
            "pull_id": pull["id"],
            "user_id": user["id"],
            "state": "REQUEST_REVIEW",
            "official": int(writer),
        }
        with r.db.write() as db:
            key = db.insert("review", **columns, commit_id=pull["head_sha"], created=now, updated=now)
            events.note(r, issue, "review_request", assignee=user["id"])
            events.fire_issue(r, issue["id"], "review_requested", "review_request")
        made.append(view(r, must(r.db.get("review", key)), pull))
    return Response(201, made)


@route("DELETE", PATH + "/requested_reviewers", scope="repository", token=True, need="see:repo.pulls")
def unask(r: Request) -> Response:
    """Take requests for reviews back."""
    pull, _issue = find(r)
    for name in r.read(ASK).get("reviewers") or []:
        user = auth.by_name(r.db, name)
        if user is not None:
            sql = "delete from review where pull_id = ? and user_id = ? and state = 'REQUEST_REVIEW'"
            r.db.run(sql, pull["id"], user["id"])
    return Response(204)
