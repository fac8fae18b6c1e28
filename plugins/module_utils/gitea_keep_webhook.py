# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A webhook of a repository or an organization as a module keeps it.

The forge resets what a change leaves out, so the whole hook is sent each time; it does not change a secret,
so a hook with another secret is another hook. What it does not show is told by a mark in the hook's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from . import gitea_mark
from .gitea_admin_types import Hook
from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, single
from .gitea_module import OWNER, owner_of

# Words that stand for several events; the forge shows what they stand for.
GROUPS = {
    "issues": ("issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment"),
    "issues_only": ("issues",),
    "pull_request": (
        "pull_request",
        "pull_request_assign",
        "pull_request_label",
        "pull_request_milestone",
        "pull_request_comment",
        "pull_request_review",
        "pull_request_sync",
        "pull_request_review_request",
    ),
    "pull_request_only": ("pull_request",),
}
SINGLE = (
    *GROUPS["issues"][1:],
    *GROUPS["pull_request"][1:],
    *("create", "delete", "fork", "push", "wiki", "repository", "release", "package", "status"),
    *("workflow_run", "workflow_job"),
)
FIELDS = ("type", "content_type", "events", "active", "branch_filter", "secret", "authorization_header")
# Their places in the mark.
UNSEEN = ("secret", "authorization_header")
ARGUMENTS: dict[str, dict[str, Any]] = {
    **OWNER,
    "hook_url": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "type": {"type": "str", "choices": ["gitea", "gogs"], "default": "gitea"},
    "content_type": {"type": "str", "choices": ["json", "form"]},
    "events": {"type": "list", "elements": "str"},
    "active": {"type": "bool"},
    "branch_filter": {"type": "str"},
    "secret": {"type": "str", "no_log": True},
    "authorization_header": {"type": "str", "no_log": True},
    "update_secret": {
        "type": "str",
        "choices": ["on_change", "always", "on_create"],
        "default": "on_change",
        "no_log": False,
    },
}
INFO_ARGUMENTS = OWNER


def shown(found: Hook) -> Fields:
    """Return a hook as plain fields, its events in an order of their own: the forge's changes each time."""
    return {**plain(found), "events": sorted(found.events)}


RULES = Rules(blank=plain(Hook()), secret=frozenset((*UNSEEN, "name")))


def events_of(asked: Sequence[str]) -> list[str]:
    """Return the events that words stand for. KeepError for a word that the forge would drop."""
    unknown = [word for word in asked if word not in GROUPS and word not in SINGLE]
    if unknown:
        raise KeepError(f"events: {unknown[0]!r} is none; write some of {', '.join((*GROUPS, *SINGLE))}")
    if not asked:
        raise KeepError("events: name at least one; without any the forge would take push")
    return list(dict.fromkeys(event for word in asked for event in GROUPS.get(word, (word,))))


def words_for(events: Sequence[str]) -> list[str]:
    """Return the words that stand for these events and no other, for sending."""
    return [f"{event}_only" if event in GROUPS else event for event in events]


def hook_of(params: Mapping[str, Any]) -> Fields:
    """Return the declared fields in the forge's form. Raises KeepError."""
    parts = urlsplit(params["hook_url"])
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or params["hook_url"].strip() != params["hook_url"]
    ):
        raise KeepError("hook_url: write an address that begins with http:// or https://")
    wanted = {"url": params["hook_url"], **declared(params, FIELDS)}
    if "events" in wanted:
        wanted["events"] = events_of(wanted["events"])
    return wanted


def stale(wanted: Fields, there: Fields, update: str) -> list[str]:
    """Return the declared fields that the forge does not show and that are to be written anew."""
    given = [name for name in UNSEEN if name in wanted]
    if update == "always":
        return given
    if update == "on_create":
        return []
    return [name for name in given if _differs(name, wanted[name], there)]


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the hook is as wanted."""
    owner, update = owner_of(params), params["update_secret"]
    wanted = hook_of(params)
    rows = [
        there
        for there in _rows(forge, owner)
        if (there["url"], there["type"]) == (wanted["url"], wanted["type"])
    ]
    found = rows[0] if rows else None
    move = decide(found, wanted if params["state"] == "present" else None, RULES)
    if found and move.wanted:
        _refuse_loss(found, wanted)
        move = replace(
            move, send={**move.send, **{name: wanted[name] for name in stale(wanted, found, update)}}
        )
    hands = Hands(
        create=lambda fields: _created(forge, owner, fields, update),
        update=lambda there, fields: _updated(
            forge, owner, there, _whole(there, wanted, update), anew="secret" in fields
        ),
        delete=lambda _there: _deleted(forge, owner, rows),
    )
    made = single(f"hook of {owner} to {_public_url(wanted['url'])}", "hook", move, hands)
    return replace(made, warnings=_warnings(rows, wanted, params))


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return all hooks, oldest first, without what is secret."""
    rows = _rows(forge, owner_of(params))
    return {"hooks": [{name: row[name] for name in row if name not in RULES.secret} for row in rows]}


