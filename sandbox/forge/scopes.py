# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tokens may do: {read,write} of a category, all, and public-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

CATEGORIES = (
    "activitypub",
    "admin",
    "issue",
    "misc",
    "notification",
    "organization",
    "package",
    "repository",
    "user",
)
KNOWN = frozenset(
    {"all", "public-only"} | {f"{level}:{name}" for level in ("read", "write") for name in CATEGORIES}
)
WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def checked(scopes: Sequence[str]) -> list[str]:
    """Return scopes for storing. :raises ApiError: 400 for none or an unknown one."""
    for scope in scopes:
        if scope not in KNOWN:
            raise ApiError(400, f"invalid access token scope provided: invalid access token scope: {scope}")
    if not scopes:
        raise ApiError(400, "access token must have a scope")
    held = set(scopes)
    if held >= {f"write:{name}" for name in CATEGORIES}:
        held.add("all")
    implied = {scope for scope in held if scope.replace("read:", "write:") in held - {scope}}
    rights = ["all"] if "all" in held else sorted(held - implied - {"public-only"})
    return (["public-only"] if "public-only" in held else []) + rights


def demand(held: Sequence[str] | None, category: str, method: str) -> None:
    """Let a request pass, or refuse it. :raises ApiError: 403 that names the missing scope."""
    if held is None or "all" in held or not category:
        return
    level = "write" if method in WRITING else "read"
    if f"write:{category}" in held or f"{level}:{category}" in held:
        return
    text = f"required=[{level}:{category}], token scope={','.join(held)}"
    raise ApiError(403, f"token does not have at least one of required scope(s), {text}")
