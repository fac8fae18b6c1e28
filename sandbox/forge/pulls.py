# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls: opened, shown, listed, changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import auth, commits, events, issue_edit, issue_labels, issues, permissions, pull_check
from .body import Form
from .errors import ApiError, forbidden, no_user, not_found
from .git import GitError
from .issue_view import can_write
from .issues import Filter
from .pull_view import find, kept_ref, pull
from .router import route
from .store import must
from .web import Response, cut, listed, page_of

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form(
    "CreatePullRequestOption",
    "head:str! base:str! title:str! body:str assignee:str assignees:[str] milestone:int labels:[int]"
    " due_date:time reviewers:[str] team_reviewers:[str] allow_maintainer_edit:bool",
)
EDIT = Form(
    "EditPullRequestOption",
    "title:str body:str base:str assignee:str assignees:[str] milestone:int labels:[int] state:str"
    " due_date:time unset_due_date:bool allow_maintainer_edit:bool content_version:smallint",
)
PATH = "/repos/{owner}/{repo}/pulls"
SORTS = {
    "oldest": "i.created asc, p.id asc",
    "recentupdate": "i.updated desc, p.id desc",
    "leastupdate": "i.updated asc, p.id asc",
    "recentclose": "i.closed_at desc, p.id desc",
    "mostcomment": "i.comments desc, p.id desc",
    "leastcomment": "i.comments asc, p.id asc",
}


def _head(r: Request, text: str) -> tuple[Row, str]:
    """Return repository and branch that BRANCH, OWNER:BRANCH or OWNER/REPO:BRANCH names."""
    where, colon, branch = text.rpartition(":")
    branch = (branch if colon else text).removeprefix("refs/heads/")
    if not colon:
        return r.repo, branch
    owner, slash, name = where.partition("/")
    user = auth.by_name(r.db, owner)
    if user is None:
        raise not_found(no_user(owner))
    if slash:
        found = r.db.one("select * from repo where owner_id = ? and lower = ?", user["id"], name.lower())
    elif user["id"] == r.repo["owner_id"]:
        found = r.repo
    else:
        found = r.db.one("select * from repo where owner_id = ? and fork_of = ?", user["id"], r.repo["id"])
    if found is None or permissions.access(r.db, found, r.doer).of(permissions.CODE) < permissions.READ:
        raise not_found()
    return found, branch


def open_pair(r: Request, head_repo: int, head: str, base: str) -> Row | None:
    """Return an open pull for a pair of branches."""
    sql = (
        "select p.* from pull p join issue i on i.id = p.issue_id where p.head_repo_id = ? and p.head = ?"
        " and p.repo_id = ? and p.base = ? and i.closed = 0 order by p.id"
    )
    return r.db.one(sql, head_repo, head, r.repo["id"], base)


def _exists(found: Row) -> ApiError:
    text = (
        f"id: {found['id']}, issue_id: {found['issue_id']}, head_repo_id: {found['head_repo_id']},"
        f" base_repo_id: {found['repo_id']}, head_branch: {found['head']}, base_branch: {found['base']}"
    )
    return ApiError(409, f"pull request already exists for these targets [{text}]")


def _branches(r: Request, form: dict[str, Any]) -> tuple[Row, str, str, str]:
    """Return head repository, head, base, and the head's commit. :raises ApiError: 404, 409 or 422."""
    head_repo, head = _head(r, form["head"])
    base = form["base"].removeprefix("refs/heads/")
    if head_repo["id"] == r.repo["id"] and head == base:
        raise ApiError(422, "Invalid PullRequest: There are no changes between the head and the base")
    git = r.forge.git(head_repo["id"])
    sha = git.branch(head)
    if sha is None and len(head) == 40 and git.commit_sha(head):
        raise ApiError(422, "Invalid PullRequest: base and head must be branches")
    if sha is None or r.git.branch(base) is None:
        raise not_found()
    # Asked before the slow part and not again: who races gets a second pull for the pair.
    there = open_pair(r, head_repo["id"], head, base)
    if there is not None:
        raise _exists(there)
    return head_repo, head, base, sha


def _may_open(r: Request, head_repo: Row) -> None:
    """Let members, collaborators and writers of the head pass. :raises ApiError: 403."""
    owner = r.repo["owner_id"]
    named = r.db.one("select 1 from collaborator where repo_id = ? and user_id = ?", r.repo["id"], r.user_id)
    if r.site_admin or owner == r.user_id or named or permissions.is_org_member(r.db, owner, r.user_id):
        return
    if permissions.access(r.db, head_repo, r.doer).of(permissions.CODE) < permissions.WRITE:
        raise ApiError(403, "user must be a collaborator")


def _reviewers(r: Request, form: dict[str, Any]) -> list[Row]:
    found = []
    for name in form.get("reviewers") or []:
        user = auth.by_name(r.db, name)
        if user is None:
            raise not_found(message=f"User '{name}' not exist")
        found.append(user)
    return found


