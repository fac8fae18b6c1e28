# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three-way merge, case by case."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import home_merge


@pytest.mark.parametrize(
    ("wanted", "base", "home", "after", "changed", "edited", "taken"),
    [
        # set, kept, updated
        ({"a": {"b": 1}}, {}, {}, {"a": {"b": 1}}, ["a.b"], [], []),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {"a": {"b": 1}}, {"a": {"b": 1}}, [], [], []),
        ({"a": 2}, {"a": 1}, {"a": 1, "r": 9}, {"a": 2, "r": 9}, ["a"], [], []),
        # deleted by somebody: repaired
        ({"a": 1}, {"a": 1}, {}, {"a": 1}, ["a"], [], []),
        # edited by somebody: kept, also when we changed it as well
        ({"a": 1}, {"a": 1}, {"a": 5}, {"a": 5}, [], ["a"], []),
        ({"a": 2}, {"a": 1}, {"a": 5}, {"a": 5}, [], ["a"], []),
        # somebody had it first: ours is set, and said so
        ({"a": 1}, {}, {"a": 5}, {"a": 1}, ["a"], [], ["a"]),
        # dropped: removed, unless edited
        ({}, {"a": 1}, {"a": 1, "r": 9}, {"r": 9}, ["a"], [], []),
        ({}, {"a": 1}, {"a": 5}, {"a": 5}, [], ["a"], []),
        ({}, {"a": 1}, {}, {}, [], [], []),
        # lists are one value
        ({"l": [1, 2]}, {"l": [1]}, {"l": [1]}, {"l": [1, 2]}, ["l"], [], []),
        ({"l": [1]}, {"l": [1]}, {"l": [1, 3]}, {"l": [1, 3]}, [], ["l"], []),
        # neither their whole section goes for one value of ours, nor their value for our section
        ({"a": 1}, {}, {"a": {"x": 1}}, {"a": {"x": 1}}, [], ["a"], []),
        ({"a": {"b": 1}}, {}, {"a": "text"}, {"a": "text"}, [], ["a.b"], []),
        # an empty section in YAML is no value
        ({"a": {"b": 1}}, {}, {"a": None}, {"a": {"b": 1}}, ["a.b"], [], []),
        # true is not 1
        ({"a": True}, {"a": True}, {"a": 1}, {"a": 1}, [], ["a"], []),
        # a value that becomes a section
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}, {"a": {"b": 1}}, ["a", "a.b"], [], []),
    ],
)
def test_one_case(  # noqa: PLR0917 - one column of the table each
    wanted: Any, base: Any, home: Any, after: Any, changed: Any, edited: Any, taken: Any
) -> None:
    before = copy.deepcopy((wanted, base, home))
    result = home_merge.merge(wanted, base, home)
    assert (result.home, result.changed, result.edited, result.taken) == (after, changed, edited, taken)
    assert (wanted, base, home) == before


def test_sections_that_only_we_made_go_with_our_last_key() -> None:
    first = home_merge.merge({"a": {"b": {"c": 1}}, "t": {"x": 1}}, {}, {"t": {}})
    second = home_merge.merge({}, first.base, first.home, first.made)
    assert second.home == {"t": {}}


def test_a_section_that_others_filled_stays() -> None:
    first = home_merge.merge({"a": {"b": 1}}, {}, {})
    first.home["a"]["theirs"] = 2
    assert home_merge.merge({}, first.base, first.home, first.made).home == {"a": {"theirs": 2}}


def test_an_edited_key_stays_drift_until_it_is_settled() -> None:
    first = home_merge.merge({"a": 1}, {}, {})
    edited = {**first.home, "a": 5}
    second = home_merge.merge({"a": 1}, first.base, edited, first.made)
    third = home_merge.merge({"a": 1}, second.base, second.home, second.made)
    assert third.edited == ["a"]
    settled = home_merge.merge({"a": 1}, third.base, {"a": 1}, third.made)
    assert (settled.edited, settled.changed) == ([], [])


def test_after_a_kill_only_what_stands_as_it_was_wanted_counts_as_ours() -> None:
    base = home_merge.settled({"a": 1}, {"a": 2, "b": 3, "c": {"d": 4}}, {"a": 2, "b": 9, "c": {"d": 4}})
    assert base == {"a": 2, "c": {"d": 4}}


def test_keys_that_are_no_text_are_left_alone() -> None:
    home = {5: "five", "a": {1: "one"}}
    assert home_merge.merge({"a": {"b": 1}}, {}, home).home == {5: "five", "a": {1: "one", "b": 1}}
