# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy key of a repository as a module keeps it. The forge changes none: another one takes its place."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from .gitea_admin_types import DeployKey
from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, single

ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "title": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    # A public key.
    "key": {"type": "str", "no_log": False},
    "read_only": {"type": "bool"},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {"repo": {"type": "str", "required": True}}
RULES = Rules(blank=plain(DeployKey()))
_LENGTH_BYTES = 4


def fingerprint(key: str) -> str:
    """Return the fingerprint of a public key in the form of one line, as "SHA256:…". Raises KeepError."""
    words = key.split()
    if len(words) < 2 or "\n" in key.strip():
        raise KeepError("key: write a public key in one line, as a .pub file has it")
    try:
        raw = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        raw = b""
    size = int.from_bytes(raw[:_LENGTH_BYTES], "big")
    if raw[_LENGTH_BYTES : _LENGTH_BYTES + size] != words[0].encode() or not size:
        raise KeepError(f"key: it does not begin with a kind that its own data has; {words[0]!r} is not it")
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def shown(found: DeployKey) -> Fields:
    """Return a key as plain fields, without its comment: that is no part of the key."""
    return {**plain(found), "key": " ".join(found.key.split()[:2])}


def key_of(params: Mapping[str, Any]) -> Fields:
    """Return the declared fields in the forge's form. Raises KeepError."""
    title = params["title"].strip()
    if not title:
        raise KeepError("title: a deploy key needs one")
    mark = fingerprint(params["key"])
    normal = " ".join(params["key"].split()[:2])
    return {"title": title, "key": normal, "fingerprint": mark, **declared(params, ("read_only",))}


def which(rows: Sequence[Fields], wanted: Fields) -> Fields | None:
    """Return the key of this title, or the same key under another title. Raises KeepError for both."""
    titled = next((there for there in rows if there["title"] == wanted["title"]), None)
    same = next((there for there in rows if there["fingerprint"] == wanted["fingerprint"]), None)
    if titled and same and titled is not same:
        raise KeepError(
            f"{wanted['title']}: there is another key of this title, and this key has the title"
            f" {same['title']}; remove one of them first"
        )
    return titled or same


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the key is as wanted."""
    repo, title = params["repo"], params["title"].strip()
    wanted = key_of(params) if params["state"] == "present" else None
    rows = [shown(row) for row in forge.list_deploy_keys(repo)]
    found = which(rows, wanted) if wanted else next((row for row in rows if row["title"] == title), None)
    hands = Hands(
        create=lambda fields: _created(forge, repo, {**fields, "key": params["key"].strip()}),
        update=lambda there, fields: _replaced(forge, repo, there, {**there, **fields}),
        delete=lambda there: forge.delete_deploy_key(repo, there["id"]),
    )
    return single(f"deploy key {title} of {repo}", "deploy_key", decide(found, wanted, RULES), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return all keys, by title."""
    rows = [shown(row) for row in forge.list_deploy_keys(params["repo"])]
    return {"deploy_keys": sorted(rows, key=lambda row: str(row["title"]))}


def _created(forge: GiteaClient, repo: str, fields: Fields) -> Fields:
    only = fields.get("read_only", True)
    return shown(forge.create_deploy_key(repo, fields["title"], fields["key"], read_only=only))


def _replaced(forge: GiteaClient, repo: str, there: Fields, whole: Fields) -> Fields:
    forge.delete_deploy_key(repo, there["id"])
    try:
        return _created(forge, repo, whole)
    except Exception as error:
        error.add_note(f"the key {there['title']} that was there is deleted; run this again")
        raise
