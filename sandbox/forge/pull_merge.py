# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging. The base moves by one compare-and-set; what failed sends the pull back to checking.

The intent is on the disk before the base moves, so a kill between the two is made good at the next start.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import branches, events, pull_check, pull_rules, pull_view, views
from .body import Form
from .errors import ApiError, internal
from .git import GitError, Signature
from .router import route
from .store import must
from .web import Response

if TYPE_CHECKING:
    from .git import Git
    from .store import Row
    from .web import Request

FORM = Form(
    "MergePullRequestForm",
    "Do:str do:str MergeTitleField:str merge_title_field:str MergeMessageField:str merge_message_field:str"
    " MergeCommitID:str merge_commit_id:str head_commit_id:str force_merge:bool"
    " merge_when_checks_succeed:bool delete_branch_after_merge:bool",
)
STYLES = {
    "merge": "allow_merge_commits",
    "rebase": "allow_rebase",
    "rebase-merge": "allow_rebase_explicit",
    "squash": "allow_squash_merge",
    "fast-forward-only": "allow_fast_forward_only_merge",
    "manually-merged": "allow_manual_merge",
}
PATH = "/repos/{owner}/{repo}/pulls/{index}/merge"


def _either(form: dict[str, Any], new: str, old: str) -> str:
    return str(form.get(new) or form.get(old) or "")


def _form(r: Request) -> dict[str, Any]:
    form = r.read(FORM)
    style = _either(form, "do", "Do")
    if not style:
        raise ApiError(422, "[Do]: Required")
    if style not in STYLES:
        raise ApiError(422, "[Do]: In")
    return {
        "style": style,
        "title": _either(form, "merge_title_field", "MergeTitleField"),
        "message": _either(form, "merge_message_field", "MergeMessageField"),
        "commit": _either(form, "merge_commit_id", "MergeCommitID"),
        "head": str(form.get("head_commit_id") or ""),
        "force": bool(form.get("force_merge")),
        "schedule": bool(form.get("merge_when_checks_succeed")),
        "delete": form.get("delete_branch_after_merge"),
    }


@route("POST", PATH, scope="repository", token=True, need="see:repo.pulls", archived=True)
def merge(r: Request) -> Response:
    """Merge now (200), or schedule it (201)."""
    form = _form(r)
    pull, _issue = pull_view.find(r)
    pull_rules.demand(r, pull, force=form["force"], scheduling=form["schedule"])
    if form["schedule"]:
        return _schedule(r, pull, form)
    run(r, pull, form)
    return Response(200)


def run(r: Request, pull: Row, form: dict[str, Any]) -> None:
    """Do the merge that was allowed. Who comes second for the same pull is told 500."""
    repo = must(r.db.get("repo", pull["repo_id"]))
    if not views.settings_of(repo).get(STYLES[form["style"]]):
        text = f"{form['style']} is not allowed an allowed merge style for this repository"
        raise ApiError(405, text)
    with r.forge.lock(("pull", pull["id"])):
        now = must(r.db.get("pull", pull["id"]))
        if now["merged"]:
            raise internal("pull request is merged already")
        try:
            _merge(r, now, repo, form)
        except (ApiError, GitError) as error:
            r.db.update("pull", pull["id"], intent="")
            pull_check.restart(r.forge, pull["id"])
            if isinstance(error, GitError):
                raise internal(str(error)) from error
            raise


def _message(pull: Row, issue: Row, form: dict[str, Any]) -> str:
    title = form["title"]
    if not title and form["style"] == "squash":
        title = f"{issue['title']} (#{pull['number']})"
    elif not title:
        way = f"from {pull['head']} into {pull['base']}"
        title = f"Merge pull request '{issue['title']}' (#{pull['number']}) {way}"
    return f"{title}\n\n{form['message']}".rstrip("\n") + "\n"


def _conflict(style: str) -> ApiError:
    error = ApiError(409, f"merge of style {style} conflicts")
    error.body = {"Style": style, "StdOut": "", "StdErr": "CONFLICT", "Err": "exit status 1"}
    return error


def _result(git: Git, style: str, sides: tuple[str, str], message: str, who: Signature) -> str:
    """Return the commit that the base shall move to; ``sides`` are base and head."""
    base, head = sides
    if style == "fast-forward-only":
        if not git.is_ancestor(base, head):
            text = "exit status 128 - fatal: Not possible to fast-forward, aborting."
            raise internal(f"Merge DivergingFastForwardOnly Error: {text}")
        return head
    if style in {"merge", "squash"}:
        tree = git.merge_tree(base, head)
        if tree is None:
            raise _conflict(style)
        return git.commit_tree(tree, [base, head] if style == "merge" else [base], message, who)
    tip = git.rebase(head, base, who)
    if tip is None:
        raise _conflict(style)
    if style == "rebase":
        return tip
    return git.commit_tree(f"{tip}^{{tree}}", [base, tip], message, who)


