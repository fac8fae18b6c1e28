# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pull request of the forge as a module keeps it: open, up to date, landed, or closed."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .gitea_client import GiteaClient
from .gitea_decode import plain
from .gitea_ensure import Fields, Hands, KeepError, Rules, Wish, decide, single
from .gitea_foresee import foreseen
from .gitea_keep_issue import STATES, WORDS, guarded, relabel, sent_words, wanted_words
from .gitea_merge import STYLES, MergeResult, MergeState, UpdateState, behind
from .gitea_once import unmarked
from .gitea_place import labels_of, names_on, refuse_open_blockers, repo_of, title_of
from .gitea_pulls import pauses
from .gitea_repos import absent
from .gitea_types import PullRequest, Repo

ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "number": {"type": "int"},
    "head": {"type": "str"},
    "base": {"type": "str"},
    "title": {"type": "str"},
    **WORDS,
    "state": {"type": "str", "choices": ["open", "updated", "landed", "closed"], "default": "open"},
    "update_style": {"type": "str", "choices": ["rebase", "merge"], "default": "rebase"},
    "head_commit_id": {"type": "str"},
    "merge_style": {"type": "str", "choices": list(STYLES)},
    "merge_title": {"type": "str", "default": ""},
    "merge_message": {"type": "str", "default": ""},
    "delete_branch": {"type": "bool", "default": False},
    "wait": {"type": "float", "default": 0.0},
}
INFO_ARGUMENTS: dict[str, dict[str, Any]] = {
    "repo": {"type": "str", "required": True},
    "number": {"type": "int"},
    "head": {"type": "str"},
    "base": {"type": "str"},
    "state": {"type": "str", "choices": [*STATES, "all"], "default": "open"},
    "labels": {"type": "list", "elements": "str", "default": []},
}
PAIRS: dict[str, Any] = {
    "mutually_exclusive": [("labels", "add_labels"), ("number", "head"), ("number", "base")],
    "required_one_of": [("number", "head")],
    "required_if": [("state", "landed", ("head_commit_id", "merge_style"))],
}
_FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# How long the forge may take to see that a head it has just moved is up to date.
SETTLE_S = 30.0
# Pause before a merge is asked for again that the forge has refused, within the time to wait.
AGAIN_S = 4.0


def view(pull: PullRequest) -> Fields:
    """Return a pull as modules show it: names instead of objects, the body without our markers."""
    times = ("created_at", "updated_at", "closed_at", "merged_at")
    return {
        "number": pull.number,
        "title": pull.title,
        "body": unmarked(pull.body)[0],
        "state": pull.state,
        **names_on(pull),
        "head": pull.head.label,
        "head_repo": pull.head.repo,
        "head_sha": pull.head.sha,
        "base": pull.base.ref,
        "behind": pull.state == "open" and behind(pull),
        "draft": pull.draft,
        "mergeable": pull.mergeable,
        "merged": pull.merged,
        "merge_commit_sha": pull.merge_commit_sha,
        "landing": MergeState.MERGED.value if pull.merged else "",
        "html_url": pull.html_url,
        "content_version": pull.content_version,
        **{name: plain(getattr(pull, name)) for name in times},
    }


RULES = Rules(blank=view(PullRequest()), fold=frozenset({"assignees"}))


class Order:
    """One task: the repository, the pull as found, and what is asked for."""

    def __init__(self, forge: GiteaClient, params: Mapping[str, Any]) -> None:
        self.forge = forge
        self.params = params
        self.state = str(params["state"])
        self.repo = repo_of(forge, params["repo"])
        self.name = self.repo.full_name
        self.base = str(params["base"] or self.repo.default_branch)
        self.left = float(params["wait"])
        self.found = find(forge, self.repo, params, self.base)

    def __str__(self) -> str:
        """Return how messages name it."""
        if self.found is not None:
            return f"pull #{self.found.number} of {self.name}"
        return f"pull of {self.params['head']} into {self.base} of {self.name}"


def wish(forge: GiteaClient, params: Mapping[str, Any]) -> Wish:
    """Return what to do so that the pull is as wanted."""
    if params["state"] == "landed" and not _FULL_SHA.fullmatch(params["head_commit_id"]):
        raise KeepError("head_commit_id: write the commit in full; a head that nobody judged is not merged")
    order = Order(forge, params)
    found = None if order.found is None else view(order.found)
    hands = Hands(
        create=lambda fields: _created(order, fields),
        update=lambda _there, fields: _updated(order, fields),
        delete=_never,
    )
    if order.found is None and order.state == "closed":
        return single(str(order), "pull", decide(None, None, RULES), hands)
    wanted = _wanted(order, found or {})
    return single(str(order), "pull", decide(found, wanted, RULES), hands)


def look(forge: GiteaClient, params: Mapping[str, Any]) -> Fields:
    """Return the pull of a number, or those that fit, the newest first."""
    repo = repo_of(forge, params["repo"])
    if params["number"] is not None:
        found = absent(lambda: forge.get_pull(repo.full_name, params["number"]))()
        return {"pulls": [] if found is None else [view(found)]}
    rows = forge.list_pulls(repo.full_name, state=params["state"], base=params["base"])
    return {"pulls": [view(one) for one in chosen(rows, params["head"], params["labels"])]}


