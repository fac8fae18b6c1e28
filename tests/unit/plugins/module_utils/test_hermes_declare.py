# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a wish by itself, and what of it may be seen."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import hermes_declare, hermes_jobs
from ansible_collections.timmy.config.plugins.module_utils.hermes_declare import Wish

JOB: dict[str, Any] = {"name": "tidy", "schedule": "every 2h"}


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        (Wish("config", "Ezra", "x"), "agent: 'Ezra' is no Unix name"),
        (Wish("config", "../etc", "x"), "agent: "),
        (Wish("config", "ezra", "a/b"), "declaration: 'a/b' is no name"),
        (Wish("config", "ezra", "a.b"), "declaration: "),
        (Wish("config", "ezra", ""), "declaration: '' is no name"),
        (Wish("config", "ezra", "x", {"a": {"b": 1}}, restore=["a"]), "restore: 'a' is not declared here"),
        (Wish("cron", "ezra", "x", jobs=[JOB], restore=["other"]), "restore: 'other' is not declared"),
        (Wish("cron", "ezra", "x", jobs=[JOB, JOB]), "cron tidy: is declared twice"),
        (Wish("cron", "ezra", "x", jobs=[{**JOB, "name": "Tidy"}]), "cron 'Tidy': is no name for a job"),
        (Wish("cron", "ezra", "x", jobs=[{**JOB, "name": "a\nb"}]), "cron 'a\\nb': "),
    ],
)
def test_a_wish_that_is_none(wish: Wish, word: str) -> None:
    problems = hermes_declare.problems_of(wish)
    assert len(problems) == 1
    assert problems[0].startswith(word)
    assert "\n" not in problems[0]


@pytest.mark.parametrize(
    "wish",
    [
        Wish("config", "ezra", "default", {"a": {"b": 1}}, restore=["a.b"]),
        Wish("cron", "ezra", "x-1", jobs=[JOB], restore=["tidy"]),
        Wish("cron", "ezra", "x"),
    ],
)
def test_a_good_wish(wish: Wish) -> None:
    assert hermes_declare.problems_of(wish) == []


def test_a_job_without_the_fields_that_were_not_given() -> None:
    wish = Wish("cron", "ezra", "x", jobs=[{**JOB, "model": None, "enabled": False}])
    assert wish.plain()["jobs"] == [{**JOB, "enabled": False}]


SECRETS = {
    "mcp_servers": {
        "x": {"env": {"A": "hunter2"}, "args": ["--k", "abcdefgh12345678"], "url": "http://u:p@h"}
    },
    "headers": ["off"],
    "browser": {"engine": "auto", "headed": True},
}


def test_what_is_hidden_and_masked() -> None:
    assert hermes_declare.hidden(SECRETS) == {"hunter2", "abcdefgh12345678", "http://u:p@h"}
    assert hermes_declare.masked(SECRETS) == {
        "mcp_servers": {"x": {"env": {"A": "(masked)"}, "args": ["--k", "(masked)"], "url": "(masked)"}},
        "headers": ["(masked)"],
        "browser": {"engine": "auto", "headed": True},
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x: must be a mapping, not text ('hunter2')", "x: must be a mapping, not text ((masked))"),
        ("x: hunter2 is wrong", "x: (masked) is wrong"),
        # Too short to be replaced wherever it stands.
        ("x: 'off' is wrong, switch it off", "x: (masked) is wrong, switch it off"),
        ("a\x1b[31mb\nc", "a?[31mb?c"),
    ],
)
def test_a_line_with_a_secret(line: str, told: str) -> None:
    wish = Wish("config", "ezra", "x", SECRETS)
    assert hermes_declare._without_secrets(line, wish) == told


def test_a_diff_has_a_line_for_each_key_that_was_there() -> None:
    rows = [
        {"key": "a", "before": "nothing", "after": "1"},
        {"key": "b", "before": "(masked)", "after": "(masked), changed"},
        {"key": "c", "before": "2", "after": "nothing"},
    ]
    diff = hermes_declare._diff("/x", rows)
    assert (diff["before"], diff["after"]) == ("b: (masked)\nc: 2\n", "a: 1\nb: (masked), changed\n")


@pytest.mark.parametrize(
    ("record", "refused"),
    [
        ({}, ["cron tidy: "]),
        ({"tidy": {"id": "gone"}}, ["cron tidy: "]),
        ({"tidy": {"id": "1"}}, []),
        # Ours has its own; one of the same name beside it is not touched and not in the way.
        ({"tidy": {"id": "2"}}, []),
    ],
)
def test_a_name_that_a_job_of_somebody_else_has(record: Any, refused: list[str]) -> None:
    jobs = [{"id": "1", "name": "Tidy"}, {"id": "2", "name": "other"}]
    lines = hermes_jobs.strangers({"tidy": JOB, "new": JOB}, record, jobs)
    assert [line[: len(head)] for line, head in zip(lines, refused, strict=True)] == refused
