# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge's objects, as far as this collection reads them.

Every field has a default and unknown keys are ignored, so versions of the forge may differ. Times are aware
datetimes in UTC, None where the forge has none (it writes the years 1 and 1970 for "never"). `gitea_decode`
fills them; a field that stands elsewhere in the answer says where by `key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

KEYS = "keys"


def key(*names: str, default: Any) -> Any:
    """Return a field read from the first key that has a value.

    Dots lead into objects, `*` over the rows of a list, and a `?` asks only whether something is there."""
    return field(default=default, metadata={KEYS: names})  # pylint: disable=invalid-field-call


def _no_units() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True)
class User:
    """An account."""

    id: int = 0
    login: str = key("login", "username", default="")
    full_name: str = ""
    email: str = ""
    login_name: str = ""
    source_id: int = 0
    is_admin: bool = False
    active: bool = False
    restricted: bool = False
    prohibit_login: bool = False
    visibility: str = ""
    description: str = ""
    website: str = ""
    location: str = ""


@dataclass(frozen=True)
class Org:
    """An organization."""

    id: int = 0
    name: str = key("name", "username", default="")
    full_name: str = ""
    email: str = ""
    description: str = ""
    website: str = ""
    location: str = ""
    visibility: str = ""
    repo_admin_change_team_access: bool = False


@dataclass(frozen=True)
class Team:
    """A team; `units_map` gives the permission of each unit, `permission` is only meaningful for admins."""

    id: int = 0
    name: str = ""
    description: str = ""
    permission: str = ""
    units: tuple[str, ...] = ()
    units_map: Mapping[str, str] = field(default_factory=_no_units)
    includes_all_repositories: bool = False
    can_create_org_repo: bool = False


@dataclass(frozen=True)
class Repo:
    """A repository; `admin`, `push` and `pull` say what the asking account may do, `transfer_to` who is
    offered it and has not taken it yet."""

    id: int = 0
    name: str = ""
    full_name: str = ""
    owner: str = key("owner.login", "owner", default="")
    description: str = ""
    website: str = ""
    default_branch: str = ""
    private: bool = False
    empty: bool = False
    archived: bool = False
    template: bool = False
    clone_url: str = ""
    html_url: str = ""
    object_format_name: str = ""
    topics: tuple[str, ...] = ()
    has_issues: bool = False
    has_pull_requests: bool = False
    has_wiki: bool = False
    has_projects: bool = False
    has_releases: bool = False
    has_packages: bool = False
    has_actions: bool = False
    allow_merge_commits: bool = False
    allow_rebase: bool = False
    allow_rebase_explicit: bool = False
    allow_rebase_update: bool = False
    allow_squash_merge: bool = False
    allow_fast_forward_only_merge: bool = False
    default_merge_style: str = ""
    default_delete_branch_after_merge: bool = False
    transfer_to: str = key("repo_transfer.recipient.login", default="")
    admin: bool = key("permissions.admin", default=False)
    push: bool = key("permissions.push", default=False)
    pull: bool = key("permissions.pull", default=False)


@dataclass(frozen=True)
class Label:
    """A label's definition; `color` has six lower-case hex digits and no #."""

    id: int = 0
    name: str = ""
    color: str = ""
    description: str = ""
    exclusive: bool = False
    is_archived: bool = False


@dataclass(frozen=True)
class Milestone:
    """A milestone; its title need not be the only one of that name.

    `due_text` is `due_on` in the forge's own time zone, whose date is the day that was meant.
    """

    id: int = 0
    title: str = ""
    description: str = ""
    state: str = ""
    open_issues: int = 0
    closed_issues: int = 0
    due_on: datetime | None = None
    due_text: str = key("due_on", default="")
    closed_at: datetime | None = None


@dataclass(frozen=True)
class Issue:
    """An issue, or the issue side of a pull request: then `is_pull`."""

    id: int = 0
    number: int = 0
    title: str = ""
    body: str = ""
    state: str = ""
    user: User | None = None
    labels: tuple[Label, ...] = ()
    milestone: Milestone | None = None
    assignees: tuple[User, ...] = ()
    comments: int = 0
    is_locked: bool = False
    is_pull: bool = key("pull_request?", default=False)
    repo: str = key("repository.full_name", default="")
    html_url: str = ""
    content_version: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    closed_at: datetime | None = None
    due_date: datetime | None = None


@dataclass(frozen=True)
class PullEnd:
    """One end of a pull request; `repo` is "" when that repository is gone."""

    label: str = ""
    ref: str = ""
    sha: str = ""
    repo_id: int = 0
    repo: str = key("repo.full_name", default="")


@dataclass(frozen=True)
class PullRequest:
    """A pull request. `mergeable` is false while checking, in conflict and for drafts alike."""

    id: int = 0
    number: int = 0
    title: str = ""
    body: str = ""
    state: str = ""
    user: User | None = None
    labels: tuple[Label, ...] = ()
    milestone: Milestone | None = None
    assignees: tuple[User, ...] = ()
    requested_reviewers: tuple[User, ...] = ()
    head: PullEnd = field(default_factory=PullEnd)
    base: PullEnd = field(default_factory=PullEnd)
    merge_base: str = ""
    draft: bool = False
    mergeable: bool = False
    merged: bool = False
    merge_commit_sha: str = ""
    merged_by: User | None = None
    merged_at: datetime | None = None
    comments: int = 0
    is_locked: bool = False
    html_url: str = ""
    content_version: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True)
class Comment:
    """A comment on an issue or a pull request."""

    id: int = 0
    body: str = ""
    user: User | None = None
    html_url: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class TimelineEvent:
    """One event of an issue's or a pull's history, comments included."""

    id: int = 0
    type: str = ""
    body: str = ""
    user: User | None = None
    label: Label | None = None
    assignee: User | None = None
    removed_assignee: bool = False
    old_title: str = ""
    new_title: str = ""
    ref_commit_sha: str = ""
    ref_issue: int = key("ref_issue.number", default=0)
    created_at: datetime | None = None


@dataclass(frozen=True)
class Status:
    """What one account said of a commit in one context; the newest of a context counts."""

    id: int = 0
    context: str = ""
    state: str = key("status", "state", default="")
    description: str = ""
    target_url: str = ""
    creator: User | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Review:
    """A review of a pull; only an `official` one counts, and a `stale` one is of an older head."""

    id: int = 0
    state: str = ""
    body: str = ""
    user: User | None = None
    commit_id: str = ""
    official: bool = False
    stale: bool = False
    dismissed: bool = False
    submitted_at: datetime | None = None


@dataclass(frozen=True)
class ChangedFile:
    """A file that a pull changes."""

    filename: str = ""
    previous_filename: str = ""
    status: str = ""
    additions: int = 0
    deletions: int = 0


@dataclass(frozen=True)
class Commit:
    """A commit as the commit lists have it."""

    sha: str = ""
    message: str = key("commit.message", default="")
    author: str = key("author.login", default="")
    parents: tuple[str, ...] = key("parents.*.sha", default=())


@dataclass(frozen=True)
class Branch:
    """A branch; what its protection asks is readable here for those who may not read the rule."""

    name: str = ""
    sha: str = key("commit.id", default="")
    protected: bool = False
    enable_status_check: bool = False
    status_check_contexts: tuple[str, ...] = ()
    required_approvals: int = 0
    user_can_push: bool = False
    user_can_merge: bool = False
    effective_branch_protection_name: str = ""


@dataclass(frozen=True)
class GitRef:
    """A ref of any namespace."""

    ref: str = ""
    sha: str = key("object.sha", default="")


@dataclass(frozen=True)
class Tag:
    """A tag."""

    name: str = ""
    message: str = ""
    sha: str = key("commit.sha", default="")
