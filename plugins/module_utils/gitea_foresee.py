# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would come of a merge, told without asking for one: for check mode, and for waiting.

The forge tells its reasons only to who tries. So what it looks at is read, in its own order of looking, and
judged in the same seven words (`gitea_merge`). Where an account may not read a rule, the forge may still
refuse what is foretold here; never the other way round on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from .gitea_admin_types import BranchProtection
from .gitea_client import GiteaClient
from .gitea_errors import ForbiddenError, NotFoundError
from .gitea_merge import FAST_FORWARD, MergeResult, MergeState, behind, settled_conflict
from .gitea_pulls import pauses
from .gitea_types import Branch, PullRequest, Repo, Review, Status

GREEN = ("success", "skipped")
# Seconds after which checking is no longer thought of; a forge that was measured took up to 2.7.
SURE_S = 4.0
_ALLOWED_BY = {
    "merge": "allow_merge_commits",
    "rebase": "allow_rebase",
    "rebase-merge": "allow_rebase_explicit",
    "squash": "allow_squash_merge",
    FAST_FORWARD: "allow_fast_forward_only_merge",
}


@dataclass(frozen=True)
class Ground:
    """All that decides about a merge, as far as the account may read it; `rule` is None where it may not."""

    repo: Repo
    pull: PullRequest
    base: Branch
    rule: BranchProtection | None = None
    statuses: Sequence[Status] = ()
    reviews: Sequence[Review] = ()
    files: Sequence[str] = ()
    blockers: int = 0


@dataclass(frozen=True)
class Foreseen:
    """What would come of it, and whether that may become another thing by waiting alone."""

    result: MergeResult
    passing: bool = field(default=False)


def survey(forge: GiteaClient, repo: Repo, number: int) -> Ground:
    """Read what decides about a merge. Only reads."""
    name = repo.full_name
    pull = forge.get_pull(name, number)
    if pull.merged or pull.state == "closed":
        return Ground(repo, pull, Branch())
    base = forge.get_branch(name, pull.base.ref)
    rule = _rule(forge, name, base)
    patterns = rule is not None and bool(rule.protected_file_patterns)
    return Ground(
        repo,
        pull,
        base,
        rule,
        forge.list_statuses(name, pull.head.sha) if base.enable_status_check else (),
        forge.list_reviews(name, number) if base.protected else (),
        [one.filename for one in forge.list_pull_files(name, number)] if patterns else (),
        _open_blockers(forge, name, number),
    )


def foreseen(
    forge: GiteaClient, repo: Repo, number: int, head: str, style: str, *, wait_s: float = 0.0
) -> tuple[MergeResult, float]:
    """Return what would come of a merge, and the seconds spent waiting where that could help.

    As when merging, what is not mergeable all that time with nothing moving is a conflict.
    """
    ground = survey(forge, repo, number)
    earlier, spent = ground.pull, 0.0
    for pause in pauses(wait_s):
        ground = survey(forge, repo, number) if spent else ground
        told = foresee(ground, head, style)
        if told.result.merged or not told.passing or pause is None:
            break
        forge.retry.sleep(pause)
        spent += pause
    result = told.result
    if result.state is MergeState.CHECKING and spent >= SURE_S and settled_conflict(earlier, ground.pull):
        result = MergeResult(MergeState.CONFLICT, f"not mergeable for {spent:.0f} s", head=result.head)
    return result, spent


def foresee(ground: Ground, head: str, style: str) -> Foreseen:
    """Return what would come of merging the commit `head` in a style."""
    pull = ground.pull
    if pull.merged:
        return Foreseen(_merged(pull, head))
    for state, reason, passing in _obstacles(ground, head, style):
        if reason:
            return Foreseen(MergeResult(state, reason, head=pull.head.sha), passing)
    return Foreseen(MergeResult(MergeState.MERGED, "", head=pull.head.sha))


def _merged(pull: PullRequest, head: str) -> MergeResult:
    if pull.head.sha in ("", head):
        return MergeResult(MergeState.MERGED, "", pull.merge_commit_sha, head)
    said = f"it was merged with another head, {pull.head.sha}"
    return MergeResult(MergeState.HEAD_MOVED, said, pull.merge_commit_sha, pull.head.sha)


