# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a pull's head up to date with its base, by merge or by rebase."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import branches, permissions, pull_check, pull_view, repos, rules
from .errors import ApiError, forbidden, internal
from .git import GitError
from .router import route
from .store import must
from .web import Response

if TYPE_CHECKING:
    from .store import Row
    from .web import Request


def _may(r: Request, pull: Row, *, rebase: bool) -> bool:
    head_repo = must(r.db.get("repo", pull["head_repo_id"]))
    if permissions.access(r.db, head_repo, r.doer).of(permissions.CODE) < permissions.WRITE:
        return False
    rule = rules.rule_for(r.db, head_repo["id"], pull["head"])
    if rule is None:
        return True
    return rule.may_force(r.db, r.user) if rebase else rule.may_push(r.db, r.user)


@route(
    "POST",
    "/repos/{owner}/{repo}/pulls/{index}/update",
    scope="repository",
    token=True,
    need="see:repo.pulls",
)
def update(r: Request) -> Response:
    """Update the head. A style that is not rebase is merge; a head that is not behind is told 500."""
    pull, issue = pull_view.find(r)
    rebase = r.arg("style") == "rebase"
    if pull["merged"] or issue["closed"]:
        raise ApiError(422, "%!s(<nil>)")
    if pull["head_repo_id"] <= 0 or not _may(r, pull, rebase=rebase):
        raise forbidden()
    with r.forge.lock(("pull", pull["id"])):
        head = pull_view.head_now(r, pull)
        if head is None:
            raise internal("head branch does not exist")
        git = pull_view.bring(r, pull, head)
        base = git.branch(pull["base"])
        if base is None or git.is_ancestor(base, head):
            raise internal(f"HeadBranch of PR {pull['number']} is up to date")
        _move(r, pull, base, head, rebase=rebase)
    return Response(200)


def _move(r: Request, pull: Row, base: str, head: str, *, rebase: bool) -> None:
    git = r.forge.git(pull["repo_id"])
    who = repos.signature(r)
    made: str | None
    if rebase:
        made = git.rebase(head, base, who)
    else:
        tree = git.merge_tree(head, base)
        text = f"Merge branch '{pull['base']}' into {pull['head']}\n"
        made = None if tree is None else git.commit_tree(tree, [head, base], text, who)
    if made is None:
        raise ApiError(
            409, "rebase failed because of conflict" if rebase else "merge failed because of conflict"
        )
    target = r.forge.git(pull["head_repo_id"])
    if pull["head_repo_id"] != pull["repo_id"]:
        git.run("update-ref", pull_view.kept_ref(pull), made)
        target.run("fetch", "--quiet", "--no-tags", str(git.path), pull_view.kept_ref(pull))
    try:
        target.update(f"refs/heads/{pull['head']}", made, head)
    except GitError as error:
        raise ApiError(409, f"PushRejected with remote message: {error}") from error
    branches.moved(r, pull["head_repo_id"], f"refs/heads/{pull['head']}", head, made)
    pull_check.restart(r.forge, pull["id"])
