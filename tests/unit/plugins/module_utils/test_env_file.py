# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Env files: what is written, what is refused, and that no refusal shows a value."""

from __future__ import annotations

import pytest
from ansible_collections.timmy.config.plugins.module_utils import env_file


def test_names_come_in_order_and_odd_values_are_quoted() -> None:
    content = env_file.render({"B": "two words", "A": "plain-1:2/3", "C": 'a "quoted" $word'})
    lines = content.decode().splitlines()
    assert lines[1:] == ["A=plain-1:2/3", "B='two words'", "C='a \"quoted\" $word'"]
    assert lines[0].startswith("#")


@pytest.mark.parametrize(
    "value", ["a'b", "a\\b", "a\nb", '"ends"', 'x"', "a\x00b", "tab\tbed", "${X}", "a ${} b"]
)
def test_values_that_readers_could_take_differently(value: str) -> None:
    with pytest.raises(env_file.EnvError) as caught:
        env_file.render({"SECRET": value})
    assert value not in str(caught.value)
    assert "SECRET" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "1A", "A-B", "A=B", "A B", "A\nB", "PATH", "LD_PRELOAD", "PYTHONPATH", "HERMES_HOME"]
)
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(env_file.EnvError):
        env_file.render({name: "x"})


def test_reports_hold_names_only() -> None:
    before, after = (
        env_file.render({"A": "canary-1", "B": "same"}),
        env_file.render({"A": "canary-2", "B": "same"}),
    )
    assert env_file.changes(before, after) == ["A"]
    assert env_file.changes(None, after) == ["A", "B"]
    assert "canary" not in env_file.masked(after)
    assert env_file.masked(after) == "A=(masked)\nB=(masked)\n"
