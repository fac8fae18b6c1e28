# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Branch protection as decisions: which rule holds for a branch, and what it forbids. No HTTP here."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from . import permissions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .store import Row, Store

LISTS = (
    "push_whitelist_usernames",
    "push_whitelist_teams",
    "force_push_allowlist_usernames",
    "force_push_allowlist_teams",
    "merge_whitelist_usernames",
    "merge_whitelist_teams",
    "status_check_contexts",
    "approvals_whitelist_username",
    "approvals_whitelist_teams",
)
FLAGS = (
    "enable_push",
    "enable_push_whitelist",
    "push_whitelist_deploy_keys",
    "enable_force_push",
    "enable_force_push_allowlist",
    "force_push_allowlist_deploy_keys",
    "enable_merge_whitelist",
    "enable_status_check",
    "enable_approvals_whitelist",
    "block_on_rejected_reviews",
    "block_on_official_review_requests",
    "block_on_outdated_branch",
    "dismiss_stale_approvals",
    "ignore_stale_approvals",
    "require_signed_commits",
    "block_admin_merge_override",
)
GLOB = re.compile(r"[*?\[{]")


@cache
def glob(pattern: str, separators: str) -> re.Pattern[str]:
    """Return a pattern in which ``*`` stops at a separator and ``**`` does not."""
    other = f"[^{re.escape(separators)}]" if separators else "."
    made, at, depth = "", 0, 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            made, at = made + ".*", at + 1
        elif char in "*?":
            made += other + ("*" if char == "*" else "")
        elif char == "[" and "]" in pattern[at + 1 :]:
            end = pattern.index("]", at + 1)
            inner = pattern[at + 1 : end].replace("\\", "\\\\")
            made, at = made + "[" + ("^" + inner[1:] if inner.startswith("!") else inner) + "]", end
        elif char == "{" and "}" in pattern[at:]:
            made, depth = made + "(?:", depth + 1
        elif char == "}" and depth:
            made, depth = made + ")", depth - 1
        elif char == "," and depth:
            made += "|"
        else:
            made += re.escape(char)
        at += 1
    try:
        return re.compile(made, re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))


class Rule:
    """One protection rule."""

    def __init__(self, row: Row) -> None:
        self.id = int(row["id"])
        self.name = str(row["name"])
        self.repo_id = int(row["repo_id"])
        self.data: dict[str, Any] = json.loads(row["data"])

    @property
    def is_glob(self) -> bool:
        """Say whether the name is a pattern."""
        return GLOB.search(self.name) is not None

    def holds_for(self, branch: str) -> bool:
        """Say whether the rule names a branch, whatever its case."""
        if not self.is_glob:
            return self.name.lower() == branch.lower()
        return glob(self.name.lower(), "/").fullmatch(branch.lower()) is not None

    def flag(self, name: str) -> bool:
        """Return a switch."""
        return bool(self.data.get(name))

    def names(self, name: str) -> list[str]:
        """Return a list."""
        return list(self.data.get(name) or [])

    def listed(self, db: Store, user: Row, users: str, teams: str) -> bool:
        """Say whether somebody is on an allow-list, in person or by team."""
        if user["name"] in self.names(users):
            return True
        wanted = self.names(teams)
        sql = (
            "select t.name from team t join team_member m on m.team_id = t.id"
            " join repo r on r.owner_id = t.org_id where r.id = ? and m.user_id = ?"
        )
        return bool(wanted) and any(row["name"] in wanted for row in db.all(sql, self.repo_id, user["id"]))

    def may_push(self, db: Store, user: Row) -> bool:
        """Say whether a writer may push to the branch. A site admin gets no exception."""
        if not self.flag("enable_push"):
            return False
        if not self.flag("enable_push_whitelist"):
            return True
        return self.listed(db, user, "push_whitelist_usernames", "push_whitelist_teams")

    def may_force(self, db: Store, user: Row) -> bool:
        """Say whether a writer may rewrite the branch."""
        if not self.flag("enable_force_push") or not self.may_push(db, user):
            return False
        if not self.flag("enable_force_push_allowlist"):
            return True
        return self.listed(db, user, "force_push_allowlist_usernames", "force_push_allowlist_teams")

    def may_merge(self, db: Store, user: Row) -> bool:
        """Say whether a writer may merge into the branch."""
        if not self.flag("enable_merge_whitelist"):
            return True
        return self.listed(db, user, "merge_whitelist_usernames", "merge_whitelist_teams")

    def official(self, db: Store, user: Row) -> bool:
        """Say whether a writer's review counts."""
        if not self.flag("enable_approvals_whitelist"):
            return True
        return self.listed(db, user, "approvals_whitelist_username", "approvals_whitelist_teams")

    def _hit(self, key: str, paths: Iterable[str]) -> list[str]:
        words = [word.strip().lower() for word in str(self.data.get(key) or "").split(";") if word.strip()]
        patterns = [glob(word, "./") for word in words]
        return [path for path in paths if any(pattern.fullmatch(path.lower()) for pattern in patterns)]

    def protected(self, paths: Iterable[str]) -> list[str]:
        """Return the paths that nobody may change."""
        return self._hit("protected_file_patterns", paths)

    def only_free(self, paths: list[str]) -> bool:
        """Say whether all paths may be changed although pushing is off."""
        return bool(paths) and len(self._hit("unprotected_file_patterns", paths)) == len(paths)


def rules_of(db: Store, repo_id: int) -> list[Rule]:
    """Return a repository's rules in the order in which they are tried."""
    found = [Rule(row) for row in db.all("select * from protection where repo_id = ? order by id", repo_id)]
    return sorted(found, key=lambda rule: (rule.data.get("priority") or 0, rule.is_glob, rule.id))


def rule_for(db: Store, repo_id: int, branch: str) -> Rule | None:
    """Return the first rule that holds for a branch."""
    return next((rule for rule in rules_of(db, repo_id) if rule.holds_for(branch)), None)


def latest(db: Store, repo_id: int, sha: str) -> list[Row]:
    """Return the last status of each context, newest first."""
    sql = (
        "select * from status where id in"
        " (select max(id) from status where repo_id = ? and sha = ? group by context) order by id desc"
    )
    return db.all(sql, repo_id, sha)


def combine(states: Iterable[str]) -> str:
    """Return one word for many states; none at all is pending."""
    every = list(states)
    if any(state in {"error", "failure", "warning"} for state in every):
        return "failure"
    return "success" if every and all(state in {"success", "skipped"} for state in every) else "pending"


def checks_pass(rule: Rule, statuses: list[Row]) -> bool:
    """Say whether the required checks are green: each pattern needs a context, all that it matches count."""
    if not rule.flag("enable_status_check"):
        return True
    wanted = rule.names("status_check_contexts")
    if not wanted:
        return combine(row["state"] for row in statuses) == "success"
    for name in wanted:
        hits = [row for row in statuses if row["context"] == name or glob(name, "").fullmatch(row["context"])]
        if not hits or any(row["state"] not in {"success", "skipped"} for row in hits):
            return False
    return True


def may_push(db: Store, repo: Row, user: Row | None, branch: str) -> bool:
    """Say whether somebody may push to a branch, protection included."""
    if user is None or permissions.access(db, repo, user).of(permissions.CODE) < permissions.WRITE:
        return False
    rule = rule_for(db, repo["id"], branch)
    return rule is None or rule.may_push(db, user)
