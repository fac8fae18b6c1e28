# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files through the API: read, and changed by a commit on a branch."""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
import urllib.parse
from typing import TYPE_CHECKING, Any

from . import branches, commits, repos, rules, views
from .body import Form
from .errors import ApiError, internal, not_found
from .git import ZERO, GitError
from .router import route
from .web import Response

if TYPE_CHECKING:
    from .web import Request

COMMON = (
    "message:str branch:str new_branch:str author:map committer:map signoff:bool dates:map force_push:bool"
)
CREATE = Form("CreateFileOptions", f"content:str! {COMMON}")
UPDATE = Form("UpdateFileOptions", f"content:str! sha:str from_path:str {COMMON}")
DELETE = Form("DeleteFileOptions", f"sha:str! {COMMON}")
PATH = "/repos/{owner}/{repo}/contents/{path*}"


def _entry(r: Request, commit: str, line: str) -> dict[str, Any]:
    meta, path = line.split("\t", 1)
    mode, kind, sha, size = meta.split()
    full = views.full_name(r, r.repo)
    quoted = urllib.parse.quote(path)
    api = f"{r.api}/repos/{full}/contents/{quoted}?ref={commit}"
    page = f"{r.site}/{full}/src/commit/{commit}/{quoted}"
    git = f"{r.api}/repos/{full}/git/{'blobs' if kind == 'blob' else 'trees'}/{sha}"
    word = {"tree": "dir", "commit": "submodule"}.get(kind, "symlink" if mode == "120000" else "file")
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "last_commit_sha": r.git.text("log", "-1", "--format=%H", commit, "--", path),
        "type": word,
        "size": int(size) if size.isdigit() else 0,
        "encoding": None,
        "content": None,
        "target": None,
        "url": api,
        "html_url": page,
        "git_url": git,
        "download_url": f"{r.site}/{full}/raw/commit/{commit}/{quoted}" if word == "file" else None,
        "submodule_git_url": None,
        "_links": {"self": api, "git": git, "html": page},
    }


def _file(r: Request, commit: str, path: str) -> dict[str, Any] | None:
    lines = r.git.text("ls-tree", "-l", "-z", "--full-tree", commit, path).split("\0")
    if not lines[0]:
        return None
    found = _entry(r, commit, lines[0])
    if found["type"] == "file":
        data = r.git.run("cat-file", "blob", found["sha"]).stdout
        found |= {"encoding": "base64", "content": base64.b64encode(data).decode()}
    return found


def _clean(path: str) -> str:
    parts = [part for part in path.split("/") if part]
    if not parts or any(part in {".", "..", ".git"} for part in parts) or "\0" in path:
        raise ApiError(422, f"path contains a malformed path component [path: {path}]")
    return "/".join(parts)


def _show(r: Request, path: str) -> Response:
    commit = r.git.commit_sha(r.arg("ref") or r.repo["default_branch"])
    if commit is None:
        raise not_found()
    found = _file(r, commit, path) if path else None
    if found is not None and found["type"] != "dir":
        return Response(200, found)
    if path and found is None:
        raise not_found(f"object does not exist [id: , rel_path: {path}]")
    text = r.git.text("ls-tree", "-l", "-z", "--full-tree", commit, *([f"{path}/"] if path else []))
    return Response(200, [_entry(r, commit, line) for line in text.split("\0") if line])


@route("GET", "/repos/{owner}/{repo}/contents", scope="repository", need="read:repo.code")
def root(r: Request) -> Response:
    """List the top folder."""
    return _show(r, "")


@route("GET", PATH, scope="repository", need="read:repo.code")
def get(r: Request) -> Response:
    """Show a file with its content, or list a folder."""
    return _show(r, _clean(r.params["path"]))


@route("GET", "/repos/{owner}/{repo}/raw/{path*}", scope="repository", need="read:repo.code")
def raw(r: Request) -> Response:
    """Return a file's bytes."""
    commit = r.git.commit_sha(r.arg("ref") or r.repo["default_branch"])
    blob = None if commit is None else r.git.sha(f"{commit}:{_clean(r.params['path'])}")
    if blob is None:
        raise not_found()
    return Response(200, r.git.run("cat-file", "blob", blob).stdout, content_type="application/octet-stream")


