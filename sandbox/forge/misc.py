# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes that belong to no object: version, limits, markdown, health."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from .body import Form
from .router import route
from .state import VERSION
from .views import moment
from .web import NOTHING, Response

if TYPE_CHECKING:
    from .state import Forge
    from .web import Request

MARKDOWN = Form("MarkdownOption", "Text:str text:str Mode:str mode:str")


@route("GET", "/version")
def version(_r: Request) -> Response:
    """Tell the version that is stood in for."""
    return Response(200, {"version": VERSION})


@route("GET", "/settings/api")
def limits(r: Request) -> Response:
    """Tell the limits of the API."""
    found = {
        "max_response_items": r.forge.max_page,
        "default_paging_num": r.forge.default_page,
        "default_git_trees_per_page": 1000,
        "default_max_blob_size": 10485760,
        "default_max_response_size": 104857600,
    }
    return Response(200, found)


@route("POST", "/markdown")
def markdown(r: Request) -> Response:
    """Render text. Only that it is safe to show is promised."""
    text = str(r.read(MARKDOWN).get("Text") or "")
    if not text:
        return Response(200, NOTHING)
    return Response(200, f"<p>{html.escape(text)}</p>\n".encode(), content_type="text/html")


@route("GET", "/notifications", scope="notification", token=True)
def notifications(_r: Request) -> Response:
    """Nothing is ever notified."""
    return Response(200, [])


def health(forge: Forge) -> Response:
    """Answer /api/healthz from a real read of the database."""
    passed = True
    try:
        forge.store.value("select count(*) from user")
    except Exception:
        passed = False
    word = "pass" if passed else "fail"
    check = [{"status": word, "time": moment(forge.now())}]
    body: dict[str, Any] = {
        "status": word,
        "description": "Gitea: Git with a cup of tea",
        "checks": {"database:ping": check, "cache:ping": check},
    }
    return Response(200 if passed else 424, body, content_type="application/json")
