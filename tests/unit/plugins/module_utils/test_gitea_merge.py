# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a merge's answer means: each refusal that a forge was seen to give, with the pull as read then."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_merge import (
    MergeState,
    Refusal,
    UpdateState,
    behind,
    judge,
    judge_update,
    settled_conflict,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_types import PullEnd, PullRequest

HEAD, OTHER, BASE, NEWER, MADE = "a" * 40, "b" * 40, "c" * 40, "d" * 40, "e" * 40
FF = "fast-forward-only"
TRY_LATER = "Please try again later"
NOT_READY = "PR is not ready to be merged: "
LOCKED = "PushRejected Error: remote: error: cannot lock ref 'refs/heads/main': is at 1f but expected 2e"

OPEN: dict[str, Any] = {"state": "open", "mergeable": True}
UNMERGEABLE: dict[str, Any] = {"state": "open", "mergeable": False}
MERGED: dict[str, Any] = {"state": "closed", "merged": True, "merge_commit_sha": MADE}
CLOSED: dict[str, Any] = {"state": "closed"}
DRAFT: dict[str, Any] = {**UNMERGEABLE, "draft": True}
PUSHED: dict[str, Any] = {**OPEN, "head": OTHER}
BEHIND: dict[str, Any] = {**OPEN, "base": NEWER}

# What happened; status, reason; the pull afterwards; style; open dependencies; the outcome and a part of why.
CASES: list[tuple[str, int | None, str, dict[str, Any], str, int, str, str]] = [
    ("checking", 405, TRY_LATER, UNMERGEABLE, FF, 0, "checking", "try again"),
    ("checking, done by now", 405, TRY_LATER, OPEN, FF, 0, "checking", "try again"),
    ("conflict, as the forge words it", 405, TRY_LATER, UNMERGEABLE, "rebase", 0, "checking", "try again"),
    ("conflict found while merging", 409, "CONFLICT (content): Merge conflict in a.txt", OPEN, "merge", 0,
     "conflict", "a.txt"),
    ("conflict found while rebasing", 409, "Rebase Error: exit status 1", OPEN, "rebase", 0,
     "conflict", "Rebase"),
    ("unrelated histories", 409, "fatal: refusing to merge unrelated histories", OPEN, "merge", 0, "conflict",
     "unrelated"),
    ("409 without a word", 409, "", OPEN, "merge", 0, "conflict", ""),
    ("head moved, said", 409, "head out of date", PUSHED, FF, 0, "head-moved", OTHER),
    ("head moved, said, and back", 409, "head out of date", OPEN, FF, 0, "head-moved", "out of date"),
    ("head moved, seen while checking", 405, TRY_LATER, PUSHED, FF, 0, "head-moved", OTHER),
    ("head moved, seen after protection", 405, NOT_READY + "Not all required status checks successful",
     PUSHED,
     FF, 0, "head-moved", OTHER),
    ("head moved, seen after a 500", 500, "", PUSHED, FF, 0, "head-moved", OTHER),
    ("head moved, seen after no answer", None, "no whole answer", PUSHED, FF, 0, "head-moved", OTHER),
    ("head moved and in conflict", 409, "CONFLICT", PUSHED, "merge", 0, "head-moved", OTHER),
    ("base moved while merging", 409, "merge push out of date", OPEN, "merge", 0, "checking", "out of date"),
    ("another pull was merged", 409, LOCKED, OPEN, FF, 0, "checking", "cannot lock ref"),
    ("another pull was merged, behind now", 409, LOCKED, BEHIND, FF, 0, "checking", "cannot lock ref"),
    ("base moved before, fast-forward", 500, "", BEHIND, FF, 0, "blocked", "behind its base"),
    ("base moved before, said to admins", 500, "Merge DivergingFastForwardOnly Error", BEHIND, FF, 0,
     "blocked",
     "behind its base"),
    ("base moved before, block on outdated", 405, NOT_READY + "The head branch is behind the base branch",
     BEHIND, "merge", 0, "blocked", "behind"),
    ("red", 405, NOT_READY + "Not all required status checks successful", OPEN, FF, 0, "blocked",
     "status checks"),
    ("missing", 405, NOT_READY + "Not all required status checks successful", UNMERGEABLE, FF, 0, "blocked",
     "status checks"),
    ("skipped passes: merged after all", 500, "", MERGED, FF, 0, "merged", ""),
    ("approvals missing", 405, NOT_READY + "Does not have enough approvals", OPEN, FF, 0, "blocked",
     "approvals"),
    ("changes requested", 405, NOT_READY + "There are requested changes", OPEN, FF, 0, "blocked",
     "requested"),
    ("review requested", 405, NOT_READY + "There are official review requests", OPEN, FF, 0, "blocked",
     "review"),
    ("protected path", 405, NOT_READY + "Changed protected files", OPEN, FF, 0, "blocked", "protected files"),
    ("not on the merge list", 405, "User not allowed to merge PR", OPEN, FF, 0, "blocked", "not allowed"),
    ("style disabled", 405, "squash is not allowed an allowed merge style for this repository", OPEN,
     "squash", 0,
     "blocked", "squash"),
    ("signing impossible", 405, "unable to sign", OPEN, "merge", 0, "blocked", "sign"),
    ("hook rejects the push", 409, "PushRejected with remote message: not today", OPEN, FF, 0, "blocked",
     "not today"),
    ("wrong commit id", 409, "Wrong commit ID", OPEN, "merge", 0, "blocked", "commit"),
    ("closed", 404, "not found", CLOSED, FF, 0, "blocked", "closed"),
    ("closed while checking", 405, TRY_LATER, CLOSED, FF, 0, "blocked", "closed"),
    ("closed, no answer", None, "reset", CLOSED, FF, 0, "blocked", "closed"),
    ("draft", 405, "Work in progress PRs cannot be merged", DRAFT, FF, 0, "blocked", "progress"),
    ("draft, without a word", 405, "", DRAFT, FF, 0, "blocked", "draft"),
    ("draft by now", 405, TRY_LATER, DRAFT, FF, 0, "blocked", "try again"),
    ("archived", 423, "", OPEN, FF, 0, "blocked", "archived"),
    ("archived, said", 423, "repo is archived", PUSHED, FF, 0, "blocked", "archived"),
    ("pull unit switched off", 404, "not found", OPEN, FF, 0, "blocked", "not found"),
    ("open dependency", 500, "", OPEN, FF, 2, "blocked", "2 open issues"),
    ("already merged", 405, "The PR is already merged", MERGED, FF, 0, "merged", ""),
    ("already merged, old wording", 405, "", MERGED, FF, 0, "merged", ""),
    ("already merged, not seen yet", 405, "The PR is already merged", OPEN, FF, 0, "unknown-recheck",
     "already"),
    ("500 after the merge", 500, "", MERGED, FF, 0, "merged", ""),
    ("504 after the merge", 504, "Gateway Time-out", MERGED, FF, 0, "merged", ""),
    ("no answer after the merge", None, "reset", MERGED, FF, 0, "merged", ""),
    ("merged with another head meanwhile", 409, "head out of date", {**MERGED, "head": OTHER}, FF, 0,
     "merged",
     OTHER),
    ("500 before the merge", 500, "", OPEN, FF, 0, "unknown-recheck", "no answer"),
    ("500 before, behind does not matter", 500, "", BEHIND, "merge", 0, "unknown-recheck", ""),
    ("502 before", 502, "Bad Gateway", BEHIND, FF, 0, "unknown-recheck", "Bad Gateway"),
    ("no answer, not merged", None, "no whole answer", OPEN, FF, 0, "unknown-recheck", "no whole answer"),
    ("scheduled before", 409, "auto merge already scheduled", OPEN, FF, 0, "scheduled", "scheduled"),
    ("412", 412, "precondition", OPEN, FF, 0, "unknown-recheck", "precondition"),
]  # fmt: skip


