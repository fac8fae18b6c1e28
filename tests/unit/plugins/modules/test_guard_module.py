# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module guard does with each state it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.timmy.config.plugins.module_utils import guard


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "guard")


def arm(store: str) -> None:
    guard.arm(store, "g", [{"do": "remove_file", "path": store + "/x"}], 60, "a test", timer=guard.no_timer)


@pytest.mark.parametrize("wanted", ["confirmed", "undone"])
@pytest.mark.parametrize("check_mode", [False, True])
def test_an_armed_change(store: str, wanted: str, check_mode: bool) -> None:
    arm(store)
    changed, result = guard.settle(store, "g", wanted, check_mode)
    assert changed
    assert result["state"] == ("armed" if check_mode else wanted)


def test_nothing_is_armed(store: str) -> None:
    assert guard.settle(store, "g", "undone") == (False, guard.describe(store, "g", 0, ""))


def test_confirming_nothing_fails(store: str) -> None:
    with pytest.raises(guard.GuardError, match="nothing is armed"):
        guard.settle(store, "g", "confirmed")


def test_confirming_what_was_undone_fails_each_time(store: str) -> None:
    arm(store)
    guard.settle(store, "g", "undone")
    for _again in range(2):
        with pytest.raises(guard.GuardError, match="was undone: somebody asked for it"):
            guard.settle(store, "g", "confirmed")
