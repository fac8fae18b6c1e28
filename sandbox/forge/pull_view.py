# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls as they look from outside, and the facts that are read from git each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import issue_view, views
from .errors import not_found
from .store import must

if TYPE_CHECKING:
    from .git import Git
    from .store import Row
    from .web import Request

GOOD = frozenset({"mergeable", "empty", "ancestor"})  # an empty pull calls itself mergeable, and merges 405


def find(r: Request) -> tuple[Row, Row]:
    """Return (pull, issue) of the path. :raises ApiError: 404."""
    number = r.number("index")
    pull = r.db.one("select * from pull where repo_id = ? and number = ?", r.repo["id"], number)
    if pull is None:
        raise not_found()
    return pull, must(r.db.get("issue", pull["issue_id"]))


def kept_ref(pull: Row) -> str:
    """Return the ref that keeps a head when its branch is gone."""
    return f"refs/pull/{pull['number']}/head"


def head_now(r: Request, pull: Row) -> str | None:
    """Return the tip of the head branch, or None when branch or repository are gone."""
    if pull["head_repo_id"] <= 0 or r.db.get("repo", pull["head_repo_id"]) is None:
        return None
    return r.forge.git(pull["head_repo_id"]).branch(pull["head"])


def bring(r: Request, pull: Row, sha: str) -> Git:
    """Make a head known to the base repository under its kept ref; return that repository."""
    git = r.forge.git(pull["repo_id"])
    if pull["head_repo_id"] > 0 and pull["head_repo_id"] != pull["repo_id"] and git.commit_sha(sha) is None:
        git.run("fetch", "--quiet", "--no-tags", str(r.forge.git(pull["head_repo_id"]).path), sha)
    if git.sha(kept_ref(pull)) != sha:
        git.run("update-ref", kept_ref(pull), sha)
    return git


def _side(r: Request, label: str, ref: str, sha: str, repo: Row | None) -> dict[str, Any]:
    shown = None if repo is None else views.repo(r, repo)
    return {"label": label, "ref": ref, "sha": sha, "repo_id": repo["id"] if repo else -1, "repo": shown}


def _reviewers(r: Request, pull: Row) -> list[dict[str, Any] | None]:
    sql = (
        "select distinct user_id from review where pull_id = ? and state = 'REQUEST_REVIEW' and dismissed = 0"
        " order by user_id"
    )
    return [views.user_by_id(r, row["user_id"]) for row in r.db.all(sql, pull["id"])]


def _totals(pull: Row) -> dict[str, int]:
    added, gone, files = (int(text) for text in (str(pull["counts"]) or "0 0 0").split())
    return {"additions": added, "deletions": gone, "changed_files": files}


def pull(r: Request, row: Row, *, in_list: bool = False) -> dict[str, Any]:
    """Return a pull. Empty lists of people are null in lists of pulls."""
    issue = must(r.db.get("issue", row["issue_id"]))
    repo = must(r.db.get("repo", row["repo_id"]))
    head_repo = r.db.get("repo", row["head_repo_id"]) if row["head_repo_id"] > 0 else None
    there = f"{r.site}/{views.full_name(r, repo)}/pulls/{row['number']}"
    live = head_now(r, row)
    head_sha = row["head_sha"] if row["merged"] or live is None else live
    base_sha = r.forge.git(row["repo_id"]).branch(row["base"]) or ""
    people = [views.user(r, user) for user in issue_view.assignees_of(r, issue["id"])]
    asked = _reviewers(r, row)
    draft = issue_view.is_draft(issue["title"])
    comments = r.db.value("select count(*) from review where pull_id = ? and body <> ''", row["id"])
    return {
        "id": row["id"],
        "url": there,
        "number": row["number"],
        "user": views.user_by_id(r, issue["poster_id"], r.doer),
        "title": issue["title"],
        "body": issue["body"],
        "labels": [issue_view.label(r, item) for item in issue_view.labels_of(r, issue["id"])],
        "milestone": issue_view.issue_milestone(r, issue),
        "assignee": people[0] if people else None,
        "assignees": people or (None if in_list else []),
        "requested_reviewers": asked or (None if in_list else []),
        "requested_reviewers_teams": None if in_list else [],
        "state": "closed" if issue["closed"] else "open",
        "draft": draft,
        "is_locked": bool(issue["locked"]),
        "comments": issue["comments"],
        "review_comments": comments,
        **_totals(row),
        "html_url": there,
        "diff_url": f"{there}.diff",
        "patch_url": f"{there}.patch",
        "mergeable": row["state"] in GOOD and not draft,
        "merged": bool(row["merged"]),
        "merged_at": views.moment_or_none(row["merged_at"]),
        "merge_commit_sha": row["merge_sha"] or None,
        "merged_by": views.user_by_id(r, row["merged_by"]),
        "allow_maintainer_edit": bool(row["maintainer_edit"]),
        "base": _side(r, row["base"], row["base"], base_sha, repo),
        "head": _side(r, row["head"], row["head"] if live else kept_ref(row), head_sha, head_repo),
        "merge_base": row["merge_base"],
        "due_date": views.moment_or_none(issue["due"]),
        "created_at": views.moment(issue["created"]),
        "updated_at": views.moment(issue["updated"]),
        "closed_at": views.moment_or_none(issue["closed_at"]),
        "pin_order": issue["pin"],
        "content_version": issue["version"],
    }
