# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of the forge as a module keeps it: made, set up, renamed, given to another owner, removed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, same_name, single
from .gitea_repos import absent
from .gitea_types import Repo

MERGE_STYLES = ("merge", "rebase", "rebase-merge", "squash", "fast-forward-only")
SWITCHES = (
    "private",
    "template",
    "archived",
    "has_issues",
    "has_pull_requests",
    "has_wiki",
    "has_projects",
    "has_releases",
    "has_packages",
    "has_actions",
)
# These belong to pull requests: without those the forge has none of them, and one of them brings those back.
OF_PULLS = (
    "allow_merge_commits",
    "allow_rebase",
    "allow_rebase_explicit",
    "allow_squash_merge",
    "allow_fast_forward_only_merge",
    "allow_rebase_update",
    "default_delete_branch_after_merge",
)
AT_CREATION = ("description", "private", "template", "default_branch", "auto_init")
FIELDS = ("description", "website", "default_branch", "default_merge_style", "topics", *SWITCHES, *OF_PULLS)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "was": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "force": {"type": "bool", "default": False},
    "auto_init": {"type": "bool"},
    "description": {"type": "str"},
    "website": {"type": "str"},
    "default_branch": {"type": "str"},
    "default_merge_style": {"type": "str", "choices": list(MERGE_STYLES)},
    "topics": {"type": "list", "elements": "str"},
    **{name: {"type": "bool"} for name in (*SWITCHES, *OF_PULLS)},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {"repo": {"type": "str"}, "owner": {"type": "str"}}
ONE_OF_THEM: dict[str, Any] = {
    "mutually_exclusive": [("repo", "owner")],
    "required_one_of": [("repo", "owner")],
}
RULES = Rules(blank=plain(Repo()), once=frozenset({"auto_init"}), fold=frozenset({"full_name"}))
_TOPIC = re.compile(r"[a-z0-9][-.a-z0-9]{0,34}")


def parts_of(option: str, repo: str) -> tuple[str, str]:
    """Return owner and name of a repository. Raises KeepError."""
    owner, slash, name = repo.partition("/")
    if not owner or not slash or not name or "/" in name:
        raise KeepError(f"{option}: {repo!r} is no repository; write owner/name")
    return owner, name


def topics_of(given: Sequence[str]) -> list[str]:
    """Return topics in the forge's form. Raises KeepError."""
    topics = [topic.strip().lower() for topic in given]
    for topic in topics:
        if not _TOPIC.fullmatch(topic):
            raise KeepError(
                f"topics: {topic!r} is none; it begins with a letter or digit and has at most 35 letters,"
                " digits, dots or dashes"
            )
    return topics


def find(forge: GiteaClient, repo: str) -> Fields | None:
    """Return the repository, None when there is none. KeepError when it has another name now."""
    found = absent(lambda: forge.get_repo(repo))()
    if found is None:
        return None
    same_name("repository", repo, found.full_name)
    return dict(plain(found))


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the repository is as wanted."""
    repo, was, present = params["repo"], params["was"], params["state"] == "present"
    owner, _name = parts_of("repo", repo)
    if was is not None:
        parts_of("was", was)
        if not present:
            raise KeepError("was goes with state present; name in repo what is to be removed")
    found = find(forge, repo)
    if found is None and was is not None:
        found = find(forge, was)
    wanted = _wanted(params) if present else None
    kind = ""
    if wanted is None:
        if found is not None and not found["empty"] and not params["force"]:
            raise KeepError(f"repository {repo} has commits; give force to remove it with all of them")
    elif found is None or owner.casefold() != str(found["owner"]).casefold():
        kind = _owner_kind(forge, owner)
    if wanted is not None:
        _refuse(forge, found, wanted)
        found = _forgotten(found, wanted)
    hands = Hands(
        create=lambda fields: _created(forge, kind, fields),
        update=lambda there, fields: _updated(forge, there, fields),
        delete=lambda there: forge.delete_repo(there["full_name"]),
    )
    return single(f"repository {repo}", "repo", decide(found, wanted, RULES), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the repository of this name, or all of an owner that this account may see."""
    if params["repo"]:
        parts_of("repo", params["repo"])
        found = find(forge, params["repo"])
        return {"repos": [] if found is None else [found]}
    owner = params["owner"]
    org = absent(lambda: forge.get_org(owner))() is not None
    repos = forge.list_org_repos(owner) if org else forge.list_user_repos(owner)
    return {"repos": plain(sorted(repos, key=lambda repo: repo.name.lower()))}


