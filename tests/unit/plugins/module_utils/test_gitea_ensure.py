# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted against what is there: every decision, what is foretold, and what is never shown."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import (
    HIDDEN,
    RENEWED,
    Fields,
    Hands,
    KeepError,
    Rules,
    Wish,
    decide,
    declared,
    paired,
    same_name,
    settle,
    single,
)

RULES = Rules(
    blank={"id": 0, "name": "", "text": "", "events": [], "owner": ""},
    secret=frozenset({"key"}),
    once=frozenset({"init"}),
    fold=frozenset({"owner"}),
)
THERE: Fields = {"id": 7, "name": "a", "text": "old", "events": ["push", "issues"], "owner": "Bezal"}


class Forge:
    """Takes writes and shows what it has; `deaf` fields it ignores with a success."""

    def __init__(self, *, deaf: str = "", fails_at: int = 0) -> None:
        self.done: list[tuple[str, Fields]] = []
        self.deaf = deaf
        self.fails_at = fails_at

    def hands(self) -> Hands:
        return Hands(
            create=lambda fields: self.write("create", {**RULES.blank, "id": 9}, fields),
            update=lambda there, fields: self.write("update", there, fields),
            delete=lambda there: self.write("delete", there, {}),
        )

    def write(self, what: str, there: Fields, fields: Fields) -> Fields:
        self.done.append((what, fields))
        if len(self.done) == self.fails_at:
            raise OSError("the wire broke")
        return {**there, **{n: v for n, v in fields.items() if n not in (self.deaf, "key", "init")}}


@pytest.mark.parametrize(
    ("found", "wanted", "kind", "send"),
    [
        (None, None, "", {}),
        (None, {"name": "a", "key": "s", "init": True}, "create", {"name": "a", "key": "s", "init": True}),
        (THERE, None, "delete", {}),
        (THERE, {}, "", {}),
        (THERE, {"name": "a", "text": "old"}, "", {}),
        (THERE, {"text": "new", "name": "a"}, "update", {"text": "new"}),
        (THERE, {"text": ""}, "update", {"text": ""}),
        (THERE, {"events": ["issues", "push", "push"]}, "", {}),
        (THERE, {"events": []}, "update", {"events": []}),
        (THERE, {"owner": "bezal"}, "", {}),
        (THERE, {"name": "A"}, "update", {"name": "A"}),
        (THERE, {"key": "s", "init": True}, "", {}),
        (THERE, {"key": "s", "text": "new"}, "update", {"text": "new"}),
    ],
)
def test_what_has_to_be_done(found: Fields | None, wanted: Fields | None, kind: str, send: Fields) -> None:
    move = decide(found, wanted, RULES)
    assert (move.kind, move.send) == (kind, send)


def test_a_secret_is_sent_again_only_when_it_is_renewed() -> None:
    move = decide(THERE, {"name": "a", "key": "s"}, RULES, renew=True)
    assert (move.kind, move.send) == ("update", {"key": "s"})
    assert (move.before(), move.after(THERE)) == (
        {"name": "a", "key": HIDDEN},
        {"name": "a", "key": RENEWED},
    )


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("found", "wanted", "before", "after", "answer"),
    [
        (None, {"name": "a", "init": True}, {}, {"name": "a", "init": True}, {"name": "a", "text": ""}),
        (
            THERE,
            {"text": "new", "init": True},
            {"text": "old"},
            {"text": "new"},
            {"id": 7, "text": "new", "owner": "Bezal"},
        ),
        (THERE, None, THERE, {}, {}),
        (THERE, {"events": ["issues", "push"]}, {"events": ["issues", "push"]}, None, {"id": 7}),
        (None, None, {}, {}, {}),
    ],
)
def test_check_mode_foretells_what_is_done(
    *, check: bool, found: Fields | None, wanted: Fields | None, before: Fields, after: Any, answer: Fields
) -> None:
    forge = Forge()
    move = decide(found, wanted, RULES)
    result = settle(single("thing a", "thing", move, forge.hands()), check)
    assert result["changed"] is (move.kind != "")
    assert result["diff"]["before"] == before
    assert result["diff"]["after"] == (before if after is None else after)
    assert answer.items() <= result["thing"].items()
    assert [what for what, _fields in forge.done] == ([] if check or not move.kind else [move.kind])


