# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Branch protection: the rules as the API shows and changes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import auth, permissions, views
from .body import Form
from .errors import ApiError, no_user, not_found
from .router import route
from .rules import FLAGS, LISTS, Rule, rules_of
from .store import must
from .web import Response

if TYPE_CHECKING:
    from .store import Row
    from .web import Request

FIELDS = " ".join(
    [f"{name}:[str]" for name in LISTS]
    + [f"{name}:bool" for name in FLAGS]
    + [
        "required_approvals:int",
        "protected_file_patterns:str",
        "unprotected_file_patterns:str",
        "priority:int",
    ]
)
CREATE = Form("CreateBranchProtectionOption", f"rule_name:str branch_name:str {FIELDS}")
EDIT = Form("EditBranchProtectionOption", FIELDS)
# A gate, the switch of its list, and whether deploy keys are on it. As on the forge, a switch is read only
# beside its open gate, and the deploy keys only beside both.
GATES = (
    ("enable_push", "enable_push_whitelist", "push_whitelist_deploy_keys"),
    ("enable_force_push", "enable_force_push_allowlist", "force_push_allowlist_deploy_keys"),
)
GATED = frozenset(name for _gate, *names in GATES for name in names)
PATH = "/repos/{owner}/{repo}/branch_protections"


def view(row: Row) -> dict[str, Any]:
    """Return a rule."""
    rule = Rule(row)
    found: dict[str, Any] = {
        "branch_name": "" if rule.is_glob else rule.name,
        "rule_name": rule.name,
        "priority": rule.data.get("priority", 0),
    }
    found |= {name: rule.flag(name) for name in FLAGS} | {name: rule.names(name) for name in LISTS}
    found["required_approvals"] = rule.data.get("required_approvals") or 0
    for name in ("protected_file_patterns", "unprotected_file_patterns"):
        found[name] = rule.data.get(name) or ""
    return found | {"created_at": views.moment(row["created"]), "updated_at": views.moment(row["updated"])}


def _people(r: Request, names: list[str], *, approve: bool) -> list[str]:
    """Return who may be on a list: a known account without the right is dropped.

    Who has it by a team needs pulls as well as code; to approve, reading pulls is enough.
    """
    kept = []
    for name in names:
        user = auth.by_name(r.db, name)
        if user is None:
            raise ApiError(422, no_user(name))
        found = permissions.access(r.db, r.repo, user)
        code, pulls = (found.units.get(unit, 0) for unit in (permissions.CODE, permissions.PULLS))
        writes = found.mode >= permissions.WRITE or (code >= permissions.WRITE and pulls >= permissions.READ)
        if writes or (approve and pulls >= permissions.READ):
            kept.append(str(user["name"]))
    return kept


def _teams(r: Request, names: list[str]) -> list[str]:
    """Return the teams that may be on a list: one that cannot read the code is dropped; users have none."""
    owner = r.repo["owner_id"]
    if must(r.db.get("user", owner))["kind"] != "org":
        return []
    kept = []
    for name in names:
        row = r.db.one("select * from team where org_id = ? and lower = ?", owner, name.lower())
        if row is None:
            raise ApiError(422, f"team does not exist [org_id {owner}, team_id 0, name: {name}]")
        word = json.loads(row["units"]).get(permissions.CODE, "none")
        reads = row["permission"] in ("admin", "owner") or word != "none"
        if reads and permissions.team_covers(r.db, row, r.repo["id"]):
            kept.append(str(row["name"]))
    return sorted(kept, key=str.lower)


def _open(data: dict[str, Any], form: dict[str, Any], gate: str, switch: str, keys: str) -> None:
    """Write what hangs on a gate."""
    if form.get(gate) and form.get(switch) is not None:
        data[switch] = form[switch]
        if form.get(keys) is not None:
            data[keys] = form[keys]
    if not data.get(gate):
        data[switch] = False
    if not data.get(switch):
        data[keys] = False


def _apply(r: Request, data: dict[str, Any], form: dict[str, Any], *, new: bool = False) -> None:
    """Write a form into a rule: an absent or null list stays, an empty one clears."""
    for name in LISTS:
        if form.get(name) is None:
            continue
        if name.endswith("_teams"):
            data[name] = _teams(r, form[name])
        elif name == "status_check_contexts":
            data[name] = form[name]
        else:
            data[name] = _people(r, form[name], approve=name.startswith("approvals"))
    for name in FLAGS:
        if form.get(name) is not None and name not in GATED:
            data[name] = form[name]
    if new and not data.get("enable_push"):
        data["enable_force_push"] = False
    for gate, switch, keys in GATES:
        _open(data, form, gate, switch, keys)
    for name in ("required_approvals", "protected_file_patterns", "unprotected_file_patterns", "priority"):
        if form.get(name) is not None:
            data[name] = max(0, form[name]) if name == "required_approvals" else form[name]


@route("POST", PATH, scope="repository", token=True, need="admin")
def create(r: Request) -> Response:
    """Add a rule; the branch need not exist."""
    form = r.read(CREATE)
    name = form.get("rule_name") or form.get("branch_name")
    if not name:
        raise ApiError(400, "both rule_name and branch_name are empty")
    with r.db.write() as db:
        if db.one("select 1 from protection where repo_id = ? and name = ?", r.repo["id"], name):
            raise ApiError(403, "Branch protection already exist")
        last = max([rule.data.get("priority") or 0 for rule in rules_of(db, r.repo["id"])], default=0)
        data: dict[str, Any] = {"priority": last + 1}
        _apply(r, data, form, new=True)
        now = r.forge.now()
        base = {"repo_id": r.repo["id"], "name": name, "created": now, "updated": now}
        key = db.insert("protection", **base, data=json.dumps(data))
    return Response(201, view(must(r.db.get("protection", key))))


@route("GET", PATH, scope="repository", token=True, need="admin")
def list_all(r: Request) -> Response:
    """List every rule, unpaged."""
    keys = [rule.id for rule in rules_of(r.db, r.repo["id"])]
    return Response(200, [view(must(r.db.get("protection", key))) for key in keys])


def _find(r: Request) -> Row:
    row = r.db.one("select * from protection where repo_id = ? and name = ?", r.repo["id"], r.params["name"])
    if row is None:
        raise not_found()
    return row


@route("GET", PATH + "/{name*}", scope="repository", token=True, need="admin")
def get(r: Request) -> Response:
    """Show a rule by name; slashes may be plain or encoded."""
    return Response(200, view(_find(r)))


@route("PATCH", PATH + "/{name*}", scope="repository", token=True, need="admin")
def edit(r: Request) -> Response:
    """Change a rule."""
    form = r.read(EDIT)
    with r.db.write() as db:
        row = _find(r)
        data = json.loads(row["data"])
        _apply(r, data, form)
        db.update("protection", row["id"], data=json.dumps(data), updated=r.forge.now())
    return Response(200, view(_find(r)))


@route("DELETE", PATH + "/{name*}", scope="repository", token=True, need="admin")
def delete(r: Request) -> Response:
    """Remove a rule."""
    r.db.run("delete from protection where id = ?", _find(r)["id"])
    return Response(204)