def _wanted(params: Mapping[str, Any]) -> Fields:
    wanted = {"full_name": params["repo"], **declared(params, (*FIELDS, "auto_init"))}
    if "topics" in wanted:
        wanted["topics"] = topics_of(wanted["topics"])
    return wanted


def _owner_kind(forge: GiteaClient, owner: str) -> str:
    """Whether an owner is an org, the asking account itself (own), or another (user). KeepError for none."""
    org = absent(lambda: forge.get_org(owner))()
    if org is not None:
        same_name("organization", owner, org.name)
        return "org"
    user = absent(lambda: forge.get_user(owner))()
    if user is None:
        raise KeepError(f"there is no organization and no account {owner}; make it first")
    same_name("account", owner, user.login)
    return "own" if forge.whoami().login.casefold() == owner.casefold() else "user"


def _forgotten(found: Fields | None, wanted: Fields) -> Fields | None:
    """Pull requests that come back merge as new ones do; what is shown while they are off means nothing."""
    if found is None or found["has_pull_requests"] or not wanted.get("has_pull_requests"):
        return found
    return {**found, **dict.fromkeys((*OF_PULLS, "default_merge_style"))}


def _refuse(forge: GiteaClient, found: Fields | None, wanted: Fields) -> None:
    """What the forge would refuse, or leave out with a success, is to be said in check mode too."""
    there = found or {"has_pull_requests": True, "empty": True}
    of_pulls = [name for name in wanted if name in (*OF_PULLS, "default_merge_style") and wanted[name]]
    if of_pulls and not wanted.get("has_pull_requests", there["has_pull_requests"]):
        raise KeepError(f"{', '.join(of_pulls)}: of no use without has_pull_requests; leave it out")
    if found is None:
        return
    full, branch = found["full_name"], wanted.get("default_branch")
    if found["transfer_to"] and not RULES.same("full_name", wanted["full_name"], full):
        raise KeepError(f"repository {full} is offered to {found['transfer_to']}; it has to be taken there")
    missing = branch not in (None, found["default_branch"]) and not found["empty"]
    if missing and absent(lambda: forge.get_branch(full, str(branch)))() is None:
        raise KeepError(f"default_branch: {full} has no branch {branch}; push it first")


def _created(forge: GiteaClient, kind: str, fields: Fields) -> Fields:
    owner, name = parts_of("repo", fields["full_name"])
    first = {key: fields[key] for key in AT_CREATION if key in fields}
    if kind == "own":
        made = forge.create_own_repo(owner, name, **first)
    else:
        made = forge.create_repo(owner, name, org=kind == "org", **first)
    rest = {key: value for key, value in fields.items() if key not in (*AT_CREATION, "full_name")}
    return _updated(forge, dict(plain(made)), rest)


def _updated(forge: GiteaClient, there: Fields, fields: Fields) -> Fields:
    full, rest = str(there["full_name"]), dict(fields)
    if "full_name" in rest:
        owner, name = parts_of("repo", rest.pop("full_name"))
        if owner.casefold() != str(there["owner"]).casefold():
            full = _moved(forge, full, owner)
        if name.casefold() != full.partition("/")[2].casefold():
            rest["name"] = name
    if "topics" in rest:
        forge.replace_topics(full, rest.pop("topics"))
    if rest:
        full = forge.update_repo(full, **rest).full_name
    return dict(plain(forge.get_repo(full)))


def _moved(forge: GiteaClient, full: str, owner: str) -> str:
    moved = forge.transfer_repo(full, owner)
    if moved.transfer_to:
        raise KeepError(
            f"repository {full} is now offered to {moved.transfer_to}, for this account may make none there;"
            " it has to be taken"
        )
    return moved.full_name
