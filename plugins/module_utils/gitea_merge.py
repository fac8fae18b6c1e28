# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a merge: one of seven words, worked out from the answer and the pull as it is afterwards.

The forge says with one number what must be retried and what never will work, and it may say "failed" after
it has merged. So no answer but success is believed before the pull itself has been read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .gitea_types import PullRequest

FAST_FORWARD = "fast-forward-only"
STYLES = ("merge", "rebase", "rebase-merge", "squash", FAST_FORWARD)


class MergeState(Enum):
    """The seven outcomes of asking for a merge."""

    MERGED = "merged"
    SCHEDULED = "scheduled"
    CHECKING = "checking"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    HEAD_MOVED = "head-moved"
    UNKNOWN_RECHECK = "unknown-recheck"


@dataclass(frozen=True)
class MergeResult:
    """A merge's outcome.

    `checking` may be asked again after a pause, `unknown-recheck` after reading everything again,
    `head-moved` only after the new head has been judged. `conflict` and `blocked` stay until somebody
    changes something; `reason` says what. `sha` is the merge commit, "" unless merged. `head` is the pull's
    head as last read.
    """

    state: MergeState
    reason: str = ""
    sha: str = ""
    head: str = ""

    @property
    def merged(self) -> bool:
        """Tell whether the pull is merged, by this call or before it."""
        return self.state is MergeState.MERGED


@dataclass(frozen=True)
class Refusal:
    """An answer that was no success; `status` is None when none came."""

    status: int | None
    reason: str


# What the forge says in its answers, in lower case, and what it means. The order is that of the search.
_SAID: tuple[tuple[int, str, MergeState], ...] = (
    (405, "try again later", MergeState.CHECKING),
    (405, "already merged", MergeState.UNKNOWN_RECHECK),
    (409, "head out of date", MergeState.HEAD_MOVED),
    (409, "cannot lock ref", MergeState.CHECKING),
    (409, "merge push out of date", MergeState.CHECKING),
    (409, "already scheduled", MergeState.SCHEDULED),
    (409, "auto merge", MergeState.SCHEDULED),
    (409, "rejected", MergeState.BLOCKED),
    (409, "wrong commit", MergeState.BLOCKED),
)
_OTHERWISE = {
    404: MergeState.BLOCKED,
    405: MergeState.BLOCKED,
    409: MergeState.CONFLICT,
    423: MergeState.BLOCKED,
}


def judge(
    refusal: Refusal, pull: PullRequest, wanted_head: str, style: str, blockers: int = 0
) -> MergeResult:
    """Return what a refused merge means, given the pull as read after it.

    `wanted_head` is the commit that was to be merged; `blockers` counts the open issues that the pull
    depends on.
    """
    head = pull.head.sha
    if pull.merged:
        told = "" if head in ("", wanted_head) else f"merged with another head, {head}"
        return MergeResult(MergeState.MERGED, told, pull.merge_commit_sha, head)
    state = _state(refusal)
    if pull.state == "closed":
        state, reason = MergeState.BLOCKED, "the pull is closed"
    elif refusal.status == 423:
        reason = refusal.reason or "the repository is archived"
    elif head not in ("", wanted_head):
        state, reason = MergeState.HEAD_MOVED, f"the head is {head} now"
    elif pull.draft:
        state, reason = MergeState.BLOCKED, refusal.reason or "the pull is a draft"
    elif state is MergeState.UNKNOWN_RECHECK:
        state, reason = _unclear(refusal, pull, style, blockers)
    else:
        reason = refusal.reason
    return MergeResult(state, reason, head=head)


def _state(refusal: Refusal) -> MergeState:
    said = refusal.reason.lower()
    for status, words, state in _SAID:
        if refusal.status == status and words in said:
            return state
    return _OTHERWISE.get(refusal.status or 0, MergeState.UNKNOWN_RECHECK)


def _unclear(refusal: Refusal, pull: PullRequest, style: str, blockers: int) -> tuple[MergeState, str]:
    """A 5xx or no answer, and not merged. Two causes last, and the forge names neither to most accounts."""
    if refusal.status == 500 and blockers:
        return MergeState.BLOCKED, f"it depends on {blockers} open issues"
    if refusal.status == 500 and style == FAST_FORWARD and behind(pull):
        return MergeState.BLOCKED, "the head is behind its base"
    return MergeState.UNKNOWN_RECHECK, refusal.reason or "no answer"


def behind(pull: PullRequest) -> bool:
    """Return whether the base has commits that the head lacks."""
    return bool(pull.merge_base and pull.base.sha and pull.merge_base != pull.base.sha)


def settled_conflict(before: PullRequest, after: PullRequest) -> bool:
    """Return whether a pull that is still not mergeable, read twice long apart, is in conflict.

    The forge says only that it is not mergeable, while it checks and in conflict alike. When nothing moved
    for as long as a check takes, it is a conflict, or a checker that is stuck.
    """
    still = (before.head.sha, before.base.sha, before.merge_base) == (
        after.head.sha,
        after.base.sha,
        after.merge_base,
    )
    return (
        still and not before.mergeable and not after.mergeable and not after.draft and after.state == "open"
    )


class UpdateState(Enum):
    """The outcomes of bringing a pull's head up to date with its base."""

    UPDATED = "updated"
    CURRENT = "current"
    CONFLICT = "conflict"
    BLOCKED = "blocked"
    UNKNOWN_RECHECK = "unknown-recheck"


@dataclass(frozen=True)
class UpdateResult:
    """An update's outcome; `head` is the pull's head as last read, "" when it was not read."""

    state: UpdateState
    reason: str = ""
    head: str = ""


def judge_update(refusal: Refusal, before: PullRequest, after: PullRequest) -> UpdateResult:
    """Return what a refused update means, given the pull as read before and after it."""
    head = after.head.sha
    if head != before.head.sha:
        # Ours, or a push at the same moment: in both cases the new head has to be judged from scratch.
        done = not behind(after)
        return UpdateResult(
            UpdateState.UPDATED if done else UpdateState.UNKNOWN_RECHECK, refusal.reason, head
        )
    if refusal.status == 409:
        return UpdateResult(UpdateState.CONFLICT, refusal.reason, head)
    if refusal.status in (403, 422, 423):
        said = refusal.reason or "no right to push to the head"
        return UpdateResult(UpdateState.BLOCKED, said, head)
    if not behind(after):
        return UpdateResult(UpdateState.CURRENT, "", head)
    return UpdateResult(UpdateState.UNKNOWN_RECHECK, refusal.reason or "no answer", head)