def chosen(rows: Sequence[PullRequest], head: str | None, labels: Sequence[str]) -> list[PullRequest]:
    """Return the pulls of a head that have all labels, by exact name."""
    return [
        one
        for one in rows
        if (head is None or has_head(one, head)) and set(labels) <= {label.name for label in one.labels}
    ]


def has_head(pull: PullRequest, head: str) -> bool:
    """Return whether a pull is of this head: a branch of its own repository, or owner:branch of a fork."""
    owner, colon, branch = head.rpartition(":")
    if colon:
        theirs = pull.head.repo.partition("/")[0]
        return pull.head.label == branch and theirs.casefold() == owner.casefold()
    return pull.head.label == branch and pull.head.repo_id == pull.base.repo_id


def find(forge: GiteaClient, repo: Repo, params: Mapping[str, Any], base: str) -> PullRequest | None:
    """Return the pull of a number, or that of a pair of branches: an open one, else the last that fits."""
    name, number = repo.full_name, params["number"]
    if number is not None:
        found = absent(lambda: forge.get_pull(name, number))()
        if found is None:
            raise KeepError(f"number: {name} has no pull request {number}")
        return found
    rows = chosen(forge.list_pulls(name, base=base), params["head"], ())
    if not rows:
        rows = _former(chosen(forge.list_pulls(name, state="all", base=base), params["head"], ()), params)
    if not rows:
        return None
    found = forge.get_pull(name, rows[0].number)
    if params["state"] == "open" and found.merged and _has_new_work(forge, repo, found):
        return None
    return found


def _former(rows: list[PullRequest], params: Mapping[str, Any]) -> list[PullRequest]:
    """Pulls that are no longer open; of a landing, that of the commit in question first."""
    return sorted(rows, key=lambda one: one.head.sha != params["head_commit_id"])


def _has_new_work(forge: GiteaClient, repo: Repo, merged: PullRequest) -> bool:
    """Whether the branch of a merged pull has moved on since."""
    branch = absent(lambda: forge.get_branch(merged.head.repo or repo.full_name, merged.head.label))()
    return branch is not None and branch.sha != merged.head.sha


def _wanted(order: Order, found: Fields) -> Fields:
    """Return the fields as they are to be. KeepError for what the forge would refuse."""
    pull, params, state = order.found, order.params, order.state
    if pull is not None and pull.merged:
        return _after_merge(order, pull)
    if pull is None:
        _refuse_unopened(order)
    words = wanted_words(order.forge, order.repo, params, found, () if pull is None else pull.labels)
    words |= {"title": title_of(params["title"])} if params["title"] is not None else {}
    if pull is None:
        return {"head": _branch_name(params["head"]), "base": order.base, **words}
    if state in {"open", "closed"}:
        _refuse_turn(order, pull)
        return {**words, "state": state}
    if pull.state == "closed":
        raise KeepError(f"{order} is closed; state open opens it again")
    if state == "updated":
        _refuse_update(order, pull)
        return {**words, "behind": False}
    _refuse_landing(order, pull)
    return {**words, "state": "closed", "merged": True, "landing": MergeState.MERGED.value}


def _after_merge(order: Order, pull: PullRequest) -> Fields:
    """A merged pull stays as it is; it must only be what was asked for."""
    if order.state == "landed" and pull.head.sha not in ("", order.params["head_commit_id"]):
        said = f"it was merged with another head, {pull.head.sha}"
        raise _not_landed(order, MergeResult(MergeState.HEAD_MOVED, said, head=pull.head.sha))
    if order.state == "open" and order.params["number"] is not None:
        raise KeepError(f"{order} is merged and cannot be open; open another one from its head")
    return {}


def _refuse_unopened(order: Order) -> None:
    """Refuse what cannot be opened, or is to be more than open before anybody could look at it."""
    params, forge = order.params, order.forge
    head = str(params["head"])
    if order.state != "open":
        raise KeepError(f"there is no open {order}; open it first, with state open")
    if params["title"] is None:
        raise KeepError(f"title: there is no open {order}; write the title to open it with")
    repo_of(forge, order.name, opens="pull requests")
    here = ":" not in head
    if here and _branch_name(head) == order.base:
        raise KeepError(f"head: {head} is the base as well; give the branch that has the changes")
    for option, branch in [("base", order.base), *([("head", head)] if here else [])]:
        if absent(lambda branch=branch: forge.get_branch(order.name, branch))() is None:  # type: ignore[misc]
            raise KeepError(f"{option}: {order.name} has no branch {branch}; push it first")


def _refuse_turn(order: Order, pull: PullRequest) -> None:
    """Refuse to close what waits for open issues, and to reopen what has no branch any more."""
    if order.state == "closed" and pull.state == "open":
        refuse_open_blockers(order.forge, order.repo, pull.number)
    if order.state == "open" and pull.state == "closed":
        there = absent(lambda: order.forge.get_branch(pull.head.repo or order.name, pull.head.label))()
        if there is None:
            raise KeepError(f"{order} is closed and its branch {pull.head.label} is gone; push it first")


