# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories and what hangs on them: branches, protections, statuses, hooks, keys, releases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from .gitea_admin_types import (
    BranchProtection,
    DeployKey,
    Hook,
    Permission,
)
from .gitea_errors import NotFoundError
from .gitea_session import Session, first
from .gitea_types import Branch, Commit, GitRef, Repo, Status, Tag, Team, User
from .gitea_url import owner_path, repo_path, segments

T = TypeVar("T")


def absent(get: Callable[[], T]) -> Callable[[], T | None]:
    """Return a reader that says None where there is nothing."""

    def read() -> T | None:
        try:
            return get()
        except NotFoundError:
            return None

    return read


class Repos(Session):
    """The forge's repositories."""

    def get_repo(self, repo: str) -> Repo:
        """Return a repository. One that was renamed is found too: compare `full_name`."""
        return self.read(Repo, repo_path(repo))

    def create_repo(self, owner: str, name: str, *, org: bool = True, **fields: Any) -> Repo:
        """Create a repository of an organization, or with `org` false of a user, as site admin."""
        path = segments("orgs", owner, "repos") if org else segments("admin", "users", owner, "repos")
        find = absent(lambda: self.get_repo(f"{owner}/{name}"))
        return self.create(Repo, path, {"name": name, **fields}, find, slow=True)

    def create_own_repo(self, owner: str, name: str, **fields: Any) -> Repo:
        """Create a repository of the asking account, whose name is `owner`."""
        find = absent(lambda: self.get_repo(f"{owner}/{name}"))
        return self.create(Repo, "/user/repos", {"name": name, **fields}, find, slow=True)

    def transfer_repo(self, repo: str, owner: str) -> Repo:
        """Give a repository to another owner, and return it.

        Where the account may make no repositories there, it is only offered: `transfer_to` says to whom.
        """
        there = f"{owner}/{repo.partition('/')[2]}".casefold()

        def find() -> Repo | None:
            now = absent(lambda: self.get_repo(repo))()
            moved = now is not None and there == now.full_name.casefold()
            return now if now is not None and (moved or now.transfer_to) else None

        return self.create(Repo, repo_path(repo, "transfer"), {"new_owner": owner}, find, slow=True)

    def update_repo(self, repo: str, **fields: Any) -> Repo:
        """Change the fields that are given."""
        return self.write_typed(Repo, "PATCH", repo_path(repo), fields)

    def delete_repo(self, repo: str) -> None:
        """Delete a repository with everything in it."""
        self.delete(repo_path(repo))

    def replace_topics(self, repo: str, topics: Sequence[str]) -> None:
        """Set exactly these topics."""
        self.write("PUT", repo_path(repo, "topics"), {"topics": list(topics)})

    # --- branches, refs, tags

    def list_branches(self, repo: str) -> list[Branch]:
        """Return all branches."""
        return self.read_list(Branch, "branches", repo_path(repo, "branches"))

    def get_branch(self, repo: str, branch: str) -> Branch:
        """Return a branch, with the contexts that its protection asks for."""
        return self.read(Branch, repo_path(repo, "branches", branch))

    def create_branch(self, repo: str, branch: str, start: str) -> Branch:
        """Create a branch at a ref or commit. ConflictError when it exists.

        Who loses a race gets the winner's branch: this is no lock, the fleet's claims are git pushes.
        """
        data = {"new_branch_name": branch, "old_ref_name": start}
        find = absent(lambda: self.get_branch(repo, branch))
        return self.create(Branch, repo_path(repo, "branches"), data, find)

    def delete_branch(self, repo: str, branch: str) -> None:
        """Delete a branch."""
        self.delete(repo_path(repo, "branches", branch))

    def list_refs(self, repo: str) -> list[GitRef]:
        """Return the refs of all namespaces."""
        return self.read_list(GitRef, "git/refs", repo_path(repo, "git", "refs"))

    def list_tags(self, repo: str) -> list[Tag]:
        """Return all tags."""
        return self.read_list(Tag, "tags", repo_path(repo, "tags"))

    # --- statuses

    def list_statuses(self, repo: str, sha: str) -> list[Status]:
        """Return every status of a commit, newest first, of all pages: combine them yourself."""
        rows = self.read_list(Status, "statuses", repo_path(repo, "statuses", sha))
        return sorted(rows, key=lambda one: -one.id)

    def create_status(
        self, repo: str, sha: str, context: str, state: str, *, description: str = "", target_url: str = ""
    ) -> Status:
        """Say of a commit: pending, success, error, failure, warning or skipped, in a context, once.

        After a lost answer, a newest status of the context that says the same is taken for this one.
        """
        if state not in ("pending", "success", "error", "failure", "warning", "skipped"):
            raise ValueError(f"{state!r} is no state; the forge would store it and never count it")
        said = {"context": context, "state": state, "description": description, "target_url": target_url}

        def find() -> Status | None:
            newest = first(self.list_statuses(repo, sha), lambda one: one.context == context)
            if newest is None:
                # The forge answers 500 for a commit that it does not have: this says so.
                self.read(Commit, repo_path(repo, "git", "commits", sha))
                return None
            return newest if said == {name: getattr(newest, name) for name in said} else None

        return self.create(Status, repo_path(repo, "statuses", sha), said, find)

    # --- branch protections

    def list_branch_protections(self, repo: str) -> list[BranchProtection]:
        """Return all rules; only a repository's admins may read them."""
        return self.read_list(BranchProtection, "branch_protections", repo_path(repo, "branch_protections"))

    def get_branch_protection(self, repo: str, rule: str) -> BranchProtection:
        """Return the rule of this name."""
        return self.read(BranchProtection, repo_path(repo, "branch_protections", rule))

    def create_branch_protection(self, repo: str, rule: str, fields: Mapping[str, Any]) -> BranchProtection:
        """Create a rule. ForbiddenError also when it is there already."""
        find = absent(lambda: self.get_branch_protection(repo, rule))
        data = {**fields, "rule_name": rule}
        return self.create(BranchProtection, repo_path(repo, "branch_protections"), data, find)

    def update_branch_protection(self, repo: str, rule: str, fields: Mapping[str, Any]) -> BranchProtection:
        """Change a rule; push lists are only read when `enable_push` is among the fields."""
        path = repo_path(repo, "branch_protections", rule)
        return self.write_typed(BranchProtection, "PATCH", path, dict(fields))

    def delete_branch_protection(self, repo: str, rule: str) -> None:
        """Delete a rule."""
        self.delete(repo_path(repo, "branch_protections", rule))

    # --- hooks; `owner` is an organization or owner/name

    def list_hooks(self, owner: str) -> list[Hook]:
        """Return the hooks."""
        return self.read_list(Hook, "hooks", owner_path(owner, "hooks"))

    def create_hook(
        self,
        owner: str,
        url: str,
        events: Sequence[str],
        *,
        secret: str = "",
        active: bool = True,
        kind: str = "gitea",
        content_type: str = "json",
        **more: Any,
    ) -> Hook:
        """Create a hook. Its secret cannot be changed later: delete it and create another."""
        config = {"url": url, "content_type": content_type, **({"secret": secret} if secret else {})}
        data = {"type": kind, "active": active, "config": config, "events": list(events), **more}
        before = {one.id for one in self.list_hooks(owner)}

        def find() -> Hook | None:
            return first(self.list_hooks(owner), lambda one: one.url == url and one.id not in before)

        return self.create(Hook, owner_path(owner, "hooks"), data, find)

    def update_hook(self, owner: str, hook_id: int, fields: Mapping[str, Any]) -> Hook:
        """Change a hook; give the whole of it, for what is left out is reset."""
        return self.write_typed(Hook, "PATCH", owner_path(owner, "hooks", hook_id), dict(fields))

    def delete_hook(self, owner: str, hook_id: int) -> None:
        """Delete a hook."""
        self.delete(owner_path(owner, "hooks", hook_id))

    # --- who may

    def list_collaborators(self, repo: str) -> list[User]:
        """Return the collaborators."""
        return self.read_list(User, "collaborators", repo_path(repo, "collaborators"))

    def get_permission(self, repo: str, user: str) -> Permission:
        """Return what an account may do in a repository."""
        return self.read(Permission, repo_path(repo, "collaborators", user, "permission"))

    def put_collaborator(self, repo: str, user: str, permission: str) -> None:
        """Let an account read, write or admin a repository."""
        if permission not in ("read", "write", "admin"):
            raise ValueError(f"{permission!r} is no permission; write read, write or admin")
        self.write("PUT", repo_path(repo, "collaborators", user), {"permission": permission})

    def delete_collaborator(self, repo: str, user: str) -> None:
        """Take a collaborator's rights away."""
        self.delete(repo_path(repo, "collaborators", user))

    def list_repo_teams(self, repo: str) -> list[Team]:
        """Return the teams that have a repository."""
        return self.read_list(Team, "repo teams", repo_path(repo, "teams"))

    def list_assignees(self, repo: str) -> list[User]:
        """Return who may write to a repository, and so may always be assigned to its issues."""
        return self.read_list(User, "assignees", repo_path(repo, "assignees"))

    # --- deploy keys

    def list_deploy_keys(self, repo: str) -> list[DeployKey]:
        """Return the deploy keys."""
        return self.read_list(DeployKey, "keys", repo_path(repo, "keys"))

    def create_deploy_key(self, repo: str, title: str, key: str, *, read_only: bool = True) -> DeployKey:
        """Add a deploy key."""
        data = {"title": title, "key": key, "read_only": read_only}

        def find() -> DeployKey | None:
            return first(self.list_deploy_keys(repo), lambda one: one.title == title)

        return self.create(DeployKey, repo_path(repo, "keys"), data, find)

    def delete_deploy_key(self, repo: str, key_id: int) -> None:
        """Remove a deploy key."""
        self.delete(repo_path(repo, "keys", key_id))