def _preview(r: Request, head_repo: Row, sha: str, base: str) -> dict[str, Any]:
    """Return what the first check says, before the pull is written."""
    if head_repo["id"] != r.repo["id"]:
        r.git.run("fetch", "--quiet", "--no-tags", str(r.forge.git(head_repo["id"]).path), sha)
    tip = must_branch(r, base)
    start = r.git.merge_base(tip, sha)
    state = "empty" if sha == tip else "ancestor" if start == sha else "mergeable"
    if state == "mergeable" and r.git.merge_tree(tip, sha) is None:
        state = "conflict"
    rows = commits.changes(r.git, start, sha)
    behind = int(r.git.text("rev-list", "--count", f"{sha}..{tip}"))
    counts = f"{sum(row['additions'] for row in rows)} {sum(row['deletions'] for row in rows)} {len(rows)}"
    files = [row["filename"] for row in rows]
    return pull_check.Finding(state, sha, start, behind, files, counts).columns()


def must_branch(r: Request, name: str) -> str:
    """Return the tip of a branch. :raises ApiError: 404."""
    sha = r.git.branch(name)
    if sha is None:
        raise not_found()
    return sha


@route("POST", PATH, scope="repository", token=True, need="see:repo.pulls", archived=True)
def create(r: Request) -> Response:
    """Open a pull. Who has a part in the repository may, a reader too, also between its own branches."""
    form = r.read(CREATE)
    head_repo, head, base, sha = _branches(r, form)
    _may_open(r, head_repo)
    reviewers = _reviewers(r, form)
    checked = _preview(r, head_repo, sha, base)
    with r.db.write() as db:
        issue, _writer = issues.store(r, form, pull=True)
        columns = {"issue_id": issue["id"], "repo_id": r.repo["id"], "number": issue["number"], "base": base}
        columns |= {"head_repo_id": head_repo["id"], "head": head}
        edit_flag = form.get("allow_maintainer_edit")
        key = db.insert("pull", **columns, **checked, maintainer_edit=int(edit_flag is None or edit_flag))
        events.note(r, issue, "pull_push", old="", new=sha)
        for user in reviewers:
            columns = {"pull_id": key, "user_id": user["id"], "state": "REQUEST_REVIEW", "commit_id": sha}
            db.insert("review", **columns, created=r.forge.now(), updated=r.forge.now())
            events.note(r, issue, "review_request", assignee=user["id"])
        issues.announce(r, issue)
    row = must(r.db.get("pull", key))
    r.git.run("update-ref", kept_ref(row), sha)
    return Response(201, pull(r, row))


@route("GET", PATH, scope="repository", need="see:repo.pulls")
def list_all(r: Request) -> Response:
    """List a page of pulls."""
    wanted = Filter()
    wanted.add("p.repo_id = ?", r.repo["id"])
    if r.arg("state") != "all":
        wanted.add("i.closed = ?", int(r.arg("state") == "closed"))
    if r.arg("base_branch"):
        wanted.add("p.base = ?", r.arg("base_branch"))
    for text in [word for value in r.query.get("labels", []) for word in value.split(",") if word]:
        key = int(text) if text.isdigit() and len(text) < 19 else -1
        wanted.add("i.id in (select issue_id from issue_label where label_id = ?)", key)
    if r.arg("milestone").isdigit():
        wanted.add("i.milestone_id = ?", int(r.arg("milestone")))
    if r.arg("poster"):
        user = auth.by_name(r.db, r.arg("poster"))
        if user is None:
            raise ApiError(400, no_user(r.arg("poster")))
        wanted.add("i.poster_id = ?", user["id"])
    page, size = page_of(r)
    table = "pull p join issue i on i.id = p.issue_id"
    order = SORTS.get(r.arg("sort"), "i.created desc, p.id desc")
    keys = r.db.find(
        table, wanted.where, wanted.args, order=order, limit=size, offset=(page - 1) * size, columns="p.id"
    )
    total = r.db.count(table, wanted.where, wanted.args)
    rows = [pull(r, must(r.db.get("pull", key["id"])), in_list=True) for key in keys]
    return listed(r, rows, total, links=True)


@route("GET", PATH + "/{index}", scope="repository", need="see:repo.pulls")
def get(r: Request) -> Response:
    """Show a pull; NUMBER.diff and NUMBER.patch show its text."""
    number, dot, kind = r.params["index"].partition(".")
    if dot and kind in {"diff", "patch"}:
        r.params["index"] = number
        return Response(200, text_of(r, find(r)[0], kind), content_type="text/plain; charset=utf-8")
    row, _issue = find(r)
    r.forge.store.ring(r.forge.checks)
    return Response(200, pull(r, row))


