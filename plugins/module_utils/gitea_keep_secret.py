# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A secret of the forge's runner as a module keeps it.

The forge never shows a value, so a mark at the end of the description tells whether it is the one that was
written last. Of an account it does not even list the names: there every run writes, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import gitea_mark
from .gitea_actions import SCOPE, description_of, name_of, scope_of, value_of
from .gitea_admin_types import ActionsSecret
from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, single
from .gitea_errors import NotFoundError
from .gitea_url import ME

ARGUMENTS: dict[str, dict[str, Any]] = {
    **SCOPE,
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "value": {"type": "str", "no_log": True},
    "description": {"type": "str"},
    "update_secret": {
        "type": "str",
        "choices": ["on_change", "always", "on_create"],
        "default": "on_change",
        "no_log": False,
    },
}
INFO_ARGUMENTS = SCOPE
UNLISTED = "the forge does not list the secrets of an account"


def shown(found: ActionsSecret) -> Fields:
    """Return a secret as plain fields, without its mark."""
    return {**plain(found), "description": gitea_mark.bare(found.description or "")}


RULES = Rules(blank=shown(ActionsSecret()), secret=frozenset({"value"}))


def secret_of(params: Mapping[str, Any]) -> Fields:
    """Return the declared fields in the forge's form. Raises KeepError."""
    wanted = {"name": name_of(params["name"]), "value": value_of(params["value"])}
    if params["description"] is not None:
        wanted["description"] = description_of(params["description"])
    return wanted


def stale(found: ActionsSecret, value: str, update: str) -> bool:
    """Return whether the value of a secret that is there is to be written anew."""
    if update != "on_change":
        return update == "always"
    return found.description is not None and not gitea_mark.fits(found.description, 0, value)


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the secret is as wanted."""
    name, update = name_of(params["name"]), params["update_secret"]
    wanted = secret_of(params) if params["state"] == "present" else None
    owner = scope_of(forge, params)
    rows = listed(forge, owner)
    if rows is None:
        return _blind_wish(forge, params, wanted)
    found = next((one for one in rows if one.name.upper() == name), None)
    there = None if found is None else shown(found)
    renew = bool(found and wanted and stale(found, wanted["value"], update))
    move = decide(there, wanted, RULES, renew=renew)
    warnings = []
    if found and wanted and found.description is None and update == "on_change":
        warnings.append(
            "this forge keeps no mark, so a new value goes unseen; write update_secret: always once"
        )
    if update == "on_create" and move.kind == "update":
        raise KeepError(
            "description: it cannot be changed without the value; leave out update_secret: on_create"
        )
    old = (found.description if found else None) or ""
    hands = Hands(
        create=lambda fields: _put(forge, owner, fields, update),
        update=lambda there, fields: _put(forge, owner, {**there, **(wanted or {}), **fields}, update, old),
        delete=lambda _there: forge.delete_secret(owner, name),
    )
    return replace(single(f"secret {name} of {owner}", "secret", move, hands), warnings=warnings)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the names and descriptions of all secrets, by name."""
    rows = listed(forge, scope_of(forge, params))
    if rows is None:
        raise KeepError(f"user: {UNLISTED}; there is nothing to read")
    return {"secrets": sorted((shown(row) for row in rows), key=lambda row: str(row["name"]))}


def listed(forge: GiteaClient, owner: str) -> list[ActionsSecret] | None:
    """Return the secrets, None where the forge does not list them."""
    try:
        return forge.list_secrets(owner)
    except NotFoundError:
        if owner != ME:
            raise
        return None


def _blind_wish(forge: GiteaClient, params: Mapping[str, Any], wanted: Fields | None) -> Wish:
    """Return the wish for a secret of an account, of which nothing can be known."""
    name = name_of(params["name"])
    if wanted and params["update_secret"] not in ("on_change", "always"):
        raise KeepError(f"update_secret: {UNLISTED}, so it cannot be told whether there is one; use another")
    found = None if wanted else {**RULES.blank, "name": name}
    hands = Hands(
        create=lambda fields: _put_blind(forge, fields),
        update=lambda _there, fields: _put_blind(forge, fields),
        delete=lambda _there: _delete_blind(forge, name),
    )
    made = single(f"secret {name} of {params['user']}", "secret", decide(found, wanted, RULES), hands)
    return replace(made, warnings=[f"{UNLISTED}, so each run writes and says that it changed something"])


def _put(forge: GiteaClient, owner: str, whole: Fields, update: str, old: str = "") -> Fields:
    text = whole.get("description", "")
    if update == "on_change":
        text = gitea_mark.marked(text, [whole["value"]], old)
    forge.put_secret(owner, whole["name"], whole["value"], description=text)
    written = next((one for one in forge.list_secrets(owner) if one.name.upper() == whole["name"]), None)
    if written is None:
        raise KeepError(
            f"secret {whole['name']}: written with success, and it is not there; somebody removed it"
        )
    return shown(written)


def _put_blind(forge: GiteaClient, fields: Fields) -> Fields:
    forge.put_secret(ME, fields["name"], fields["value"], description=fields.get("description", ""))
    return {**RULES.blank, **{name: text for name, text in fields.items() if name != "value"}}


def _delete_blind(forge: GiteaClient, name: str) -> None:
    try:
        forge.delete_secret(ME, name)
    except NotFoundError:
        return
