# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in a repository: owners, teams with units, collaborators, and everybody on public ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Row, Store

NONE, READ, WRITE, ADMIN, OWNER = range(5)
MODES = {"none": NONE, "read": READ, "write": WRITE, "admin": ADMIN, "owner": OWNER}
WORDS = {mode: word for word, mode in MODES.items()}
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
CODE, ISSUES, PULLS, RELEASES = "repo.code", "repo.issues", "repo.pulls", "repo.releases"


@dataclass(frozen=True)
class Access:
    """What one account may do in one repository: a mode for all units, raised by unit."""

    mode: int
    units: dict[str, int]

    def of(self, unit: str) -> int:
        """Return the mode of a unit."""
        return max(self.mode, self.units.get(unit, NONE))

    @property
    def admin(self) -> bool:
        """Say whether the settings may be changed."""
        return self.mode >= ADMIN

    @property
    def any(self) -> bool:
        """Say whether the repository may be seen at all."""
        return self.mode > NONE or any(mode > NONE for mode in self.units.values())


def teams_of(db: Store, org_id: int, user_id: int) -> list[Row]:
    """Return the teams of an organization that an account is in."""
    sql = (
        "select t.* from team t join team_member m on m.team_id = t.id"
        " where t.org_id = ? and m.user_id = ? order by t.id"
    )
    return db.all(sql, org_id, user_id)


def is_org_owner(db: Store, org_id: int, user: Row | None) -> bool:
    """Say whether an account owns an organization; site admins count."""
    if user is None:
        return False
    return bool(user["admin"]) or any(team["lower"] == "owners" for team in teams_of(db, org_id, user["id"]))


def is_org_member(db: Store, org_id: int, user_id: int) -> bool:
    """Say whether an account is in any team."""
    return bool(teams_of(db, org_id, user_id))


def team_covers(db: Store, team: Row, repo_id: int) -> bool:
    """Say whether a team's rights reach a repository."""
    if team["all_repos"] or team["lower"] == "owners":
        return True
    return (
        db.one("select 1 from team_repo where team_id = ? and repo_id = ?", team["id"], repo_id) is not None
    )


def access(db: Store, repo: Row, user: Row | None) -> Access:
    """Return what an account (None: nobody) may do in a repository."""
    mode = NONE if repo["private"] else READ
    if user is None:
        return Access(mode, {})
    if user["admin"] or repo["owner_id"] == user["id"]:
        return Access(OWNER, {})
    sql = "select mode from collaborator where repo_id = ? and user_id = ?"
    mode = max(mode, db.value(sql, repo["id"], user["id"]) or NONE)
    units: dict[str, int] = {}
    for team in teams_of(db, repo["owner_id"], user["id"]):
        if not team_covers(db, team, repo["id"]):
            continue
        # A team with all rights has those of an owner.
        mode = max(mode, {"owner": OWNER, "admin": OWNER}.get(team["permission"], NONE))
        for unit, word in json.loads(team["units"]).items():
            units[unit] = max(units.get(unit, NONE), MODES.get(word, NONE))
    return Access(mode, units)


def mode_word(found: Access) -> str:
    """Return one word for a collaborator's permission: what a team may in some units does not count."""
    return WORDS[found.mode]
