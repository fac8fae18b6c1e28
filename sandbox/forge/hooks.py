# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks of repositories and organizations: definitions. Deliveries are made in delivery.py."""

from __future__ import annotations

import json
import random
import urllib.parse
import uuid
from typing import TYPE_CHECKING, Any

from . import events, orgs, views
from .body import Form
from .delivery import fake_push
from .errors import ApiError, not_found
from .router import route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

FIELDS = "config:map events:[str] branch_filter:str active:bool authorization_header:str name:str"
CREATE = Form("CreateHookOption", f"type:str! {FIELDS}".replace("config:map", "config:map!"))
EDIT = Form("EditHookOption", FIELDS)
TYPES = frozenset(
    [
        "gitea",
        "gogs",
        "slack",
        "discord",
        "dingtalk",
        "telegram",
        "msteams",
        "feishu",
        "matrix",
        "wechatwork",
        "packagist",
    ]
)
ISSUE = ["issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment"]
PULL = [
    "pull_request",
    "pull_request_assign",
    "pull_request_label",
    "pull_request_milestone",
    "pull_request_comment",
    "pull_request_review",
    "pull_request_sync",
    "pull_request_review_request",
]
GROUPS = {
    "issues": ISSUE,
    "issues_only": ["issues"],
    "pull_request": PULL,
    "pull_request_only": ["pull_request"],
}
OTHER = "create delete fork push wiki repository release package status workflow_run workflow_job"
SINGLE = frozenset([*ISSUE[1:], *PULL[1:], *OTHER.split()])
PATH = "/repos/{owner}/{repo}/hooks"
ORG = "/orgs/{org}/hooks"


def expand(asked: list[str] | None) -> list[str]:
    """Return the events that names mean: unknown ones drop, none at all means push."""
    if not asked:
        return ["push"]
    found: list[str] = []
    for name in asked:
        found += GROUPS.get(name, [name] if name in SINGLE else [])
    return list(dict.fromkeys(found))


def view(row: Row) -> dict[str, Any]:
    """Return a hook without its secret; the order of events means nothing, so it is shuffled."""
    asked = list(json.loads(row["events"]))
    random.shuffle(asked)
    return {
        "id": row["id"],
        "name": row["name"],
        "type": row["kind"],
        "branch_filter": row["branch_filter"],
        "config": {"content_type": row["content_type"], "url": row["url"]},
        "events": asked,
        "authorization_header": row["authorization"],
        "active": bool(row["active"]),
        "updated_at": views.moment(row["updated"]),
        "created_at": views.moment(row["created"]),
    }


def _config(config: dict[str, Any]) -> tuple[str, str]:
    for name in ("url", "content_type"):
        if name not in config:
            raise ApiError(422, f"Missing config option: {name}")
    if config["content_type"] not in {"json", "form"}:
        raise ApiError(422, "Invalid content type")
    return _url(str(config["url"])), str(config["content_type"])


def _url(text: str) -> str:
    parts = urllib.parse.urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ApiError(422, "Invalid url")
    return text


def _create(r: Request, **owner: int) -> Response:
    form = r.read(CREATE)
    if form["type"] not in TYPES:
        raise ApiError(422, f"Invalid hook type: {form['type']}")
    url, content_type = _config(form["config"])
    now = r.forge.now()
    columns = {
        "kind": form["type"],
        "url": url,
        "content_type": content_type,
        "secret": str(form["config"].get("secret") or ""),
        "events": json.dumps(expand(form.get("events"))),
        "active": int(bool(form.get("active"))),
        "branch_filter": form.get("branch_filter") or "",
        "authorization": form.get("authorization_header") or "",
        "name": form.get("name") or "",
    }
    key = r.db.insert("hook", **columns, **owner, created=now, updated=now)
    return Response(201, view(must(r.db.get("hook", key))))


