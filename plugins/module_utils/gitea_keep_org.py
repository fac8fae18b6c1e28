# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An organization of the forge as a module keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, same_name, single
from .gitea_repos import absent
from .gitea_types import Org

FIELDS = (
    "full_name",
    "description",
    "email",
    "website",
    "location",
    "visibility",
    "repo_admin_change_team_access",
)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "full_name": {"type": "str"},
    "description": {"type": "str"},
    "email": {"type": "str"},
    "website": {"type": "str"},
    "location": {"type": "str"},
    "visibility": {"type": "str", "choices": ["public", "limited", "private"]},
    "repo_admin_change_team_access": {"type": "bool"},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {"name": {"type": "str"}}
RULES = Rules(blank=plain(Org()), fold=frozenset({"name"}))


def find(forge: GiteaClient, name: str) -> Fields | None:
    """Return the organization, None when there is none. KeepError when it has another name now."""
    found = absent(lambda: forge.get_org(name))()
    if found is None:
        return None
    same_name("organization", name, found.name)
    return dict(plain(found))


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the organization is as wanted."""
    name, present = params["name"], params["state"] == "present"
    found = find(forge, name)
    if found is not None and not present:
        _refuse_owner_of_repos(forge, name)
    hands = Hands(
        create=lambda fields: _created(forge, fields),
        update=lambda there, fields: dict(plain(forge.update_org(there["name"], **fields))),
        delete=lambda there: forge.delete_org(there["name"]),
    )
    wanted = declared(params, ("name", *FIELDS)) if present else None
    return single(f"organization {name}", "org", decide(found, wanted, RULES), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the organization of this name, or all."""
    if params["name"]:
        found = find(forge, params["name"])
        return {"orgs": [] if found is None else [found]}
    return {"orgs": plain(sorted(forge.list_orgs(), key=lambda org: org.name.lower()))}


def _created(forge: GiteaClient, fields: Fields) -> Fields:
    more = {name: value for name, value in fields.items() if name != "name"}
    return dict(plain(forge.create_org(fields["name"], **more)))


def _refuse_owner_of_repos(forge: GiteaClient, name: str) -> None:
    """The forge would refuse it as well, but not in check mode."""
    repos = forge.list_org_repos(name)
    if repos:
        some = ", ".join(repo.name for repo in repos[:3])
        raise KeepError(
            f"organization {name} still has {len(repos)} repositories ({some}); remove or move them"
        )
