# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label definitions of repositories and organizations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import orgs
from .body import Form
from .errors import ApiError, not_found
from .issue_view import label
from .router import route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

FIELDS = "description:str exclusive:bool is_archived:bool"
CREATE = Form("CreateLabelOption", f"name:str! color:str! {FIELDS}")
EDIT = Form("EditLabelOption", f"name:str color:str {FIELDS}")


def color_of(text: str) -> str:
    """Return a color as stored: six lower-case digits. :raises ApiError: 422."""
    plain = text.strip().lower().removeprefix("#")
    if re.fullmatch(r"[0-9a-f]{3}", plain):
        plain = "".join(digit * 2 for digit in plain)
    if not re.fullmatch(r"[0-9a-f]{6}", plain):
        raise ApiError(422, f"invalid color: #{text.strip().removeprefix('#')}")
    return plain


def _create(r: Request, **owner: int) -> Response:
    form = r.read(CREATE)
    columns = {
        "name": form["name"].strip(),
        "color": color_of(form["color"]),
        "description": form.get("description") or "",
        "exclusive": int(bool(form.get("exclusive"))),
        "archived": int(bool(form.get("is_archived"))),
    }
    return Response(201, label(r, must(r.db.get("label", r.db.insert("label", **columns, **owner)))))


def _edit(r: Request, row: Row) -> Response:
    """Change a definition; is_archived falls back to false unless it is sent."""
    form = r.read(EDIT)
    columns: dict[str, Any] = {"archived": int(bool(form.get("is_archived")))}
    if form.get("name"):
        columns["name"] = form["name"].strip()
    if form.get("color"):
        columns["color"] = color_of(form["color"])
    if form.get("description") is not None:
        columns["description"] = form["description"]
    if form.get("exclusive") is not None:
        columns["exclusive"] = int(form["exclusive"])
    r.db.update("label", row["id"], **columns)
    return Response(200, label(r, must(r.db.get("label", row["id"]))))


def _delete(r: Request, row: Row | None) -> Response:
    if row is not None:
        with r.db.write() as db:
            db.run("delete from issue_label where label_id = ?", row["id"])
            db.run("delete from label where id = ?", row["id"])
    return Response(204)


def _of_repo(r: Request, *, by_name: bool = False) -> Row | None:
    key = r.params["id"]
    if key.isdigit():
        return r.db.one("select * from label where repo_id = ? and id = ?", r.repo["id"], r.number("id"))
    if not by_name:
        return None
    return r.db.one("select * from label where repo_id = ? and name = ? order by id", r.repo["id"], key)


@route("GET", "/repos/{owner}/{repo}/labels", scope="issue")
def list_repo(r: Request) -> Response:
    """List the definitions of a repository by name."""
    rows = r.db.all("select * from label where repo_id = ? order by name, id", r.repo["id"])
    return listed(r, [label(r, row) for row in cut(r, rows)], len(rows))


@route("POST", "/repos/{owner}/{repo}/labels", scope="issue", token=True, need="write")
def create(r: Request) -> Response:
    """Add a definition; a name may be there twice."""
    return _create(r, repo_id=r.repo["id"])


@route("GET", "/repos/{owner}/{repo}/labels/{id}", scope="issue")
def get(r: Request) -> Response:
    """Show a definition by id or by name."""
    row = _of_repo(r, by_name=True)
    if row is None:
        raise not_found()
    return Response(200, label(r, row))


@route("PATCH", "/repos/{owner}/{repo}/labels/{id}", scope="issue", token=True, need="write")
def edit(r: Request) -> Response:
    """Change a definition."""
    row = _of_repo(r)
    if row is None:
        raise not_found()
    return _edit(r, row)


@route("DELETE", "/repos/{owner}/{repo}/labels/{id}", scope="issue", token=True, need="write")
def delete(r: Request) -> Response:
    """Delete a definition; a missing one is no error."""
    return _delete(r, _of_repo(r))


def _org(r: Request, *, change: bool) -> Row:
    row = orgs.find(r, r.params["org"])
    if change:
        orgs.need_owner(r, row)
    return row


@route("GET", "/orgs/{org}/labels", scope="organization")
def list_org(r: Request) -> Response:
    """List the definitions of an organization."""
    org = _org(r, change=False)
    rows = r.db.all("select * from label where org_id = ? order by name, id", org["id"])
    return listed(r, [label(r, row) for row in cut(r, rows)], len(rows))


@route("POST", "/orgs/{org}/labels", scope="organization", token=True)
def create_org(r: Request) -> Response:
    """Add a definition to an organization."""
    return _create(r, org_id=_org(r, change=True)["id"])


def _of_org(r: Request, *, change: bool) -> Row | None:
    org = _org(r, change=change)
    return r.db.one("select * from label where org_id = ? and id = ?", org["id"], r.number("id"))


@route("GET", "/orgs/{org}/labels/{id}", scope="organization")
def get_org(r: Request) -> Response:
    """Show a definition of an organization."""
    row = _of_org(r, change=False)
    if row is None:
        raise not_found()
    return Response(200, label(r, row))


@route("PATCH", "/orgs/{org}/labels/{id}", scope="organization", token=True)
def edit_org(r: Request) -> Response:
    """Change a definition of an organization."""
    row = _of_org(r, change=True)
    if row is None:
        raise not_found()
    return _edit(r, row)


@route("DELETE", "/orgs/{org}/labels/{id}", scope="organization", token=True)
def delete_org(r: Request) -> Response:
    """Delete a definition of an organization."""
    return _delete(r, _of_org(r, change=True))