def pull(head: str = HEAD, base: str = BASE, merge_base: str = BASE, **more: Any) -> PullRequest:
    return PullRequest(
        number=7, head=PullEnd(sha=head), base=PullEnd(sha=base), merge_base=merge_base, **more
    )


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_refused_merge(case: tuple[str, int | None, str, dict[str, Any], str, int, str, str]) -> None:
    _name, status, reason, after, style, blockers, word, part = case
    result = judge(Refusal(status, reason), pull(**after), HEAD, style, blockers)
    assert result.state.value == word
    assert part in result.reason
    assert result.merged == (word == "merged")
    assert result.sha == (MADE if word == "merged" else "")
    assert result.head == after.get("head", HEAD)


def test_the_matrix_has_every_outcome() -> None:
    assert len(CASES) >= 40
    assert {case[6] for case in CASES} == {state.value for state in MergeState}


@pytest.mark.parametrize(
    ("before", "after", "conflict"),
    [
        (pull(**UNMERGEABLE), pull(**UNMERGEABLE), True),
        (pull(**UNMERGEABLE), pull(**OPEN), False),
        (pull(**OPEN), pull(**UNMERGEABLE), False),
        (pull(**UNMERGEABLE), pull(**UNMERGEABLE, head=OTHER), False),
        (pull(**UNMERGEABLE), pull(**UNMERGEABLE, base=NEWER), False),
        (pull(**UNMERGEABLE), pull(**UNMERGEABLE, merge_base=NEWER), False),
        (pull(**UNMERGEABLE), pull(**DRAFT), False),
        (pull(**UNMERGEABLE), pull(**CLOSED), False),
    ],
)
def test_a_conflict_is_what_stays_unmergeable_while_nothing_moves(
    before: PullRequest, after: PullRequest, conflict: bool
) -> None:
    assert settled_conflict(before, after) is conflict


@pytest.mark.parametrize(
    ("status", "reason", "before", "after", "state"),
    [
        (409, "merge failed because of conflict", pull(base=NEWER), pull(base=NEWER), UpdateState.CONFLICT),
        (403, "", pull(base=NEWER), pull(base=NEWER), UpdateState.BLOCKED),
        (422, "cannot update a closed pull", pull(base=NEWER), pull(base=NEWER), UpdateState.BLOCKED),
        (500, "", pull(base=NEWER), pull(base=NEWER), UpdateState.UNKNOWN_RECHECK),
        (500, "", pull(base=NEWER), pull(), UpdateState.CURRENT),
        (None, "reset", pull(base=NEWER), pull(base=NEWER), UpdateState.UNKNOWN_RECHECK),
        (None, "reset", pull(base=NEWER), pull(OTHER, NEWER, NEWER), UpdateState.UPDATED),
        (409, "late", pull(base=NEWER), pull(OTHER, NEWER, NEWER), UpdateState.UPDATED),
        (500, "", pull(base=NEWER), pull(OTHER, NEWER), UpdateState.UNKNOWN_RECHECK),
    ],
)
def test_a_refused_update(
    status: int | None, reason: str, before: PullRequest, after: PullRequest, state: UpdateState
) -> None:
    assert judge_update(Refusal(status, reason), before, after).state is state


def test_behind_needs_to_know_both() -> None:
    assert behind(pull(base=NEWER))
    assert not behind(pull())
    assert not behind(pull(merge_base=""))