@route("GET", PATH + "/{base}/{head*}", scope="repository", need="see:repo.pulls")
def get_pair(r: Request) -> Response:
    """Show the first pull for a pair of branches, also when it is closed and another one is open."""
    head_repo, head = _head(r, r.params["head"])
    sql = "select * from pull where head_repo_id = ? and head = ? and repo_id = ? and base = ? order by id"
    row = r.db.one(sql, head_repo["id"], head, r.repo["id"], r.params["base"])
    if row is None:
        raise not_found()
    return Response(200, pull(r, row))


@route("GET", PATH + "/{index}/files", scope="repository", need="see:repo.pulls")
def files(r: Request) -> Response:
    """List the changed files."""
    row, _issue = find(r)
    rows = commits.changes(r.git, row["merge_base"], row["head_sha"])
    repo = f"{r.params['owner']}/{r.params['repo']}"
    for item in rows:
        name = item["filename"]
        item["html_url"] = f"{r.site}/{repo}/src/commit/{row['head_sha']}/{name}"
        item["contents_url"] = f"{r.api}/repos/{repo}/contents/{name}?ref={row['head_sha']}"
        item["raw_url"] = f"{r.site}/{repo}/raw/commit/{row['head_sha']}/{name}"
    return commits.paged(r, cut(r, rows), len(rows))


@route("GET", PATH + "/{index}/commits", scope="repository", need="see:repo.pulls")
def list_commits(r: Request) -> Response:
    """List the commits, newest first."""
    row, _issue = find(r)
    start = [f"^{row['merge_base']}"] if row["merge_base"] else []
    rows = commits.log(r.git, row["head_sha"], *start)
    return commits.paged(r, [commits.view(r, r.repo, item) for item in cut(r, rows)], len(rows))


def _retarget(r: Request, row: Row, issue: Row, base: str) -> None:
    if base == row["base"]:
        return
    must_branch(r, base)
    there = open_pair(r, row["head_repo_id"], row["head"], base)
    if there is not None:
        raise _exists(there)
    if row["merged"] or issue["closed"]:
        raise ApiError(409, f"pull request is closed or merged [id: {row['id']}]")
    with r.db.write() as db:
        db.update("pull", row["id"], base=base)
        events.note(r, issue, "change_target_branch", old=row["base"], new=base)
        pull_check.restart(r.forge, row["id"])


def _state(r: Request, row: Row, issue: Row, state: str) -> None:
    if row["merged"]:
        raise ApiError(412, "cannot change state of this pull request, it was already merged")
    issue_edit.change_state(r, issue, state)
    if state == "open" and issue["closed"]:
        gone = row["head_repo_id"] <= 0 or r.forge.git(row["head_repo_id"]).branch(row["head"]) is None
        if gone:
            pull_check.restart(r.forge, row["id"])


@route("PATCH", PATH + "/{index}", scope="repository", token=True, need="see:repo.pulls")
def edit(r: Request) -> Response:
    """Change a pull: 201 when all went well. A milestone of 0 changes nothing here."""
    row, issue = find(r)
    form = r.read(EDIT)
    writer = can_write(r, issue)
    if not writer and issue["poster_id"] != r.user_id:
        raise forbidden()
    issue_edit.change_text(r, issue, form)
    if writer:
        issue_edit.change_due(r, issue, form)
        if form.get("assignees") is not None or form.get("assignee") is not None:
            issue_edit.change_assignees(r, issue, issues.names_of(form))
        if form.get("milestone"):
            issue_edit.change_milestone(r, issue, form["milestone"])
        if form.get("labels") is not None:
            with r.db.write():
                issue_labels.replace(r, issue, issue_labels.resolve(r, r.repo, form["labels"]))
                events.fire_issue(r, issue["id"], "label_updated", "label")
    if form.get("state") is not None:
        _state(r, row, issue, form["state"])
    if form.get("base"):
        _retarget(r, row, issue, form["base"])
    if form.get("allow_maintainer_edit") is not None:
        r.db.update("pull", row["id"], maintainer_edit=int(form["allow_maintainer_edit"]))
    return Response(201, pull(r, must(r.db.get("pull", row["id"]))))


@route("GET", PATH + "/{index}/merge", scope="repository", need="see:repo.pulls")
def is_merged(r: Request) -> Response:
    """Say whether a pull is merged: 204 or 404."""
    row, _issue = find(r)
    if not row["merged"]:
        raise not_found()
    return Response(204)


def text_of(r: Request, row: Row, kind: str) -> bytes:
    """Return a pull as a diff or as patches. :raises ApiError: 404 when git cannot make it."""
    span = f"{row['merge_base']}..{row['head_sha']}"
    argv = ["diff", "--binary", span] if kind == "diff" else ["format-patch", "--stdout", span]
    try:
        return r.git.run(*argv).stdout
    except GitError as error:
        raise not_found(str(error)) from error
