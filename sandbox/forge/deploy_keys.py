# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy keys of a repository. They are kept and listed; the pocket forge has no SSH."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

from . import views
from .body import Form
from .errors import ApiError, not_found
from .router import route
from .store import must
from .web import Response, cut, listed

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

CREATE = Form("CreateKeyOption", "title:str! key:str! read_only:bool")
PATH = "/repos/{owner}/{repo}/keys"
KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-ed25519", "sk-ecdsa-sha2-")


def fingerprint(text: str) -> tuple[str, str]:
    """Return (key in one line, fingerprint). :raises ApiError: 422."""
    parts = text.split()
    bad = ApiError(422, "Invalid key content: extractTypeFromBase64Key: invalid key format: %!w(<nil>)")
    if len(parts) < 2 or not parts[0].startswith(KINDS):
        raise bad
    try:
        raw = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        raise bad from None
    size = int.from_bytes(raw[:4], "big")
    if raw[4 : 4 + size].decode("latin-1") != parts[0] or len(raw) < size + 8:
        raise bad
    digest = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return text.strip(), f"SHA256:{digest}"


def view(r: Request, row: Row) -> dict[str, Any]:
    """Return a key."""
    return {
        "id": row["id"],
        "key_id": row["id"],
        "key": row["content"],
        "url": f"{r.api}/repos/{views.full_name(r, r.repo)}/keys/{row['id']}",
        "title": row["title"],
        "fingerprint": row["fingerprint"],
        "created_at": views.moment(row["created"]),
        "read_only": bool(row["read_only"]),
        "repository": views.repo(r, r.repo, r.access),
    }


@route("GET", PATH, scope="repository", token=True, need="admin")
def list_all(r: Request) -> Response:
    """List keys."""
    rows = r.db.all("select * from deploy_key where repo_id = ? order by id", r.repo["id"])
    return listed(r, [view(r, row) for row in cut(r, rows)], len(rows))


@route("POST", PATH, scope="repository", token=True, need="admin")
def create(r: Request) -> Response:
    """Add a key; key and title must both be new."""
    form = r.read(CREATE)
    content, mark = fingerprint(form["key"])
    with r.db.write() as db:
        if db.one("select 1 from deploy_key where repo_id = ? and fingerprint = ?", r.repo["id"], mark):
            raise ApiError(422, "This key has already been added to this repository")
        if db.one("select 1 from deploy_key where repo_id = ? and title = ?", r.repo["id"], form["title"]):
            raise ApiError(422, "A key with the same name already exists")
        columns = {"title": form["title"], "content": content, "fingerprint": mark}
        flag = int(bool(form.get("read_only")))
        key = db.insert("deploy_key", repo_id=r.repo["id"], **columns, read_only=flag, created=r.forge.now())
    return Response(201, view(r, must(r.db.get("deploy_key", key))))


@route("GET", PATH + "/{id}", scope="repository", token=True, need="admin")
def get(r: Request) -> Response:
    """Show a key."""
    row = r.db.one("select * from deploy_key where repo_id = ? and id = ?", r.repo["id"], r.number("id"))
    if row is None:
        raise not_found()
    return Response(200, view(r, row))


@route("DELETE", PATH + "/{id}", scope="repository", token=True, need="admin")
def delete(r: Request) -> Response:
    """Remove a key; a missing one is no error."""
    r.db.run("delete from deploy_key where repo_id = ? and id = ?", r.repo["id"], r.number("id"))
    return Response(204)
