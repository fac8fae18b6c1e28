# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would come of a merge: each thing that can be in the way, and which comes first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_admin_types import BranchProtection
from ansible_collections.timmy.config.plugins.module_utils.gitea_foresee import (
    Ground,
    fits,
    foresee,
    not_green,
    opinions,
    protected,
    unmet,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_merge import FAST_FORWARD, MergeState
from ansible_collections.timmy.config.plugins.module_utils.gitea_types import (
    Branch,
    PullEnd,
    PullRequest,
    Repo,
    Review,
    Status,
    User,
)

HEAD, BASE, OLD = "a" * 40, "b" * 40, "c" * 40
PULL = PullRequest(
    number=1,
    state="open",
    mergeable=True,
    head=PullEnd(ref="f", sha=HEAD),
    base=PullEnd(ref="main", sha=BASE),
    merge_base=BASE,
)
REPO = Repo(allow_fast_forward_only_merge=True, allow_merge_commits=True)
GROUND = Ground(REPO, PULL, Branch(name="main", user_can_merge=True))
B, C, M, MOVED = MergeState.BLOCKED, MergeState.CHECKING, MergeState.MERGED, MergeState.HEAD_MOVED


def ground(**fields: Any) -> Ground:
    """Return a ground where fields of it, the pull, the repository or the base are otherwise."""
    found = GROUND
    for name, value in fields.items():
        if name in Ground.__dataclass_fields__:
            found = replace(found, **{name: value})
            continue
        part = next(
            part for part in ("pull", "repo", "base") if name in getattr(found, part).__dataclass_fields__
        )
        found = replace(found, **{part: replace(getattr(found, part), **{name: value})})
    return found


@pytest.mark.parametrize(
    ("fields", "state", "words", "passing"),
    [
        ({}, M, "", False),
        ({"merged": True, "merge_commit_sha": OLD}, M, "", False),
        ({"merged": True, "head": PullEnd(sha=OLD)}, MOVED, f"another head, {OLD}", False),
        ({"state": "closed"}, B, "closed", False),
        ({"archived": True}, B, "archived", False),
        ({"head": PullEnd(sha=OLD)}, MOVED, OLD, False),
        ({"draft": True, "mergeable": False}, B, "draft", False),
        ({"user_can_merge": False}, B, "may not merge", False),
        ({"allow_fast_forward_only_merge": False}, B, FAST_FORWARD, False),
        ({"mergeable": False}, C, "checking or in conflict", True),
        ({"enable_status_check": True}, B, "no status at all", True),
        ({"required_approvals": 1}, B, "0 of 1", True),
        ({"blockers": 2}, B, "depends on 2", True),
        ({"merge_base": OLD}, B, "behind", False),
        ({"rule": BranchProtection(block_on_outdated_branch=True), "merge_base": OLD}, B, "behind", True),
        ({"rule": BranchProtection(protected_file_patterns="a/**"), "files": ["a/b"]}, B, "files: a/b", True),
        ({"archived": True, "state": "closed"}, B, "closed", False),
        ({"head": PullEnd(sha=OLD), "draft": True}, MOVED, OLD, False),
        ({"mergeable": False, "enable_status_check": True}, C, "checking", True),
    ],
)
def test_what_is_in_the_way(fields: dict[str, Any], state: MergeState, words: str, passing: bool) -> None:
    told = foresee(ground(**fields), HEAD, FAST_FORWARD)
    assert (told.result.state, told.passing) == (state, passing), told
    assert words in told.result.reason


def test_behind_only_hinders_what_has_to_follow() -> None:
    assert foresee(ground(merge_base=OLD), HEAD, "merge").result.merged


def statuses(*rows: str) -> list[Status]:
    """Return statuses, the oldest first, from texts like ci/test=success."""
    parts = [row.partition("=") for row in rows]
    return [Status(id=at, context=name, state=state) for at, (name, _sign, state) in enumerate(parts)]


@pytest.mark.parametrize(
    ("required", "posted", "missing"),
    [
        ("ci/test", "", "ci/test"),
        ("ci/test", "ci/test=pending", "ci/test"),
        ("ci/test", "ci/test=failure", "ci/test"),
        ("ci/test", "ci/test=warning", "ci/test"),
        ("ci/test", "ci/test=success", ""),
        ("ci/test", "ci/test=skipped", ""),
        ("ci/test", "ci/test=failure ci/test=success", ""),
        ("ci/test", "ci/test=success ci/test=failure", "ci/test"),
        ("ci/test", "ci/test=success ci/b=failure", ""),
        ("ci/test ci/b", "ci/test=success", "ci/b"),
        ("ci/*", "ci/test=success", ""),
        ("ci/*", "ci/test=success ci/b=failure", "ci/*"),
        ("ci/*", "lint=success", "ci/*"),
        ("", "lint=success", ""),
        ("", "lint=success ci/b=error", "ci/b"),
        ("", "", "no status at all"),
    ],
)
def test_required_checks(required: str, posted: str, missing: str) -> None:
    base = Branch(enable_status_check=True, status_check_contexts=tuple(required.split()))
    assert ", ".join(not_green(base, statuses(*posted.split()))) == missing


def test_checks_that_nobody_asks_for_do_not_count() -> None:
    assert not_green(Branch(), statuses("ci/test=failure")) == []


def review(number: int, login: str, state: str, **more: bool) -> Review:
    return Review(id=number, user=User(login=login), state=state, **{"official": True, **more})


def test_the_last_word_of_each_reviewer_counts() -> None:
    rows = [
        review(1, "a", "REQUEST_CHANGES"),
        review(2, "a", "APPROVED"),
        review(3, "b", "APPROVED", official=False),
        review(4, "c", "APPROVED", dismissed=True),
        review(5, "a", "COMMENT"),
    ]
    assert [one.id for one in opinions(rows[::-1])] == [2]


def test_stale_approvals_count_unless_the_rule_says_otherwise() -> None:
    stale = [review(1, "a", "APPROVED", stale=True)]
    assert unmet(ground(required_approvals=1, reviews=stale)) == []
    ignoring = BranchProtection(ignore_stale_approvals=True)
    assert unmet(ground(required_approvals=1, reviews=stale, rule=ignoring)) == ["it has 0 of 1 approvals"]


def test_a_rejection_blocks_where_the_rule_says_so() -> None:
    rejected = [review(1, "a", "REQUEST_CHANGES")]
    assert unmet(ground(reviews=rejected, rule=BranchProtection())) == []
    blocking = BranchProtection(block_on_rejected_reviews=True)
    assert unmet(ground(reviews=rejected, rule=blocking)) == ["there are requested changes"]


@pytest.mark.parametrize(
    ("pattern", "text", "separators", "good"),
    [
        ("ci/*", "ci/a/b", "", True),
        ("ci/*", "ci", "", False),
        ("{lint,ci}/t", "ci/t", "", True),
        ("{lint,ci}/t", "cd/t", "", False),
        ("ci/[ab]", "ci/b", "", True),
        ("ci/[!ab]", "ci/b", "", False),
        ("ci/?", "ci/x", "", True),
        ("c.", "cx", "", False),
        ("*.lock", "a.lock", "./", True),
        ("*.lock", "a/b.lock", "./", False),
        ("locked/**", "locked/a/b.txt", "./", True),
        ("[z-a]", "b", "", False),
        ("[z-a]", "[z-a]", "", True),
    ],
)
def test_globs_of_the_forge(pattern: str, text: str, separators: str, good: bool) -> None:
    assert fits(pattern, text, separators) is good


def test_protected_paths_know_no_case() -> None:
    files = ["Locked/a", "b.lock", "c/d.lock", "e"]
    assert protected(" locked/** ; *.LOCK;", files) == ["Locked/a", "b.lock"]
    assert protected("", files) == []
