# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule for the branches of a repository as a module keeps it.

The fields have the forge's own names, so what the module returns and what the forge documents read the
same; only the file patterns are lists here, where the forge has one text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .gitea_admin_types import BranchProtection
from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, single
from .gitea_errors import ConflictError, ForbiddenError
from .gitea_repos import absent
from .gitea_types import Team

PATTERNS = ("protected_file_patterns", "unprotected_file_patterns")
# Of each list the switch without which the forge keeps it and nothing comes of it.
SWITCHES = {
    "push_whitelist_usernames": "enable_push_whitelist",
    "push_whitelist_teams": "enable_push_whitelist",
    "force_push_allowlist_usernames": "enable_force_push_allowlist",
    "force_push_allowlist_teams": "enable_force_push_allowlist",
    "merge_whitelist_usernames": "enable_merge_whitelist",
    "merge_whitelist_teams": "enable_merge_whitelist",
    "bypass_allowlist_usernames": "enable_bypass_allowlist",
    "bypass_allowlist_teams": "enable_bypass_allowlist",
    "approvals_whitelist_username": "enable_approvals_whitelist",
    "approvals_whitelist_teams": "enable_approvals_whitelist",
    "status_check_contexts": "enable_status_check",
}
# What the forge drops, or reads and forgets, where the second is off.
NEEDS = {
    **SWITCHES,
    "enable_push_whitelist": "enable_push",
    "push_whitelist_deploy_keys": "enable_push_whitelist",
    "enable_force_push": "enable_push",
    "enable_force_push_allowlist": "enable_force_push",
    "force_push_allowlist_deploy_keys": "enable_force_push_allowlist",
}
# The forge reads these only beside each other.
GATES = (
    ("enable_push", "enable_push_whitelist", "push_whitelist_deploy_keys"),
    ("enable_force_push", "enable_force_push_allowlist", "force_push_allowlist_deploy_keys"),
)
USERS = tuple(name for name in SWITCHES if "username" in name)
TEAMS = tuple(name for name in SWITCHES if name.endswith("_teams"))
FLAGS = (
    *dict.fromkeys([*SWITCHES.values(), *(name for gate in GATES for name in gate)]),
    "block_on_rejected_reviews",
    "block_on_official_review_requests",
    "block_on_outdated_branch",
    "block_admin_merge_override",
    "dismiss_stale_approvals",
    "ignore_stale_approvals",
    "require_signed_commits",
)
NUMBERS = ("priority", "required_approvals")
LISTS = (*SWITCHES, *PATTERNS)
FIELDS = (*FLAGS, *LISTS, *NUMBERS)
BYPASS_SINCE = (1, 27)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "rule_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    **{name: {"type": "bool"} for name in FLAGS},
    # Without no_log false, a list that lets somebody bypass would be taken for one of passwords.
    **{name: {"type": "list", "elements": "str", "no_log": False} for name in LISTS},
    **{name: {"type": "int"} for name in NUMBERS},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "rule_name": {"type": "str"},
}


def shown(rule: BranchProtection) -> Fields:
    """Return a rule as plain fields, the file patterns as lists."""
    fields = dict(plain(rule))
    for name in PATTERNS:
        fields[name] = [word.strip() for word in fields[name].split(";") if word.strip()]
    return fields


RULES = Rules(blank=shown(BranchProtection()), fold=frozenset((*USERS, *TEAMS)))


def rule_of(params: Mapping[str, Any]) -> Fields:
    """Return the declared fields in the forge's form. Raises KeepError for what it could not mean."""
    wanted = declared(params, ("rule_name", *FIELDS))
    _refuse_broken_globs("rule_name", [wanted["rule_name"]])
    for name in LISTS:
        if name in wanted:
            wanted[name] = list(dict.fromkeys(word.strip() for word in wanted[name]))
            if "" in wanted[name]:
                raise KeepError(f"{name}: an empty text stands for nobody and nothing; leave it out")
    for name in (*PATTERNS, "status_check_contexts"):
        _refuse_broken_globs(name, wanted.get(name, []))
    for name in PATTERNS:
        joined = [word for word in wanted.get(name, []) if ";" in word]
        if joined:
            raise KeepError(f"{name}: {joined[0]!r} is more than one pattern; give each its own line")
    if wanted.get("required_approvals", 0) < 0:
        raise KeepError("required_approvals: give a number, 0 for none")
    for gate, switch, keys in GATES:
        if wanted.get(gate) is False:
            wanted.setdefault(switch, False)
        if wanted.get(switch) is False:
            wanted.setdefault(keys, False)
    return wanted


