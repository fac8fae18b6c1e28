# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Organizations, teams, accounts, tokens, and what the forge's own runner is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .gitea_admin_types import ActionsSecret, ActionsVariable, Token
from .gitea_errors import InvalidError
from .gitea_once import post_once
from .gitea_repos import absent
from .gitea_session import Session, first
from .gitea_types import Org, Repo, Team, User
from .gitea_url import owner_path, segments, with_query


class Orgs(Session):
    """What belongs to no repository."""

    def get_org(self, org: str) -> Org:
        """Return an organization."""
        return self.read(Org, segments("orgs", org))

    def list_orgs(self) -> list[Org]:
        """Return the organizations that this account may see."""
        return self.read_list(Org, "orgs", "/orgs")

    def create_org(self, org: str, **fields: Any) -> Org:
        """Create an organization."""
        find = absent(lambda: self.get_org(org))
        return self.create(Org, "/orgs", {**fields, "username": org}, find)

    def update_org(self, org: str, **fields: Any) -> Org:
        """Change the fields that are given; the name is not among them."""
        return self.write_typed(Org, "PATCH", segments("orgs", org), fields)

    def delete_org(self, org: str) -> None:
        """Delete an organization that has no repositories."""
        self.delete(segments("orgs", org))

    def list_org_repos(self, org: str) -> list[Repo]:
        """Return an organization's repositories, as far as this account may see them."""
        return self.read_list(Repo, "orgs/repos", segments("orgs", org, "repos"))

    def list_org_members(self, org: str) -> list[User]:
        """Return the members of an organization."""
        return self.read_list(User, "members", segments("orgs", org, "members"))

    # --- teams

    def list_teams(self, org: str) -> list[Team]:
        """Return an organization's teams."""
        return self.read_list(Team, "teams", segments("orgs", org, "teams"))

    def find_team(self, org: str, name: str) -> Team | None:
        """Return the team of this name, None when there is none."""
        return first(self.list_teams(org), lambda one: one.name.lower() == name.lower())

    def get_team(self, team_id: int) -> Team:
        """Return a team."""
        return self.read(Team, segments("teams", team_id))

    def create_team(self, org: str, name: str, **fields: Any) -> Team:
        """Create a team; give `permission` and `units_map`."""

        def find() -> Team | None:
            return self.find_team(org, name)

        return self.create(Team, segments("orgs", org, "teams"), {**fields, "name": name}, find)

    def update_team(self, team_id: int, **fields: Any) -> Team:
        """Change a team; `name` and `permission` must be given."""
        return self.write_typed(Team, "PATCH", segments("teams", team_id), fields)

    def delete_team(self, team_id: int) -> None:
        """Delete a team."""
        self.delete(segments("teams", team_id))

    def list_team_members(self, team_id: int) -> list[User]:
        """Return a team's members."""
        return self.read_list(User, "teams/members", segments("teams", team_id, "members"))

    def list_team_repos(self, team_id: int) -> list[Repo]:
        """Return a team's repositories, as far as this account may see them."""
        return self.read_list(Repo, "teams/repos", segments("teams", team_id, "repos"))

    def put_team_member(self, team_id: int, user: str) -> None:
        """Take an account into a team."""
        self.write("PUT", segments("teams", team_id, "members", user))

    def delete_team_member(self, team_id: int, user: str) -> None:
        """Take an account out of a team."""
        self.delete(segments("teams", team_id, "members", user))

    def put_team_repo(self, team_id: int, repo: str) -> None:
        """Give a team a repository of its organization."""
        owner, _slash, name = repo.partition("/")
        self.write("PUT", segments("teams", team_id, "repos", owner, name))

    def delete_team_repo(self, team_id: int, repo: str) -> None:
        """Take a repository from a team."""
        owner, _slash, name = repo.partition("/")
        self.delete(segments("teams", team_id, "repos", owner, name))

    # --- accounts

    def whoami(self) -> User:
        """Return the account that asks."""
        return self.read(User, "/user")

    def get_user(self, user: str) -> User:
        """Return an account."""
        return self.read(User, segments("users", user))

    def list_users(self) -> list[User]:
        """Return all accounts, as site admin."""
        return self.read_list(User, "admin/users", "/admin/users")

    def create_user(self, user: str, email: str, password: str, **fields: Any) -> User:
        """Create an account, as site admin, that need not change its password first."""
        data = {
            "must_change_password": False,
            **fields,
            "username": user,
            "email": email,
            "password": password,
        }
        return self.create(User, "/admin/users", data, absent(lambda: self.get_user(user)))

    def update_user(self, user: str, **fields: Any) -> User:
        """Change an account, as site admin. Where it logs in is sent along: the forge would else clear it."""
        now = self.get_user(user)
        data = {"source_id": now.source_id, "login_name": now.login_name or now.login, **fields}
        return self.write_typed(User, "PATCH", segments("admin", "users", user), data)

    def delete_user(self, user: str, *, purge: bool = False) -> None:
        """Delete an account, as site admin: one that owns nothing, or with `purge` all it owns as well."""
        path = segments("admin", "users", user)
        self.delete(with_query(path, {"purge": True}) if purge else path)

    def list_user_repos(self, user: str) -> list[Repo]:
        """Return an account's own repositories, as far as the asking account may see them."""
        return self.read_list(Repo, "users/repos", segments("users", user, "repos"))

    def list_user_orgs(self, user: str) -> list[Org]:
        """Return the organizations that an account is a member of; of others only a site admin sees all."""
        return self.read_list(Org, "users/orgs", segments("users", user, "orgs"))

    # --- tokens; the forge wants a password for these, a token is refused

    def list_tokens(self, user: str) -> list[Token]:
        """Return an account's tokens, without their values."""
        return self.read_list(Token, "tokens", segments("users", user, "tokens"))

    def create_token(self, user: str, name: str, scopes: Sequence[str]) -> Token:
        """Create a token and return it with its value, which is shown this once.

        InvalidError when the name is taken. One whose answer was lost is worth nothing: it is deleted, and
        another created.
        """
        path = segments("users", user, "tokens")
        before = {one.id for one in self.list_tokens(user)}
        data = {"name": name, "scopes": list(scopes)}

        def post() -> Token:
            return self.made(Token, path, self.transport.send("POST", path, data))

        def sweep() -> Token | None:
            lost = first(self.list_tokens(user), lambda one: one.name == name and one.id not in before)
            if lost is not None:
                self.delete_token(user, lost.id)
            return None

        made = post_once(post, sweep, self.retry)
        if not made.value:
            raise InvalidError("POST", path, "the forge did not show the token's value", 201)
        return made

    def delete_token(self, user: str, token_id: int) -> None:
        """Delete a token by its id; by name, one of digits would be taken for an id."""
        self.delete(segments("users", user, "tokens", token_id))

    # --- what the forge's runner is given; `owner` is an organization, owner/name, or ME of `gitea_url`

    def list_secrets(self, owner: str) -> list[ActionsSecret]:
        """Return the names of the secrets. NotFoundError for ME: the forge lists none of an account."""
        return self.read_list(ActionsSecret, "secrets", owner_path(owner, "actions", "secrets"))

    def put_secret(self, owner: str, name: str, value: str, *, description: str = "") -> None:
        """Create or replace a secret; its value cannot be read back."""
        data = {"data": value, **({"description": description} if description else {})}
        self.write("PUT", owner_path(owner, "actions", "secrets", name), data)

    def delete_secret(self, owner: str, name: str) -> None:
        """Delete a secret."""
        self.delete(owner_path(owner, "actions", "secrets", name))

    def list_variables(self, owner: str) -> list[ActionsVariable]:
        """Return the variables."""
        return self.read_list(ActionsVariable, "variables", owner_path(owner, "actions", "variables"))

    def create_variable(self, owner: str, name: str, value: str, *, description: str = "") -> None:
        """Create a variable. ConflictError when it exists."""
        path = owner_path(owner, "actions", "variables", name)
        data = {"value": value, "description": description}

        def find() -> bool | None:
            wanted = (name.upper(), value)
            return any((one.name.upper(), one.data) == wanted for one in self.list_variables(owner)) or None

        def post() -> bool:
            self.transport.send("POST", path, data).data("POST", path)
            return True

        post_once(post, find, self.retry)

    def update_variable(self, owner: str, name: str, value: str, *, description: str = "") -> None:
        """Change a variable; a description that is left out is cleared."""
        data = {"value": value, "description": description}
        self.write("PUT", owner_path(owner, "actions", "variables", name), data)

    def delete_variable(self, owner: str, name: str) -> None:
        """Delete a variable."""
        self.delete(owner_path(owner, "actions", "variables", name))
