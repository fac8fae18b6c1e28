# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An issue of the forge as a module keeps it: found by number, or by a title that only one has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import moment, plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, declared, single
from .gitea_errors import ConflictError, UnknownOutcomeError
from .gitea_once import remarked, unmarked
from .gitea_place import (
    labels_of,
    milestone_of,
    names_on,
    people_of,
    refuse_open_blockers,
    repo_of,
    title_of,
    with_added,
)
from .gitea_repos import absent
from .gitea_types import Issue, Label, PullRequest, Repo

STATES = ["open", "closed"]
# What issues and pulls have in common.
WORDS: dict[str, dict[str, Any]] = {
    "body": {"type": "str"},
    "labels": {"type": "list", "elements": "str"},
    "add_labels": {"type": "list", "elements": "str"},
    "assignees": {"type": "list", "elements": "str"},
    "milestone": {"type": "str"},
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "number": {"type": "int"},
    "title": {"type": "str"},
    **WORDS,
    "state": {"type": "str", "choices": STATES},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "number": {"type": "int"},
    "title": {"type": "str"},
    "state": {"type": "str", "choices": [*STATES, "all"], "default": "open"},
    "labels": {"type": "list", "elements": "str", "default": []},
    "assigned_to": {"type": "str"},
    "created_by": {"type": "str"},
    "milestone": {"type": "str"},
    "since": {"type": "str"},
}
PAIRS: dict[str, Any] = {
    "mutually_exclusive": [("labels", "add_labels")],
    "required_one_of": [("number", "title")],
}


def view(issue: Issue) -> Fields:
    """Return an issue as modules show it: names instead of objects, the body without our markers."""
    more = {name: plain(getattr(issue, name)) for name in ("created_at", "updated_at", "closed_at")}
    return {
        "number": issue.number,
        "title": issue.title,
        "body": unmarked(issue.body)[0],
        "state": issue.state,
        **names_on(issue),
        "comments": issue.comments,
        "is_locked": issue.is_locked,
        "html_url": issue.html_url,
        "content_version": issue.content_version,
        **more,
    }


RULES = Rules(blank=view(Issue()), fold=frozenset({"assignees"}))


def find(forge: GiteaClient, repo: Repo, number: int | None, title: str) -> Issue | None:
    """Return the issue of this number, or the only one of this title. KeepError for none and for two."""
    name = repo.full_name
    if number is not None:
        found = absent(lambda: forge.get_issue(name, number))()
        if found is None:
            raise KeepError(f"number: {name} has no issue {number}; leave it out to open one by its title")
        if found.is_pull:
            raise KeepError(
                f"number: {number} of {name} is a pull request; the module gitea_pull keeps those"
            )
        return found
    same = [one for one in forge.list_issues(name, state="all") if one.title == title]
    if len(same) > 1:
        numbers = ", ".join(f"#{one.number}" for one in reversed(same))
        raise KeepError(f"title: {numbers} of {name} all have it; give the number of the one that is meant")
    return same[0] if same else None


def wanted_words(
    forge: GiteaClient, repo: Repo, params: Mapping[str, Any], found: Fields, there: tuple[Label, ...]
) -> Fields:
    """Return body, labels, assignees and milestone as they are to be, every name of them known."""
    wanted = declared(params, ("body", "assignees", "milestone"))
    if "assignees" in wanted:
        wanted["assignees"] = people_of(forge, repo, wanted["assignees"], found.get("assignees", ()))
    if wanted.get("milestone", "") != found.get("milestone", ""):
        milestone_of(forge, repo, wanted.get("milestone", ""))
    if params["labels"] is not None:
        wanted["labels"] = [label.name for label in labels_of(forge, repo, params["labels"], there)]
    elif params["add_labels"] is not None:
        wanted["labels"] = with_added(there, labels_of(forge, repo, params["add_labels"], there))
    return wanted


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the issue is as wanted."""
    repo = repo_of(forge, params["repo"])
    title = title_of(params["title"]) if params["title"] is not None else ""
    found = find(forge, repo, params["number"], title)
    there = None if found is None else view(found)
    wanted = wanted_words(forge, repo, params, there or {}, () if found is None else found.labels)
    wanted |= {"title": title} if title else {}
    wanted |= declared(params, ("state",))
    if found is None:
        repo_of(forge, params["repo"], opens="issues")
    elif wanted.get("state") == "closed" and found.state == "open":
        refuse_open_blockers(forge, repo, found.number)
    hands = Hands(
        create=lambda fields: _created(forge, repo, fields),
        update=lambda _there, fields: _updated(forge, repo, found or Issue(), fields, params),
        delete=_never,
    )
    named = f"{title}" if found is None else f"#{found.number}"
    return single(f"issue {named} of {repo.full_name}", "issue", decide(there, wanted, RULES), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the issue of a number, or those that fit, the newest first."""
    repo = repo_of(forge, params["repo"])
    if params["number"] is not None:
        found = absent(lambda: forge.get_issue(repo.full_name, params["number"]))()
        return {"issues": [] if found is None or found.is_pull else [view(found)]}
    rows = forge.list_issues(repo.full_name, **filters_of(params))
    title = params["title"]
    return {"issues": [view(one) for one in rows if title is None or one.title == title.strip()]}


