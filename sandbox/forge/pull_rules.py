# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between a pull and its merge, in the order in which the forge looks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from . import permissions, pull_view, rules
from .errors import ApiError, internal, not_found
from .issue_edit import open_needs
from .issue_view import is_draft
from .store import must

if TYPE_CHECKING:
    from .rules import Rule
    from .store import Row, Store
    from .web import Request


def opinions(db: Store, pull_id: int) -> dict[int, Row]:
    """Return the last official approval or rejection of each reviewer that was not dismissed."""
    sql = (
        "select * from review where pull_id = ? and state in ('APPROVED', 'REQUEST_CHANGES')"
        " and official = 1 and dismissed = 0 order by id"
    )
    return {row["user_id"]: row for row in db.all(sql, pull_id)}


def unmet(db: Store, rule: Rule, pull: Row, head: str) -> str:
    """Return the first demand of a rule that is not met, or nothing."""
    views = list(opinions(db, pull["id"]).values())
    good = [row for row in views if row["state"] == "APPROVED"]
    if rule.flag("ignore_stale_approvals"):
        good = [row for row in good if not row["stale"]]
    rejected = any(row["state"] == "REQUEST_CHANGES" for row in views)
    sql = "select 1 from review where pull_id = ? and state = 'REQUEST_REVIEW' and official and not dismissed"
    asked = db.one(sql, pull["id"]) is not None
    checks = rules.checks_pass(rule, rules.latest(db, pull["repo_id"], head))
    table = (
        (not checks, "Not all required status checks successful"),
        (len(good) < int(rule.data.get("required_approvals") or 0), "Does not have enough approvals"),
        (rule.flag("block_on_rejected_reviews") and rejected, "There are requested changes"),
        (rule.flag("block_on_official_review_requests") and asked, "There are official review requests"),
        (
            rule.flag("block_on_outdated_branch") and pull["behind"],
            "The head branch is behind the base branch",
        ),
        (rule.protected(json.loads(pull["files"])), "Changed protected files"),
    )
    return next((text for broken, text in table if broken), "")


def may_merge(db: Store, pull: Row, user: Row) -> bool:
    """Say whether somebody may merge into the base at all."""
    repo = must(db.get("repo", pull["repo_id"]))
    if permissions.access(db, repo, user).of(permissions.CODE) < permissions.WRITE:
        return False
    rule = rules.rule_for(db, pull["repo_id"], pull["base"])
    return rule is None or rule.may_merge(db, user)


def demand(r: Request, pull: Row, *, force: bool = False, scheduling: bool = False) -> None:
    """Let a merge begin. :raises ApiError: 404, 405 or 500 as the forge words it."""
    issue = must(r.db.get("issue", pull["issue_id"]))
    if pull["merged"]:
        raise ApiError(405, "The PR is already merged")
    if issue["closed"]:
        raise not_found()
    if not may_merge(r.db, pull, r.user):
        raise ApiError(405, "User not allowed to merge PR")
    if is_draft(issue["title"]):
        raise ApiError(405, "Work in progress PRs cannot be merged")
    if pull["state"] != "mergeable":
        raise ApiError(405, "Please try again later")
    rule = rules.rule_for(r.db, pull["repo_id"], pull["base"])
    if rule is not None and not scheduling:
        _protected(r, rule, pull, force=force)
    if open_needs(r, issue["id"]):
        raise internal("is blocked by an open dependency")


def _protected(r: Request, rule: Rule, pull: Row, *, force: bool) -> None:
    head = pull_view.head_now(r, pull)
    if head is None:
        if rule.flag("enable_status_check"):
            raise internal("head branch does not exist")
        head = str(pull["head_sha"])
    reason = unmet(r.db, rule, pull, head)
    repo = must(r.db.get("repo", pull["repo_id"]))
    admin = permissions.access(r.db, repo, r.doer).admin and not rule.flag("block_admin_merge_override")
    if reason and not (force and admin):
        raise ApiError(405, reason)
