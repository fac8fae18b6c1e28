# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token of an account as a module keeps it, on request with a file that holds its value.

The forge shows a value once and changes no token. So one with other scopes is a new one in the old one's
place, and one whose value is lost as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import gitea_token_file
from .gitea_admin_types import Token
from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, single
from .gitea_errors import BadTokenError, ForbiddenError
from .gitea_module import open_client
from .gitea_session import first
from .gitea_token_file import TokenFile

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
ALL, PUBLIC_ONLY = "all", "public-only"
SCOPES = (ALL, PUBLIC_ONLY, *(f"{level}:{name}" for name in CATEGORIES for level in ("read", "write")))
ARGUMENTS: dict[str, dict[str, Any]] = {
    "user": {"type": "str"},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "scopes": {"type": "list", "elements": "str", "choices": list(SCOPES)},
    "rotate": {"type": "bool", "default": False},
    "path": {"type": "path"},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {"user": {"type": "str"}, "name": {"type": "str"}}
BLANK: Fields = {
    "id": 0,
    "name": "",
    "scopes": [],
    "last_eight": "",
    "created_at": None,
    "last_used_at": None,
    "value": "",
    "path": "",
}
# `made` stands for a value that is to be new. The value itself is returned, so it is no secret of the rules;
# it is in no diff because nothing wants it to be something.
RULES = Rules(blank=BLANK, secret=frozenset({"made"}))


def scopes_of(given: Sequence[str]) -> list[str]:
    """Return scopes in the forge's form, without what others imply. Raises KeepError."""
    held = set(given)
    if not held - {PUBLIC_ONLY}:
        raise KeepError("scopes: a token without a right is of no use; name one, such as read:repository")
    if held >= {f"write:{name}" for name in CATEGORIES}:
        held.add(ALL)
    if ALL in held:
        return sorted(held & {ALL, PUBLIC_ONLY})
    return sorted(one for one in held if not (one.startswith("read:") and f"write:{one[5:]}" in held))


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the token is as wanted."""
    user, name, present = account_of(params), params["name"], params["state"] == "present"
    file = None if params["path"] is None else gitea_token_file.read(params["path"])
    found, renew = find(forge, user, name), False
    wanted = None
    if present:
        wanted = _wanted(params, found)
        if found is not None:
            works = file is not None and _works(params, user, file, found)
            found["path"] = file.path if file and works and file.private else ""
            other = "scopes" in wanted and RULES.differing({"scopes": wanted["scopes"]}, found) != []
            renew = params["rotate"] or other or (file is not None and not works)
    elif file is not None and file.there:
        found = {**(found or {**BLANK, "name": name}), "path": file.path}
    hands = Hands(
        create=lambda fields: _made(forge, user, fields),
        update=lambda there, fields: _updated(forge, user, file, there, fields),
        delete=lambda there: _deleted(forge, user, there),
    )
    return single(f"token {name} of {user}", "token", decide(found, wanted, RULES, renew=renew), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the account's token of this name, or all, without their values."""
    tokens = [one for one in forge.list_tokens(account_of(params)) if params["name"] in (None, one.name)]
    rows = [_shown(token) for token in sorted(tokens, key=lambda token: token.name)]
    return {"tokens": [{name: value for name, value in row.items() if name != "value"} for row in rows]}


def account_of(params: Mapping[str, Any]) -> str:
    """Return whose tokens these are. KeepError without a password, which the forge asks for."""
    if not params["login_user"] or not params["login_password"]:
        raise KeepError(
            "the forge shows and makes tokens by password only: give login_user and login_password,"
            " those of the account or of a site admin"
        )
    return str(params["user"] or params["login_user"])


def find(forge: GiteaClient, user: str, name: str) -> Fields | None:
    """Return the token of this name, None when there is none."""
    token = first(forge.list_tokens(user), lambda one: one.name == name)
    return None if token is None else {**_shown(token), "path": ""}


def _shown(token: Token) -> Fields:
    return {**plain(token), "scopes": sorted(token.scopes)}


def _wanted(params: Mapping[str, Any], found: Fields | None) -> Fields:
    wanted: Fields = {"name": params["name"], "made": True}
    if params["scopes"] is not None:
        wanted["scopes"] = scopes_of(params["scopes"])
    elif found is None:
        raise KeepError(f"token {params['name']} is not there yet; a new one needs scopes")
    return wanted if params["path"] is None else {**wanted, "path": params["path"]}


def _works(params: Mapping[str, Any], user: str, file: TokenFile, found: Fields) -> bool:
    """Whether the file holds this token, and the forge knows it."""
    if not file.value or file.value[-8:] != found["last_eight"]:
        return False
    other = {"token": file.value, "token_file": None, "login_user": None, "login_password": None}
    with open_client({**params, **other}) as own:
        try:
            return bool(own.whoami().login.casefold() == user.casefold())
        except BadTokenError:
            return False
        except ForbiddenError:
            # It is known; it has no scope to read who it is.
            return True


def _made(forge: GiteaClient, user: str, fields: Fields) -> Fields:
    token = forge.create_token(user, fields["name"], fields["scopes"])
    path = fields.get("path", "")
    if path:
        try:
            gitea_token_file.write(path, token.value)
        except OSError as error:
            error.add_note("the token was made and its value is lost; the next run makes another")
            raise
    # Read again: the answer to the creation has no times. Whoever has the file needs no value in a result.
    there = find(forge, user, fields["name"]) or _shown(token)
    return {**there, "path": path, "value": "" if path else token.value}


def _updated(forge: GiteaClient, user: str, file: TokenFile | None, there: Fields, fields: Fields) -> Fields:
    if "made" not in fields and file is not None:
        gitea_token_file.write(file.path, file.value)
        return {**there, "path": file.path}
    forge.delete_token(user, there["id"])
    path = file.path if file else ""
    wanted = {"name": there["name"], "scopes": fields.get("scopes", there["scopes"]), "path": path}
    try:
        return _made(forge, user, wanted)
    except Exception as error:
        error.add_note("the old token is gone")
        raise


def _deleted(forge: GiteaClient, user: str, there: Fields) -> None:
    if there["id"]:
        forge.delete_token(user, there["id"])
    if there["path"]:
        gitea_token_file.remove(there["path"])