def _refuse_update(order: Order, pull: PullRequest) -> None:
    if not behind(pull):
        return
    style = order.params["update_style"]
    if pull.head.repo_id == pull.base.repo_id and not order.repo.push:
        raise _not_updated(order, UpdateState.BLOCKED, "the account may not push to the head", pull.head.sha)
    if style == "rebase" and not order.repo.allow_rebase_update:
        said = "the repository does not allow to update by rebase"
        raise _not_updated(order, UpdateState.BLOCKED, said, pull.head.sha)


def _refuse_landing(order: Order, pull: PullRequest) -> None:
    params = order.params
    result, spent = foreseen(
        order.forge,
        order.repo,
        pull.number,
        params["head_commit_id"],
        params["merge_style"],
        wait_s=order.left,
    )
    order.left = max(0.0, order.left - spent)
    if not result.merged:
        raise _not_landed(order, result)


def _created(order: Order, fields: Fields) -> Fields:
    forge, name = order.forge, order.name
    made = forge.create_pull(
        name,
        order.params["head"],
        order.base,
        fields["title"],
        fields.get("body", ""),
        labels=[label.id for label in labels_of(forge, order.repo, fields.get("labels", []))],
        assignees=fields.get("assignees", []),
    )
    if fields.get("milestone"):
        forge.update_issue(
            name, made.number, **sent_words(forge, order.repo, {"milestone": fields["milestone"]}, "")
        )
    return view(forge.get_pull(name, made.number))


def _updated(order: Order, fields: Fields) -> Fields:
    """Write the words first: a landing shall close a pull that says what it is to say."""
    forge, name, pull = order.forge, order.name, order.found
    if pull is None:
        raise KeepError(f"{order} is gone")
    lands = "landing" in fields
    words = {key: value for key, value in fields.items() if not (lands and key == "state")}
    sent = sent_words(forge, order.repo, words, pull.body)
    if "body" in sent:
        sent["content_version"] = pull.content_version
        guarded(
            lambda: forge.update_issue(name, pull.number, **sent),
            lambda: forge.get_issue(name, pull.number).body,
            sent["body"],
            str(order),
        )
    elif sent:
        forge.update_issue(name, pull.number, **sent)
    relabel(forge, order.repo, pull, fields, order.params["add_labels"] is not None)
    if "behind" in fields:
        _bring_up(order, pull)
    if lands:
        _land(order, pull)
    return view(forge.get_pull(name, pull.number))


def _bring_up(order: Order, pull: PullRequest) -> None:
    """Move the head onto its base, and wait until the forge shows that it did."""
    forge = order.forge
    result = forge.update_pull_branch(order.name, pull.number, style=order.params["update_style"])
    if result.state in (UpdateState.CONFLICT, UpdateState.BLOCKED):
        raise _not_updated(order, result.state, result.reason, result.head)
    for pause in pauses(max(SETTLE_S, order.left)):
        if not behind(forge.get_pull(order.name, pull.number)):
            return
        if pause is not None:
            forge.retry.sleep(pause)
    raise _not_updated(order, UpdateState.UNKNOWN_RECHECK, result.reason or "still behind", result.head)


def _land(order: Order, pull: PullRequest) -> None:
    """Merge the head that was judged, and no other; ask again while it may help and there is time."""
    forge, params = order.forge, order.params
    final = (MergeState.CHECKING, MergeState.CONFLICT, MergeState.HEAD_MOVED, MergeState.SCHEDULED)
    ends = time.monotonic() + order.left
    while True:
        left = max(0.0, ends - time.monotonic())
        result = forge.merge_pull(
            order.name,
            pull.number,
            params["head_commit_id"],
            style=params["merge_style"],
            title=params["merge_title"],
            message=params["merge_message"],
            delete_branch=params["delete_branch"],
            patience_s=left,
        )
        if result.merged and result.head in ("", params["head_commit_id"]):
            return
        if result.merged:
            result = MergeResult(MergeState.HEAD_MOVED, result.reason, result.sha, result.head)
        if result.state in final or not left:
            raise _not_landed(order, result)
        forge.retry.sleep(min(left, AGAIN_S))


def _not_landed(order: Order, result: MergeResult) -> KeepError:
    said = f"{order} is not landed: {result.state.value}: {result.reason or 'no reason given'}"
    return KeepError(said, landing=result.state.value, reason=result.reason, head_sha=result.head)


def _not_updated(order: Order, state: UpdateState, reason: str, head: str) -> KeepError:
    said = f"{order} is not up to date: {state.value}: {reason}"
    return KeepError(said, updating=state.value, reason=reason, head_sha=head)


def _branch_name(head: str) -> str:
    return head.rpartition(":")[2]


def _never(_there: Fields) -> None:
    raise KeepError("a pull request is closed, not deleted")
