# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A milestone of a repository as a module keeps it.

It is due on a day, for that is what the forge makes of any time: the end of the day, where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, single
from .gitea_types import Milestone

ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "title": {"type": "str", "required": True},
    "was": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str"},
    "due_on": {"type": "str"},
    "closed": {"type": "bool"},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {"repo": {"type": "str", "required": True}}
STATES = {True: "closed", False: "open"}
DAY = len("2026-12-31")


def shown(found: Milestone) -> Fields:
    """Return a milestone as plain fields, due on a day as the forge's own clock has it, or ""."""
    fields = dict(plain(found))
    day = fields.pop("due_text")[:DAY]
    return {**fields, "due_on": day if found.due_on else ""}


RULES = Rules(blank={**shown(Milestone()), "state": STATES[False]})


def milestone_of(params: Mapping[str, Any]) -> Fields:
    """Return the declared fields in the forge's form. Raises KeepError."""
    wanted = {"title": title_of(params["title"]), **declared(params, ("description", "due_on"))}
    if wanted.get("due_on"):
        wanted["due_on"] = day_of(wanted["due_on"])
    if params["closed"] is not None:
        wanted["state"] = STATES[params["closed"]]
    return wanted


def title_of(text: str) -> str:
    """Return a title as the forge keeps it. Raises KeepError for an empty one."""
    if not text.strip():
        raise KeepError("title: a milestone needs one")
    return text.strip()


def day_of(text: str) -> str:
    """Return a day. Raises KeepError for what is none, or one that the forge takes for never."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = date.min
    if day.year <= 1970:
        raise KeepError(f"due_on: {text!r} is no day to come; write it as 2026-12-31")
    return day.isoformat()


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the milestone is as wanted."""
    repo, title = params["repo"], title_of(params["title"])
    every = _rows(forge, repo)
    rows = [there for there in every if there["title"] == title]
    if params["state"] == "present":
        wanted = milestone_of(params)
        former = [there for there in every if params["was"] and there["title"] == params["was"].strip()]
        found = next(iter(rows or former), None)
    else:
        wanted, found = None, next(iter(rows), None)
    hands = Hands(
        create=lambda fields: _created(forge, repo, fields),
        update=lambda there, fields: _updated(forge, repo, there, fields),
        delete=lambda _there: _deleted(forge, repo, rows),
    )
    made = single(f"milestone {title} of {repo}", "milestone", decide(found, wanted, RULES), hands)
    doubles = rows[1:] if wanted else []
    said = [f"milestone {title} is there twice; the other has the id {there['id']}" for there in doubles]
    return replace(made, warnings=said)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return all milestones, oldest first."""
    return {"milestones": _rows(forge, params["repo"])}


def _rows(forge: GiteaClient, repo: str) -> list[Fields]:
    return sorted(map(shown, forge.list_milestones(repo)), key=lambda there: int(there["id"]))


def _created(forge: GiteaClient, repo: str, fields: Fields) -> Fields:
    """Create it, and then say when it is due: at creation the forge would take a moment, not a day."""
    text = fields.get("description", "")
    there = shown(forge.create_milestone(repo, fields["title"], description=text))
    more = {name: fields[name] for name in ("due_on", "state") if fields.get(name)}
    return _updated(forge, repo, there, more) if more else there


def _updated(forge: GiteaClient, repo: str, there: Fields, fields: Fields) -> Fields:
    day = fields.get("due_on", there["due_on"])
    # Unless it is sent, the forge clears the day.
    sent = {**fields, "due_on": f"{day}T23:59:59Z" if day else None}
    return shown(forge.update_milestone(repo, there["id"], **sent))


def _deleted(forge: GiteaClient, repo: str, rows: Sequence[Fields]) -> None:
    for there in rows:
        forge.delete_milestone(repo, there["id"])
