# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator says the fleet is, checked as plain data before anything changes.

No message ever holds the value of a secret: agents and variables are named instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from .derived_secret import MINIMUM
from .overlay_fields import check_fields
from .overlay_problem import ENV_NAME, MIN_CONTEXT, Problem, is_kind, suggest, type_name
from .wizard_defaults import WIZARD_DEFAULTS

WIZARDS = "timmy_wizards"
SECRETS = "timmy_wizard_secrets"
MODEL = "timmy_model"
STATES = ("present", "absent")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
MEMORY = re.compile(r"([1-9][0-9]*)([MGT])")
# Below this the gateway alone is killed: it needs 110 MB idle, and a turn doubles that.
MIN_MEMORY_MB = 256
# Users that Debian, our roles or Hermes' own profiles have already.
# fmt: off
RESERVED = frozenset([
    "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy",
    "www-data", "backup", "list", "irc", "gnats", "nobody", "adm", "admin", "staff", "users",
    "sudo", "docker", "sshd", "messagebus", "polkitd", "ops", "timmy", "timmy-pane", "wizards",
    "hermes", "default", "test", "tmp", "redis", "git", "gitea", "ollama", "postgres", "caddy",
])
# fmt: on
_WIZARD_FIELDS: Mapping[str, tuple[type, bool]] = {
    "name": (str, True),
    "host": (str, True),
    "state": (str, False),
    "display_name": (str, False),
    "role_class": (str, False),
    "api_port": (int, False),
    "memory_max": (str, False),
    "env": (dict, False),
}
_MODEL_FIELDS: Mapping[str, tuple[type, bool]] = {
    "provider": (str, True),
    "default": (str, True),
    "base_url": (str, True),
    "context_length": (int, True),
}
# Set by the unit and the release; a second value would win in silence or open what they close.
_OWNED = re.compile(
    r"HERMES_.*|API_SERVER_(HOST|PORT|ENABLED)|LD_.*|PYTHON.*|PATH|HOME|USER|SHELL|IFS|BASH_ENV|ENV"
)
# Whoever could write to the bot would command the agent.
_OPEN_DOORS = re.compile(r"([A-Z]+_)?ALLOW_ALL_USERS")
# Agents hold no forge token at all, and no token that stands for a person.
_FORGE = frozenset(
    f"{name}_TOKEN" for name in ("GH", "GITHUB", "GITEA", "GITLAB", "FORGE", "GIT", "COPILOT_GITHUB")
)
_PERSONAL_NAMES = frozenset(["CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_TOKEN", "SUDO_PASSWORD"])
_PERSONAL_VALUES = ("ghp_", "gho_", "github_pat_", "glpat-", "sk-ant-oat", "xoxp-", "xoxc-")
_SECRET_NAME = re.compile(r".*(_TOKEN|_KEY|_SECRET|_PASSWORD|_CREDENTIALS)")
_BOT_TOKEN = re.compile(r".*_BOT_TOKEN")


def check_fleet(
    wizards: Any,
    hosts: Collection[str],
    *,
    model: Any,
    secrets: Any,
    fleet_secret: Any,
    classes: Collection[str] = (),
) -> list[Problem]:
    """Everything that can be said without reading the overlay; no ``classes`` means not known yet."""
    problems = list(check_wizards(wizards, hosts, classes))
    # Which agents there are is only known once the wizards are right.
    names = None if problems else present_names(wizards, absent=True)
    problems += check_secrets(secrets, names)
    problems += check_fleet_secret(fleet_secret)
    problems += check_model(model)
    return problems


def present_names(wizards: Any, *, absent: bool = False) -> list[str]:
    """The names of the wizards that are to be there; with ``absent``, of all that are declared."""
    if not isinstance(wizards, Sequence) or isinstance(wizards, str):
        return []
    return [
        wizard["name"]
        for wizard in wizards
        if isinstance(wizard, Mapping)
        and isinstance(wizard.get("name"), str)
        and (absent or wizard.get("state", "present") == "present")
    ]


