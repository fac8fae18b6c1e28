# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of routes, and what must hold before a handler is called.

The order of the checks is the forge's own: where the repository is (a rename is told before rights are looked
at), scope, credentials, right, archive, and only then the body.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import auth, permissions, scopes
from .errors import ApiError, not_found, redirect
from .store import must
from .web import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from .web import Request

    Handler = Callable[[Request], Response]

NEEDS = {
    "admin": "user should be an owner or a collaborator with admin write of a repository",
    "write": "user should have a permission to write to a repo",
    "owner": "user should be the owner of the repo",
    "read": "user should have specific read permission or be a repo admin or a site admin",
}


@dataclass(frozen=True)
class Route:
    """``need`` is empty, see:UNIT, read:UNIT, write:UNIT, write, admin, owner or site."""

    method: str
    parts: tuple[str, ...]
    handler: Handler
    scope: str
    token: bool
    need: str
    archived: bool  # refuse while the repository is archived


ROUTES: list[Route] = []


def route(
    method: str, path: str, *, scope: str = "", token: bool = False, need: str = "", archived: bool = False
) -> Callable[[Handler], Handler]:
    """Register a handler. ``{name}`` takes one segment, a final ``{name*}`` all that follow."""

    def add(handler: Handler) -> Handler:
        parts = tuple(path.strip("/").split("/"))
        ROUTES.append(Route(method, parts, handler, scope, token, need, archived))
        return handler

    return add


def _match(parts: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    wild = parts[-1].endswith("*}")
    if len(segments) < len(parts) if wild else len(segments) != len(parts):
        return None
    found: dict[str, str] = {}
    for at, part in enumerate(parts):
        if part.endswith("*}"):
            found[part[1:-2]] = "/".join(segments[at:])
        elif part.startswith("{"):
            found[part[1:-1]] = segments[at]
        elif part != segments[at]:
            return None
    return found


def _literal(route_: Route) -> int:
    return sum(1 for part in route_.parts if not part.startswith("{"))


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | list[str]:
    """Return the route and its parameters, or the methods that the path knows (none: no such path)."""
    segments = [urllib.parse.unquote(part) for part in path.split("/") if part]
    best: tuple[Route, dict[str, str]] | None = None
    others: list[str] = []
    for candidate in ROUTES:
        params = _match(candidate.parts, segments)
        if params is None:
            continue
        if candidate.method != method:
            others.append(candidate.method)
        elif best is None or _literal(candidate) > _literal(best[0]):
            best = candidate, params
    return others if best is None else best


def find_repo(r: Request, owner: str, name: str) -> None:
    """Set repository and access of a request. :raises ApiError: 404, or 301 and 307 after a rename."""
    user = auth.by_name(r.db, owner)
    if user is None:
        moved = r.db.one(
            "select u.* from user_redirect d join user u on u.id = d.user_id where d.lower = ?", owner.lower()
        )
        if moved is None:
            raise not_found()
        raise redirect(307, _renamed(r, 1, str(moved["name"])))
    repo = r.db.one("select * from repo where owner_id = ? and lower = ?", user["id"], name.lower())
    if repo is None:
        sql = (
            "select r.* from repo_redirect d join repo r on r.id = d.repo_id"
            " where d.owner_id = ? and d.lower = ?"
        )
        moved = r.db.one(sql, user["id"], name.lower())
        if moved is None:
            raise not_found()
        there = must(r.db.get("user", moved["owner_id"]))
        raise redirect(301, _renamed(r, 1, str(there["name"]), str(moved["name"])))
    access = permissions.access(r.db, repo, r.doer)
    if not access.any or (repo["private"] and "public-only" in (r.scopes or ())):
        raise not_found()
    r.found_repo, r.found_access = repo, access


def _renamed(r: Request, at: int, *names: str) -> str:
    parts = r.path.strip("/").split("/")
    parts[at : at + len(names)] = [urllib.parse.quote(name) for name in names]
    query = urllib.parse.urlencode([(key, value) for key, values in r.query.items() for value in values])
    base = urllib.parse.urlsplit(r.forge.root_url).path
    return f"{base}/api/v1/{'/'.join(parts)}" + (f"?{query}" if query else "")


def find_account(r: Request, name: str, *, at: int = 1) -> None:
    """Redirect a request that uses the old name of an account. :raises ApiError: 307."""
    if auth.by_name(r.db, name) is None:
        moved = r.db.one(
            "select u.* from user_redirect d join user u on u.id = d.user_id where d.lower = ?", name.lower()
        )
        if moved is not None:
            raise redirect(307, _renamed(r, at, str(moved["name"])))


def _allowed(r: Request, need: str) -> None:
    word, _colon, unit = need.partition(":")
    if word == "site":
        if not r.site_admin:
            raise ApiError(403, "user should be the site admin")
        return
    mode = r.access.of(unit) if unit else max([r.access.mode, *r.access.units.values()])
    if word == "see":
        if mode < permissions.READ:
            raise not_found()
        return
    wanted = {"read": permissions.READ, "write": permissions.WRITE}.get(word)
    if word == "admin":
        good = r.access.admin
    elif word == "owner":
        good = r.access.mode >= permissions.OWNER
    else:
        good = mode >= (wanted or permissions.OWNER)
    if not good:
        raise ApiError(403, NEEDS[word])


def dispatch(r: Request) -> Response:
    """Answer one request below /api/v1."""
    found = find(r.method, r.path)
    if isinstance(found, list):
        if not found:
            return Response(404, b"404 page not found\n", content_type="text/plain; charset=utf-8")
        allow = ", ".join(sorted(set(found)))
        return Response(405, headers={"Allow": allow})
    rule, r.params = found
    auth.identify(r)
    auth.check_account(r)
    auth.sudo(r)
    if rule.parts[0] == "repos" and "owner" in r.params:
        find_repo(r, r.params["owner"], r.params["repo"])
    scopes.demand(r.scopes, rule.scope, r.method)
    if rule.token and r.doer is None:
        raise ApiError(401, "token is required")
    if rule.need:
        _allowed(r, rule.need)
    if rule.archived and r.repo["archived"]:
        owner = must(r.db.get("user", r.repo["owner_id"]))
        raise ApiError(423, f"{owner['name']}/{r.repo['name']} is archived")
    return rule.handler(r)
