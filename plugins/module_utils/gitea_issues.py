# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issues, comments, labels and milestones. They also speak of pull requests by number, as the forge does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from .gitea_errors import ForgeError, NotFoundError, UnknownOutcomeError
from .gitea_once import mark, marked, new_marker
from .gitea_retry import transient
from .gitea_session import Query, Session, first, given
from .gitea_types import Comment, Issue, Label, Milestone, PullRequest, TimelineEvent
from .gitea_url import owner_path, repo_path


def rfc3339(when: datetime) -> str:
    """Return an aware time as the forge takes it, in whole seconds."""
    if when.tzinfo is None:
        raise ValueError("a time without a zone means a different moment on every machine")
    return when.isoformat(timespec="seconds")


class Issues(Session):
    """The forge's issues."""

    # --- issues

    def list_issues(
        self,
        repo: str,
        *,
        state: str = "open",
        labels: Iterable[str] = (),
        since: datetime | None = None,
        created_by: str = "",
        assigned_to: str = "",
        milestone: str = "",
        kind: str = "issues",
    ) -> list[Issue]:
        """Return issues, newest first, each once, also while issues are opened and closed meanwhile.

        `state` is open, closed or all; `labels` must all be there, by exact name; `kind` is issues, pulls or
        all. The forge drops a filter by a name that it does not know, so each row is checked again here.
        What leaves a filtered list while it is read makes the forge skip rows: then the list is read again
        without the filters that rows can leave, and those are applied here.
        """
        wanted = frozenset(labels)
        path = repo_path(repo, "issues")
        # Nothing leaves these while it is read: what is changed later still is changed since then.
        steady: Query = {
            "type": None if kind == "all" else kind,
            "created_by": created_by or None,
            "since": rfc3339(since) if since else None,
        }
        narrow: Query = {
            "state": state,
            "labels": ",".join(sorted(wanted)) or None,
            "assigned_by": assigned_to or None,
            "milestones": milestone or None,
        }
        filtered = state != "all" or wanted or assigned_to or milestone
        rows = self.still_rows("issues", path, {**steady, **narrow}) if filtered else None
        if rows is None:
            rows = self.read_rows("issues", path, {**steady, "state": "all"})[0].every()
        asked: dict[str, Any] = {
            "state": state,
            "labels": wanted,
            "since": since,
            "assigned_to": assigned_to,
            "milestone": milestone,
        }
        found = [one for one in self.objects(Issue, path, rows) if fits(one, **asked)]
        return sorted(found, key=lambda one: -one.number)

    def get_issue(self, repo: str, number: int) -> Issue:
        """Return an issue, or the issue side of a pull."""
        return self.read(Issue, repo_path(repo, "issues", number))

    def create_issue(
        self,
        repo: str,
        title: str,
        body: str = "",
        *,
        labels: Sequence[int] = (),
        assignees: Sequence[str] = (),
        milestone: int | None = None,
        due_date: datetime | None = None,
        marker: str | None = None,
    ) -> Issue:
        """Open an issue once and return it; its body ends with a hidden marker.

        With a `marker` of the caller's own, an issue that already carries it is returned instead, so that a
        run which was interrupted can be repeated; it should be one that others cannot guess, or anybody who
        may open issues can open it first. Labels are ids. An account without write gets the issue
        without labels, assignees and milestone: look at what is returned.
        """
        sign = marker or new_marker(self.rng)
        data = given(
            title=title,
            body=marked(body, sign),
            labels=list(labels) or None,
            assignees=list(assignees) or None,
            milestone=milestone,
            due_date=rfc3339(due_date) if due_date else None,
        )

        def find() -> Issue | None:
            return self.find_issue(repo, sign, deep=marker is not None)

        return self.create(Issue, repo_path(repo, "issues"), data, find, look_first=marker is not None)

    def find_issue(self, repo: str, marker: str, *, deep: bool = False) -> Issue | None:
        """Return the oldest issue that carries a marker, searching the newest, or with `deep` all."""
        if deep:
            found = self.list_issues(repo, state="all")
        else:
            found = self.newest(Issue, repo_path(repo, "issues"), {"state": "all", "type": "issues"})
        return first(sorted(found, key=lambda one: one.number), lambda one: mark(marker) in one.body)

    def update_issue(
        self,
        repo: str,
        number: int,
        *,
        title: str | None = None,
        body: str | None = None,
        state: str | None = None,
        assignees: Sequence[str] | None = None,
        milestone: int | None = None,
        due_date: datetime | None = None,
        unset_due_date: bool = False,
        content_version: int | None = None,
    ) -> Issue:
        """Change the fields that are given. `assignees` replaces all; a milestone of 0 clears it.

        With `content_version` and `body` the forge refuses, by ConflictError, what was changed meanwhile. Of
        such a write nobody can tell afterwards whose it was, so a lost answer is an UnknownOutcomeError.
        """
        if content_version is not None and body is None:
            raise ValueError("content_version only guards a change of the body")
        data = given(
            title=title,
            body=body,
            state=state,
            assignees=None if assignees is None else list(assignees),
            milestone=milestone,
            due_date=rfc3339(due_date) if due_date else None,
            unset_due_date=True if unset_due_date else None,
            content_version=content_version,
        )
        path = repo_path(repo, "issues", number)
        if content_version is None:
            return self.write_typed(Issue, "PATCH", path, data)
        try:
            return self._typed(Issue, "PATCH", path, self.transport.send("PATCH", path, data))
        except ForgeError as error:
            if not transient(error):
                raise
            raise UnknownOutcomeError("PATCH", path, error.reason, error.status) from error

    def close_issue(self, repo: str, number: int) -> Issue:
        """Close an issue. ConflictError or InvalidError when open issues block it."""
        return self.update_issue(repo, number, state="closed")

    def assign_issue(self, repo: str, number: int, assignees: Sequence[str]) -> Issue:
        """Add assignees and return the issue. This is no claim: several racers may all succeed.

        Servers before 1.27 have no route for it; there the set is read and written back.
        """
        try:
            return self.write_typed(
                Issue, "POST", repo_path(repo, "issues", number, "assignees"), {"assignees": list(assignees)}
            )
        except NotFoundError:
            now = [user.login for user in self.get_issue(repo, number).assignees]
            return self.update_issue(repo, number, assignees=list(dict.fromkeys([*now, *assignees])))

    def list_timeline(self, repo: str, number: int) -> list[TimelineEvent]:
        """Return what happened to an issue or a pull, oldest first."""
        path = repo_path(repo, "issues", number, "timeline")
        return self.read_list(TimelineEvent, "timeline", path, beside=repo_path(repo, "issues", number))

    def list_dependencies(self, repo: str, number: int) -> list[Issue]:
        """Return the issues that this one waits for."""
        return self.read_list(Issue, "dependencies", repo_path(repo, "issues", number, "dependencies"))

    # --- comments

    def list_comments(self, repo: str, number: int) -> list[Comment]:
        """Return all comments, oldest first."""
        path = repo_path(repo, "issues", number, "comments")
        return self.read_list(Comment, "comments", path, beside=repo_path(repo, "issues", number))

    def create_comment(self, repo: str, number: int, body: str, *, marker: str | None = None) -> Comment:
        """Comment once on an issue or pull; markers are those of `create_issue`."""
        sign = marker or new_marker(self.rng)

        def find() -> Comment | None:
            return first(self.list_comments(repo, number), lambda one: mark(sign) in one.body)

        path = repo_path(repo, "issues", number, "comments")
        return self.create(Comment, path, {"body": marked(body, sign)}, find, look_first=marker is not None)

    def update_comment(self, repo: str, comment_id: int, body: str) -> Comment:
        """Replace the text of a comment."""
        return self.write_typed(
            Comment, "PATCH", repo_path(repo, "issues", "comments", comment_id), {"body": body}
        )

    def delete_comment(self, repo: str, comment_id: int) -> None:
        """Delete a comment."""
        self.delete(repo_path(repo, "issues", "comments", comment_id))

    # --- labels of an issue

    def add_labels(self, repo: str, number: int, labels: Sequence[int]) -> list[Label]:
        """Add labels by id and return all. An exclusive one replaces the others of its scope."""
        return self._labels("POST", repo, number, labels)

    def replace_labels(self, repo: str, number: int, labels: Sequence[int]) -> list[Label]:
        """Set exactly these labels by id and return them."""
        return self._labels("PUT", repo, number, labels)

    def _labels(self, method: str, repo: str, number: int, labels: Sequence[int]) -> list[Label]:
        path = repo_path(repo, "issues", number, "labels")
        return self.objects(Label, path, self.write(method, path, {"labels": list(labels)}))

    def remove_label(self, repo: str, number: int, label_id: int) -> None:
        """Take one label off an issue."""
        self.delete(repo_path(repo, "issues", number, "labels", label_id))


