# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags and releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import attachments, branches, commits, permissions, repos, views
from .body import Form
from .errors import ApiError, internal, not_found
from .git import ZERO, GitError
from .router import route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

TAG = Form("CreateTagOption", "tag_name:str! message:str target:str")
CREATE = Form(
    "CreateReleaseOption",
    "tag_name:str! target_commitish:str name:str body:str tag_message:str draft:bool prerelease:bool",
)
EDIT = Form(
    "EditReleaseOption", "tag_name:str target_commitish:str name:str body:str draft:bool prerelease:bool"
)
PATH = "/repos/{owner}/{repo}/releases"


def _tag(r: Request, name: str) -> dict[str, Any]:
    sha = r.git.commit_sha(f"refs/tags/{name}")
    if sha is None:
        raise not_found()
    full = views.full_name(r, r.repo)
    commit = commits.one(r.git, sha)
    archive = f"{r.site}/{full}/archive/{name}"
    return {
        "name": name,
        "message": r.git.text("for-each-ref", "--format=%(contents)", f"refs/tags/{name}").strip(),
        "id": r.git.sha(f"refs/tags/{name}"),
        "commit": {
            "url": f"{r.api}/repos/{full}/git/commits/{sha}",
            "sha": sha,
            "created": views.moment(commit.committer[2]),
        },
        "zipball_url": f"{archive}.zip",
        "tarball_url": f"{archive}.tar.gz",
    }


def _make_tag(r: Request, name: str, target: str, message: str) -> None:
    if not branches.good_name(name):
        raise ApiError(422, "[TagName]: GitRefName")
    sha = r.git.commit_sha(target)
    if sha is None:
        raise ApiError(404, "target not found", errors=None)
    new = sha
    if message:
        who = repos.signature(r)
        person = f"{who['GIT_AUTHOR_NAME']} <{who['GIT_AUTHOR_EMAIL']}> {r.forge.now()} +0000"
        text = f"object {sha}\ntype commit\ntag {name}\ntagger {person}\n\n{message}\n"
        new = r.git.text("mktag", data=text.encode())
    try:
        r.git.update(f"refs/tags/{name}", new, ZERO)
    except GitError as error:
        raise internal(str(error)) from error
    branches.moved(r, r.repo["id"], f"refs/tags/{name}", ZERO, new)


@route("GET", "/repos/{owner}/{repo}/tags", scope="repository", need="read:repo.code")
def tags(r: Request) -> Response:
    """List tags."""
    names = [name.removeprefix("refs/tags/") for name, _kind, _sha in r.git.refs("refs/tags/")]
    return listed(r, [_tag(r, name) for name in cut(r, names)], len(names))


@route(
    "POST",
    "/repos/{owner}/{repo}/tags",
    scope="repository",
    token=True,
    need="write:repo.code",
    archived=True,
)
def create_tag(r: Request) -> Response:
    """Make a tag: 409 when it is there, 500 for who loses a race for it."""
    form = r.read(TAG)
    name = form["tag_name"]
    if r.git.sha(f"refs/tags/{name}") is not None:
        raise ApiError(409, f"tag already exists [name: {name}]")
    _make_tag(r, name, form.get("target") or r.repo["default_branch"], form.get("message") or "")
    return Response(201, _tag(r, name))


@route("GET", "/repos/{owner}/{repo}/tags/{tag*}", scope="repository", need="read:repo.code")
def tag(r: Request) -> Response:
    """Show a tag."""
    return Response(200, _tag(r, r.params["tag"]))


@route(
    "DELETE",
    "/repos/{owner}/{repo}/tags/{tag*}",
    scope="repository",
    token=True,
    need="write:repo.code",
    archived=True,
)
def delete_tag(r: Request) -> Response:
    """Remove a tag that no release uses."""
    name = r.params["tag"]
    sha = r.git.sha(f"refs/tags/{name}")
    if sha is None:
        raise not_found()
    if r.db.one("select 1 from release where repo_id = ? and tag = ?", r.repo["id"], name):
        raise ApiError(409, "a tag attached to a release cannot be deleted directly")
    r.git.update(f"refs/tags/{name}", ZERO, sha)
    branches.moved(r, r.repo["id"], f"refs/tags/{name}", sha, ZERO)
    return Response(204)


def view(r: Request, row: Row) -> dict[str, Any]:
    """Return a release."""
    full = views.full_name(r, r.repo)
    url = f"{r.api}/repos/{full}/releases/{row['id']}"
    archive = f"{r.site}/{full}/archive/{row['tag']}"
    return {
        "id": row["id"],
        "tag_name": row["tag"],
        "target_commitish": row["target"],
        "name": row["title"],
        "body": row["body"],
        "url": url,
        "html_url": f"{r.site}/{full}/releases/tag/{row['tag']}",
        "tarball_url": f"{archive}.tar.gz",
        "zipball_url": f"{archive}.zip",
        "upload_url": f"{url}/assets",
        "draft": bool(row["draft"]),
        "prerelease": bool(row["prerelease"]),
        "created_at": views.moment(row["created"]),
        "published_at": views.moment(row["published"]),
        "author": views.user_by_id(r, row["author_id"]),
        "assets": attachments.of_release(r, row),
    }


