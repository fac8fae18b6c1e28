# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to the forge and back: the connection, one way to fail, one way to answer.

It takes Ansible's module object and imports nothing of it. The options are those of the documentation
fragment `timmy.config.gitea`; a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

from .gitea_client import GiteaClient
from .gitea_ensure import Fields, KeepError, Wish, settle
from .gitea_errors import ForgeError, one_line
from .gitea_transport import Limits

SLOW_S = 180.0
TOKEN_BYTES = 64 * 1024
CONNECTION: dict[str, dict[str, Any]] = {
    "url": {"type": "str", "required": True},
    "token": {"type": "str", "no_log": True},
    "token_file": {"type": "path", "no_log": False},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "float", "default": 30.0},
}
# Where something belongs that both repositories and organizations have.
OWNER: dict[str, dict[str, Any]] = {"repo": {"type": "str"}, "org": {"type": "str"}}
ONE_OWNER: dict[str, Any] = {
    "mutually_exclusive": [("repo", "org")],
    "required_one_of": [("repo", "org")],
}


class Module(Protocol):
    """What is used of Ansible's module object."""

    params: dict[str, Any]
    check_mode: bool
    no_log_values: set[str]

    def fail_json(self, msg: str, **more: Any) -> NoReturn:
        """End the module with a failure."""


def arguments(own: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a module's own options with those of the connection."""
    return {**CONNECTION, **own}


def keep(module: Module, wish: Callable[[GiteaClient, Mapping[str, Any]], Wish]) -> Fields:
    """Return the result of a module that keeps something; `wish` only reads, what follows is done here."""
    return _answered(module, lambda forge: settle(wish(forge, module.params), module.check_mode))


def look(module: Module, read: Callable[[GiteaClient, Mapping[str, Any]], Fields]) -> Fields:
    """Return the result of a module that only reads."""
    return _answered(module, lambda forge: {"changed": False, **read(forge, module.params)})


def open_client(params: Mapping[str, Any]) -> GiteaClient:
    """Return the client. Name and password, where given, stand before a token, a token before its file."""
    timeout = float(params["timeout"])
    if timeout <= 0:
        raise ValueError("timeout: give seconds, more than 0")
    user, password = params["login_user"] or "", params["login_password"] or ""
    token = "" if user or password else token_of(params)
    try:
        return GiteaClient(
            params["url"],
            token,
            user=user,
            password=password,
            ca_file=params["ca_path"],
            verify=params["validate_certs"],
            limits=Limits(request_s=timeout, slow_s=max(SLOW_S, timeout)),
        )
    except OSError as error:
        # Nothing but this file is opened yet, and TLS does not name it.
        raise ValueError(f"ca_path: {params['ca_path']} holds no certificates to read: {error}") from None


def token_of(params: Mapping[str, Any]) -> str:
    """Return the token, from its file where only that is given. Raises ValueError and OSError."""
    if params["token"] or not params["token_file"]:
        return str(params["token"] or "")
    path = Path(params["token_file"])
    with path.open(encoding="utf-8") as stream:
        token = stream.read(TOKEN_BYTES).strip()
    if not token:
        raise ValueError(f"token_file: {path} is empty; write the token into it")
    return token


def owner_of(params: Mapping[str, Any]) -> str:
    """Return where something belongs, as the client takes it: owner/name, or an organization's name."""
    repo, org = params["repo"], params["org"]
    if repo and repo.count("/") != 1:
        raise ValueError(f"repo: {repo!r} is no repository; write owner/name")
    if org and "/" in org:
        raise ValueError(f"org: {org!r} is no organization; a repository goes under repo")
    return str(repo or org)


def _answered(module: Module, work: Callable[[GiteaClient], Fields]) -> Fields:
    try:
        if module.params["token_file"] and not module.params["token"]:
            # Ansible hides what it was given; what we read ourselves we have to name.
            module.no_log_values.add(token_of(module.params))
        with open_client(module.params) as forge:
            return work(forge)
    except ForgeError as error:
        said = {"method": error.method, "path": error.path, "status": error.status, "reason": error.reason}
        module.fail_json(msg=_line(error), **said)
    except KeepError as error:
        module.fail_json(msg=_line(error), **error.facts)
    except (ValueError, OSError) as error:
        module.fail_json(msg=_line(error))


def _line(error: Exception) -> str:
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    return one_line(f"{error}{notes}", 600)
