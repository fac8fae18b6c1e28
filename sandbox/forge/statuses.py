# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commit statuses: any writer may post any, and any word is taken; the creator is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import commits, events, rules, views
from .body import Form
from .errors import internal, not_found
from .router import route
from .store import must
from .web import Response, cut, link, listed, page_of

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form("CreateStatusOption", "state:str context:str target_url:str description:str")


def view(r: Request, row: Row, repo: Row) -> dict[str, Any]:
    """Return a status."""
    return {
        "id": row["position"],
        "status": row["state"],
        "target_url": row["target_url"],
        "description": row["description"],
        "url": f"{r.api}/repos/{views.full_name(r, repo)}/statuses/{row['sha']}",
        "context": row["context"],
        "creator": views.user_by_id(r, row["creator_id"]),
        "created_at": views.moment(row["created"]),
        "updated_at": views.moment(row["created"]),
    }


@route(
    "POST", "/repos/{owner}/{repo}/statuses/{sha*}", scope="repository", token=True, need="write:repo.code"
)
def create(r: Request) -> Response:
    """Add a status to a commit, a short id or a branch's tip."""
    form = r.read(CREATE)
    name = r.params["sha"]
    sha = r.git.commit_sha(name)
    if sha is None:
        raise internal(f"GetCommit[{name}]: object does not exist [id: {name}, rel_path: ]")
    with r.db.write() as db:
        last = (
            db.value("select max(position) from status where repo_id = ? and sha = ?", r.repo["id"], sha) or 0
        )
        columns = {key: form.get(key) or "" for key in ("context", "target_url", "description", "state")}
        base = {"repo_id": r.repo["id"], "sha": sha, "position": last + 1, "creator_id": r.user_id}
        key = db.insert("status", **base, **columns, created=r.forge.now())
        row = must(db.get("status", key))

        def payload(plain: Request) -> dict[str, Any]:
            body = {name: row[name] for name in ("context", "description", "sha", "state", "target_url")}
            times = {name: views.moment(row["created"]) for name in ("created_at", "updated_at")}
            commit = commits.payload(plain, r.repo, commits.one(r.git, sha))
            return {"commit": commit, "id": row["position"], **body, **times}

        events.fire(r, r.repo, "status", payload)
    r.forge.store.ring(r.forge.checks)
    return Response(201, view(r, row, r.repo))


SORTS = {
    "recentupdate": "created desc, id asc",
    "leastupdate": "created asc, id asc",
    "leastindex": "id asc",
    "highestindex": "id desc",
}


def _list(r: Request, name: str) -> Response:
    sha = r.git.commit_sha(name)
    if sha is None:
        raise not_found(f"object does not exist [id: {name}, rel_path: ]")
    order = SORTS.get(r.arg("sort"), "created asc, id asc")
    rows = r.db.find("status", ["repo_id = ?", "sha = ?"], [r.repo["id"], sha], order=order)
    if r.arg("state"):
        rows = [row for row in rows if row["state"] == r.arg("state")]
    return listed(r, [view(r, row, r.repo) for row in cut(r, rows)], len(rows), links=True)


@route("GET", "/repos/{owner}/{repo}/statuses/{sha*}", scope="repository", need="read:repo.code")
def list_sha(r: Request) -> Response:
    """List all statuses of a commit by whole seconds: only an order by index tells the newest."""
    return _list(r, r.params["sha"])


def _combined(r: Request, name: str) -> Response:
    """The state is that of the page which is shown, and total_count counts its rows: the trap."""
    sha = r.git.commit_sha(name)
    if sha is None:
        raise not_found(f"object does not exist [id: {name}, rel_path: ]")
    every = rules.latest(r.db, r.repo["id"], sha)
    rows = cut(r, every)
    base = f"{r.api}/repos/{views.full_name(r, r.repo)}/commits/{sha}"
    body = {
        "state": rules.combine(row["state"] for row in rows),
        "sha": sha,
        "total_count": len(rows),
        "statuses": [view(r, row, r.repo) for row in rows] or None,
        "repository": views.repo(r, r.repo, r.access),
        "commit_url": base,
        "url": f"{base}/status",
    }
    headers = {"X-Total-Count": str(len(every))}
    page, size = page_of(r)
    text = link(r, len(every), page, size)
    if text:
        headers["Link"] = text
    return Response(200, body, headers)


@route("GET", "/repos/{owner}/{repo}/commits/{rest*}", scope="repository", need="read:repo.code")
def of_commit(r: Request) -> Response:
    """Show .../status (combined), .../statuses (all) or .../pull of a ref, whose name may hold slashes."""
    name, _slash, word = r.params["rest"].rpartition("/")
    if word == "status":
        return _combined(r, name)
    if word == "statuses":
        return _list(r, name)
    if word == "pull":
        from . import pull_view  # noqa: PLC0415 - this one route needs it

        sha = r.git.commit_sha(name)
        row = r.db.one("select * from pull where repo_id = ? and merge_sha = ?", r.repo["id"], sha)
        if row is not None:
            return Response(200, pull_view.pull(r, row))
    raise not_found()
