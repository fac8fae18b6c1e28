# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories: made with a first commit, changed, renamed with a redirect, archived, deleted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import auth, permissions, views
from .body import Form
from .errors import ApiError, internal
from .git import ZERO, GitError, Signature
from .router import route
from .store import must
from .views import PULL_SETTINGS, SETTINGS
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form(
    "CreateRepoOption",
    "name:str! auto_init:bool default_branch:str description:str gitignores:str issue_labels:str license:str"
    " private:bool readme:str template:bool trust_model:str object_format_name:str",
)
_SWITCHES = " ".join(
    f"{key}:{'map' if isinstance(value, dict) else 'bool' if isinstance(value, bool) else 'str'}"
    for key, value in SETTINGS.items()
)
EDIT = Form(
    "EditRepoOption",
    f"name:str description:str website:str private:bool template:bool archived:bool default_branch:str"
    f" {_SWITCHES}",
)
TOPICS = Form("RepoTopicOptions", "topics:[str]")
FORK = Form("CreateForkOption", "organization:str name:str")
NAME = re.compile(r"[A-Za-z0-9_.-]+")
TAKEN = "The repository with the same name already exists."


def signature(r: Request, when: int | None = None) -> Signature:
    """Return the doer as author and committer."""
    return Signature.of(r.user["name"], r.user["email"], r.forge.now() if when is None else when)


def size_of(path: Path) -> int:
    """Return what a repository takes on the disk, in KiB; a push meanwhile adds files and removes them."""
    total = 0
    for folder, _folders, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(folder) / name).stat().st_size
    return total // 1024


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ApiError(422, "[Name]: AlphaDashDot")
    if len(name) > 100:
        raise ApiError(422, "[Name]: MaxSize")
    if name in {".", "..", "-"} or name.lower().endswith((".git", ".wiki", ".rss", ".atom")):
        raise ApiError(422, f"name is reserved [name: {name}]")


def create(r: Request, owner: Row, form: dict[str, Any]) -> Response:
    """Make a repository below an account."""
    name = form["name"]
    _check_name(name)
    branch = form.get("default_branch") or "main"
    now = r.forge.now()
    with r.db.write() as db:
        if db.one("select 1 from repo where owner_id = ? and lower = ?", owner["id"], name.lower()):
            raise ApiError(409, TAKEN)
        columns = {
            "owner_id": owner["id"],
            "name": name,
            "lower": name.lower(),
            "created": now,
            "updated": now,
        }
        columns |= {"description": form.get("description") or "", "private": int(bool(form.get("private")))}
        columns |= {"template": int(bool(form.get("template"))), "default_branch": branch}
        key = db.insert("repo", **columns)
        db.run("delete from repo_redirect where owner_id = ? and lower = ?", owner["id"], name.lower())
        if owner["kind"] == "org" and not permissions.is_org_owner(db, owner["id"], r.doer):
            db.run("insert into collaborator values (?, ?, ?)", key, r.user_id, permissions.ADMIN)
        git = r.forge.git(key)
        git.init(branch)
        if form.get("auto_init"):
            text = f"# {name}\n\n{form.get('description') or ''}"
            blob = git.text("hash-object", "-w", "--stdin", data=text.encode())
            tree = git.text("mktree", data=f"100644 blob {blob}\tREADME.md\n".encode())
            first = git.commit_tree(tree, (), "Initial commit\n", signature(r))
            git.update(f"refs/heads/{branch}", first, ZERO)
        db.update("repo", key, size=size_of(git.path), empty=int(not form.get("auto_init")))
    row = must(r.db.get("repo", key))
    return Response(201, views.repo(r, row))


@route("POST", "/user/repos", scope="user", token=True)
def create_own(r: Request) -> Response:
    """Make a repository of the doer."""
    return create(r, r.user, r.read(CREATE))


@route("POST", "/admin/users/{name}/repos", scope="admin", token=True, need="site")
def create_for(r: Request) -> Response:
    """Make a repository of somebody else."""
    owner = auth.by_name(r.db, r.params["name"])
    if owner is None:
        raise ApiError(404, f"user redirect does not exist [name: {r.params['name']}]")
    return create(r, owner, r.read(CREATE))


@route("GET", "/repos/search", scope="repository")
def search(r: Request) -> Response:
    """Find repositories by a part of the name."""
    rows = r.db.all("select * from repo order by lower, id")
    word = r.arg("q").lower()
    seen = [row for row in rows if word in row["lower"] and permissions.access(r.db, row, r.doer).any]
    found = {"ok": True, "data": [views.repo(r, row) for row in cut(r, seen)]}
    return listed(r, found, len(seen), links=True)


@route("GET", "/repos/{owner}/{repo}", scope="repository")
def get(r: Request) -> Response:
    """Show a repository."""
    return Response(200, views.repo(r, r.repo, r.access))


@route("GET", "/repositories/{id}", scope="repository")
def get_by_id(r: Request) -> Response:
    """Show a repository by id."""
    row = r.db.get("repo", r.number("id"))
    if row is None or not permissions.access(r.db, row, r.doer).any:
        raise ApiError(404, "not found", errors=None)
    return Response(200, views.repo(r, row))


def _rename(r: Request, name: str) -> None:
    _check_name(name)
    owner, lower = r.repo["owner_id"], r.repo["lower"]
    with r.db.write() as db:
        if name.lower() != lower:
            if db.one("select 1 from repo where owner_id = ? and lower = ?", owner, name.lower()):
                raise ApiError(422, f"repo name is already taken [name: {name}]")
            db.run("delete from repo_redirect where owner_id = ? and lower = ?", owner, name.lower())
            db.run("insert or replace into repo_redirect values (?, ?, ?)", owner, lower, r.repo["id"])
        db.update("repo", r.repo["id"], name=name, lower=name.lower())


