# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commits and refs as they look from outside."""

from __future__ import annotations

import base64
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import views
from .errors import not_found
from .git import GitError
from .router import route
from .web import Response, link, page_of

if TYPE_CHECKING:
    from .git import Git
    from .store import Row
    from .web import Request

UNSIGNED = {
    "verified": False,
    "reason": "gpg.error.not_signed_commit",
    "signature": "",
    "signer": None,
    "payload": "",
}
FORM = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B%x01"


@dataclass(frozen=True)
class Commit:
    """One commit; people are (name, address, seconds)."""

    sha: str
    tree: str
    parents: list[str]
    author: tuple[str, str, int]
    committer: tuple[str, str, int]
    message: str


def log(git: Git, *argv: str) -> list[Commit]:
    """Return the commits that git log names."""
    raw = git.run("log", f"--format={FORM}", *argv, "--").stdout.decode("utf-8", "replace")
    found = []
    for record in raw.split("\x01"):
        if not record.strip():
            continue
        part = record.lstrip("\n").split("\0")
        author, committer = (part[3], part[4], int(part[5])), (part[6], part[7], int(part[8]))
        found.append(
            Commit(part[0], part[1], part[2].split(), author, committer, part[9].rstrip("\n") + "\n")
        )
    return found


def one(git: Git, sha: str) -> Commit:
    """Return one commit. :raises GitError: when there is none."""
    return log(git, "-1", sha)[0]


def _person(who: tuple[str, str, int]) -> dict[str, Any]:
    return {"name": who[0], "email": who[1], "date": views.moment(who[2])}


def _account(r: Request, email: str) -> dict[str, Any] | None:
    return views.user(r, r.db.one("select * from user where email = ? and kind = 'user'", email))


def view(r: Request, repo: Row, commit: Commit, *, files: bool = True) -> dict[str, Any]:
    """Return a commit in full."""
    full = views.full_name(r, repo)
    git = r.forge.git(repo["id"])
    base = f"{r.api}/repos/{full}"
    created = views.moment(commit.committer[2])
    found: dict[str, Any] = {
        "url": f"{base}/git/commits/{commit.sha}",
        "sha": commit.sha,
        "created": created,
        "html_url": f"{r.site}/{full}/commit/{commit.sha}",
        "commit": {
            "url": f"{base}/git/commits/{commit.sha}",
            "author": _person(commit.author),
            "committer": _person(commit.committer),
            "message": commit.message,
            "tree": {"url": f"{base}/git/trees/{commit.sha}", "sha": commit.tree, "created": created},
            "verification": UNSIGNED,
        },
        "author": _account(r, commit.author[1]),
        "committer": _account(r, commit.committer[1]),
        "parents": [
            {"url": f"{base}/git/commits/{sha}", "sha": sha, "created": views.NEVER} for sha in commit.parents
        ],
        "files": None,
        "stats": None,
    }
    if files:
        rows = changes(git, f"{commit.sha}^1" if commit.parents else "", commit.sha)
        found["files"] = [{"filename": row["filename"], "status": row["status"]} for row in rows]
        added, gone = sum(row["additions"] for row in rows), sum(row["deletions"] for row in rows)
        found["stats"] = {"total": added + gone, "additions": added, "deletions": gone}
    return found


def payload(r: Request, repo: Row, commit: Commit, *, files: bool = False) -> dict[str, Any]:
    """Return a commit in the short form of hooks and branches."""
    people = {}
    for role, who in (("author", commit.author), ("committer", commit.committer)):
        known = r.db.one("select name from user where email = ? and kind = 'user'", who[1])
        people[role] = {"name": who[0], "email": who[1], "username": known["name"] if known else ""}
    found: dict[str, Any] = {
        "id": commit.sha,
        "message": commit.message,
        "url": f"{r.site}/{views.full_name(r, repo)}/commit/{commit.sha}",
        **people,
        "verification": UNSIGNED,
        "timestamp": views.moment(commit.author[2]),
        "added": None,
        "removed": None,
        "modified": None,
    }
    if files:
        rows = changes(r.forge.git(repo["id"]), f"{commit.sha}^1" if commit.parents else "", commit.sha)
        for key, word in (("added", "added"), ("removed", "deleted"), ("modified", "changed")):
            found[key] = [row["filename"] for row in rows if row["status"] == word]
    return found


def changes(git: Git, old: str, new: str) -> list[dict[str, Any]]:
    """Return the changed files between two commits, with counts; an empty ``old`` means nothing was there."""
    start = git.sha(old) if old else None
    start = start or git.text("hash-object", "-t", "tree", "-w", "--stdin", data=b"")
    letters: dict[str, str] = {}
    raw = git.run("diff-tree", "-r", "-z", "--no-renames", "--name-status", start, new).stdout.split(b"\0")
    for at in range(0, len(raw) - 1, 2):
        letters[raw[at + 1].decode("utf-8", "replace")] = raw[at].decode()
    found = []
    for line in git.run("diff-tree", "-r", "-z", "--no-renames", "--numstat", start, new).stdout.split(b"\0"):
        if not line:
            continue
        plus, minus, name = line.decode("utf-8", "replace").split("\t", 2)
        added, gone = (int(text) if text.isdigit() else 0 for text in (plus, minus))
        status = {"A": "added", "D": "deleted"}.get(letters.get(name, ""), "changed")
        found.append(
            {
                "filename": name,
                "status": status,
                "additions": added,
                "deletions": gone,
                "changes": added + gone,
            }
        )
    return found


