# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads behind the server, and the list of everything that has routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    accounts,
    collaborators,
    comments,
    issue_edit,
    issue_labels,
    issues,
    labels,
    milestones,
    misc,
    orgs,
    repos,
    teams,
    tokens,
)

if TYPE_CHECKING:
    from .state import Forge

WITH_ROUTES = (
    accounts, collaborators, comments, issue_edit, issue_labels, issues, labels, milestones, misc, orgs, repos,
    teams, tokens,
)  # fmt: skip


def start(forge: Forge) -> None:
    """Start the workers."""
