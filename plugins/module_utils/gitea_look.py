# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issues and pulls of repositories and whole organizations, for the lookup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .gitea_client import GiteaClient
from .gitea_ensure import Fields, KeepError
from .gitea_issues import fits
from .gitea_keep_issue import filters_of
from .gitea_keep_issue import view as issue_view
from .gitea_keep_pull import chosen
from .gitea_keep_pull import view as pull_view
from .gitea_place import repo_of

ISSUES, PULLS = "issues", "pulls"


def look_up(forge: GiteaClient, places: list[Any], params: Mapping[str, Any]) -> list[Fields]:
    """Return what fits, place by place in the given order, the newest first; each with its `repo`.

    A place is a repository, owner/name, or an organization: then all its repositories, by name.
    """
    if params["kind"] == ISSUES and (params["head"] or params["base"]):
        raise KeepError("head, base: issues have none; ask for kind pulls")
    found: list[Fields] = []
    for place in places:
        for name in _repos_of(forge, place, params["kind"]):
            rows = _issues(forge, name, params) if params["kind"] == ISSUES else _pulls(forge, name, params)
            found += [{"repo": name, **row} for row in rows]
    return found


def _repos_of(forge: GiteaClient, place: Any, kind: str) -> list[str]:
    """The repositories of a place; of an organization those that have such things."""
    if not isinstance(place, str) or not place.strip("/"):
        raise KeepError(f"{place!r} is no place to look; write owner/name, or an organization")
    if "/" in place:
        return [repo_of(forge, place).full_name]
    repos = forge.list_org_repos(place)
    having = [one for one in repos if (one.has_issues if kind == ISSUES else one.has_pull_requests)]
    return sorted((one.full_name for one in having), key=str.casefold)


def _issues(forge: GiteaClient, repo: str, params: Mapping[str, Any]) -> list[Fields]:
    return [issue_view(one) for one in forge.list_issues(repo, **filters_of(params))]


def _pulls(forge: GiteaClient, repo: str, params: Mapping[str, Any]) -> list[Fields]:
    asked = filters_of(params)
    author = asked.pop("created_by").casefold()
    asked["labels"] = frozenset(asked["labels"])
    rows = chosen(forge.list_pulls(repo, state=params["state"], base=params["base"]), params["head"], ())
    return [
        pull_view(one)
        for one in rows
        if fits(one, **asked) and author in ("", one.user.login.casefold() if one.user else "")
    ]
