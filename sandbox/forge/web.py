# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request on its way through the forge, and the answer to it."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import ApiError

if TYPE_CHECKING:
    from .body import Form
    from .git import Git
    from .permissions import Access
    from .state import Forge
    from .store import Row, Store

NOTHING: Any = object()


@dataclass
class Response:
    """``body`` is encoded as JSON unless it is bytes; NOTHING sends no bytes."""

    status: int = 200
    body: Any = NOTHING
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json;charset=utf-8"


@dataclass
class Request:
    """What handlers see. ``path`` begins below /api/v1; ``scopes`` is None for a password."""

    forge: Forge
    method: str
    path: str
    query: dict[str, list[str]]
    headers: Any  # has get(), whatever the case of the name
    raw: bytes
    proto: str
    params: dict[str, str] = field(default_factory=dict)
    doer: Row | None = None
    scopes: tuple[str, ...] | None = None
    way: str = ""  # how the doer was recognised: "", basic, token
    found_repo: Row | None = None
    found_access: Access | None = None

    @property
    def db(self) -> Store:
        """Return the store."""
        return self.forge.store

    @property
    def user(self) -> Row:
        """Return who asks, where the route has made sure of one."""
        if self.doer is None:
            raise ApiError(401, "token is required")
        return self.doer

    @property
    def user_id(self) -> int:
        """Return the id of who asks; 0 for nobody."""
        return 0 if self.doer is None else int(self.doer["id"])

    @property
    def repo(self) -> Row:
        """Return the repository of the path."""
        if self.found_repo is None:
            raise LookupError("route without repository")
        return self.found_repo

    @property
    def access(self) -> Access:
        """Return what the doer may do in the repository of the path."""
        if self.found_access is None:
            raise LookupError("route without repository")
        return self.found_access

    @property
    def git(self) -> Git:
        """Return the repository of the path as files."""
        return self.forge.git(int(self.repo["id"]))

    @property
    def site_admin(self) -> bool:
        """Say whether the doer administers the whole forge."""
        return self.doer is not None and bool(self.doer["admin"])

    def arg(self, name: str, default: str = "") -> str:
        """Return a query value."""
        return self.query.get(name, [default])[0]

    def number(self, name: str) -> int:
        """Return a number from the path; 0, which no row has, for anything else."""
        text = self.params.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0

    def read(self, form: Form) -> dict[str, Any]:
        """Return the body as this form."""
        return form.read(self.headers.get("Content-Type") or "", self.raw)

    @property
    def site(self) -> str:
        """Return the address for people, which follows the Host of the request."""
        host = self.headers.get("Host") or ""
        root = urllib.parse.urlsplit(self.forge.root_url)
        return f"{self.proto}://{host}{root.path.rstrip('/')}" if host else self.forge.root_url

    @property
    def api(self) -> str:
        """Return the address of the API, which follows the configured root."""
        return f"{self.forge.root_url}/api/v1"


def page_of(r: Request, *, clamp: bool = True) -> tuple[int, int]:
    """Return (page, size) as the forge understands the query."""

    def whole(name: str) -> int:
        text = r.arg(name)
        return int(text) if text.lstrip("-").isdigit() and len(text) < 10 else 0

    size = whole("limit")
    if size <= 0:
        size = r.forge.default_page
    elif clamp:
        size = min(size, r.forge.max_page)
    return max(whole("page"), 1), size


def link(r: Request, total: int, page: int, size: int) -> str:
    """Return the Link header, or nothing when all fits on one page."""
    pages = -(-total // size)
    here = min(page, pages)
    steps: list[tuple[str, int]] = []
    if here < pages:
        steps += [("next", here + 1), ("last", pages)]
    if here > 1:
        steps += [("first", 1), ("prev", here - 1)]
    made = []
    for name, number in steps:
        query = {key: values for key, values in r.query.items() if key != "page"} | {"page": [str(number)]}
        text = urllib.parse.urlencode(sorted(query.items()), doseq=True)
        made.append(f'<{r.api}{r.path}?{text}>; rel="{name}"')
    return ",".join(made)


def listed(r: Request, rows: Any, total: int, *, links: bool = False, clamp: bool = True) -> Response:
    """Return one page of a list with its total, and with Link where the forge sends it."""
    headers = {"X-Total-Count": str(total)}
    if links:
        page, size = page_of(r, clamp=clamp)
        text = link(r, total, page, size)
        if text:
            headers["Link"] = text
    return Response(200, rows, headers)


def cut(r: Request, rows: list[Any]) -> list[Any]:
    """Return the rows of the page that was asked for."""
    page, size = page_of(r)
    return rows[(page - 1) * size : page * size]