def _obstacles(ground: Ground, head: str, style: str) -> list[tuple[MergeState, str, bool]]:
    """All that can be in the way, the forge's first objection first; an empty reason is none."""
    pull, repo, base = ground.pull, ground.repo, ground.base
    allowed = bool(getattr(repo, _ALLOWED_BY[style]))
    blocked = MergeState.BLOCKED
    rules = [(blocked, reason, True) for reason in unmet(ground)]
    return [
        (blocked, "the pull is closed" if pull.state == "closed" else "", False),
        (blocked, "the repository is archived" if repo.archived else "", False),
        (MergeState.HEAD_MOVED, f"the head is {pull.head.sha} now" if pull.head.sha != head else "", False),
        (blocked, "" if base.user_can_merge else "the account may not merge into the base", False),
        (blocked, "the pull is a draft" if pull.draft else "", False),
        (blocked, "" if allowed else f"the repository does not allow the style {style}", False),
        (MergeState.CHECKING, "" if pull.mergeable else "not mergeable: in checking or in conflict", True),
        *rules,
        (blocked, f"it depends on {ground.blockers} open issues" if ground.blockers else "", True),
        (blocked, "the head is behind its base" if style == FAST_FORWARD and behind(pull) else "", False),
    ]


def unmet(ground: Ground) -> list[str]:
    """Return what the protection of the base asks for and does not get."""
    base, rule, said = ground.base, ground.rule, []
    missing = not_green(base, ground.statuses)
    if missing:
        said.append(f"not all required status checks are green: {', '.join(missing)}")
    views = opinions(ground.reviews)
    stale_too = rule is None or not rule.ignore_stale_approvals
    good = sum(one.state == "APPROVED" and (stale_too or not one.stale) for one in views)
    if good < base.required_approvals:
        said.append(f"it has {good} of {base.required_approvals} approvals")
    if rule is None:
        return said
    if rule.block_on_rejected_reviews and any(one.state == "REQUEST_CHANGES" for one in views):
        said.append("there are requested changes")
    if rule.block_on_outdated_branch and behind(ground.pull):
        said.append("the head is behind its base")
    hit = protected(rule.protected_file_patterns, ground.files)
    return [*said, f"it changes protected files: {', '.join(hit[:3])}"] if hit else said


def not_green(base: Branch, statuses: Sequence[Status]) -> list[str]:
    """Return the required contexts that are missing or not green; all contexts count where none is named."""
    if not base.enable_status_check:
        return []
    newest: dict[str, str] = {}
    for one in sorted(statuses, key=lambda one: -one.id):
        newest.setdefault(one.context, one.state)
    if not base.status_check_contexts:
        red = [context for context, state in newest.items() if state not in GREEN]
        return red if newest else ["no status at all"]
    return [
        wanted
        for wanted in base.status_check_contexts
        if not (states := [state for context, state in newest.items() if fits(wanted, context)])
        or any(state not in GREEN for state in states)
    ]


def opinions(reviews: Sequence[Review]) -> list[Review]:
    """Return the last official approval or rejection of each reviewer that was not dismissed."""
    last = {
        one.user.login: one
        for one in sorted(reviews, key=lambda one: one.id)
        if one.user and one.official and not one.dismissed and one.state in ("APPROVED", "REQUEST_CHANGES")
    }
    return list(last.values())


def protected(patterns: str, files: Sequence[str]) -> list[str]:
    """Return the files that patterns, parted by semicolons, protect; case does not count."""
    words = [word.strip().lower() for word in patterns.split(";") if word.strip()]
    return [name for name in files if any(fits(word, name.lower(), "./") for word in words)]


def fits(pattern: str, text: str, separators: str = "") -> bool:
    """Return whether a glob of the forge fits a text; a star stops at separators, two stars do not."""
    return pattern == text or _glob(pattern, separators).fullmatch(text) is not None


@cache
def _glob(pattern: str, separators: str) -> re.Pattern[str]:
    any_one = f"[^{re.escape(separators)}]" if separators else "."
    known = {"**": ".*", "*": f"{any_one}*", "?": any_one}
    pieces = re.split(r"(\*\*|\*|\?|\{[^{}]*\}|\[[^\]]+\])", pattern)
    return re.compile("".join(known.get(piece) or _literal(piece) for piece in pieces), re.DOTALL)


def _literal(piece: str) -> str:
    """A plain piece, alternatives in braces, or a class in brackets."""
    if piece.startswith("{") and piece.endswith("}"):
        return f"(?:{'|'.join(re.escape(word) for word in piece[1:-1].split(','))})"
    if piece.startswith("[") and piece.endswith("]"):
        inner = piece[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        made = f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
        try:
            re.compile(made)
        except re.error:
            return re.escape(piece)
        return made
    return re.escape(piece)


def _rule(forge: GiteaClient, repo: str, base: Branch) -> BranchProtection | None:
    """The rule of a branch, for those who may read it: the forge tells its name to nobody else."""
    if not base.effective_branch_protection_name:
        return None
    try:
        return forge.get_branch_protection(repo, base.effective_branch_protection_name)
    except (ForbiddenError, NotFoundError):
        return None


def _open_blockers(forge: GiteaClient, repo: str, number: int) -> int:
    try:
        return sum(one.state == "open" for one in forge.list_dependencies(repo, number))
    except NotFoundError:
        return 0
