# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a release: rows in the store, bytes in files named by uuid, and the address that returns them."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from . import auth, permissions, router, scopes, views
from .errors import ApiError
from .web import Response

if TYPE_CHECKING:
    from pathlib import Path

    from .state import Forge
    from .store import Row
    from .web import Request

SITE = "/attachments/"
DOWNLOAD = re.compile(r"/([^/]+)/([^/]+)/releases/download/([^/]+)/([^/]+)")
TEXT = "text/plain; charset=utf-8"


def file_of(forge: Forge, key: str) -> Path:
    """Return where the bytes of an attachment are."""
    return forge.state / "attachments" / key


def view(r: Request, row: Row, tag: str = "") -> dict[str, Any]:
    """Return an attachment; with its tag, as in lists, the address is that of the release."""
    url = f"{r.site}{SITE}{row['uuid']}"
    if tag:
        place = f"{r.site}/{views.full_name(r, r.repo)}/releases/download"
        url = f"{place}/{quote(tag, safe='')}/{quote(row['name'], safe='')}"
    return {
        "id": row["id"],
        "name": row["name"],
        "size": row["size"],
        "download_count": row["downloads"],
        "created_at": views.moment(row["created"]),
        "uuid": row["uuid"],
        "browser_download_url": url,
    }


def of_release(r: Request, release: Row) -> list[dict[str, Any]]:
    """Return all attachments of a release, by name."""
    rows = r.db.all("select * from attachment where release_id = ? order by name, id", release["id"])
    return [view(r, row, release["tag"]) for row in rows]


def store(r: Request, release_id: int, name: str, data: bytes) -> int:
    """Keep bytes as an attachment of a release; return its id."""
    key = str(uuid.uuid4())
    path = file_of(r.forge, key)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(data)
    columns = {"release_id": release_id, "uuid": key, "name": name, "size": len(data)}
    return r.db.insert("attachment", **columns, created=r.forge.now())


def remove_all(r: Request, release_id: int) -> None:
    """Remove the attachments of a release."""
    for row in r.db.all("select * from attachment where release_id = ?", release_id):
        remove(r, row)


def remove(r: Request, row: Row) -> None:
    """Remove an attachment and its bytes."""
    r.db.run("delete from attachment where id = ?", row["id"])
    file_of(r.forge, row["uuid"]).unlink(missing_ok=True)


def wanted(path: str) -> bool:
    """Say whether a path of the site leads to an attachment."""
    return path.startswith(SITE) or DOWNLOAD.fullmatch(path) is not None


def _row(r: Request) -> Row | None:
    """Return the attachment of a path; by its tag a draft's is there for writers only."""
    named = DOWNLOAD.fullmatch(r.path)
    if named is None:
        return r.db.one("select * from attachment where uuid = ?", r.path.removeprefix(SITE))
    owner, repo, tag, name = (unquote(part) for part in named.groups())
    router.find_repo(r, owner, repo)
    sql = (
        "select a.* from attachment a join release r on r.id = a.release_id"
        " where r.repo_id = ? and r.tag = ? and a.name = ? and r.draft <= ? order by a.id"
    )
    return r.db.one(sql, r.repo["id"], tag, name, int(r.access.of("repo.releases") >= permissions.WRITE))


def download(r: Request) -> Response:
    """Give back the bytes, outside of the API, to whoever may read the repository's releases."""
    auth.identify(r)
    auth.check_account(r)
    row = _row(r)
    release = None if row is None else r.db.get("release", row["release_id"])
    repo = None if release is None else r.db.get("repo", release["repo_id"])
    if row is None or repo is None or permissions.access(r.db, repo, r.doer).of("repo.releases") < 1:
        return Response(404, b"Not Found\n", content_type=TEXT)
    try:
        scopes.demand(r.scopes, "repository", "GET")
    except ApiError:
        return Response(403, b"Forbidden\n", content_type=TEXT)
    r.db.update("attachment", row["id"], downloads=row["downloads"] + 1)
    data = file_of(r.forge, row["uuid"]).read_bytes()
    return Response(200, data, content_type="application/octet-stream")
