# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries of hooks: one attempt each, one after another, signed, and written down with what came back.

A delivery is marked as begun before it is sent. One that a kill interrupts is not sent again: at most once.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from . import commits, views
from .git import ZERO

if TYPE_CHECKING:
    from .state import Forge
    from .store import Row
    from .web import Request

TIMEOUT = 5.0


def push_body(r: Request, repo: Row, row: Row) -> dict[str, Any]:
    """Return the payload of a push, without repository and sender. ``row`` is a push_event."""
    ref, old, new = str(row["ref"]), str(row["old"]), str(row["new"])
    git = r.forge.git(repo["id"])
    full = views.full_name(r, repo)
    span = [new] if old == ZERO else [f"{old}..{new}"]
    hidden = [f"^{row['base']}"] if old == ZERO and row["base"] and row["base"] != new else []
    rows = [] if new == ZERO else commits.log(git, "-30", *span, *hidden)
    shown = [commits.payload(r, repo, one, files=True) for one in rows]
    before = git.merge_base(row["base"], new) if old == ZERO and row["base"] and new != ZERO else old
    head = None if new == ZERO else commits.payload(r, repo, commits.one(git, new), files=True)
    return {
        "ref": ref,
        "before": old,
        "after": new,
        "compare_url": f"{r.site}/{full}/compare/{before}...{new}",
        "commits": shown,
        "total_commits": len(shown),
        "head_commit": head,
        "pusher": views.user(r, r.doer),
    }


def fake_push(r: Request, repo: Row, sha: str) -> dict[str, Any]:
    """Return a whole push payload for trying a hook."""
    commit = commits.payload(r, repo, commits.one(r.forge.git(repo["id"]), sha))
    return {
        "ref": f"refs/heads/{repo['default_branch']}",
        "before": sha,
        "after": sha,
        "compare_url": "",
        "commits": [commit],
        "total_commits": 1,
        "head_commit": commit,
        "repository": views.repo(r, repo),
        "pusher": views.user(r, r.doer),
        "sender": views.user(r, r.doer),
    }


def headers_of(hook: Row, row: Row, signed: bytes) -> dict[str, str]:
    """Return the headers of a delivery. The signed bytes are the JSON text, also for a form."""
    secret = str(hook["secret"]).encode()
    sha256 = hmac.new(secret, signed, hashlib.sha256).hexdigest() if secret else ""
    sha1 = hmac.new(secret, signed, hashlib.sha1).hexdigest() if secret else ""
    found = {"X-Hub-Signature": f"sha1={sha1}", "X-Hub-Signature-256": f"sha256={sha256}"}
    for brand in ("Gitea", "Gogs", "GitHub"):
        found[f"X-{brand}-Delivery"] = row["uuid"]
        found[f"X-{brand}-Event"] = row["event"]
        found[f"X-{brand}-Event-Type"] = row["event_type"]
        if brand != "GitHub":
            found[f"X-{brand}-Signature"] = sha256
        if brand != "Gogs":
            target = "repository" if hook["repo_id"] else "organization"
            found[f"X-{brand}-Hook-Installation-Target-Type"] = target
    if hook["authorization"]:
        found["Authorization"] = hook["authorization"]
    return found


def send(hook: Row, row: Row) -> int:
    """Send once; return the status. :raises OSError, HTTPException: when nobody answered in time."""
    signed = str(row["payload"]).encode()
    body, kind = signed, "application/json"
    if hook["content_type"] == "form":
        body, kind = (
            urllib.parse.urlencode({"payload": row["payload"]}).encode(),
            "application/x-www-form-urlencoded",
        )
    parts = urllib.parse.urlsplit(hook["url"])
    plain = parts.scheme == "http"
    make = http.client.HTTPConnection if plain else http.client.HTTPSConnection
    connection = make(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", path, body, headers_of(hook, row, signed) | {"Content-Type": kind})
        reply = connection.getresponse()
        reply.read(1 << 16)
        return reply.status
    finally:
        connection.close()


def work(forge: Forge) -> bool:
    """Make the oldest delivery that waits; return whether there was one."""
    db = forge.store
    row = db.one("select * from delivery where state = 'queued' order by id limit 1")
    if row is None:
        return False
    db.update("delivery", row["id"], state="begun", sent=time.time())
    hook = db.get("hook", row["hook_id"])
    if hook is None:
        db.update("delivery", row["id"], state="failed", error="the hook is gone")
        return True
    try:
        status = send(hook, row)
    except (OSError, http.client.HTTPException) as error:
        db.update("delivery", row["id"], state="failed", error=f"{type(error).__name__}: {error}"[:200])
    else:
        state = "delivered" if 200 <= status < 300 else "failed"
        db.update("delivery", row["id"], state=state, status=status)
    return True


def recover(forge: Forge) -> int:
    """Close the deliveries that a kill interrupted; return how many."""
    return forge.store.run(
        "update delivery set state = 'failed', error = 'interrupted' where state = 'begun'"
    )
