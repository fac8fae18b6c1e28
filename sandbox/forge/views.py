# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How accounts, organizations, repositories and teams look, field for field as Gitea 1.26 shows them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from . import permissions
from .store import must

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

NEVER = "0001-01-01T00:00:00Z"
SETTINGS: dict[str, Any] = {
    "has_code": True,
    "has_issues": True,
    "internal_tracker": {
        "enable_time_tracker": True,
        "allow_only_contributors_to_track_time": True,
        "enable_issue_dependencies": True,
    },
    "has_wiki": True,
    "has_pull_requests": True,
    "has_projects": True,
    "projects_mode": "all",
    "has_releases": True,
    "has_packages": True,
    "has_actions": False,
    "ignore_whitespace_conflicts": False,
    "allow_merge_commits": True,
    "allow_rebase": True,
    "allow_rebase_explicit": True,
    "allow_squash_merge": True,
    "allow_fast_forward_only_merge": True,
    "allow_rebase_update": True,
    "allow_manual_merge": False,
    "autodetect_manual_merge": False,
    "default_delete_branch_after_merge": False,
    "default_merge_style": "merge",
    "default_allow_maintainer_edit": True,
}
# Without pulls there is nothing to merge: these are then off.
PULL_SETTINGS = frozenset(
    key
    for key in SETTINGS
    if key.startswith(("allow_", "default_"))
    or key in {"ignore_whitespace_conflicts", "autodetect_manual_merge"}
)