def _merge(r: Request, pull: Row, repo: Row, form: dict[str, Any]) -> None:
    issue = must(r.db.get("issue", pull["issue_id"]))
    head = pull_view.head_now(r, pull)
    if head is None:
        raise internal("head branch does not exist")
    if form["head"] and form["head"] != head:
        raise ApiError(409, "head out of date")
    git = pull_view.bring(r, pull, head)
    base = git.branch(pull["base"])
    if base is None:
        raise internal("base branch does not exist")
    who = Signature.of(r.user["name"], r.user["email"], r.forge.now())
    made = _result(git, form["style"], (base, head), _message(pull, issue, form), who)
    intent = {"from": base, "to": made, "head": head, "user": r.user_id, "style": form["style"]}
    r.db.update("pull", pull["id"], intent=json.dumps(intent))
    try:
        git.update(f"refs/heads/{pull['base']}", made, base)
    except GitError as error:
        there = git.branch(pull["base"])
        ref = f"refs/heads/{pull['base']}"
        text = f"PushRejected with remote message: cannot lock ref '{ref}': is at {there} but expected {base}"
        raise ApiError(409, text) from error
    finish(r, pull, intent)
    keep = form["delete"] is None and not views.settings_of(repo)["default_delete_branch_after_merge"]
    if not keep and form["delete"] is not False and pull["head_repo_id"] == repo["id"]:
        branches.remove(r, pull["head"], head)


def finish(r: Request, pull: Row, intent: dict[str, Any]) -> None:
    """Write down a merge whose base has moved."""
    now = r.forge.now()
    git = r.forge.git(pull["repo_id"])
    repo = must(r.db.get("repo", pull["repo_id"]))
    with r.db.write() as db:
        issue = must(db.get("issue", pull["issue_id"]))
        columns: dict[str, Any] = {"merged": 1, "merged_at": now, "merged_by": intent["user"], "schedule": ""}
        columns |= {"merge_sha": intent["to"], "head_sha": intent["head"], "intent": "", "state": "mergeable"}
        db.update("pull", pull["id"], **columns)
        db.update("issue", issue["id"], closed=1, closed_at=now, updated=now)
        events.note(r, issue, "merge_pull", commit=intent["to"])
        events.fire_issue(r, issue["id"], "closed")
        ref = f"refs/heads/{pull['base']}"
        branches.moved(r, repo["id"], ref, intent["from"], intent["to"], source="merge")
        pull_check.restart_base(r.forge, repo["id"], pull["base"])
        text = f"{issue['title']}\n{issue['body']}"
        if pull["base"] == repo["default_branch"]:
            text += "\n" + git.text("log", "--format=%B", f"{intent['from']}..{intent['to']}")
        for other in events.closed_by(r, repo, text):
            db.update("issue", other["id"], closed=1, closed_at=now, updated=now)
            events.note(r, other, "close", commit=intent["to"])
            events.fire_issue(r, other["id"], "closed")


def _schedule(r: Request, pull: Row, form: dict[str, Any]) -> Response:
    issue = must(r.db.get("issue", pull["issue_id"]))
    with r.db.write() as db:
        if must(db.get("pull", pull["id"]))["schedule"]:
            text = "pull request is already scheduled to auto merge when checks succeed"
            raise ApiError(409, f"{text} [pull_id: {pull['id']}]")
        # The head is not part of the plan: whatever is there when the checks are green gets merged.
        plan = {key: form[key] for key in ("style", "title", "message", "commit", "delete")} | {
            "user": r.user_id
        }
        db.update("pull", pull["id"], schedule=json.dumps(plan))
        events.note(r, issue, "pull_scheduled_merge")
    return Response(201)


@route("DELETE", PATH, scope="repository", token=True, need="see:repo.pulls", archived=True)
def cancel(r: Request) -> Response:
    """Take a schedule back."""
    pull, issue = pull_view.find(r)
    if not pull["schedule"]:
        raise ApiError(404, "not found", errors=None)
    with r.db.write() as db:
        db.update("pull", pull["id"], schedule="")
        events.note(r, issue, "pull_cancel_scheduled_merge")
    return Response(204)


def recover(r: Request) -> int:
    """Finish or forget the merges that a kill interrupted; return how many were finished."""
    done = 0
    for pull in r.db.all("select * from pull where intent <> '' and merged = 0"):
        intent = json.loads(pull["intent"])
        git = r.forge.git(pull["repo_id"])
        tip = git.branch(pull["base"])
        if (
            tip
            and intent["from"] != intent["to"]
            and git.commit_sha(intent["to"])
            and git.is_ancestor(intent["to"], tip)
        ):
            r.doer = r.db.get("user", intent["user"])
            finish(r, pull, intent)
            done += 1
        else:
            r.db.update("pull", pull["id"], intent="")
            pull_check.restart(r.forge, pull["id"])
    return done