def filters_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what narrows a list of issues, as the client takes it. KeepError for a time that is none."""
    since = None if params["since"] is None else moment(params["since"])
    if params["since"] is not None and since is None:
        raise KeepError(f"since: {params['since']!r} is no time; write it as 2026-01-31T12:00:00Z")
    return {
        "state": params["state"],
        "labels": params["labels"],
        "since": since,
        **{name: params[name] or "" for name in ("assigned_to", "created_by", "milestone")},
    }


def relabel(forge: GiteaClient, repo: Repo, one: Issue | PullRequest, fields: Fields, adds: bool) -> None:
    """Give an issue or a pull the labels among the fields. What is only added takes nobody's label away."""
    if "labels" not in fields:
        return
    number, now = one.number, {label.name for label in one.labels}
    if adds:
        new = [name for name in fields["labels"] if name not in now]
        forge.add_labels(repo.full_name, number, [label.id for label in labels_of(forge, repo, new)])
    else:
        ids = [label.id for label in labels_of(forge, repo, fields["labels"], one.labels)]
        forge.replace_labels(repo.full_name, number, ids)


def sent_words(forge: GiteaClient, repo: Repo, fields: Fields, former_body: str) -> dict[str, Any]:
    """Return title, body, assignees, state and milestone as the client takes them."""
    sent: dict[str, Any] = {name: fields[name] for name in ("title", "assignees", "state") if name in fields}
    if "milestone" in fields:
        sent["milestone"] = milestone_of(forge, repo, fields["milestone"]).id
    if "body" in fields:
        sent["body"] = remarked(fields["body"], former_body)
    return sent


def guarded(edit: Callable[[], object], read_body: Callable[[], str], body: str, what: str) -> None:
    """Change a body that nobody else may have changed meanwhile. KeepError when somebody did.

    After a lost answer it does not matter whose change it was: the body is as wanted, or it is not.
    """
    try:
        edit()
    except ConflictError as error:
        if error.status != 409:
            raise
        raise KeepError(f"{what} was edited by somebody else meanwhile; look at it and run again") from error
    except UnknownOutcomeError:
        if unmarked(read_body())[0] != unmarked(body)[0]:
            raise


def _created(forge: GiteaClient, repo: Repo, fields: Fields) -> Fields:
    milestone = fields.get("milestone")
    made = forge.create_issue(
        repo.full_name,
        fields["title"],
        fields.get("body", ""),
        labels=[label.id for label in labels_of(forge, repo, fields.get("labels", []))],
        assignees=fields.get("assignees", []),
        milestone=milestone_of(forge, repo, milestone).id if milestone else None,
    )
    if fields.get("state") == "closed":
        made = forge.close_issue(repo.full_name, made.number)
    return view(made)


def _updated(
    forge: GiteaClient, repo: Repo, found: Issue, fields: Fields, params: Mapping[str, Any]
) -> Fields:
    name, number = repo.full_name, found.number
    sent = sent_words(forge, repo, fields, found.body)
    if "body" in sent:
        sent["content_version"] = found.content_version
        guarded(
            lambda: forge.update_issue(name, number, **sent),
            lambda: forge.get_issue(name, number).body,
            sent["body"],
            f"issue #{number} of {name}",
        )
    elif sent:
        forge.update_issue(name, number, **sent)
    relabel(forge, repo, found, fields, params["add_labels"] is not None)
    return view(forge.get_issue(name, number))


def _never(_there: Fields) -> None:
    raise KeepError("an issue is closed, not deleted")
