# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collaborators of a repository as a module keeps them: those that are named, or exactly those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .gitea_client import GiteaClient
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, paired, same_name
from .gitea_repos import absent

PERMISSIONS = ("read", "write", "admin")
# What one gets that declares none: the least.
LEAST = "read"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "collaborators": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "user": {"type": "str", "required": True},
            "permission": {"type": "str", "choices": list(PERMISSIONS)},
        },
    },
    "purge": {"type": "bool", "default": False},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {"repo": {"type": "str", "required": True}}
RULES = Rules(blank={"user": "", "permission": LEAST})


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the collaborators are as wanted."""
    present = params["state"] == "present"
    if params["purge"] and not present:
        raise KeepError("purge goes with state present: it removes who is not declared")
    repo, found = _read(forge, params)
    known = {there["user"].casefold(): there for there in found}
    if present:
        wanted = [_wanted(forge, repo, given, known) for given in params["collaborators"]]
        pairs, _doubles = paired(found, wanted, row="user", purge=params["purge"])
    else:
        names = {given["user"].casefold() for given in params["collaborators"]}
        pairs = [(there, None) for name, there in known.items() if name in names]
    hands = Hands(
        create=lambda fields: _put(forge, repo, fields["user"], fields.get("permission", LEAST)),
        update=lambda there, fields: _put(forge, repo, there["user"], fields["permission"]),
        delete=lambda there: forge.delete_collaborator(repo, there["user"]),
    )
    moves = [decide(there, want, RULES) for there, want in pairs]
    return Wish(f"collaborators of {repo}", "collaborators", moves, hands, row="user")


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return all collaborators, by name."""
    return {"collaborators": sorted(_read(forge, params)[1], key=lambda there: str(there["user"]))}


def _read(forge: GiteaClient, params: Mapping[str, Any]) -> tuple[str, list[Fields]]:
    """The repository's name as it is, and who is in it. KeepError when it has another name now."""
    repo = forge.get_repo(params["repo"]).full_name
    same_name("repository", params["repo"], repo)
    return repo, [_shown(forge, repo, user.login) for user in forge.list_collaborators(repo)]


def _shown(forge: GiteaClient, repo: str, user: str) -> Fields:
    return {"user": user, "permission": forge.get_permission(repo, user).permission}


def _wanted(forge: GiteaClient, repo: str, given: Mapping[str, Any], known: Mapping[str, Fields]) -> Fields:
    """A declared collaborator under the name that the forge has. What it would refuse is refused here."""
    there = known.get(given["user"].casefold())
    if there is None:
        user = absent(lambda: forge.get_user(given["user"]))()
        if user is None:
            raise KeepError(f"there is no account {given['user']}; make it first")
        same_name("account", given["user"], user.login)
        there = _shown(forge, repo, user.login)
    if there["permission"] == "owner":
        raise KeepError(
            f"{there['user']} may do everything in {repo} already, as its owner, a site admin or by a team"
            " with permission admin; leave it out"
        )
    return {**declared(given, ("permission",)), "user": there["user"]}


def _put(forge: GiteaClient, repo: str, user: str, permission: str) -> Fields:
    forge.put_collaborator(repo, user, permission)
    return _shown(forge, repo, user)