def paged(r: Request, rows: list[Any], total: int) -> Response:
    """Return a page with the headers that commit lists carry besides the total."""
    page, size = page_of(r)
    pages = max(-(-total // size), 1)
    headers = {
        "X-Page": str(page),
        "X-PerPage": str(size),
        "X-Total-Count": str(total),
        "X-PageCount": str(pages),
        "X-HasMore": "true" if page < pages else "false",
    }
    text = link(r, total, page, size)
    if text:
        headers["Link"] = text
    return Response(200, rows, headers)


@route("GET", "/repos/{owner}/{repo}/commits", scope="repository", need="read:repo.code")
def list_commits(r: Request) -> Response:
    """List the commits of a ref."""
    sha = r.git.commit_sha(r.arg("sha") or r.repo["default_branch"])
    if sha is None:
        raise not_found()
    page, size = page_of(r)
    total = int(r.git.text("rev-list", "--count", sha))
    rows = log(r.git, f"--skip={(page - 1) * size}", f"-{size}", sha)
    wants = r.arg("stat", "true") != "false"
    return paged(r, [view(r, r.repo, row, files=wants) for row in rows], total)


@route("GET", "/repos/{owner}/{repo}/git/commits/{sha}", scope="repository", need="read:repo.code")
def get_commit(r: Request) -> Response:
    """Show a commit."""
    sha = r.git.commit_sha(r.params["sha"])
    if sha is None:
        raise not_found()
    return Response(200, view(r, r.repo, one(r.git, sha)))


def _ref(r: Request, row: tuple[str, str, str]) -> dict[str, Any]:
    name, kind, sha = row
    base = f"{r.api}/repos/{views.full_name(r, r.repo)}"
    target = {"type": kind, "sha": sha, "url": f"{base}/git/{kind}s/{sha}"}
    return {"ref": name, "url": f"{base}/git/{name}", "object": target}


@route("GET", "/repos/{owner}/{repo}/git/refs", scope="repository", need="read:repo.code")
def refs(r: Request) -> Response:
    """List every ref, unpaged."""
    return Response(200, [_ref(r, row) for row in r.git.refs()])


@route("GET", "/repos/{owner}/{repo}/git/refs/{ref*}", scope="repository", need="read:repo.code")
def refs_below(r: Request) -> Response:
    """List a ref, or those below a name. :raises ApiError: 404 when there is none."""
    name = urllib.parse.unquote(r.params["ref"])
    rows = [row for row in r.git.refs() if row[0].startswith(f"refs/{name}")]
    if not rows:
        raise not_found()
    return Response(200, [_ref(r, row) for row in rows])


@route("GET", "/repos/{owner}/{repo}/git/trees/{sha}", scope="repository", need="read:repo.code")
def tree(r: Request) -> Response:
    """Show a tree, page by page: per_page rows, 1000 unless said otherwise."""
    sha = r.git.sha(f"{r.params['sha']}^{{tree}}")
    if sha is None:
        raise not_found()
    deep = ["-r", "-t"] if r.arg("recursive") in {"1", "true"} else []
    lines = [
        line for line in r.git.text("ls-tree", "-l", "-z", "--full-tree", *deep, sha).split("\0") if line
    ]
    base = f"{r.api}/repos/{views.full_name(r, r.repo)}/git"
    page = max(int(r.arg("page") or 1), 1) if (r.arg("page") or "1").isdigit() else 1
    size = int(r.arg("per_page")) if r.arg("per_page").isdigit() and int(r.arg("per_page")) > 0 else 1000
    rows = []
    for line in lines[(page - 1) * size : page * size]:
        meta, path = line.split("\t", 1)
        mode, kind, key, many = meta.split()
        length = int(many) if many.isdigit() else 0
        url = f"{base}/{kind}s/{key}"
        rows.append({"path": path, "mode": mode, "type": kind, "size": length, "sha": key, "url": url})
    body = {"sha": sha, "url": f"{base}/trees/{sha}", "tree": rows, "page": page, "total_count": len(lines)}
    return Response(200, body | {"truncated": page * size < len(lines)}, {"X-Total-Count": str(len(lines))})


@route("GET", "/repos/{owner}/{repo}/git/blobs/{sha}", scope="repository", need="read:repo.code")
def blob(r: Request) -> Response:
    """Show a blob."""
    sha = r.git.sha(f"{r.params['sha']}^{{blob}}")
    if sha is None:
        raise not_found()
    data = r.git.run("cat-file", "blob", sha).stdout
    url = f"{r.api}/repos/{views.full_name(r, r.repo)}/git/blobs/{sha}"
    text = base64.b64encode(data).decode()
    return Response(200, {"content": text, "encoding": "base64", "url": url, "sha": sha, "size": len(data)})


@route("GET", "/repos/{owner}/{repo}/compare/{span*}", scope="repository", need="read:repo.code")
def compare(r: Request) -> Response:
    """List the commits between two refs: BASE...HEAD."""
    base, dots, head = r.params["span"].partition("...")
    ends = [r.git.commit_sha(name) for name in (base, head)]
    if not dots or ends[0] is None or ends[1] is None:
        raise not_found()
    try:
        rows = log(r.git, f"{ends[0]}..{ends[1]}")
    except GitError as error:
        raise not_found(str(error)) from error
    shown = [view(r, r.repo, row) for row in rows]
    return Response(200, {"total_commits": len(rows), "commits": shown})
