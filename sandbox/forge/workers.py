# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads behind the server, and the list of everything that has routes."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from . import (
    account_removal,
    accounts,
    branches,
    collaborators,
    comments,
    commits,
    contents,
    delivery,
    dependencies,
    deploy_keys,
    hooks,
    issue_edit,
    issue_labels,
    issues,
    labels,
    milestones,
    misc,
    orgs,
    protection,
    pull_check,
    pull_merge,
    pull_rules,
    pull_update,
    pulls,
    pushes,
    receive,
    release_assets,
    releases,
    repos,
    reviews,
    rules,
    statuses,
    teams,
    timeline,
    tokens,
    transfers,
    vault,
)
from .errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import Forge

WITH_ROUTES: tuple[Any, ...] = (
    *(
        account_removal,
        accounts,
        branches,
        collaborators,
        comments,
        commits,
        contents,
        dependencies,
        deploy_keys,
        hooks,
        issue_edit,
    ),
    *(
        issue_labels,
        issues,
        labels,
        milestones,
        misc,
        orgs,
        protection,
        pull_merge,
        pull_update,
        pulls,
        release_assets,
        releases,
    ),
    *(repos, reviews, statuses, teams, timeline, tokens, transfers, vault),
)
IDLE = 5.0  # seconds after which a worker looks without being called


def _scheduled(forge: Forge) -> None:
    """Merge what was scheduled and is allowed now; a failure leaves the plan and says nothing."""
    sql = "select * from pull where schedule <> '' and merged = 0 and state = 'mergeable'"
    for pull in forge.store.all(sql):
        plan = json.loads(pull["schedule"])
        rule = rules.rule_for(forge.store, pull["repo_id"], pull["base"])
        if rule is None:
            continue
        r = pushes.as_user(forge, forge.store.get("user", plan["user"]))
        try:
            pull_rules.demand(r, pull)
            pull_merge.run(r, pull, plan | {"head": "", "force": False, "schedule": False})
        except ApiError:
            continue


def _checks(forge: Forge) -> float | None:
    left = pull_check.work(pushes.as_user(forge, None))
    _scheduled(forge)
    return left


def _deliveries(forge: Forge) -> float | None:
    while delivery.work(forge) and not forge.stopping.is_set():
        pass
    return None


def _loop(forge: Forge, bell: threading.Event, work: Callable[[Forge], float | None]) -> None:
    while not forge.stopping.is_set():
        bell.clear()
        try:
            left = work(forge)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            left = 1.0
        bell.wait(IDLE if left is None else min(left, IDLE))


def start(forge: Forge) -> None:
    """Make good what a kill interrupted, then start the workers."""
    receive.install(forge.hooks_dir)
    delivery.recover(forge)
    pull_merge.recover(pushes.as_user(forge, None))
    sql = "select p.id from pull p join issue i on i.id = p.issue_id where p.merged = 0 and i.closed = 0"
    for row in forge.store.all(sql):
        pull_check.restart(forge, row["id"])
    table: tuple[tuple[threading.Event, Callable[[Forge], float | None]], ...] = (
        (forge.pushes, pushes.work),
        (forge.checks, _checks),
        (forge.deliveries, _deliveries),
    )
    for bell, work in table:
        threading.Thread(target=_loop, args=(forge, bell, work), daemon=True).start()
