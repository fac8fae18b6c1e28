# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issues: created, shown, listed and searched."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from . import auth, events, permissions
from .body import Form, parse_time
from .errors import ApiError, no_user, not_found
from .issue_view import find, issue
from .router import route
from .store import must
from .web import Response, listed, page_of

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form(
    "CreateIssueOption",
    "title:str! body:str assignee:str assignees:[str] milestone:int labels:[int] closed:bool due_date:time"
    " ref:str",
)
INDEX_LAG = 2  # seconds until the keyword index knows a new issue

LATIN = 255  # the last character of Latin-1


def width(char: str) -> int:
    """Return how wide the forge takes a character: two for most of what is not Latin-1, marks excepted."""
    if ord(char) <= LATIN:
        return 1
    kind = unicodedata.category(char)
    return 2 if char == "\u3000" or not (kind[0] in "MZ" or kind in {"Cf", "Cs"}) else 1


def short_title(text: str) -> str:
    """Return a title as stored: cut at a width of 255."""
    widths = [width(char) for char in text]
    if sum(widths) <= 255:
        return text
    room, end = 252, 0
    while room >= widths[end]:
        room -= widths[end]
        end += 1
    return text[:end] + "…"


def people(r: Request, names: list[str]) -> list[Row]:
    """Return accounts by name, each once. :raises ApiError: 422 for an unknown one."""
    found: dict[int, Row] = {}
    for name in names:
        user = auth.by_name(r.db, name)
        if user is None:
            raise ApiError(422, f"Assignee does not exist: [name: {no_user(name)}]")
        found[user["id"]] = user
    return list(found.values())


def names_of(form: dict[str, Any]) -> list[str]:
    """Return the assignees that a body names, in either way."""
    single = form.get("assignee")
    return [*(form.get("assignees") or []), *([single] if single else [])]


def store(r: Request, form: dict[str, Any], *, pull: bool = False) -> tuple[Row, bool]:
    """Write a new issue (or the issue half of a pull) with its extras; return it, and if the doer writes."""
    unit = permissions.PULLS if pull else permissions.ISSUES
    writer = r.access.of(unit) >= permissions.WRITE
    assignees = people(r, names_of(form)) if writer else []
    now = r.forge.now()
    with r.db.write() as db:
        number = int(db.value("select last_number from repo where id = ?", r.repo["id"])) + 1
        db.update("repo", r.repo["id"], last_number=number)
        columns: dict[str, Any] = {
            "repo_id": r.repo["id"],
            "number": number,
            "poster_id": r.user_id,
            "title": short_title(form["title"].strip()),
            "body": form.get("body") or "",
            "ref": form.get("ref") or "",
            "is_pull": int(pull),
            "created": now,
            "updated": now,
        }
        if writer:
            columns["due"] = form.get("due_date") or 0
            sql = "select id from milestone where repo_id = ? and id = ?"
            columns["milestone_id"] = db.value(sql, r.repo["id"], form.get("milestone") or 0) or 0
        key = db.insert("issue", **columns)
        row = must(db.get("issue", key))
        if writer:
            _extras(r, row, form.get("labels") or [], assignees)
        events.refer(r, row, f"{row['title']}\n{row['body']}", "pull_ref" if pull else "issue_ref")
    return row, writer


def _extras(r: Request, row: Row, labels: list[int], assignees: list[Row]) -> None:
    # At creation several exclusive labels of one scope all stay.
    every = r.db.all("select * from label where repo_id = ? or org_id = ?", r.repo["id"], r.repo["owner_id"])
    for item in every:
        if item["id"] in labels:
            r.db.run("insert or ignore into issue_label values (?, ?)", row["id"], item["id"])
            events.note(r, row, "label", "1", label=item["id"])
    if row["milestone_id"]:
        events.note(r, row, "milestone", milestone=row["milestone_id"])
    for user in assignees:
        r.db.insert("assignee", issue_id=row["id"], user_id=user["id"])
        events.note(r, row, "assignees", assignee=user["id"])


def announce(r: Request, row: Row) -> None:
    """Tell hooks of a new issue: up to four deliveries, the assignment first, as measured."""
    for _user in r.db.all("select id from assignee where issue_id = ?", row["id"]):
        events.fire_issue(r, row["id"], "assigned", "assign")
    events.fire_issue(r, row["id"], "opened")
    if r.db.one("select 1 from issue_label where issue_id = ?", row["id"]):
        events.fire_issue(r, row["id"], "label_updated", "label")
    if row["milestone_id"]:
        events.fire_issue(r, row["id"], "milestoned", "milestone")


@route(
    "POST", "/repos/{owner}/{repo}/issues", scope="issue", token=True, need="see:repo.issues", archived=True
)
def create(r: Request) -> Response:
    """Open an issue. Who may not write gets 201 all the same, with all but title and body dropped."""
    form = r.read(CREATE)
    with r.db.write() as db:
        row, _writer = store(r, form)
        announce(r, row)
        if form.get("closed"):
            db.update("issue", row["id"], closed=1, closed_at=r.forge.now())
            events.note(r, row, "close")
            events.fire_issue(r, row["id"], "closed")
    return Response(201, issue(r, must(r.db.get("issue", row["id"])), r.repo))


@route("GET", "/repos/{owner}/{repo}/issues/{index}", scope="issue")
def get(r: Request) -> Response:
    """Show an issue, or a pull as an issue."""
    return Response(200, issue(r, find(r), r.repo))


