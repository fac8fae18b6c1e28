# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The closing line names what went wrong, shortly, and never what was censored."""

from __future__ import annotations

import pytest
from ansible_collections.timmy.config.plugins.callback.verdict import REASON_LIMIT, reason, verdict


@pytest.mark.parametrize(
    ("silent", "failed", "expected"),
    [
        ([], {}, "timmy: 3 host(s) as declared, 2 change(s)"),
        (["ezra"], {}, "timmy: NOT as declared: ezra did not answer"),
        ([], {"b": "'T': x", "a": "'U'"}, "timmy: NOT as declared: a failed at 'U'; b failed at 'T': x"),
        ([], {"b": "'T': x", "a": "'T': x"}, "timmy: NOT as declared: a, b failed at 'T': x"),
        (["c"], {"a": "'U': y"}, "timmy: NOT as declared: c did not answer; a failed at 'U': y"),
    ],
)
def test_verdict(silent: list[str], failed: dict[str, str], expected: str) -> None:
    assert verdict(3, 2, silent, failed) == expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "one\n  two"}, "one two"),
        ({"censored": "hidden by no_log"}, "hidden by no_log"),
        ({"stderr": "boom"}, "boom"),
        ({}, "no reason given"),
    ],
)
def test_reason_is_one_line(result: dict[str, str], expected: str) -> None:
    assert reason(result) == expected


def test_reason_is_bounded() -> None:
    line = reason({"msg": "x" * (REASON_LIMIT * 2)})
    assert len(line) == REASON_LIMIT
    assert line.endswith("…")
