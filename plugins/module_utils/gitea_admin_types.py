# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge's objects that a fleet's operator sets up; read like those of `gitea_types`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from .gitea_types import User, key


@dataclass(frozen=True)
class BranchProtection:
    """A rule for branches; the spellings, whitelist and allowlist mixed, are the forge's own."""

    rule_name: str = key("rule_name", "branch_name", default="")
    priority: int = 0
    enable_push: bool = False
    enable_push_whitelist: bool = False
    push_whitelist_usernames: tuple[str, ...] = ()
    push_whitelist_teams: tuple[str, ...] = ()
    push_whitelist_deploy_keys: bool = False
    enable_force_push: bool = False
    enable_force_push_allowlist: bool = False
    force_push_allowlist_usernames: tuple[str, ...] = ()
    force_push_allowlist_teams: tuple[str, ...] = ()
    force_push_allowlist_deploy_keys: bool = False
    enable_merge_whitelist: bool = False
    merge_whitelist_usernames: tuple[str, ...] = ()
    merge_whitelist_teams: tuple[str, ...] = ()
    enable_bypass_allowlist: bool = False
    bypass_allowlist_usernames: tuple[str, ...] = ()
    bypass_allowlist_teams: tuple[str, ...] = ()
    enable_status_check: bool = False
    status_check_contexts: tuple[str, ...] = ()
    required_approvals: int = 0
    enable_approvals_whitelist: bool = False
    approvals_whitelist_username: tuple[str, ...] = ()
    approvals_whitelist_teams: tuple[str, ...] = ()
    block_on_rejected_reviews: bool = False
    block_on_official_review_requests: bool = False
    block_on_outdated_branch: bool = False
    block_admin_merge_override: bool = False
    dismiss_stale_approvals: bool = False
    ignore_stale_approvals: bool = False
    require_signed_commits: bool = False
    protected_file_patterns: str = ""
    unprotected_file_patterns: str = ""


@dataclass(frozen=True)
class Hook:
    """A webhook; `events` comes back expanded and in any order, the secret never.

    `name` is None where the forge keeps none. Not every forge shows the header.
    """

    id: int = 0
    type: str = ""
    url: str = key("config.url", "url", default="")
    content_type: str = key("config.content_type", "content_type", default="")
    events: tuple[str, ...] = ()
    active: bool = False
    branch_filter: str = ""
    name: str | None = None
    authorization_header: str = field(default="", repr=False)
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Token:
    """An access token; `value` is the secret itself and is there only in the answer that created it."""

    id: int = 0
    name: str = ""
    scopes: tuple[str, ...] = ()
    last_eight: str = key("token_last_eight", default="")
    value: str = field(default="", repr=False, metadata={"keys": ("sha1",)})
    created_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class DeployKey:
    """An SSH key that opens one repository."""

    id: int = 0
    title: str = ""
    key: str = ""
    fingerprint: str = ""
    read_only: bool = False


@dataclass(frozen=True)
class ActionsSecret:
    """The name of a secret of the forge's runner; its value cannot be read.

    `description` is None where the forge keeps none.
    """

    name: str = ""
    description: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class ActionsVariable:
    """A variable of the forge's runner."""

    name: str = ""
    data: str = ""
    description: str = ""


@dataclass(frozen=True)
class Attachment:
    """A file of a release; `uuid` leads to its bytes."""

    id: int = 0
    uuid: str = ""
    name: str = ""
    size: int = 0
    url: str = key("browser_download_url", default="")


@dataclass(frozen=True)
class Release:
    """A release; its tag is made from `target_commitish` when it does not exist."""

    id: int = 0
    tag_name: str = ""
    target_commitish: str = ""
    name: str = ""
    body: str = ""
    draft: bool = False
    prerelease: bool = False
    author: User | None = None
    assets: tuple[Attachment, ...] = ()
    html_url: str = ""
    published_at: datetime | None = None


@dataclass(frozen=True)
class Permission:
    """What an account may do in a repository: owner, admin, write, read or none."""

    permission: str = ""
    role_name: str = ""
    user: User | None = None


@dataclass(frozen=True)
class ServerSettings:
    """How the forge pages its lists, in rows."""

    max_response_items: int = 0
    default_paging_num: int = 0