def check_wizards(wizards: Any, hosts: Collection[str], classes: Collection[str] = ()) -> Iterator[Problem]:
    """The list of wizards: each by itself, then names and ports against each other."""
    if not isinstance(wizards, Sequence) or isinstance(wizards, str):
        yield Problem(WIZARDS, "", f"must be a list of wizards, not {type_name(wizards)}")
        return
    if not wizards:
        yield Problem(WIZARDS, "", "is empty; name at least one wizard with its host")
    names: dict[str, int] = {}
    ports: dict[tuple[str, int], str] = {}
    for number, wizard in enumerate(wizards):
        key = f"{WIZARDS}[{number}]"
        wrong = check_fields(key, "", wizard, _WIZARD_FIELDS)
        yield from wrong
        if wrong:
            continue
        yield from _check_wizard(f"{key} ({wizard['name']})", wizard, hosts, classes)
        first = names.setdefault(wizard["name"], number)
        if first != number:
            yield Problem(
                key, "name", f"{wizard['name']!r} is already {WIZARDS}[{first}]; a name is given once"
            )
        elif wizard.get("state", "present") == "present":
            place = (wizard["host"], wizard.get("api_port", WIZARD_DEFAULTS["api_port"]))
            other = ports.setdefault(place, wizard["name"])
            if other != wizard["name"]:
                yield Problem(
                    f"{key} ({wizard['name']})",
                    "api_port",
                    f"{place[1]} on {place[0]} is taken by {other}; give each agent its own port",
                )


def _check_wizard(
    key: str, wizard: Mapping[str, Any], hosts: Collection[str], classes: Collection[str]
) -> Iterator[Problem]:
    yield from _check_name(key, wizard["name"])
    if wizard["host"] not in hosts:
        hint = suggest(wizard["host"], hosts) or "; add it to the inventory"
        yield Problem(key, "host", f"{wizard['host']!r} is no host of the inventory{hint}")
    if wizard.get("state", "present") not in STATES:
        yield Problem(key, "state", f"{wizard['state']!r} is unknown; use present or absent")
    role = wizard.get("role_class", WIZARD_DEFAULTS["role_class"])
    if classes and role not in classes:
        hint = suggest(role, classes) or f"; use one of {', '.join(sorted(classes))}"
        yield Problem(key, "role_class", f"{role!r} is not in fallback-portfolios.yaml{hint}")
    port = wizard.get("api_port", WIZARD_DEFAULTS["api_port"])
    if not 1024 <= port <= 65535:
        yield Problem(key, "api_port", f"is {port}; an agent without root listens on 1024 to 65535")
    yield from _check_memory(key, wizard.get("memory_max", WIZARD_DEFAULTS["memory_max"]))
    shown = wizard.get("display_name", "x")
    if not shown.strip() or len(shown) > 64 or not shown.isprintable():
        yield Problem(key, "display_name", "must be one line of 1 to 64 characters")
    yield from _check_env(key, wizard.get("env", {}))


def _check_name(key: str, name: str) -> Iterator[Problem]:
    if not NAME.fullmatch(name):
        yield Problem(
            key,
            "name",
            "is no Unix name; use lower-case letters, digits, - and _, a letter first, 31 at most",
        )
    elif name in RESERVED or name.startswith("systemd-"):
        yield Problem(key, "name", f"{name!r} is a user of the system or of Hermes; choose another name")


def _check_memory(key: str, text: str) -> Iterator[Problem]:
    found = MEMORY.fullmatch(text)
    if not found:
        yield Problem(key, "memory_max", f"{text!r} is no size; use digits and M, G or T, such as 2G")
        return
    if int(found.group(1)) * {"M": 1, "G": 1024, "T": 1024 * 1024}[found.group(2)] < MIN_MEMORY_MB:
        yield Problem(
            key, "memory_max", f"{text} is too small for a gateway; give it {MIN_MEMORY_MB}M or more"
        )


def _check_env(key: str, env: Mapping[Any, Any]) -> Iterator[Problem]:
    for name, value in env.items():
        where = f"env.{name}"
        yield from _check_variable(key, where, name, value)
        if isinstance(name, str) and _SECRET_NAME.fullmatch(name):
            yield Problem(key, where, f"looks like a secret; move it to {SECRETS}, which the vault keeps")