@route("PATCH", "/repos/{owner}/{repo}", scope="repository", token=True, need="admin")
def edit(r: Request) -> Response:
    """Change a repository. One part after another is written, archive and visibility last."""
    form = r.read(EDIT)
    if form.get("name"):
        _rename(r, form["name"])
    columns: dict[str, Any] = {
        key: form[key] for key in ("description", "website") if form.get(key) is not None
    }
    branch = form.get("default_branch")
    # A branch that is not there is left out with a success.
    known = r.repo["empty"] or (branch and r.git.branch(branch) is not None)
    if branch and branch != r.repo["default_branch"] and known:
        r.git.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        columns["default_branch"] = branch
    columns["settings"] = json.dumps(_switched(json.loads(r.repo["settings"]), form))
    columns |= {key: int(form[key]) for key in ("template", "private") if form.get(key) is not None}
    archived = form.get("archived")
    if archived is not None and archived != bool(r.repo["archived"]):
        columns |= {"archived": int(archived), "archived_at": r.forge.now() if archived else 0}
    r.db.update("repo", r.repo["id"], **columns, updated=r.forge.now())
    return Response(200, views.repo(r, must(r.db.get("repo", r.repo["id"])), r.access))


def _switched(stored: dict[str, Any], form: dict[str, Any]) -> dict[str, Any]:
    """Return the changed switches. How pulls merge goes with their unit, and brings it back."""
    given = {key: form[key] for key in SETTINGS if form.get(key) is not None}
    if given.get("has_pull_requests") is False:
        kept = {key: value for key, value in (stored | given).items() if key not in PULL_SETTINGS}
        return kept | {"has_pull_requests": False}
    if set(given) & PULL_SETTINGS:
        given["has_pull_requests"] = True
    return stored | given


OF_REPO = (
    "label",
    "milestone",
    "pull",
    "issue",
    "status",
    "protection",
    "hook",
    "push_event",
    "deploy_key",
    "release",
    "secret",
    "variable",
    "collaborator",
    "team_repo",
    "repo_redirect",
    "transfer",
)
OF_ISSUE = ("issue_label", "assignee", "comment")


@route("DELETE", "/repos/{owner}/{repo}", scope="repository", token=True, need="owner")
def delete(r: Request) -> Response:
    """Delete a repository with all that belongs to it."""
    remove(r, r.repo["id"])
    return Response(204)


def remove(r: Request, key: int) -> None:
    """Remove a repository by id."""
    with r.db.write() as db:
        db.run("delete from review where pull_id in (select id from pull where repo_id = ?)", key)
        db.run("delete from dependency where issue_id in (select id from issue where repo_id = ?)", key)
        for table in OF_ISSUE:
            db.run(f"delete from {table} where issue_id in (select id from issue where repo_id = ?)", key)  # noqa: S608
        for table in OF_REPO:
            db.run(f"delete from {table} where repo_id = ?", key)  # noqa: S608 - the names stand above
        db.run("update pull set head_repo_id = -1 where head_repo_id = ?", key)
        db.run("delete from repo where id = ?", key)
    shutil.rmtree(r.forge.git(key).path, ignore_errors=True)


@route("GET", "/repos/{owner}/{repo}/topics", scope="repository")
def get_topics(r: Request) -> Response:
    """List topics."""
    found = json.loads(r.repo["topics"])
    return listed(r, {"topics": cut(r, found)}, len(found))


@route("PUT", "/repos/{owner}/{repo}/topics", scope="repository", token=True, need="admin")
def put_topics(r: Request) -> Response:
    """Replace the topics."""
    wanted = [name.strip().lower() for name in r.read(TOPICS).get("topics") or []]
    bad = [name for name in wanted if not re.fullmatch(r"[a-z0-9][-.a-z0-9]{0,34}", name)]
    if bad:
        return Response(422, {"invalidTopics": bad, "message": "Topic names are invalid"})
    r.db.update("repo", r.repo["id"], topics=json.dumps(sorted(set(wanted))))
    return Response(204)


@route("POST", "/repos/{owner}/{repo}/forks", scope="repository", token=True)
def fork(r: Request) -> Response:
    """Copy a repository to the doer or to an organization of the doer."""
    form = r.read(FORK)
    owner = r.user if not form.get("organization") else auth.by_name(r.db, form["organization"])
    if owner is None or (
        owner["id"] != r.user_id and not permissions.is_org_owner(r.db, owner["id"], r.doer)
    ):
        raise ApiError(422, "organization does not exist or is not yours")
    name, now = form.get("name") or r.repo["name"], r.forge.now()
    with r.db.write() as db:
        if db.one("select 1 from repo where owner_id = ? and lower = ?", owner["id"], name.lower()):
            raise ApiError(409, TAKEN)
        columns = {key: r.repo[key] for key in ("description", "private", "default_branch", "empty", "size")}
        base = {"owner_id": owner["id"], "name": name, "lower": name.lower(), "created": now, "updated": now}
        key = db.insert("repo", **base, **columns, fork_of=r.repo["id"])
        git = r.forge.git(key)
        git.init(columns["default_branch"])
        try:
            git.run(
                "fetch", "--quiet", str(r.git.path), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"
            )
        except GitError as error:
            raise internal(str(error)) from error
    return Response(202, views.repo(r, must(r.db.get("repo", key))))


@route("GET", "/repos/{owner}/{repo}/forks", scope="repository")
def forks(r: Request) -> Response:
    """List forks that the doer may see."""
    rows = r.db.all("select * from repo where fork_of = ? order by id", r.repo["id"])
    seen = [row for row in rows if permissions.access(r.db, row, r.doer).any]
    return listed(r, [views.repo(r, row) for row in cut(r, seen)], len(seen))