def fits(
    issue: Issue | PullRequest,
    *,
    state: str,
    labels: frozenset[str],
    since: datetime | None,
    assigned_to: str,
    milestone: str,
) -> bool:
    """Return whether an issue or a pull is one that was asked for."""
    return (
        state in ("all", issue.state)
        and labels <= {label.name for label in issue.labels}
        and (since is None or issue.updated_at is None or issue.updated_at >= since.replace(microsecond=0))
        and (not assigned_to or assigned_to.lower() in {user.login.lower() for user in issue.assignees})
        and (not milestone or (issue.milestone is not None and issue.milestone.title == milestone))
    )


class Labels(Session):
    """Definitions of labels, and milestones."""

    def list_labels(self, owner: str) -> list[Label]:
        """Return the labels of a repository (owner/name), or those of an organization for all of its own."""
        return self.read_list(Label, "labels", owner_path(owner, "labels"))

    def create_label(
        self,
        owner: str,
        name: str,
        color: str,
        *,
        description: str = "",
        exclusive: bool = False,
        is_archived: bool = False,
    ) -> Label:
        """Define a label. Names need not be unique: look before."""
        data = {
            "name": name,
            "color": "#" + color.lstrip("#"),
            "description": description,
            "exclusive": exclusive,
            "is_archived": is_archived,
        }

        def find() -> Label | None:
            return first(self.list_labels(owner), lambda one: one.name == name)

        return self.create(Label, owner_path(owner, "labels"), data, find)

    def update_label(self, owner: str, label_id: int, **fields: Any) -> Label:
        """Change name, color, description, exclusive or is_archived; the last becomes false unless given."""
        return self.write_typed(Label, "PATCH", owner_path(owner, "labels", label_id), fields)

    def delete_label(self, owner: str, label_id: int) -> None:
        """Delete a label's definition."""
        self.delete(owner_path(owner, "labels", label_id))

    def list_milestones(self, repo: str, *, state: str = "all") -> list[Milestone]:
        """Return milestones that are open, closed, or all."""
        return self.read_list(Milestone, "milestones", repo_path(repo, "milestones"), {"state": state})

    def create_milestone(
        self, repo: str, title: str, *, description: str = "", due_on: datetime | None = None
    ) -> Milestone:
        """Define a milestone. Titles need not be unique: look before."""
        data = given(title=title, description=description, due_on=rfc3339(due_on) if due_on else None)

        def find() -> Milestone | None:
            return first(self.list_milestones(repo), lambda one: one.title == title)

        return self.create(Milestone, repo_path(repo, "milestones"), data, find)

    def update_milestone(self, repo: str, milestone_id: int, **fields: Any) -> Milestone:
        """Change title, description, state or due_on, which is cleared unless it is given."""
        return self.write_typed(Milestone, "PATCH", repo_path(repo, "milestones", milestone_id), fields)

    def delete_milestone(self, repo: str, milestone_id: int) -> None:
        """Delete a milestone."""
        self.delete(repo_path(repo, "milestones", milestone_id))
