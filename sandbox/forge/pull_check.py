# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a pull can be merged: checking, mergeable, conflict, empty or ancestor.

A push to either side, or a merge that failed, sends a pull back to checking. Until the worker has come to it,
merging is refused with "try again later" and the pull calls itself not mergeable.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import commits, pull_view
from .git import GitError
from .store import must

if TYPE_CHECKING:
    from .state import Forge
    from .store import Row
    from .web import Request


@dataclass(frozen=True)
class Finding:
    """What git says of a pull now."""

    state: str
    head_sha: str
    merge_base: str
    behind: int
    files: list[str]
    counts: str

    def columns(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "state": self.state,
            "head_sha": self.head_sha,
            "merge_base": self.merge_base,
            "behind": self.behind,
            "files": json.dumps(self.files),
            "counts": self.counts,
        }


def look(r: Request, pull: Row) -> Finding:
    """Compare both sides by a real merge that touches nothing."""
    head = pull_view.head_now(r, pull) or pull["head_sha"]
    git = pull_view.bring(r, pull, head)
    base = git.branch(pull["base"])
    if base is None:
        return Finding("conflict", head, pull["merge_base"], 0, [], "0 0 0")
    start = git.merge_base(base, head)
    if head == base:
        state = "empty"
    elif start == head:
        state = "ancestor"
    else:
        state = "conflict" if git.merge_tree(base, head) is None else "mergeable"
    rows = commits.changes(git, start, head)
    counts = f"{sum(row['additions'] for row in rows)} {sum(row['deletions'] for row in rows)} {len(rows)}"
    behind = int(git.text("rev-list", "--count", f"{head}..{base}"))
    return Finding(state, head, start, behind, [row["filename"] for row in rows], counts)


def restart(forge: Forge, pull_id: int) -> None:
    """Send a pull back to checking."""
    forge.store.update("pull", pull_id, state="checking", check_after=time.time() + forge.delay)
    forge.store.ring(forge.checks)


def restart_base(forge: Forge, repo_id: int, base: str) -> None:
    """Send the open pulls into a branch back to checking."""
    sql = (
        "select p.id from pull p join issue i on i.id = p.issue_id"
        " where p.repo_id = ? and p.base = ? and p.merged = 0 and i.closed = 0"
    )
    for row in forge.store.all(sql, repo_id, base):
        restart(forge, row["id"])


def work(r: Request) -> float | None:
    """Check what is due; return the seconds until the next is, or None for nothing left."""
    sql = "select * from pull where state = 'checking' and merged = 0 order by check_after limit 1"
    while True:
        pull = r.db.one(sql)
        if pull is None:
            return None
        left = float(pull["check_after"]) - time.time()
        if left > 0:
            return left
        try:
            found = look(r, pull).columns()
        except (GitError, OSError):
            found = {"state": "conflict"}
        with r.db.write() as db:
            now = must(db.get("pull", pull["id"]))
            # A change that came meanwhile has moved check_after: then this finding is stale.
            if now["state"] == "checking" and now["check_after"] == pull["check_after"] and not now["merged"]:
                db.update("pull", pull["id"], **found)
