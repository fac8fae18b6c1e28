# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of a release's attachments."""

from __future__ import annotations

from email.parser import BytesParser
from typing import TYPE_CHECKING

from . import attachments
from .body import Form
from .errors import ApiError, internal, not_found
from .releases import PATH, find_visible
from .router import route
from .store import must
from .web import Response

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

EDIT = Form("EditAttachmentOptions", "name:str browser_download_url:str")
ASSETS = PATH + "/{id}/assets"


def _find(r: Request) -> Row:
    release = find_visible(r)
    text = r.params["attachment"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    row = r.db.one("select * from attachment where release_id = ? and id = ?", release["id"], number)
    if row is None:
        raise not_found()
    return row


def _sent(r: Request) -> tuple[str, bytes]:
    """Return the file name and the bytes: of the form field `attachment`, else of the whole body."""
    kind = r.headers.get("Content-Type") or ""
    if not kind.lower().startswith("multipart/form-data"):
        return "", r.raw
    form = BytesParser().parsebytes(b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + r.raw)
    for part in form.get_payload() if form.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "attachment":  # type: ignore[union-attr]
            return part.get_filename() or "", part.get_payload(decode=True) or b""  # type: ignore[union-attr,return-value]
    raise internal("http: no such file")


@route("GET", ASSETS, scope="repository", need="read:repo.releases")
def list_all(r: Request) -> Response:
    """List the attachments of a release, all at once."""
    return Response(200, attachments.of_release(r, find_visible(r)))


@route("POST", ASSETS, scope="repository", token=True, need="write:repo.releases")
def create(r: Request) -> Response:
    """Add an attachment. Names may be there twice, and an archived repository takes them too."""
    release = find_visible(r)
    given, data = _sent(r)
    name = r.arg("name") or given
    if not name:
        raise ApiError(400, "Could not determine name of attachment.")
    row = attachments.store(r, release["id"], name, data)
    return Response(201, attachments.view(r, must(r.db.get("attachment", row))))


@route("GET", ASSETS + "/{attachment}", scope="repository", need="read:repo.releases")
def get(r: Request) -> Response:
    """Show an attachment."""
    return Response(200, attachments.view(r, _find(r)))


@route("PATCH", ASSETS + "/{attachment}", scope="repository", token=True, need="write:repo.releases")
def edit(r: Request) -> Response:
    """Rename an attachment; an empty name changes nothing."""
    row, form = _find(r), r.read(EDIT)
    if form.get("name"):
        r.db.update("attachment", row["id"], name=form["name"])
    return Response(201, attachments.view(r, must(r.db.get("attachment", row["id"]))))


@route("DELETE", ASSETS + "/{attachment}", scope="repository", token=True, need="write:repo.releases")
def delete(r: Request) -> Response:
    """Remove an attachment."""
    attachments.remove(r, _find(r))
    return Response(204)
