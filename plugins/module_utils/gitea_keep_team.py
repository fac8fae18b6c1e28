# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A team of an organization as a module keeps it, with its members and its repositories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, single
from .gitea_repos import absent
from .gitea_types import Team

UNITS = (
    "repo.code",
    "repo.issues",
    "repo.pulls",
    "repo.releases",
    "repo.wiki",
    "repo.ext_wiki",
    "repo.ext_issues",
    "repo.projects",
    "repo.packages",
    "repo.actions",
)
LEVELS = ("none", "read", "write")
FIELDS = ("description", "includes_all_repositories", "can_create_org_repo")
# The team that owns the organization: the forge takes only these of it, and the rest with a success.
OF_OWNERS = frozenset({"name", "description", "members"})
ARGUMENTS: dict[str, dict[str, Any]] = {
    "org": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str"},
    "permission": {"type": "str", "choices": ["read", "write", "admin"]},
    "units_map": {"type": "dict"},
    "includes_all_repositories": {"type": "bool"},
    "can_create_org_repo": {"type": "bool"},
    "members": {"type": "list", "elements": "str"},
    "purge_members": {"type": "bool", "default": False},
    "repos": {"type": "list", "elements": "str"},
    "purge_repos": {"type": "bool", "default": False},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {
    "org": {"type": "str", "required": True},
    "name": {"type": "str"},
}


def shown(team: Team, members: Iterable[str], repos: Iterable[str]) -> Fields:
    """Return a team as plain fields; a unit that it may not see counts as one that is not named."""
    fields = {name: value for name, value in plain(team).items() if name != "units"}
    fields["units_map"] = {unit: level for unit, level in team.units_map.items() if level != "none"}
    return {**fields, "members": sorted(members), "repos": sorted(repos)}


RULES = Rules(blank=shown(Team(), (), ()), fold=frozenset({"name", "members", "repos"}))


def rights_of(permission: str | None, units_map: Mapping[str, Any] | None) -> Fields:
    """Return the declared rights in the forge's form, {} for none. Raises KeepError."""
    if permission is None and units_map is None:
        return {}
    if permission == "admin":
        if units_map:
            raise KeepError(
                "units_map: a team with permission admin has all rights in all units; leave it out"
            )
        return {"permission": "admin"}
    units = dict.fromkeys(UNITS, permission) if permission else {}
    for unit, level in (units_map or {}).items():
        if unit not in UNITS:
            raise KeepError(f"units_map: {unit!r} is no unit; there are {', '.join(UNITS)}")
        if level not in LEVELS:
            raise KeepError(f"units_map: {unit} cannot be {level!r}; write {', '.join(LEVELS)}")
        units[unit] = level
    units = {unit: level for unit, level in units.items() if level != "none"}
    if not units:
        raise KeepError("units_map: a team needs a right in one unit at least")
    return {"permission": "none", "units_map": units}


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the team is as wanted."""
    org, name, present = params["org"], params["name"], params["state"] == "present"
    _refuse_nonsense(params)
    team = forge.find_team(org, name)
    found = None if team is None else _whole(forge, team)
    wanted = _wanted(forge, params, found) if present else None
    if found is not None and found["permission"] == "owner":
        _refuse_for_owners(found, wanted)
    hands = Hands(
        create=lambda fields: _created(forge, org, fields),
        update=lambda there, fields: _updated(forge, org, there, fields),
        delete=lambda there: forge.delete_team(there["id"]),
    )
    return single(f"team {name} of {org}", "team", decide(found, wanted, RULES), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the team of this name, or all of the organization."""
    name = (params["name"] or "").casefold()
    teams = [team for team in forge.list_teams(params["org"]) if name in ("", team.name.casefold())]
    return {"teams": [_whole(forge, team) for team in sorted(teams, key=lambda team: team.name.lower())]}


def _whole(forge: GiteaClient, team: Team) -> Fields:
    members = (user.login for user in forge.list_team_members(team.id))
    return shown(team, members, (repo.name for repo in forge.list_team_repos(team.id)))


def _refuse_nonsense(params: Mapping[str, Any]) -> None:
    for what in ("members", "repos"):
        if params[f"purge_{what}"] and params[what] is None:
            raise KeepError(f"purge_{what} goes with {what}: it removes those that are not declared")
    if params["includes_all_repositories"] and params["repos"] is not None:
        raise KeepError("repos: a team of all repositories has no list of its own; leave one of them out")


def _wanted(forge: GiteaClient, params: Mapping[str, Any], found: Fields | None) -> Fields:
    wanted = {"name": params["name"], **declared(params, FIELDS)}
    wanted |= rights_of(params["permission"], params["units_map"])
    if found is None and "permission" not in wanted:
        raise KeepError(f"team {params['name']} is not there yet; a new one needs permission or units_map")
    there = found or RULES.blank
    if params["members"] is not None:
        known = _by_fold(there["members"])
        names = [known.get(one.casefold()) or _account(forge, one) for one in params["members"]]
        wanted["members"] = _whole_set(names, there["members"], purge=params["purge_members"])
    if params["repos"] is not None:
        if there["includes_all_repositories"] and params["includes_all_repositories"] is None:
            raise KeepError("repos: the team has all repositories; set includes_all_repositories to false")
        names = _repos(forge, params["org"], params["repos"])
        wanted["repos"] = _whole_set(names, there["repos"], purge=params["purge_repos"])
    return wanted


def _whole_set(names: list[str], there: list[str], *, purge: bool) -> list[str]:
    return sorted(set(names) | set(() if purge else there))


def _by_fold(names: Iterable[str]) -> dict[str, str]:
    return {name.casefold(): name for name in names}


def _account(forge: GiteaClient, name: str) -> str:
    """An account's name as the forge has it. What it would refuse must be refused in check mode too."""
    user = absent(lambda: forge.get_user(name))()
    if user is None or user.login.casefold() != name.casefold():
        raise KeepError(f"members: there is no account {name}; make it first")
    return user.login


def _repos(forge: GiteaClient, org: str, names: Iterable[str]) -> list[str]:
    known = _by_fold(repo.name for repo in forge.list_org_repos(org))
    for name in names:
        if name.casefold() not in known:
            raise KeepError(f"repos: {org} has no repository {name}; make it first")
    return [known[name.casefold()] for name in names]


def _refuse_for_owners(found: Fields, wanted: Fields | None) -> None:
    """The forge ignores such changes with a success, and deletes this team without a question."""
    if wanted is None:
        raise KeepError(f"team {found['name']} owns the organization; it cannot be removed")
    fixed = [name for name in RULES.differing(wanted, found) if name not in OF_OWNERS]
    if fixed:
        raise KeepError(f"team {found['name']} owns the organization; leave out {', '.join(fixed)}")
    if wanted.get("members") == []:
        raise KeepError(f"team {found['name']} owns the organization; it needs a member")


def _created(forge: GiteaClient, org: str, fields: Fields) -> Fields:
    team = forge.create_team(org, **_form(fields))
    return _filled(forge, org, shown(team, (), ()), fields)


def _updated(forge: GiteaClient, org: str, there: Fields, fields: Fields) -> Fields:
    if set(fields) - {"members", "repos"}:
        # The whole form: of some fields the forge takes notice only beside others.
        forge.update_team(there["id"], **_form({**there, **fields}))
    return _filled(forge, org, there, fields)


def _form(fields: Fields) -> Fields:
    """What the forge takes of a team. Beside a map of units the permission says nothing and must be there."""
    form = {name: fields[name] for name in ("name", *FIELDS) if name in fields}
    if fields["permission"] == "none":
        return {**form, "permission": "read", "units_map": fields["units_map"]}
    return form if fields["permission"] == "owner" else {**form, "permission": fields["permission"]}


def _filled(forge: GiteaClient, org: str, there: Fields, fields: Fields) -> Fields:
    """Bring members and repositories to what is declared, and return the team as it then is."""
    key = there["id"]
    if "members" in fields:
        for name in _missing(fields["members"], there["members"]):
            forge.put_team_member(key, name)
        for name in _missing(there["members"], fields["members"]):
            forge.delete_team_member(key, name)
    if "repos" in fields:
        for name in _missing(fields["repos"], there["repos"]):
            forge.put_team_repo(key, f"{org}/{name}")
        for name in _missing(there["repos"], fields["repos"]):
            forge.delete_team_repo(key, f"{org}/{name}")
    return _whole(forge, forge.get_team(key))


def _missing(wanted: Iterable[str], there: Iterable[str]) -> list[str]:
    return sorted(set(wanted) - set(there))