def _check(r: Request, branch: str, path: str) -> None:
    if r.repo["archived"]:
        raise ApiError(423, f"{views.full_name(r, r.repo)} is not allowed to edit")
    if not rules.may_push(r.db, r.repo, r.doer, branch):
        raise ApiError(403, f"user cannot commit to repo [user: {r.user['name']}]")
    rule = rules.rule_for(r.db, r.repo["id"], branch)
    if rule is not None and rule.protected([path]):
        raise ApiError(403, f"path is protected and can not be changed [path: {path}]")


def _content(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ApiError(422, f"illegal base64 data: {error}") from error


def _commit(r: Request, form: dict[str, Any], path: str, data: bytes | None, word: str) -> tuple[str, str]:
    """Put one file (None: remove it) on a branch; return the new commit and the branch."""
    base = form.get("branch") or r.repo["default_branch"]
    branch = form.get("new_branch") or base
    tip = r.git.branch(base)
    if tip is None and not r.repo["empty"]:
        raise not_found(f"branch does not exist [name: {base}]")
    if branch != base and r.git.branch(branch) is not None:
        raise ApiError(422, f"branch already exists [name: {branch}]")
    with tempfile.TemporaryDirectory() as folder:
        env = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        if tip is not None:
            r.git.run("read-tree", tip, env=env)
        if data is None:
            r.git.run("update-index", "--force-remove", "--", path, env=env)
        else:
            blob = r.git.text("hash-object", "-w", "--stdin", data=data)
            r.git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=env)
        tree = r.git.text("write-tree", env=env)
    message = (form.get("message") or f"{word} {path}").rstrip("\n") + "\n"
    made = r.git.commit_tree(tree, [tip] if tip else [], message, repos.signature(r))
    old = tip if branch == base and tip else ZERO
    try:
        r.git.update(f"refs/heads/{branch}", made, old)
    except GitError as error:
        raise internal(str(error)) from error
    r.db.run("update repo set empty = 0 where id = ?", r.repo["id"])
    branches.moved(r, r.repo["id"], f"refs/heads/{branch}", old, made)
    return made, branch


def _answer(r: Request, made: str, path: str) -> dict[str, Any]:
    commit = commits.view(r, r.repo, commits.one(r.git, made), files=False)
    short = {key: commit[key] for key in ("url", "sha", "created", "html_url", "parents")}
    short |= {key: commit["commit"][key] for key in ("author", "committer", "message", "tree")}
    return {"content": _file(r, made, path), "commit": short, "verification": commits.UNSIGNED}


def _target(r: Request, form: dict[str, Any], path: str) -> str | None:
    """Check the right, and return the blob that stands at the path."""
    branch = form.get("new_branch") or form.get("branch") or r.repo["default_branch"]
    _check(r, branch, path)
    tip = r.git.branch(form.get("branch") or r.repo["default_branch"])
    return None if tip is None else r.git.sha(f"{tip}:{path}")


@route("POST", PATH, scope="repository", token=True, need="see:repo.code")
def create(r: Request) -> Response:
    """Add a file."""
    form, path = r.read(CREATE), _clean(r.params["path"])
    data = _content(form["content"])
    if _target(r, form, path) is not None:
        raise ApiError(422, f"repository file already exists [path: {path}]")
    made, _branch = _commit(r, form, path, data, "Add")
    return Response(201, _answer(r, made, path))


@route("PUT", PATH, scope="repository", token=True, need="see:repo.code")
def update(r: Request) -> Response:
    """Change a file whose blob the caller knows; without a blob, add it."""
    form, path = r.read(UPDATE), _clean(r.params["path"])
    data, there = _content(form["content"]), _target(r, form, path)
    if there is not None and not form.get("sha"):
        raise ApiError(422, f"repository file already exists [path: {path}]")
    if form.get("sha") and there != form["sha"]:
        raise ApiError(422, f"sha does not match [given: {form['sha']}, expected: {there or ''}]")
    made, _branch = _commit(r, form, path, data, "Update")
    return Response(201 if there is None else 200, _answer(r, made, path))


@route("DELETE", PATH, scope="repository", token=True, need="see:repo.code")
def delete(r: Request) -> Response:
    """Remove a file."""
    form, path = r.read(DELETE), _clean(r.params["path"])
    there = _target(r, form, path)
    if there is None:
        raise not_found(f"repository file does not exist [path: {path}]")
    if there != form["sha"]:
        raise ApiError(422, f"sha does not match [given: {form['sha']}, expected: {there}]")
    made, _branch = _commit(r, form, path, None, "Delete")
    return Response(200, _answer(r, made, path) | {"content": None})