class Filter:
    """The conditions of a list, grown one by one."""

    def __init__(self) -> None:
        self.where: list[str] = []
        self.args: list[Any] = []

    def add(self, text: str, *args: Any) -> None:
        """Add a condition."""
        self.where.append(text)
        self.args += args

    def among(self, text: str, keys: list[int]) -> None:
        """Add a condition on a set of ids; ``?`` in the text stands for the set."""
        self.add(text.replace("?", ",".join("?" * len(keys))), *keys)


def when_of(r: Request, name: str) -> int | None:
    """Return a time of the query. :raises ApiError: 422."""
    if not r.arg(name):
        return None
    try:
        return parse_time(r.arg(name))
    except ValueError as error:
        raise ApiError(422, str(error)) from error


def _common(r: Request, wanted: Filter) -> None:
    state = r.arg("state")
    if state != "all":
        wanted.add("closed = ?", int(state == "closed"))
    for name, sign in (("since", ">="), ("before", "<=")):
        when = when_of(r, name)
        if when is not None:
            wanted.add(f"updated {sign} ?", when)
    kind = r.arg("type")
    if kind in {"issues", "pulls"}:
        wanted.add("is_pull = ?", int(kind == "pulls"))
    if r.arg("q"):
        wanted.add(
            "created <= ? and (title like ? or body like ?)",
            r.forge.now() - INDEX_LAG,
            *[f"%{r.arg('q')}%"] * 2,
        )


def _by(r: Request, name: str) -> int:
    user = auth.by_name(r.db, r.arg(name))
    if user is None:
        raise not_found(no_user(r.arg(name)))
    return int(user["id"])


def _labels(r: Request, wanted: Filter) -> None:
    """Every named label must be set, but a name that no label of the repository has is dropped: the trap."""
    names = [name for name in r.arg("labels").split(",") if name]
    for name in names:
        rows = r.db.all("select id from label where repo_id = ? and name = ?", r.repo["id"], name)
        if rows:
            keys = [row["id"] for row in rows]
            wanted.among("id in (select issue_id from issue_label where label_id in (?))", keys)


def _milestones(r: Request, wanted: Filter) -> None:
    keys: list[int] = []
    for word in [word for word in r.arg("milestones").split(",") if word]:
        key = int(word) if word.isdigit() and len(word) < 19 else 0
        sql = "select id from milestone where repo_id = ? and (title = ? or id = ?)"
        keys += [row["id"] for row in r.db.all(sql, r.repo["id"], word, key)]
    if keys:
        wanted.among("milestone_id in (?)", keys)


@route("GET", "/repos/{owner}/{repo}/issues", scope="issue")
def list_repo(r: Request) -> Response:
    """List a page of issues and pulls, newest first."""
    readable = {
        unit: r.access.of(unit) >= permissions.READ for unit in (permissions.ISSUES, permissions.PULLS)
    }
    kind = r.arg("type")
    if (kind == "pulls" and not readable[permissions.PULLS]) or (
        kind == "issues" and not readable[permissions.ISSUES]
    ):
        raise not_found()
    if not any(readable.values()):
        raise not_found()
    wanted = Filter()
    wanted.add("repo_id = ?", r.repo["id"])
    if not readable[permissions.PULLS]:
        wanted.add("is_pull = 0")
    if not readable[permissions.ISSUES]:
        wanted.add("is_pull = 1")
    _common(r, wanted)
    _labels(r, wanted)
    _milestones(r, wanted)
    if r.arg("created_by"):
        wanted.add("poster_id = ?", _by(r, "created_by"))
    if r.arg("assigned_by"):
        wanted.add("id in (select issue_id from assignee where user_id = ?)", _by(r, "assigned_by"))
    if r.arg("mentioned_by"):
        wanted.add("body like ?", f"%@{must(r.db.get('user', _by(r, 'mentioned_by')))['name']}%")
    return _page(r, wanted, clamp=True)


def _page(r: Request, wanted: Filter, *, clamp: bool) -> Response:
    page, size = page_of(r, clamp=clamp)
    order = "created desc, id desc"
    rows = r.db.find("issue", wanted.where, wanted.args, order=order, limit=size, offset=(page - 1) * size)
    total = r.db.count("issue", wanted.where, wanted.args)
    home = r.found_repo
    return listed(r, [issue(r, row, home) for row in rows], total, links=True, clamp=clamp)


@route("GET", "/repos/issues/search", scope="issue")
def search(r: Request) -> Response:
    """Search over repositories: page size not clamped, labels any-of, unknown ones dropped."""
    repos = r.db.all("select * from repo")
    if r.arg("owner"):
        owner = auth.by_name(r.db, r.arg("owner"))
        if owner is None:
            raise ApiError(400, "Owner not found")
        repos = [repo for repo in repos if repo["owner_id"] == owner["id"]]
    seen = [repo["id"] for repo in repos if permissions.access(r.db, repo, r.doer).of(permissions.ISSUES)]
    wanted = Filter()
    wanted.among("repo_id in (?)", seen or [0])
    _common(r, wanted)
    names = [name for name in r.arg("labels").split(",") if name]
    keys = [row["id"] for name in names for row in r.db.all("select id from label where name = ?", name)]
    if keys:
        wanted.among("id in (select issue_id from issue_label where label_id in (?))", keys)
    if r.arg("assigned") == "true" and r.doer is not None:
        wanted.add("id in (select issue_id from assignee where user_id = ?)", r.user_id)
    if r.arg("created") == "true" and r.doer is not None:
        wanted.add("poster_id = ?", r.user_id)
    return _page(r, wanted, clamp=False)