def _refuse_archived(r: Request) -> None:
    """Refuse as the forge does: as a failure of its own."""
    if r.repo["archived"]:
        raise internal("repo is archived")


@route("GET", PATH, scope="repository", need="read:repo.releases")
def list_all(r: Request) -> Response:
    """List releases, newest first; drafts for writers only."""
    rows = r.db.all("select * from release where repo_id = ? order by created desc, id desc", r.repo["id"])
    if r.access.of("repo.releases") < 2:
        rows = [row for row in rows if not row["draft"]]
    for name in ("draft", "pre-release"):
        if r.arg(name):
            column = name.replace("-", "")
            rows = [row for row in rows if bool(row[column]) == (r.arg(name) == "true")]
    return listed(r, [view(r, row) for row in cut(r, rows)], len(rows), links=True)


@route("POST", PATH, scope="repository", token=True, need="write:repo.releases")
def create(r: Request) -> Response:
    """Publish a release; its tag is made when it is missing, except for a draft."""
    form, now = r.read(CREATE), r.forge.now()
    _refuse_archived(r)
    name, draft = form["tag_name"], bool(form.get("draft"))
    if r.repo["empty"]:
        raise ApiError(422, "repo is empty")
    if r.db.one("select 1 from release where repo_id = ? and tag = ?", r.repo["id"], name):
        raise ApiError(409, "Release is has no Tag")
    target = form.get("target_commitish") or r.repo["default_branch"]
    if not draft and r.git.sha(f"refs/tags/{name}") is None:
        _make_tag(r, name, target, form.get("tag_message") or "")
    columns = {"tag": name, "target": target, "title": form.get("name") or "", "body": form.get("body") or ""}
    columns |= {"draft": int(draft), "prerelease": int(bool(form.get("prerelease"))), "author_id": r.user_id}
    key = r.db.insert("release", repo_id=r.repo["id"], created=now, published=now, **columns)
    return Response(201, view(r, must(r.db.get("release", key))))


def find_visible(r: Request) -> Row:
    """Return the release of the path. :raises ApiError: 404, for who only reads also for a draft."""
    row = r.db.one("select * from release where repo_id = ? and id = ?", r.repo["id"], r.number("id"))
    if row is None or (row["draft"] and r.access.of("repo.releases") < permissions.WRITE):
        raise not_found()
    return row


@route("GET", PATH + "/latest", scope="repository", need="read:repo.releases")
def latest(r: Request) -> Response:
    """Show the newest full release."""
    where = ["repo_id = ?", "draft = 0", "prerelease = 0"]
    rows = r.db.find("release", where, [r.repo["id"]], order="created desc, id desc", limit=1)
    if not rows:
        raise not_found()
    return Response(200, view(r, rows[0]))


@route("GET", PATH + "/tags/{tag*}", scope="repository", need="read:repo.releases")
def by_tag(r: Request) -> Response:
    """Show the release of a tag; a draft is there for writers only."""
    row = r.db.one("select * from release where repo_id = ? and tag = ?", r.repo["id"], r.params["tag"])
    if row is None or (row["draft"] and r.access.of("repo.releases") < permissions.WRITE):
        raise not_found()
    return Response(200, view(r, row))


@route("GET", PATH + "/{id}", scope="repository", need="read:repo.releases")
def get(r: Request) -> Response:
    """Show a release."""
    return Response(200, view(r, find_visible(r)))


@route("PATCH", PATH + "/{id}", scope="repository", token=True, need="write:repo.releases")
def edit(r: Request) -> Response:
    """Change a release; publishing a draft makes its tag."""
    row, form = find_visible(r), r.read(EDIT)
    _refuse_archived(r)
    names = {"tag_name": "tag", "target_commitish": "target", "name": "title", "body": "body"}
    columns: dict[str, Any] = {names[key]: form[key] for key in names if form.get(key)}
    columns |= {key: int(form[key]) for key in ("draft", "prerelease") if form.get(key) is not None}
    tag_name = columns.get("tag", row["tag"])
    if not columns.get("draft", row["draft"]) and r.git.sha(f"refs/tags/{tag_name}") is None:
        _make_tag(r, tag_name, columns.get("target", row["target"]), "")
    if columns:
        r.db.update("release", row["id"], **columns)
    return Response(200, view(r, must(r.db.get("release", row["id"]))))


@route("DELETE", PATH + "/{id}", scope="repository", token=True, need="write:repo.releases")
def delete(r: Request) -> Response:
    """Remove a release with its attachments; its tag stays."""
    row = find_visible(r)
    attachments.remove_all(r, row["id"])
    r.db.run("delete from release where id = ?", row["id"])
    return Response(204)
