# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull requests: open, judge, bring up to date, merge, close."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .gitea_errors import (
    BadTokenError,
    ForbiddenError,
    ForgeError,
    InvalidError,
    MovedError,
    NotFoundError,
    ServerError,
    ThrottledError,
    UnreachableError,
)
from .gitea_issues import Issues
from .gitea_merge import (
    FAST_FORWARD,
    STYLES,
    MergeResult,
    MergeState,
    Refusal,
    UpdateResult,
    UpdateState,
    behind,
    judge,
    judge_update,
    settled_conflict,
)
from .gitea_once import mark, marked, new_marker
from .gitea_session import first, given
from .gitea_types import ChangedFile, Commit, PullRequest, Review
from .gitea_url import repo_path, with_query

_FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

# Pauses while the forge works out whether a pull can be merged, in seconds; the last one repeats.
CHECK_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


class Pulls(Issues):
    """The forge's pull requests."""

    def list_pulls(self, repo: str, *, state: str = "open", base: str | None = None) -> list[PullRequest]:
        """Return pulls, newest first, each once. `mergeable` in a list may be of long ago: get the pull."""
        path = repo_path(repo, "pulls")
        rows = self._pull_rows(path, state)
        pulls = sorted(self.objects(PullRequest, path, rows), key=lambda one: -one.number)
        return [one for one in pulls if state in ("all", one.state) and base in (None, one.base.ref)]

    def _pull_rows(self, path: str, state: str) -> list[Any]:
        """The rows, read again without the state when some may have been skipped."""
        if state != "all":
            rows = self.still_rows("pulls", path, {"state": state})
            if rows is not None:
                return rows
        return self.read_rows("pulls", path, {"state": "all"})[0].every()

    def get_pull(self, repo: str, number: int) -> PullRequest:
        """Return a pull; asking makes the forge check whether it can be merged."""
        return self.read(PullRequest, repo_path(repo, "pulls", number))

    def find_pull(self, repo: str, base: str, head: str) -> PullRequest | None:
        """Return the pull of a pair of branches, None when there is none; of several, one."""
        try:
            return self.read(PullRequest, repo_path(repo, "pulls", base, head))
        except NotFoundError:
            return None

    def create_pull(
        self,
        repo: str,
        head: str,
        base: str,
        title: str,
        body: str = "",
        *,
        labels: Sequence[int] = (),
        assignees: Sequence[str] = (),
        marker: str | None = None,
    ) -> PullRequest:
        """Open a pull once; markers are those of `create_issue`. ConflictError when the pair has one.

        Two that ask at the same moment may both succeed: the forge does not lock the pair.
        """
        sign = marker or new_marker(self.rng)
        path = repo_path(repo, "pulls")
        data = given(
            head=head,
            base=base,
            title=title,
            body=marked(body, sign),
            labels=list(labels) or None,
            assignees=list(assignees) or None,
        )

        def find() -> PullRequest | None:
            if marker is not None:
                found = self.list_pulls(repo, state="all")
            else:
                found = self.newest(PullRequest, path, {"state": "all"})
            return first(sorted(found, key=lambda one: one.number), lambda one: mark(sign) in one.body)

        return self.create(PullRequest, path, data, find, look_first=marker is not None)

    def update_pull(
        self,
        repo: str,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        base: str | None = None,
        state: str | None = None,
        labels: Sequence[int] | None = None,
        assignees: Sequence[str] | None = None,
    ) -> PullRequest:
        """Change the fields that are given; lists replace what was there."""
        data = given(
            title=title,
            body=body,
            base=base,
            state=state,
            labels=None if labels is None else list(labels),
            assignees=None if assignees is None else list(assignees),
        )
        return self.write_typed(PullRequest, "PATCH", repo_path(repo, "pulls", number), data)

    def close_pull(self, repo: str, number: int) -> PullRequest:
        """Close a pull without merging it."""
        return self.update_pull(repo, number, state="closed")

    def list_pull_files(self, repo: str, number: int) -> list[ChangedFile]:
        """Return the files that a pull changes."""
        return self.read_list(ChangedFile, "files", repo_path(repo, "pulls", number, "files"))

    def list_pull_commits(self, repo: str, number: int) -> list[Commit]:
        """Return a pull's commits."""
        return self.read_list(Commit, "commits", repo_path(repo, "pulls", number, "commits"))

    def list_reviews(self, repo: str, number: int) -> list[Review]:
        """Return a pull's reviews."""
        return self.read_list(Review, "reviews", repo_path(repo, "pulls", number, "reviews"))

    def create_review(self, repo: str, number: int, event: str, commit_id: str, body: str = "") -> Review:
        """Review a pull once: APPROVED, REQUEST_CHANGES or COMMENT, of one commit."""
        sign = new_marker(self.rng)
        path = repo_path(repo, "pulls", number, "reviews")
        data = {"event": event, "commit_id": commit_id, "body": marked(body, sign)}

        def find() -> Review | None:
            return first(self.list_reviews(repo, number), lambda one: mark(sign) in one.body)

        return self.create(Review, path, data, find)

    # --- merge

    def merge_pull(
        self,
        repo: str,
        number: int,
        head: str,
        *,
        style: str = FAST_FORWARD,
        title: str = "",
        message: str = "",
        delete_branch: bool = False,
        patience_s: float = 0.0,
    ) -> MergeResult:
        """Merge a pull if its head is still the commit `head`, given in full, and say what came of it.

        While the forge is checking, ask again for up to `patience_s` seconds; a pull that stays unmergeable
        all that time with nothing moving is a conflict. Raises the forge's error only when asking itself is
        impossible: wrong token or scope, no such pull, a moved repository, no connection.
        """
        if style not in STYLES:
            raise ValueError(f"style is one of {', '.join(STYLES)}")
        if not _FULL_SHA.fullmatch(head):
            raise ValueError("head is the full commit id: the forge takes no short one")
        data = {"Do": style, "head_commit_id": head, "delete_branch_after_merge": delete_branch}
        data |= {"MergeTitleField": title} if title else {}
        data |= {"MergeMessageField": message} if message else {}
        path = repo_path(repo, "pulls", number, "merge")
        earlier: PullRequest | None = None
        spent = 0.0
        for pause in pauses(patience_s):
            result, pull = self._merge_once(repo, number, path, data)
            if result.state is not MergeState.CHECKING or pull is None:
                return result
            earlier = earlier or pull
            if pause is None:
                break
            self.retry.sleep(pause)
            spent += pause
        if earlier is not None and pull is not None and spent and settled_conflict(earlier, pull):
            return MergeResult(MergeState.CONFLICT, f"not mergeable for {spent:.0f} s", head=pull.head.sha)
        return result

    def _merge_once(
        self, repo: str, number: int, path: str, data: dict[str, Any]
    ) -> tuple[MergeResult, PullRequest | None]:
        """Ask once. The pull as read again says what came of it; a success holds also when that fails."""
        head = data["head_commit_id"]
        try:
            status = self._ask(path, data)
        except ForgeError as error:
            if isinstance(error, (BadTokenError, ForbiddenError, MovedError, UnreachableError)):
                raise
            if isinstance(error, InvalidError) and error.status != 412:
                raise
            refusal = Refusal(error.status, error.reason)
        else:
            if status == 201:
                return MergeResult(MergeState.SCHEDULED, "the forge merges later by itself", head=head), None
            return self._merged(repo, number, head), None
        try:
            pull = self.get_pull(repo, number)
            waits = refusal.status == 500 and not pull.merged
            blockers = self._open_dependencies(repo, number) if waits else 0
        except ForgeError as error:
            if isinstance(error, NotFoundError):
                raise
            told = f"{refusal.reason}; reading the pull again failed too: {error}"
            return MergeResult(MergeState.UNKNOWN_RECHECK, told, head=head), None
        return judge(refusal, pull, head, data["Do"], blockers), pull

    def _merged(self, repo: str, number: int, head: str) -> MergeResult:
        """The result of a success, with the merge commit where it can be read.

        A server in between may have said it, or an older answer come again: a pull that is not merged is not.
        """
        try:
            pull = self.get_pull(repo, number)
        except ForgeError as error:
            return MergeResult(MergeState.MERGED, f"merged; not read again: {error.reason}", head=head)
        if not pull.merged:
            told = "the forge said that it merged, but the pull is not merged"
            return MergeResult(MergeState.UNKNOWN_RECHECK, told, head=pull.head.sha or head)
        return MergeResult(MergeState.MERGED, "", pull.merge_commit_sha, pull.head.sha or head)

    def _open_dependencies(self, repo: str, number: int) -> int:
        """How many open issues a pull waits for; none where the repository does not know dependencies."""
        try:
            return sum(one.state == "open" for one in self.list_dependencies(repo, number))
        except NotFoundError:
            return 0

    def _ask(self, path: str, data: Any = None) -> int:
        """POST and return the status; again only where nothing can have happened: unsent, or told to wait."""
        rounds = self.retry.rounds()
        while True:
            try:
                reply = self.transport.send("POST", path, data, slow=True)
                # Read, so that somebody else's page is not taken for the forge's word.
                reply.data("POST", path)
                return reply.status
            except (ThrottledError, UnreachableError) as error:
                unsent = isinstance(error, UnreachableError) and not error.permanent
                waits = isinstance(error, ThrottledError) and not isinstance(error, ServerError)
                if not (unsent or waits) or not rounds.wait(error):
                    raise

    def is_merged(self, repo: str, number: int) -> bool:
        """Return whether a pull is merged."""
        return self.exists(repo_path(repo, "pulls", number, "merge"))

    def cancel_scheduled_merge(self, repo: str, number: int) -> None:
        """Take back a merge that the forge was to do later. NotFoundError when there is none."""
        self.delete(repo_path(repo, "pulls", number, "merge"))

    def update_pull_branch(self, repo: str, number: int, *, style: str = "rebase") -> UpdateResult:
        """Bring a pull's head up to date with its base by rebase or merge, and say what came of it."""
        if style not in ("rebase", "merge"):
            raise ValueError("style is rebase or merge")
        before = self.get_pull(repo, number)
        if not behind(before):
            # The forge answers this with an opaque 500.
            return UpdateResult(UpdateState.CURRENT, "", before.head.sha)
        path = with_query(repo_path(repo, "pulls", number, "update"), {"style": style})
        refusal: Refusal | None = None
        try:
            self._ask(path)
        except ForgeError as error:
            if isinstance(error, (BadTokenError, MovedError, NotFoundError, UnreachableError)):
                raise
            refusal = Refusal(error.status, error.reason)
        try:
            after = self.get_pull(repo, number)
        except ForgeError as error:
            told = f"reading the pull again failed: {error}"
            if refusal is None:
                return UpdateResult(UpdateState.UPDATED, told)
            return UpdateResult(UpdateState.UNKNOWN_RECHECK, f"{refusal.reason}; {told}")
        if refusal is None:
            return UpdateResult(UpdateState.UPDATED, "", after.head.sha)
        return judge_update(refusal, before, after)


def pauses(total_s: float, steps: tuple[float, ...] = CHECK_PAUSES) -> list[float | None]:
    """Return the pauses that fit into a time, each after an attempt, and None after the last attempt."""
    found: list[float | None] = []
    left = total_s
    while left > 0:
        found.append(min(left, steps[min(len(found), len(steps) - 1)]))
        left -= found[-1] or 0.0
    return [*found, None]
