# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet as plain data; the action's test has the table of mistakes, here is what it cannot reach."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import fleet_check as check

WIZARDS: list[dict[str, Any]] = [
    {"name": "ezra", "host": "h"},
    {"name": "old", "host": "h", "state": "absent"},
]


def test_names_leave_out_the_absent() -> None:
    assert check.present_names(WIZARDS) == ["ezra"]
    assert check.present_names(WIZARDS, absent=True) == ["ezra", "old"]
    assert check.present_names("ezra") == []


def test_secrets_of_an_absent_wizard_are_no_mistake() -> None:
    assert list(check.check_secrets({"old": {"A_KEY": "x"}}, check.present_names(WIZARDS, absent=True))) == []


@pytest.mark.parametrize("name", ["a", "a1", "a-b_c", "z" * 31])
def test_good_names(name: str) -> None:
    assert list(check.check_wizards([{"name": name, "host": "h"}], ["h"])) == []


@pytest.mark.parametrize(
    "name", ["", "A", "1a", "-a", "a.b", "a b", "é", "z" * 32, "a\n", "sudo", "systemd-x"]
)
def test_bad_names(name: str) -> None:
    assert len(list(check.check_wizards([{"name": name, "host": "h"}], ["h"]))) == 1


def test_one_token_under_two_names_is_still_one_token() -> None:
    secrets = {"a": {"TELEGRAM_BOT_TOKEN": "s3cr3t "}, "b": {"DISCORD_BOT_TOKEN": "s3cr3t"}}
    problems = [str(problem) for problem in check.check_secrets(secrets)]
    assert len(problems) == 1
    assert "agents a and b have the same DISCORD_BOT_TOKEN and TELEGRAM_BOT_TOKEN" in problems[0]


@pytest.mark.parametrize(
    "secrets",
    [
        {"a": {"GITHUB_TOKEN": "s3cr3t"}},
        {"a": {"X_TOKEN": "xoxp-s3cr3t"}},
        {"a": {"x": "s3cr3t"}},
        {"a": {"X_KEY": ["s3cr3t"]}},
        {"a": ["s3cr3t"]},
        ["s3cr3t"],
        {"a": {"API_SERVER_KEY": "s3cr3t"}},
        {"a": {"X_KEY": "s3cr3t\n"}},
    ],
)
def test_no_message_shows_a_secret(secrets: Any) -> None:
    problems = [str(problem) for problem in check.check_secrets(secrets)]
    assert problems
    assert not any("s3cr3t" in problem for problem in problems)
