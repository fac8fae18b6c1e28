# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared of rules, hooks, keys and milestones, brought into the forge's form or refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import (
    gitea_keep_branch_protection,
    gitea_keep_deploy_key,
    gitea_keep_milestone,
    gitea_keep_webhook,
    gitea_mark,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_decode import decode
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import KeepError
from ansible_collections.timmy.config.plugins.module_utils.gitea_types import Milestone

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKfYUQ8Y8z3KT5QO8tYN1y3Jq0RmiAVTvL83pSnBNntg"


def rule_params(**given: Any) -> dict[str, Any]:
    """Return the options of a rule."""
    return {**dict.fromkeys(gitea_keep_branch_protection.ARGUMENTS), "rule_name": "main", **given}


@pytest.mark.parametrize(
    ("wanted", "there", "said"),
    [
        ({"push_whitelist_usernames": ["a"]}, {}, "enable_push_whitelist"),
        ({"push_whitelist_usernames": []}, {}, ""),
        ({"push_whitelist_usernames": ["a"]}, {"enable_push_whitelist": True}, ""),
        ({"enable_push_whitelist": True}, {}, "enable_push to true"),
        ({"enable_push": True, "enable_force_push_allowlist": True}, {}, "enable_force_push to true"),
        ({"enable_push": True, "enable_push_whitelist": True, "push_whitelist_deploy_keys": True}, {}, ""),
        (
            {"status_check_contexts": ["a"], "enable_status_check": False},
            {"enable_status_check": True},
            "status",
        ),
    ],
)
def test_what_has_no_effect_is_refused(wanted: dict[str, Any], there: dict[str, Any], said: str) -> None:
    if not said:
        gitea_keep_branch_protection.refuse_idle(wanted, there)
        return
    with pytest.raises(KeepError, match=said):
        gitea_keep_branch_protection.refuse_idle(wanted, there)


def test_a_gate_that_closes_takes_what_hangs_on_it_along() -> None:
    closed = gitea_keep_branch_protection.rule_of(rule_params(enable_push=False))
    assert closed == {
        "rule_name": "main",
        "enable_push": False,
        "enable_push_whitelist": False,
        "push_whitelist_deploy_keys": False,
    }
    assert gitea_keep_branch_protection.rule_of(rule_params(enable_push=True)) == {
        "rule_name": "main",
        "enable_push": True,
    }


def test_a_gate_is_sent_whole_and_patterns_as_one_text() -> None:
    there = {**gitea_keep_branch_protection.RULES.blank, "enable_push": True, "enable_push_whitelist": True}
    assert gitea_keep_branch_protection.sent(
        {"push_whitelist_deploy_keys": True, "required_approvals": 1}, there
    ) == {
        "enable_push": True,
        "enable_push_whitelist": True,
        "push_whitelist_deploy_keys": True,
        "required_approvals": 1,
    }
    assert gitea_keep_branch_protection.sent({"protected_file_patterns": ["a", "b/**"]}, there) == {
        "protected_file_patterns": "a;b/**"
    }


@pytest.mark.parametrize(
    ("asked", "events", "words"),
    [
        (["push"], ["push"], ["push"]),
        (["issues_only", "push"], ["issues", "push"], ["issues_only", "push"]),
        (
            ["issues", "issue_label"],
            ["issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment"],
            ["issues_only", "issue_assign", "issue_label", "issue_milestone", "issue_comment"],
        ),
    ],
)
def test_a_word_is_what_it_stands_for_and_is_sent_as_no_more(
    asked: list[str], events: list[str], words: list[str]
) -> None:
    assert gitea_keep_webhook.events_of(asked) == events
    assert gitea_keep_webhook.words_for(events) == words


def test_what_a_hook_would_lose_is_refused() -> None:
    there = {"name": None, "authorization_header": "", "events": []}
    with pytest.raises(KeepError, match="events: the hook has none"):
        gitea_keep_webhook._refuse_loss(there, {})
    name = gitea_mark.marked("", [None, "Bearer x"])
    with pytest.raises(KeepError, match="give it again"):
        gitea_keep_webhook._refuse_loss({**there, "name": name, "events": ["push"]}, {})


@pytest.mark.parametrize(
    ("there", "update", "stale"),
    [
        ({"name": None, "authorization_header": ""}, "on_change", []),
        ({"name": None, "authorization_header": ""}, "always", ["secret", "authorization_header"]),
        ({"name": "", "authorization_header": ""}, "on_change", ["secret", "authorization_header"]),
        ({"name": "", "authorization_header": "h"}, "on_change", ["secret"]),
        ({"name": "", "authorization_header": "other"}, "on_create", []),
    ],
)
def test_what_is_written_anew(there: dict[str, Any], update: str, stale: list[str]) -> None:
    assert gitea_keep_webhook.stale({"secret": "s", "authorization_header": "h"}, there, update) == stale


def test_a_key_has_the_fingerprint_that_ssh_shows() -> None:
    wanted = "SHA256:uK8fr0Yz40Wwvbp0bzdmOW9vha5MPW8p4xWv7FjJATU"
    assert gitea_keep_deploy_key.fingerprint(f" {ED25519}   a comment\n") == wanted
    for text in (
        "",
        "ssh-ed25519",
        "ssh-ed25519 !",
        f"ssh-rsa {ED25519.split()[1]}",
        f"{ED25519}\n{ED25519}",
    ):
        with pytest.raises(KeepError, match="key:"):
            gitea_keep_deploy_key.fingerprint(text)


@pytest.mark.parametrize("text", ["2026-02-30", "1970-01-01", "soon", "2026-12-31T00:00:00Z"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(KeepError, match="is no day to come"):
        gitea_keep_milestone.day_of(text)


def test_a_milestone_is_due_on_the_day_of_the_forge() -> None:
    due = {"2030-06-30T23:59:59-04:00": "2030-06-30", "0001-01-01T00:00:00Z": "", None: ""}
    for text, day in due.items():
        assert gitea_keep_milestone.shown(decode(Milestone, {"due_on": text}))["due_on"] == day