def _rows(forge: GiteaClient, owner: str) -> list[Fields]:
    return sorted(map(shown, forge.list_hooks(owner)), key=lambda there: int(there["id"]))


def _differs(name: str, value: str, there: Fields) -> bool:
    if there.get(name):
        return bool(there[name] != value)
    if there["name"] is None:
        return False
    return not gitea_mark.fits(there["name"], UNSEEN.index(name), value)


def _refuse_loss(there: Fields, wanted: Fields) -> None:
    """Refuse a change that cannot send again what the hook has."""
    at = UNSEEN.index("authorization_header")
    kept = gitea_mark.has(there["name"] or "", at) and not there["authorization_header"]
    if kept and "authorization_header" not in wanted:
        raise KeepError("authorization_header: the hook has one that the forge does not show; give it again")
    if not there["events"] and "events" not in wanted:
        raise KeepError("events: the hook has none, and the forge would take push; name some")


def _warnings(rows: Sequence[Fields], wanted: Fields, params: Mapping[str, Any]) -> list[str]:
    if params["state"] == "absent" or not rows:
        return []
    said = [f"there is another hook to this address, with id {there['id']}; remove one" for there in rows[1:]]
    blind = [name for name in UNSEEN if name in wanted and rows[0]["name"] is None]
    if blind and params["update_secret"] not in ("always", "on_create"):
        said.append(
            f"this forge keeps no mark, so a new {blind[0]} goes unseen; write update_secret: always once"
        )
    return said


def _named(there: Fields, wanted: Fields, update: str) -> Fields:
    """Return the hook's name with the mark, where there is to be one."""
    name = there.get("name") or ""
    if (update == "on_create" and there) or not any(one in wanted for one in UNSEEN):
        return {}
    if update != "on_change":
        return {"name": gitea_mark.bare(name)} if name else {}
    return {"name": gitea_mark.marked(name, [wanted.get(one) for one in UNSEEN], name)}


def _created(forge: GiteaClient, owner: str, fields: Fields, update: str) -> Fields:
    return _post(forge, owner, {**fields, **_named({}, fields, update)})


def _deleted(forge: GiteaClient, owner: str, rows: Sequence[Fields]) -> None:
    for there in rows:
        forge.delete_hook(owner, there["id"])


def _whole(there: Fields, wanted: Fields, update: str) -> Fields:
    """Return all fields of the hook as it is to be."""
    kept = {name: there[name] for name in ("url", "type", *FIELDS) if name in there}
    return {**kept, **wanted, **_named(there, wanted, update)}


def _updated(forge: GiteaClient, owner: str, there: Fields, whole: Fields, *, anew: bool) -> Fields:
    """Send the whole hook; with another secret as a new one, in place of the old."""
    if not anew:
        body = {
            "config": {"url": whole["url"], "content_type": whole["content_type"]},
            "events": words_for(whole["events"]),
            **{name: whole[name] for name in ("active", "branch_filter", "authorization_header")},
            **({"name": whole["name"]} if "name" in whole else {}),
        }
        return shown(forge.update_hook(owner, there["id"], body))
    forge.delete_hook(owner, there["id"])
    try:
        return _post(forge, owner, whole)
    except Exception as error:
        error.add_note("the hook with the old secret is deleted; run this again to have the new one")
        raise


def _post(forge: GiteaClient, owner: str, fields: Fields) -> Fields:
    given: Fields = {name: fields[name] for name in ("secret", "active", "content_type") if name in fields}
    for name in ("branch_filter", "authorization_header", "name"):
        if fields.get(name):
            given[name] = fields[name]
    events = words_for(fields.get("events", ["push"]))
    return shown(forge.create_hook(owner, fields["url"], events, kind=fields["type"], **given))


def _public_url(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
