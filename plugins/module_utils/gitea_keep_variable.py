# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable of the forge's runner as a module keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .gitea_actions import SCOPE, description_of, name_of, scope_of, value_of
from .gitea_admin_types import ActionsVariable
from .gitea_client import GiteaClient
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, single
from .gitea_url import ME

ARGUMENTS: dict[str, dict[str, Any]] = {
    **SCOPE,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "value": {"type": "str"},
    "description": {"type": "str"},
}
INFO_ARGUMENTS = SCOPE


def shown(found: ActionsVariable) -> Fields:
    """Return a variable as plain fields."""
    return {"name": found.name, "value": found.data, "description": found.description}


RULES = Rules(blank=shown(ActionsVariable()))


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the variable is as wanted."""
    name, wanted = name_of(params["name"]), None
    if params["state"] == "present":
        wanted = {"name": name, "value": value_of(params["value"])}
        if params["description"] is not None:
            wanted["description"] = description_of(params["description"])
    owner = scope_of(forge, params)
    found = _find(forge, owner, name)
    hands = Hands(
        create=lambda fields: _created(forge, owner, fields),
        update=lambda there, fields: _updated(forge, owner, {**there, **fields}),
        delete=lambda _there: forge.delete_variable(owner, name),
    )
    title = f"variable {name} of {params['user'] if owner == ME else owner}"
    return single(title, "variable", decide(found, wanted, RULES), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return all variables, by name."""
    rows = [shown(one) for one in forge.list_variables(scope_of(forge, params))]
    return {"variables": sorted(rows, key=lambda row: str(row["name"]))}


def _find(forge: GiteaClient, owner: str, name: str) -> Fields | None:
    return next((shown(one) for one in forge.list_variables(owner) if one.name.upper() == name), None)


def _created(forge: GiteaClient, owner: str, fields: Fields) -> Fields:
    forge.create_variable(owner, fields["name"], fields["value"], description=fields.get("description", ""))
    return _again(forge, owner, fields["name"])


def _updated(forge: GiteaClient, owner: str, whole: Fields) -> Fields:
    # Unless it is sent, the forge clears the description.
    forge.update_variable(owner, whole["name"], whole["value"], description=whole["description"])
    return _again(forge, owner, whole["name"])


def _again(forge: GiteaClient, owner: str, name: str) -> Fields:
    """The forge answers a write with nothing."""
    found = _find(forge, owner, name)
    if found is None:
        raise KeepError(
            f"variable {name}: written with success, and it is not there; somebody else removed it"
        )
    return found