def _edit(r: Request, row: Row) -> Response:
    """Change a hook. What is left out falls back: events to push, filter and header to nothing."""
    form = r.read(EDIT)
    config = form.get("config") or {}
    columns: dict[str, Any] = {"events": json.dumps(expand(form.get("events"))), "updated": r.forge.now()}
    columns |= {
        "branch_filter": form.get("branch_filter") or "",
        "authorization": form.get("authorization_header") or "",
    }
    if "url" in config:
        columns["url"] = _url(str(config["url"]))
    if "content_type" in config:
        if config["content_type"] not in {"json", "form"}:
            raise ApiError(422, "Invalid content type")
        columns["content_type"] = config["content_type"]
    if form.get("name") is not None:
        columns["name"] = form["name"]
    if form.get("active") is not None:
        columns["active"] = int(form["active"])
    r.db.update("hook", row["id"], **columns)
    return Response(200, view(must(r.db.get("hook", row["id"]))))


def _list(r: Request, rows: list[Row]) -> Response:
    return listed(r, [view(row) for row in cut(r, rows)], len(rows))


def _of_repo(r: Request) -> Row:
    row = r.db.one("select * from hook where repo_id = ? and id = ?", r.repo["id"], r.number("id"))
    if row is None:
        raise not_found()
    return row


@route("GET", PATH, scope="repository", token=True, need="admin")
def list_repo(r: Request) -> Response:
    """List hooks."""
    return _list(r, r.db.all("select * from hook where repo_id = ? order by id", r.repo["id"]))


@route("POST", PATH, scope="repository", token=True, need="admin")
def create(r: Request) -> Response:
    """Add a hook; the same twice is two."""
    return _create(r, repo_id=r.repo["id"])


@route("GET", PATH + "/{id}", scope="repository", token=True, need="admin")
def get(r: Request) -> Response:
    """Show a hook."""
    return Response(200, view(_of_repo(r)))


@route("PATCH", PATH + "/{id}", scope="repository", token=True, need="admin")
def edit(r: Request) -> Response:
    """Change a hook."""
    return _edit(r, _of_repo(r))


@route("DELETE", PATH + "/{id}", scope="repository", token=True, need="admin")
def delete(r: Request) -> Response:
    """Remove a hook."""
    r.db.run("delete from hook where id = ?", _of_repo(r)["id"])
    return Response(204)


@route("POST", PATH + "/{id}/tests", scope="repository", token=True, need="write")
def test(r: Request) -> Response:
    """Send a push that did not happen."""
    row = _of_repo(r)
    sha = r.git.branch(r.repo["default_branch"])
    if sha is not None:
        body = fake_push(events.from_root(r), r.repo, sha)
        columns = {"hook_id": row["id"], "uuid": str(uuid.uuid4()), "event": "push", "event_type": "push"}
        r.db.insert("delivery", **columns, payload=json.dumps(body, indent=2), created=r.forge.now())
        r.forge.store.ring(r.forge.deliveries)
    return Response(204)


def _org(r: Request) -> Row:
    row = orgs.find(r, r.params["org"])
    orgs.need_owner(r, row)
    return row


def _of_org(r: Request) -> Row:
    row = r.db.one("select * from hook where org_id = ? and id = ?", _org(r)["id"], r.number("id"))
    if row is None:
        raise not_found()
    return row


@route("GET", ORG, scope="organization", token=True)
def list_org(r: Request) -> Response:
    """List an organization's hooks."""
    return _list(r, r.db.all("select * from hook where org_id = ? order by id", _org(r)["id"]))


@route("POST", ORG, scope="organization", token=True)
def create_org(r: Request) -> Response:
    """Add a hook to an organization."""
    return _create(r, org_id=_org(r)["id"])


@route("GET", ORG + "/{id}", scope="organization", token=True)
def get_org(r: Request) -> Response:
    """Show an organization's hook."""
    return Response(200, view(_of_org(r)))


@route("PATCH", ORG + "/{id}", scope="organization", token=True)
def edit_org(r: Request) -> Response:
    """Change an organization's hook."""
    return _edit(r, _of_org(r))


@route("DELETE", ORG + "/{id}", scope="organization", token=True)
def delete_org(r: Request) -> Response:
    """Remove an organization's hook."""
    r.db.run("delete from hook where id = ?", _of_org(r)["id"])
    return Response(204)