def moment(seconds: int) -> str:
    """Return a time as the forge writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_or_none(seconds: int) -> str | None:
    """Return a time, or null for zero."""
    return moment(seconds) if seconds else None


def settings_of(repo: Row) -> dict[str, Any]:
    """Return the switches of a repository, defaults included."""
    changed: dict[str, Any] = json.loads(repo["settings"])
    found = SETTINGS | changed
    if not found["has_pull_requests"]:
        found |= {key: False for key in PULL_SETTINGS if found[key] is True}
    return found


def _avatar(r: Request, text: str) -> str:
    return f"{r.site}/avatars/{hashlib.sha256(text.lower().encode()).hexdigest()[:32]}"


def user(r: Request, row: Row | None, viewer: Row | None = None) -> dict[str, Any] | None:
    """Return an account; its private side only where a viewer is given who is itself or a site admin."""
    if row is None:
        return None
    near = viewer is not None and (viewer["id"] == row["id"] or bool(viewer["admin"]))
    hidden = "" if row["kind"] == "org" else f"{row['id']}+{row['lower']}@noreply.localhost"
    return {
        "id": row["id"],
        "login": row["name"],
        "login_name": row["login_name"] if near else "",
        "source_id": 0,
        "full_name": row["full_name"],
        "email": row["email"] if near else hidden,
        "avatar_url": _avatar(r, row["email"] or row["name"]),
        "html_url": f"{r.site}/{row['name']}",
        "language": "",
        "is_admin": bool(row["admin"]) if near else False,
        "last_login": "1970-01-01T00:00:00Z" if near else NEVER,
        "created": moment(row["created"]),
        "restricted": bool(row["restricted"]) if near else False,
        "active": bool(row["active"]) if near else False,
        "prohibit_login": bool(row["prohibit_login"]) if near else False,
        "location": row["location"],
        "website": row["website"],
        "description": row["description"],
        "visibility": row["visibility"],
        "followers_count": 0,
        "following_count": 0,
        "starred_repos_count": 0,
        "username": row["name"],
    }


def user_by_id(r: Request, key: int, viewer: Row | None = None) -> dict[str, Any] | None:
    """Return an account by id, or null."""
    return user(r, r.db.get("user", key), viewer)


def org(r: Request, row: Row) -> dict[str, Any]:
    """Return an organization."""
    return {
        "id": row["id"],
        "name": row["name"],
        "full_name": row["full_name"],
        "email": row["email"],
        "avatar_url": _avatar(r, row["name"]),
        "description": row["description"],
        "website": row["website"],
        "location": row["location"],
        "visibility": row["visibility"],
        "repo_admin_change_team_access": bool(row["repo_admin_team"]),
        "username": row["name"],
    }


def team(r: Request, row: Row, *, with_org: bool = True) -> dict[str, Any]:
    """Return a team. A team with units has the permission word "none"."""
    units: dict[str, str] = json.loads(row["units"])
    if row["permission"] in {"owner", "admin"}:
        units = dict.fromkeys(permissions.UNITS, row["permission"])
    return {
        "id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "organization": org(r, must(r.db.get("user", row["org_id"]))) if with_org else None,
        "includes_all_repositories": bool(row["all_repos"]),
        "permission": row["permission"],
        "units": list(units),
        "units_map": units,
        "can_create_org_repo": bool(row["create_repo"]),
    }


def branch_count(r: Request, repo_id: int) -> int:
    """Count branches from the files, which costs no process."""
    path = r.forge.git(repo_id).path
    heads = path / "refs" / "heads"
    names = {
        str(file.relative_to(heads)) for file in heads.rglob("*") if file.is_file() and file.suffix != ".lock"
    }
    packed = path / "packed-refs"
    if packed.is_file():
        for line in packed.read_text(encoding="utf-8", errors="replace").splitlines():
            if " refs/heads/" in line:
                names.add(line.partition(" refs/heads/")[2])
    return len(names)


def repo(r: Request, row: Row, access: permissions.Access | None = None) -> dict[str, Any]:
    """Return a repository as the doer sees it."""
    owner = must(r.db.get("user", row["owner_id"]))
    seen = permissions.access(r.db, row, r.doer) if access is None else access
    full = f"{owner['name']}/{row['name']}"
    counts = r.db.all(
        "select is_pull, count(*) as open from issue where repo_id = ? and closed = 0 group by is_pull",
        row["id"],
    )
    still = {bool(line["is_pull"]): line["open"] for line in counts}
    watchers = r.db.value("select count(*) from user where kind = 'user'")
    releases = r.db.value("select count(*) from release where repo_id = ? and draft = 0", row["id"])
    switches = settings_of(row)
    pull_settings = {key: value for key, value in switches.items() if key in SETTINGS}
    found: dict[str, Any] = {
        "id": row["id"],
        "owner": user(r, owner, r.doer if owner["kind"] == "user" else None),
        "name": row["name"],
        "full_name": full,
        "description": row["description"],
        "empty": bool(row["empty"]),
        "private": bool(row["private"]),
        "fork": row["fork_of"] is not None,
        "template": bool(row["template"]),
        "mirror": False,
        "size": row["size"],
        "language": "",
        "languages_url": f"{r.api}/repos/{full}/languages",
        "html_url": f"{r.site}/{full}",
        "url": f"{r.api}/repos/{full}",
        "link": "",
        "ssh_url": f"git@localhost:{full}.git",
        "clone_url": f"{r.site}/{full}.git",
        "original_url": "",
        "website": row["website"],
        "stars_count": 0,
        "forks_count": r.db.value("select count(*) from repo where fork_of = ?", row["id"]),
        "watchers_count": watchers,
        "branch_count": branch_count(r, row["id"]),
        "open_issues_count": still.get(False, 0),
        "open_pr_counter": still.get(True, 0),
        "release_counter": releases,
        "default_branch": row["default_branch"],
        "archived": bool(row["archived"]),
        "created_at": moment(row["created"]),
        "updated_at": moment(row["updated"]),
        "archived_at": moment(row["archived_at"]),
        "permissions": {
            "admin": seen.admin,
            "push": seen.of(permissions.CODE) >= permissions.WRITE,
            "pull": seen.of(permissions.CODE) >= permissions.READ,
        },
        **pull_settings,
        "avatar_url": "",
        "internal": False,
        "mirror_interval": "",
        "object_format_name": "sha1",
        "mirror_updated": NEVER,
        "topics": json.loads(row["topics"]),
        "licenses": [],
    }
    if row["fork_of"] is not None:
        parent = r.db.get("repo", row["fork_of"])
        found["parent"] = None if parent is None else repo(r, parent)
    offer = r.db.one("select * from transfer where repo_id = ?", row["id"])
    if offer is not None:
        sides = {side: user_by_id(r, offer[f"{side}_id"]) for side in ("doer", "recipient")}
        found["repo_transfer"] = {**sides, "teams": None}
    return found


def full_name(r: Request, row: Row) -> str:
    """Return owner/name of a repository."""
    return f"{must(r.db.get('user', row['owner_id']))['name']}/{row['name']}"
