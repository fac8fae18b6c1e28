# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the three-way merge, whatever the three sides hold."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from timmy.core import home_merge

KEYS = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 2),
    st.sampled_from(["", "x", "off"]),
    st.lists(st.integers(0, 1), max_size=2),
)
TREES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    KEYS,
    st.recursive(VALUES, lambda below: st.dictionaries(KEYS, below, max_size=3), max_leaves=6),
    max_size=4,
)


def paths(data: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    return dict(home_merge.leaves(data))


@given(TREES, TREES, TREES)
def test_applying_twice_changes_nothing(wanted: Any, base: Any, home: Any) -> None:
    first = home_merge.merge(wanted, base, home)
    second = home_merge.merge(wanted, first.base, first.home, first.made)
    assert second.changed == []
    assert second.taken == []
    assert home_merge.same(second.home, first.home)
    assert second.base == first.base
    assert second.made == first.made


@given(TREES, TREES, TREES)
def test_what_nobody_declared_survives(wanted: Any, base: Any, home: Any) -> None:
    after = home_merge.merge(wanted, base, home).home
    ours = {*paths(wanted), *paths(base)}
    for path, value in paths(home).items():
        if value is None or value == {}:
            # Nothing is in there that could be lost.
            continue
        if not any(path[: len(one)] == one or one[: len(path)] == path for one in ours):
            assert home_merge.same(home_merge.get(after, path), value)


@given(TREES, TREES, TREES)
def test_no_argument_is_changed(wanted: Any, base: Any, home: Any) -> None:
    before = copy.deepcopy((wanted, base, home))
    home_merge.merge(wanted, base, home)
    assert (wanted, base, home) == before


@given(TREES, TREES)
def test_every_declared_key_is_there_unless_it_is_reported(wanted: Any, home: Any) -> None:
    result = home_merge.merge(wanted, {}, home)
    for path, value in paths(wanted).items():
        found = home_merge.get(result.home, path)
        there = home_merge.same(found, value) or (value == {} and isinstance(found, dict))
        assert there or home_merge.dotted(path) in result.edited


@settings(max_examples=300)
@given(TREES, TREES, st.data())
def test_removing_a_declared_key_removes_exactly_it(wanted: Any, home: Any, data: Any) -> None:
    """Whatever a key had put there goes with it; the home is then as if it had never been declared."""
    declared = paths(wanted)
    if not declared:
        return
    gone = data.draw(st.sampled_from(sorted(declared)))
    if gone[0] in home:
        # Only a key that was not somebody else's before can leave without a trace.
        home = {key: value for key, value in home.items() if key != gone[0]}
    less = copy.deepcopy(wanted)
    parent = home_merge.get(less, gone[:-1])
    del parent[gone[-1]]
    while gone[:-1] and home_merge.get(less, gone[:-1]) == {}:
        gone = gone[:-1]
        del home_merge.get(less, gone[:-1])[gone[-1]]
    first = home_merge.merge(wanted, {}, home)
    second = home_merge.merge(less, first.base, first.home, first.made)
    assert home_merge.same(second.home, home_merge.merge(less, {}, home).home)
    assert second.edited == [one for one in first.edited if one in second.edited]


@given(TREES, TREES, TREES)
def test_forward_and_back_again_is_where_it_was(one: Any, two: Any, home: Any) -> None:
    """A rollback replays the older release: a home without a conflict is then as it was under it."""
    clean = {key: value for key, value in home.items() if key not in {*one, *two}}
    before = home_merge.merge(one, {}, clean)
    there = home_merge.merge(two, before.base, before.home, before.made)
    back = home_merge.merge(one, there.base, there.home, there.made)
    assert home_merge.same(back.home, before.home)


@given(TREES, TREES, TREES, st.booleans())
def test_after_a_kill_the_next_run_ends_where_an_undisturbed_one_does(
    old: Any, new: Any, home: Any, written: bool
) -> None:
    """Killed before or after the file was replaced, with only the pending keys on record."""
    before = home_merge.merge(old, {}, home)
    undisturbed = home_merge.merge(new, before.base, before.home, before.made)
    found = undisturbed.home if written else before.home
    base = home_merge.settled(before.base, new, found)
    after = home_merge.merge(new, base, found, before.made)
    assert home_merge.same(after.home, undisturbed.home)