def _check_variable(key: str, where: str, name: Any, value: Any) -> Iterator[Problem]:
    if not isinstance(name, str) or not ENV_NAME.fullmatch(name):
        yield Problem(
            key, where, "is no name of a variable; use capitals, digits and _, such as TELEGRAM_BOT_TOKEN"
        )
    elif _OWNED.fullmatch(name):
        hint = (
            "use api_port" if name == "API_SERVER_PORT" else "set what it is for in the overlay's config.yaml"
        )
        yield Problem(key, where, f"belongs to the unit and would be overridden or break it; {hint}")
    elif _OPEN_DOORS.fullmatch(name):
        yield Problem(key, where, "would let anybody command the agent; list users in *_ALLOWED_USERS")
    if not isinstance(value, str):
        yield Problem(key, where, f"must be text, not {type_name(value)}; quote it")
    elif not value.strip():
        yield Problem(key, where, "is empty; give it a value or leave it out")
    elif not value.isprintable():
        yield Problem(
            key, where, "holds a line break or a control character; an environment file has one line each"
        )


def check_secrets(secrets: Any, names: Collection[str] | None = None) -> Iterator[Problem]:
    """Secrets per agent: known agents, sane variables, nobody's personal token, and no token used twice."""
    if not isinstance(secrets, Mapping):
        yield Problem(SECRETS, "", f"must map agents to their variables, not {type_name(secrets)}")
        return
    owners: dict[str, tuple[str, str]] = {}
    for agent in sorted(secrets, key=str):
        if names is not None and agent not in names:
            hint = suggest(str(agent), names) or f"; add it to {WIZARDS} or drop it"
            yield Problem(SECRETS, str(agent), f"is no agent of {WIZARDS}{hint}")
        if not isinstance(secrets[agent], Mapping):
            yield Problem(
                SECRETS, str(agent), f"must map variables to values, not {type_name(secrets[agent])}"
            )
            continue
        for name, value in secrets[agent].items():
            where = f"{agent}.{name}"
            yield from _check_variable(SECRETS, where, name, value)
            if isinstance(name, str) and isinstance(value, str):
                yield from _check_secret(where, name, value)
                yield from _check_shared(str(agent), name, value, owners)


def _check_secret(where: str, name: str, value: str) -> Iterator[Problem]:
    if name in _FORGE:
        yield Problem(
            SECRETS, where, "is a forge token; agents hold none, the service timmy publishes for them"
        )
    elif name in _PERSONAL_NAMES or value.startswith(_PERSONAL_VALUES):
        yield Problem(SECRETS, where, "stands for a person; make a bot account or a key for this agent alone")
    elif name == "API_SERVER_KEY" and len(value) < 16:
        yield Problem(SECRETS, where, "is shorter than 16 characters; leave it out and one is derived")


def _check_shared(agent: str, name: str, value: str, owners: dict[str, tuple[str, str]]) -> Iterator[Problem]:
    """A bot token is polled by one process; two agents with one token steal each other's messages."""
    if not _BOT_TOKEN.fullmatch(name) or not value.strip():
        return
    other, other_name = owners.setdefault(value.strip(), (agent, name))
    if other != agent:
        what = name if name == other_name else f"{name} and {other_name}"
        yield Problem(
            SECRETS, "", f"agents {other} and {agent} have the same {what}; make one bot for each agent"
        )


def check_fleet_secret(secret: Any) -> Iterator[Problem]:
    """The one secret from which the others are derived."""
    if not isinstance(secret, str) or not secret.strip():
        yield Problem("timmy_fleet_secret", "", "is missing; run playbooks/vault_init.yml")
    elif len(secret) < MINIMUM:
        yield Problem(
            "timmy_fleet_secret", "", f"is shorter than {MINIMUM} characters; run playbooks/vault_init.yml"
        )


def check_model(model: Any) -> list[Problem]:
    """The model that every wizard thinks with unless its portfolio says otherwise."""
    problems = check_fields(MODEL, "", model, _MODEL_FIELDS)
    if problems:
        return problems
    url = urlsplit(model["base_url"])
    if url.scheme not in ("http", "https") or not url.hostname:
        problems.append(Problem(MODEL, "base_url", "is no endpoint; give it as http://127.0.0.1:11434/v1"))
    elif url.username or url.password:
        problems.append(
            Problem(MODEL, "base_url", "holds a password; put a key among the agents' secrets instead")
        )
    for key in ("provider", "default"):
        if not model[key].strip():
            problems.append(Problem(MODEL, key, "is empty; name the provider and the model"))
    if is_kind(model["context_length"], int) and model["context_length"] < MIN_CONTEXT:
        problems.append(
            Problem(
                MODEL,
                "context_length",
                f"is {model['context_length']}; Hermes starts no agent below {MIN_CONTEXT}, use 65536",
            )
        )
    return problems