def test_no_secret_is_in_a_result() -> None:
    for found in (None, {**THERE, "key": "s3cret"}):
        for check in (True, False):
            for wanted in ({"name": "a", "key": "s3cret"}, None):
                move = decide(found, wanted, RULES, renew=True)
                result = settle(single("thing a", "thing", move, Forge().hands()), check)
                assert "s3cret" not in repr(result)


def test_what_the_forge_drops_with_a_success_is_an_error() -> None:
    move = decide(THERE, {"text": "new", "owner": "Ezra"}, RULES)
    with pytest.raises(KeepError, match=r"thing a: .* did not take text as given"):
        settle(single("thing a", "thing", move, Forge(deaf="text").hands()), False)


def set_of(forge: Forge, found: list[Fields], wanted: list[Fields], purge: bool) -> Wish:
    pairs, _doubles = paired(found, wanted, purge=purge)
    return Wish("things", "things", [decide(*one, RULES) for one in pairs], forge.hands(), row="name")


SET: list[Fields] = [{**THERE, "id": number, "name": name} for number, name in enumerate("abca")]


@pytest.mark.parametrize("check", [True, False])
def test_a_set_is_kept_in_one_go(check: bool) -> None:
    forge = Forge()
    wanted: list[Fields] = [{"name": "d", "was": "b"}, {"name": "e"}, {"name": "a", "was": "z"}]
    result = settle(set_of(forge, SET, wanted, purge=True), check)
    assert [row["name"] for row in result["things"]] == ["a", "d", "e"]
    assert [row["id"] for row in result["things"]] == [0, 1, 0 if check else 9]
    assert sorted(result["diff"]["before"]) == ["a", "a (3)", "b", "c"]
    assert result["diff"]["after"] == {name: {"name": name} for name in "ade"}
    kinds = ["update", "create", "delete", "delete"]
    assert [what for what, _fields in forge.done] == ([] if check else kinds)


@pytest.mark.parametrize(
    ("wanted", "ids", "doubles"),
    [
        ([{"name": "a"}], [0], [3]),
        ([{"name": "b", "was": "a"}], [1], []),
        ([{"name": "x", "was": "a"}], [0], []),
        ([{"name": "x", "was": None}], [None], []),
        ([{"name": "x", "was": "x"}], [None], []),
        ([{"name": "x", "was": "gone"}], [None], []),
    ],
)
def test_which_one_of_a_set_is_meant(wanted: list[Fields], ids: list[Any], doubles: list[int]) -> None:
    pairs, left = paired(SET, wanted, purge=False)
    assert [there["id"] if there else None for there, _want in pairs] == ids
    assert [there["id"] for there in left] == doubles
    assert all("was" not in (want or {}) for _there, want in pairs)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([{"name": "a"}, {"name": "a"}], "a: declared twice"),
        ([{"name": "x", "was": "a"}, {"name": "y", "was": "a"}], "a: a former name"),
        ([{"name": "x", "was": "a"}, {"name": "a"}], "a: a former name"),
    ],
)
def test_a_set_that_contradicts_itself_is_refused(wanted: list[Fields], said: str) -> None:
    with pytest.raises(KeepError, match=said):
        paired(SET, wanted, purge=False)


def test_a_failure_half_way_says_how_far_it_came() -> None:
    with pytest.raises(OSError, match="the wire broke") as caught:
        settle(set_of(Forge(fails_at=2), [], [{"name": "a"}, {"name": "b"}], purge=False), False)
    assert caught.value.__notes__ == ["1 of 2 changes were made before"]


def test_only_what_is_given_is_declared() -> None:
    params = {"name": "a", "text": "", "flag": False, "events": [], "other": None, "url": "u"}
    names = ("name", "text", "flag", "events", "other", "missing")
    assert declared(params, names) == {"name": "a", "text": "", "flag": False, "events": []}


def test_what_was_renamed_is_not_taken_for_the_old_one() -> None:
    same_name("organization", "Fleet", "fleet")
    with pytest.raises(KeepError, match="organization fleet is now called armada; use that name"):
        same_name("organization", "fleet", "armada")
