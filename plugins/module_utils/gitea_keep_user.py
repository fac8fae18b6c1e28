# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account of the forge as a module keeps it, as site admin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, same_name, single
from .gitea_errors import BadTokenError, ForbiddenError
from .gitea_module import open_client
from .gitea_repos import absent
from .gitea_types import User

# What the forge takes with a new account; the others are changed right after.
AT_CREATION = (
    "full_name",
    "login_name",
    "must_change_password",
    "restricted",
    "source_id",
    "visibility",
)
FIELDS = (
    "email",
    "full_name",
    "description",
    "website",
    "location",
    "visibility",
    "restricted",
    "prohibit_login",
    "active",
    "is_admin",
    "login_name",
    "source_id",
)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "purge": {"type": "bool", "default": False},
    "password": {"type": "str", "no_log": True},
    "update_password": {
        "type": "str",
        "choices": ["on_create", "always"],
        "default": "on_create",
        "no_log": False,
    },
    "must_change_password": {"type": "bool", "no_log": False},
    "email": {"type": "str"},
    "full_name": {"type": "str"},
    "description": {"type": "str"},
    "website": {"type": "str"},
    "location": {"type": "str"},
    "visibility": {"type": "str", "choices": ["public", "limited", "private"]},
    "restricted": {"type": "bool"},
    "prohibit_login": {"type": "bool"},
    "active": {"type": "bool"},
    "is_admin": {"type": "bool"},
    "login_name": {"type": "str"},
    "source_id": {"type": "int"},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {"name": {"type": "str"}}
RULES = Rules(
    blank=plain(User()),
    secret=frozenset({"password"}),
    once=frozenset({"must_change_password"}),
    fold=frozenset({"login", "email"}),
)


def find(forge: GiteaClient, name: str) -> Fields | None:
    """Return the account, None when there is none. KeepError when it has another name now."""
    found = absent(lambda: forge.get_user(name))()
    if found is None:
        return None
    same_name("account", name, found.login)
    return dict(plain(found))


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the account is as wanted."""
    name, present = params["name"], params["state"] == "present"
    if params["purge"] and present:
        raise KeepError("purge goes with state absent: it deletes what the account owns as well")
    found = find(forge, name)
    if found is not None and absent(lambda: forge.get_org(name))() is not None:
        raise KeepError(f"{name} is an organization, no account")
    wanted = None
    if present:
        wanted = {"login": name, **declared(params, (*FIELDS, "password", "must_change_password"))}
        if found is None:
            _refuse_incomplete(wanted)
    elif found is not None:
        _refuse_deletion(forge, name, purge=params["purge"])
    hands = Hands(
        create=lambda fields: _created(forge, fields),
        update=lambda there, fields: _updated(forge, params, there, fields),
        delete=lambda there: forge.delete_user(there["login"], purge=params["purge"]),
    )
    renew = wanted is not None and found is not None and _other_password(params, found, wanted)
    return single(f"account {name}", "user", decide(found, wanted, RULES, renew=renew), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the account of this name, or as site admin all."""
    if params["name"]:
        found = find(forge, params["name"])
        return {"users": [] if found is None else [found]}
    return {"users": plain(sorted(forge.list_users(), key=lambda user: user.login.lower()))}


def _refuse_incomplete(wanted: Fields) -> None:
    missing = [] if wanted.get("email") else ["email"]
    if not wanted.get("password") and not wanted.get("source_id"):
        missing.append("password")
    if missing:
        raise KeepError(
            f"account {wanted['login']} is not there yet; a new one needs {' and '.join(missing)}"
        )


def _refuse_deletion(forge: GiteaClient, name: str, *, purge: bool) -> None:
    """The forge would refuse it as well, but not in check mode."""
    if forge.whoami().login.casefold() == name.casefold():
        raise KeepError(f"account {name} is the one that asks; no account deletes itself")
    if purge:
        return
    owned = [repo.full_name for repo in forge.list_user_repos(name)]
    if owned:
        raise KeepError(
            f"account {name} still owns {len(owned)} repositories ({', '.join(owned[:3])});"
            " move them, or purge them with it"
        )
    orgs = [org.name for org in forge.list_user_orgs(name)]
    if orgs:
        raise KeepError(
            f"account {name} is still a member of {', '.join(orgs[:3])}; take it out of the teams,"
            " or purge: that also deletes the organizations which it alone owns"
        )


def _other_password(params: Mapping[str, Any], found: Fields, wanted: Fields) -> bool:
    """Whether the account is to get the password: it is tried, for the forge does not show it."""
    if params["update_password"] != "always" or not params["password"]:  # noqa: S105 - a word, no password
        return False
    if wanted.get("prohibit_login", found["prohibit_login"]):
        return False
    if found["prohibit_login"]:
        # To such an account any password is wrong, so what it has could not be tried.
        return True
    other = {"token": None, "token_file": None, "login_user": found["login"]}
    with open_client({**params, **other, "login_password": params["password"]}) as own:
        try:
            own.whoami()
        except BadTokenError:
            return True
        except ForbiddenError:
            # The password was right; the account has something else to do first.
            return False
    return False


def _created(forge: GiteaClient, fields: Fields) -> Fields:
    name, rest = fields["login"], {key: value for key, value in fields.items() if key != "login"}
    email, password = rest.pop("email", ""), rest.pop("password", "")
    first = {key: rest.pop(key) for key in AT_CREATION if key in rest}
    forge.create_user(name, email, password, **first)
    if rest:
        forge.update_user(name, **_spelt(rest))
    # Read again: the answer to a creation has the address in lower case, which is not how it is kept.
    return dict(plain(forge.get_user(name)))


def _updated(forge: GiteaClient, params: Mapping[str, Any], there: Fields, fields: Fields) -> Fields:
    sent = _spelt(fields)
    if "password" in sent and params["must_change_password"] is not None:
        sent["must_change_password"] = params["must_change_password"]
    forge.update_user(there["login"], **sent)
    return dict(plain(forge.get_user(there["login"])))


def _spelt(fields: Fields) -> Fields:
    return {"admin" if name == "is_admin" else name: value for name, value in fields.items()}