def refuse_idle(wanted: Fields, there: Fields) -> None:
    """Refuse what would have no effect: the forge takes it with a success, and nobody is held to it."""
    after = {**RULES.blank, **there, **wanted}
    for name, switch in NEEDS.items():
        if wanted.get(name) and not after[switch]:
            raise KeepError(f"{name} has no effect while {switch} is off; set {switch} to true as well")


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the rule is as wanted."""
    repo, name = params["repo"], params["rule_name"]
    wanted = rule_of(params) if params["state"] == "present" else None
    found = next((there for there in _rules(forge, repo) if there["rule_name"] == name), None)
    if wanted is not None:
        refuse_idle(wanted, found or {})
        _refuse_later(forge, wanted)
        wanted = _spelled(forge, repo, wanted, found or {})
    hands = Hands(
        create=lambda fields: shown(forge.create_branch_protection(repo, name, sent(fields, {}))),
        update=lambda there, fields: shown(forge.update_branch_protection(repo, name, sent(fields, there))),
        delete=lambda _there: forge.delete_branch_protection(repo, name),
    )
    return single(f"rule {name} of {repo}", "branch_protection", decide(found, wanted, RULES), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the rule of this name, or all, in the order in which the forge tries them."""
    name = params["rule_name"]
    rules = _rules(forge, params["repo"])
    return {"branch_protections": [there for there in rules if name in (None, there["rule_name"])]}


def sent(fields: Fields, there: Fields) -> Fields:
    """Return what to send for fields that change: all of a gate together, the patterns as one text."""
    whole = {name: value for name, value in fields.items() if name != "rule_name"}
    for gate in GATES:
        if any(name in whole for name in gate):
            whole |= {name: fields.get(name, there.get(name, False)) for name in gate}
    return {name: ";".join(value) if name in PATTERNS else value for name, value in whole.items()}


def _rules(forge: GiteaClient, repo: str) -> list[Fields]:
    return [shown(rule) for rule in forge.list_branch_protections(repo)]


def _refuse_broken_globs(name: str, globs: Sequence[str]) -> None:
    """The forge would store it and fail at each later look at its rules."""
    broken = next((glob for glob in globs if glob.count("[") != glob.count("]")), None)
    if broken is not None:
        raise KeepError(f"{name}: {broken!r} opens a bracket and does not close it, or the other way round")


def _refuse_later(forge: GiteaClient, wanted: Fields) -> None:
    """Refuse what an older forge would drop with a success."""
    asked = [name for name, value in wanted.items() if "bypass" in name and value]
    if asked:
        version = forge.server_version()
        if version < BYPASS_SINCE:
            said = ".".join(map(str, version)) or "of an unknown version"
            raise KeepError(f"{asked[0]} needs a forge of 1.27 or later; this one is {said}")


def _spelled(forge: GiteaClient, repo: str, wanted: Fields, there: Fields) -> Fields:
    """Return the fields with accounts and teams as the forge spells them.

    Refuses who is not there, or would be dropped from a list: the forge says it on a real run, if ever.
    """
    asked = {name: wanted[name] for name in (*USERS, *TEAMS) if name in wanted}
    known = {name: {who.casefold(): who for who in there.get(name, [])} for name in asked}
    new = {name: [who for who in asked[name] if who.casefold() not in known[name]] for name in asked}
    asks_users = any(new.get(name) for name in USERS)
    teams = _teams(forge, repo) if asks_users or any(new.get(name) for name in TEAMS) else []
    logins = {
        who.casefold(): _login(forge, repo, who, [team for team in teams if lists(team, name)])
        for name in USERS
        for who in new.get(name, [])
    }
    readers = {team.name.casefold(): team.name for team in teams if may(team, "repo.code")}
    for who in (who for name in TEAMS for who in new.get(name, []) if who.casefold() not in readers):
        raise KeepError(
            f"team {who} cannot read the code of {repo}, and the forge lists only teams that can;"
            " give it the repository first"
        )
    spelled = {
        name: [
            {**(logins if name in USERS else readers), **known[name]}[who.casefold()] for who in asked[name]
        ]
        for name in asked
    }
    return {**wanted, **spelled}


def _login(forge: GiteaClient, repo: str, user: str, teams: Sequence[Team]) -> str:
    """Return an account's name as the forge spells it. KeepError when it would be dropped from a list."""
    found = absent(lambda: forge.get_permission(repo, user))()
    if found is None or found.user is None:
        raise KeepError(f"{user} is no account of this forge, or not one to see")
    login = found.user.login
    # The forge's own word leaves out what teams give by unit.
    if found.permission not in ("write", "admin", "owner") and not _member(forge, teams, login):
        raise KeepError(f"{user} may not write to {repo}, and the forge lists only who may; grant it first")
    return login


def _member(forge: GiteaClient, teams: Sequence[Team], login: str) -> bool:
    try:
        return any(one.login == login for team in teams for one in forge.list_team_members(team.id))
    except ForbiddenError:
        # A token that sees no teams: what the forge then drops is noticed after the write.
        return True


def _teams(forge: GiteaClient, repo: str) -> list[Team]:
    """Return the teams that have a repository, none for one of a person."""
    try:
        return forge.list_repo_teams(repo)
    except ConflictError:
        return []


def may(team: Team, unit: str, *words: str) -> bool:
    """Return whether a team may use a unit of its repositories; with words, in one of these ways."""
    word = team.units_map.get(unit, "none")
    return team.permission in ("admin", "owner") or (word in words if words else word != "none")


def lists(team: Team, name: str) -> bool:
    """Return whether the forge takes a team's members into a list of accounts."""
    changes = may(team, "repo.code", "write", "admin")
    return may(team, "repo.pulls") and (changes or name.startswith("approvals"))
