# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What secrets and variables of the forge's runner have in common: whose they are, and their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .gitea_client import GiteaClient
from .gitea_ensure import KeepError
from .gitea_module import OWNER, owner_of
from .gitea_url import ME

SCOPE: dict[str, dict[str, Any]] = {**OWNER, "user": {"type": "str"}}
ONE_SCOPE: dict[str, Any] = {
    "mutually_exclusive": [("repo", "org", "user")],
    "required_one_of": [("repo", "org", "user")],
}
# With a mark at its end a description has to stay below what the forge keeps, 4,096 characters.
DESCRIPTION_LENGTH = 4000
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_TAKEN = ("GITEA_", "GITHUB_")


def scope_of(forge: GiteaClient, params: Mapping[str, Any]) -> str:
    """Return the owner as the client takes it. KeepError for an account that is not the one that asks."""
    if not params["user"]:
        return owner_of(params)
    login = forge.whoami().login
    if login.casefold() != params["user"].casefold():
        raise KeepError(f"user: the token is of {login}, and the forge shows this only to {params['user']}")
    return ME


def name_of(text: str) -> str:
    """Return a name in the forge's form, in capitals. Raises KeepError for one that it refuses."""
    name = text.strip().upper()
    if not _NAME.fullmatch(name):
        raise KeepError(f"name: {text!r} is none; write letters, digits and underscores, no digit first")
    if name == "CI" or name.startswith(_TAKEN):
        raise KeepError(f"name: {text!r} is taken; it must not be CI nor begin with {' or '.join(_TAKEN)}")
    return name


def value_of(text: str) -> str:
    """Return a value in the forge's form. Raises KeepError for an empty one, which it refuses."""
    if not text:
        raise KeepError("value: the forge keeps no empty one; write something, or state: absent")
    return text.replace("\r\n", "\n")


def description_of(text: str) -> str:
    """Return a description. Raises KeepError for one that the forge would cut."""
    if len(text) > DESCRIPTION_LENGTH:
        raise KeepError(f"description: keep it within {DESCRIPTION_LENGTH} characters")
    return text
