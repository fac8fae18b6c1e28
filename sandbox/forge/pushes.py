# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows a moved branch or tag: hooks, timelines, closed and rechecked pulls, closed issues.

Rows come from the receive hooks and from the API, and wait a moment on purpose: in that moment a client sees
old facts, as it does on a real forge.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from . import delivery, events, pull_check, pull_view, repos, rules
from .git import ZERO, GitError
from .store import must
from .web import Request

if TYPE_CHECKING:
    from .state import Forge
    from .store import Row

HEADS = "refs/heads/"


def as_user(forge: Forge, user: Row | None) -> Request:
    """Return a request by which a worker acts as somebody."""
    return Request(forge, "", "/", {}, {}, b"", "http", doer=user)


def _open_pulls(r: Request, side: str, repo_id: int, branch: str) -> list[Row]:
    column = "p.head_repo_id = ? and p.head = ?" if side == "head" else "p.repo_id = ? and p.base = ?"
    sql = (
        f"select p.* from pull p join issue i on i.id = p.issue_id where {column}"  # noqa: S608 - both texts are above
        " and p.merged = 0 and i.closed = 0 order by p.id"
    )
    return r.db.all(sql, repo_id, branch)


def _close_pulls(r: Request, repo_id: int, branch: str) -> None:
    for pull in _open_pulls(r, "head", repo_id, branch):
        with r.db.write() as db:
            issue = must(db.get("issue", pull["issue_id"]))
            now = r.forge.now()
            db.update("issue", issue["id"], closed=1, closed_at=now, updated=now)
            events.note(r, issue, "delete_branch", old=branch)
            events.note(r, issue, "close")
            events.fire_issue(r, issue["id"], "closed")


def _knows(r: Request, pull: Row, head: str) -> bool:
    """Say whether the timeline has this head already: the pull was opened after the push."""
    sql = "select data from comment where issue_id = ? and kind = 'pull_push' order by id desc limit 1"
    return bool(json.loads(r.db.value(sql, pull["issue_id"]) or "{}").get("new") == head)


def _move_heads(r: Request, repo_id: int, branch: str, old: str, new: str) -> None:
    for pull in _open_pulls(r, "head", repo_id, branch):
        if _knows(r, pull, new):
            continue
        with r.db.write() as db:
            issue = must(db.get("issue", pull["issue_id"]))
            events.note(r, issue, "pull_push", old=old, new=new)
            db.run("update review set stale = 1 where pull_id = ? and commit_id <> ?", pull["id"], new)
            rule = rules.rule_for(db, pull["repo_id"], pull["base"])
            if rule is not None and rule.flag("dismiss_stale_approvals"):
                sql = "update review set dismissed = 1 where state = 'APPROVED' and pull_id = ? and stale = 1"
                db.run(sql, pull["id"])
            events.touch(r, issue)
            db.update("pull", pull["id"], head_sha=new)
            pull_check.restart(r.forge, pull["id"])
            events.fire_issue(r, issue["id"], "synchronized", "sync", before=old, after=new)
        pull_view.bring(r, pull, new)


def _close_issues(r: Request, repo: Row, old: str, new: str) -> None:
    span = [f"{old}..{new}"] if old != ZERO else ["-50", new]
    text = r.forge.git(repo["id"]).text("log", "--format=%B", *span)
    for issue in events.closed_by(r, repo, text):
        with r.db.write() as db:
            now = r.forge.now()
            db.update("issue", issue["id"], closed=1, closed_at=now, updated=now)
            events.note(r, issue, "close", commit=new)
            events.fire_issue(r, issue["id"], "closed")


def _tell(r: Request, repo: Row, row: Row) -> None:
    ref, old, new = str(row["ref"]), str(row["old"]), str(row["new"])
    kind, short = (
        ("branch", ref.removeprefix(HEADS)) if ref.startswith(HEADS) else ("tag", ref[len("refs/tags/") :])
    )
    base: dict[str, Any] = {"ref": short, "ref_type": kind}
    if new == ZERO:
        events.fire(r, repo, "delete", lambda _plain: base | {"pusher_type": "user"})
        return
    if old == ZERO:
        events.fire(r, repo, "create", lambda _plain: base | {"sha": new})
    if kind == "branch":
        events.fire(r, repo, "push", lambda plain: delivery.push_body(plain, repo, row))


def follow(forge: Forge, row: Row) -> None:
    """Do what follows one moved ref."""
    repo = forge.store.get("repo", row["repo_id"])
    if repo is None:
        return
    r = as_user(forge, forge.store.get("user", row["user_id"]))
    size = repos.size_of(forge.git(repo["id"]).path)
    forge.store.update("repo", repo["id"], updated=forge.now(), size=size)
    ref, old, new = str(row["ref"]), str(row["old"]), str(row["new"])
    if ref.startswith(HEADS):
        branch = ref.removeprefix(HEADS)
        if new == ZERO:
            _close_pulls(r, repo["id"], branch)
        else:
            forge.store.update("repo", repo["id"], empty=0)
            _move_heads(r, repo["id"], branch, old, new)
            if branch == repo["default_branch"] and r.doer is not None:
                _close_issues(r, repo, old, new)
        if row["source"] != "merge":  # a merge sent the others back by itself, at once
            pull_check.restart_base(forge, repo["id"], branch)
    if r.doer is not None:
        _tell(r, must(forge.store.get("repo", repo["id"])), row)


def work(forge: Forge) -> float | None:
    """Work on what is due; return the seconds until the next, or None for nothing left."""
    while True:
        row = forge.store.one("select * from push_event order by id limit 1")
        if row is None:
            return None
        left = float(row["created"]) + forge.delay - time.time()
        if left > 0:
            return left
        try:
            follow(forge, row)
        except (GitError, LookupError) as error:  # the repository or the commit went away meanwhile
            print(f"forge: push of {row['ref']} not followed up: {error}", file=sys.stderr, flush=True)
        forge.store.run("delete from push_event where id = ?", row["id"])
