# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Branches, made and removed through the API."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any

from . import commits, permissions, rules
from .body import Form
from .errors import ApiError, internal, not_found
from .git import ZERO, GitError
from .router import route
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .web import Request

CREATE = Form("CreateBranchRepoOption", "new_branch_name:str! old_branch_name:str old_ref_name:str")
PATH = "/repos/{owner}/{repo}/branches"


def good_name(name: str) -> bool:
    """Say whether git takes a name for a branch."""
    argv = ["git", "check-ref-format", f"refs/heads/{name}"]
    plain = bool(name) and "\0" not in name and not name.startswith("-")
    return plain and subprocess.run(argv, check=False).returncode == 0


def moved(r: Request, repo_id: int, ref: str, old: str, new: str, *, source: str = "api") -> None:
    """Write down that the forge itself moved a ref; the worker does the rest a moment later."""
    columns = {"repo_id": repo_id, "user_id": r.user_id, "ref": ref, "old": old, "new": new}
    repo = r.db.get("repo", repo_id)
    if old == ZERO and repo is not None:
        columns["base"] = r.forge.git(repo_id).branch(repo["default_branch"]) or ""
    r.db.insert("push_event", **columns, source=source, created=time.time())
    r.forge.store.ring(r.forge.pushes)


def view(r: Request, name: str, sha: str) -> dict[str, Any]:
    """Return a branch."""
    rule = rules.rule_for(r.db, r.repo["id"], name)
    writer = r.access.of(permissions.CODE) >= permissions.WRITE
    user = r.doer
    checks = rule is not None and rule.flag("enable_status_check")
    return {
        "name": name,
        "commit": commits.payload(r, r.repo, commits.one(r.git, sha)),
        "protected": rule is not None,
        "required_approvals": rule.data.get("required_approvals") or 0 if rule else 0,
        "enable_status_check": checks,
        "status_check_contexts": rule.names("status_check_contexts") if rule else [],
        "user_can_push": writer and (rule is None or (user is not None and rule.may_push(r.db, user))),
        "user_can_merge": writer and (rule is None or (user is not None and rule.may_merge(r.db, user))),
        "effective_branch_protection_name": rule.name if rule and r.access.admin else "",
    }


@route("GET", PATH, scope="repository", need="read:repo.code")
def list_all(r: Request) -> Response:
    """List branches, the default one first."""
    rows = [(name.removeprefix("refs/heads/"), sha) for name, _kind, sha in r.git.refs("refs/heads/")]
    rows.sort(key=lambda row: (row[0] != r.repo["default_branch"], row[0]))
    return listed(r, [view(r, name, sha) for name, sha in cut(r, rows)], len(rows), links=True)


@route("GET", PATH + "/{name*}", scope="repository", need="read:repo.code")
def get(r: Request) -> Response:
    """Show a branch."""
    sha = r.git.branch(r.params["name"])
    if sha is None:
        raise not_found(f"branch does not exist [name: {r.params['name']}]")
    return Response(200, view(r, r.params["name"], sha))


@route("POST", PATH, scope="repository", token=True, need="write:repo.code", archived=True)
def create(r: Request) -> Response:
    """Make a branch: 409 when it is there, 500 for who loses a race for it."""
    form = r.read(CREATE)
    name = form["new_branch_name"]
    if not good_name(name):
        raise ApiError(422, "[BranchName]: GitRefName")
    if r.repo["empty"]:
        raise not_found(message="Git Repository is empty.")
    if r.git.branch(name) is not None:
        raise ApiError(409, "The branch already exists.")
    old = form.get("old_ref_name") or form.get("old_branch_name") or r.repo["default_branch"]
    sha = r.git.commit_sha(old) if form.get("old_ref_name") else r.git.branch(old)
    if sha is None:
        raise ApiError(404, "The old branch does not exist")
    for there, _kind, _sha in r.git.refs("refs/heads/"):
        other = there.removeprefix("refs/heads/")
        if name.startswith(f"{other}/") or other.startswith(f"{name}/"):
            raise ApiError(409, "The branch with the same name already exists.")
    try:
        r.git.update(f"refs/heads/{name}", sha, ZERO)
    except GitError as error:
        raise internal(str(error)) from error
    moved(r, r.repo["id"], f"refs/heads/{name}", ZERO, sha)
    return Response(201, view(r, name, sha))


@route("DELETE", PATH + "/{name*}", scope="repository", token=True, need="write:repo.code", archived=True)
def delete(r: Request) -> Response:
    """Remove a branch that is neither the default nor protected."""
    name = r.params["name"]
    sha = r.git.branch(name)
    if sha is None:
        raise not_found(f"branch does not exist [name: {name}]")
    sql = (
        "select 1 from pull p join issue i on i.id = p.issue_id"
        " where p.repo_id = ? and p.base = ? and p.merged = 0 and i.closed = 0"
    )
    if name == r.repo["default_branch"] or r.db.one(sql, r.repo["id"], name):
        raise ApiError(403, "can not delete default or pull request target branch")
    if rules.rule_for(r.db, r.repo["id"], name) is not None:
        raise ApiError(403, "branch protected")
    remove(r, name, sha)
    return Response(204)


def remove(r: Request, name: str, sha: str) -> None:
    """Delete a branch at exactly this commit."""
    try:
        r.git.update(f"refs/heads/{name}", ZERO, sha)
    except GitError as error:
        raise internal(str(error)) from error
    moved(r, r.repo["id"], f"refs/heads/{name}", sha, ZERO)
