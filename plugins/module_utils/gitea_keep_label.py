# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of a repository or an organization as a module keeps them: a whole set at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, paired
from .gitea_module import OWNER, owner_of
from .gitea_types import Label

FIELDS = ("name", "color", "description", "exclusive", "is_archived")
ARGUMENTS: dict[str, dict[str, Any]] = {
    **OWNER,
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "labels": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "was": {"type": "str"},
            "color": {"type": "str"},
            "description": {"type": "str"},
            "exclusive": {"type": "bool"},
            "is_archived": {"type": "bool"},
        },
    },
    "purge": {"type": "bool", "default": False},
}
INFO_ARGUMENTS = OWNER
RULES = Rules(blank=plain(Label()))
# What a label gets that declares no color: a middle grey, readable on light and dark.
PLAIN_COLOR = "808080"
_COLOR = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})")


def color_of(text: str) -> str:
    """Return a color in the forge's form: six lower-case hex digits. Raises KeepError."""
    match = _COLOR.fullmatch(text.strip().lower())
    if match is None:
        raise KeepError(f"{text!r} is no color; write it as #00aabb or #0ab")
    digits = match.group(1)
    return digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)


def label_of(given: Mapping[str, Any]) -> Fields:
    """Return a declared label in the forge's form, with its former name under `was`. Raises KeepError."""
    name = given["name"].strip()
    if not name:
        raise KeepError("a label needs a name")
    wanted = {**declared(given, FIELDS), "name": name}
    if "color" in wanted:
        wanted["color"] = color_of(wanted["color"])
    scope, slash, rest = name.rpartition("/")
    if wanted.get("exclusive") and not (scope and slash and rest):
        raise KeepError(f"label {name}: only a name like scope/{name} can be exclusive within its scope")
    return {**wanted, "was": given.get("was")}


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the labels are as wanted."""
    owner, present = owner_of(params), params["state"] == "present"
    if params["purge"] and not present:
        raise KeepError("purge goes with state present: it removes what is not declared")
    wanted = [label_of(given) for given in params["labels"]]
    found = _sorted(forge, owner)
    if present:
        pairs, doubles = paired(found, wanted, purge=params["purge"])
    else:
        names = {want["name"] for want in wanted}
        pairs, doubles = [(there, None) for there in found if there["name"] in names], []
    hands = Hands(
        create=lambda fields: _created(forge, owner, fields),
        update=lambda there, fields: _updated(forge, owner, there, fields),
        delete=lambda there: forge.delete_label(owner, there["id"]),
    )
    return Wish(
        f"labels of {owner}",
        "labels",
        [decide(there, want, RULES) for there, want in pairs],
        hands,
        row="name",
        warnings=[
            f"label {double['name']} is defined twice; purge removes the one with id {double['id']}"
            for double in doubles
        ],
    )


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return all labels, by name."""
    return {"labels": sorted(_sorted(forge, owner_of(params)), key=lambda there: str(there["name"]))}


def _sorted(forge: GiteaClient, owner: str) -> list[Fields]:
    """The labels that are there, oldest first: of two with one name, issues carry the older more often."""
    return sorted(plain(forge.list_labels(owner)), key=lambda there: int(there["id"]))


def _created(forge: GiteaClient, owner: str, fields: Fields) -> Fields:
    more = {name: value for name, value in fields.items() if name not in ("name", "color")}
    made = forge.create_label(owner, fields["name"], fields.get("color", PLAIN_COLOR), **more)
    return dict(plain(made))


def _updated(forge: GiteaClient, owner: str, there: Fields, fields: Fields) -> Fields:
    # Unless it is sent, the forge takes a label out of the archive.
    sent = {"is_archived": there["is_archived"], **fields}
    return dict(plain(forge.update_label(owner, there["id"], **sent)))
