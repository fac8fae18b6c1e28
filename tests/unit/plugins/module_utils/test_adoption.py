# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an acceptance covers, when it ends, and where the overlay would have to say it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import adoption, home_merge

RULES = {
    "paths": [
        {"path": "SOUL.md", "to": ["agents/{agent}/home/SOUL.md", "agents/{agent}/timmy/SOUL.md"]},
        {"path": "home-config.yaml", "to": "agents/{agent}/merged/config.json"},
        {"path": "skins/*.yaml", "to": "agents/{agent}/home/{path}"},
        {"path": "cron/*.yaml", "to": "agents/{agent}/merged/cron.json"},
        {"path": "skills/**", "to": "{path}"},
        {"path": "hooks/*.py", "to": "agents/{agent}/home/hooks/{name}"},
        {"path": "bin/timmy", "to": "{path}"},
    ]
}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("agents/ezra/home/SOUL.md", "SOUL.md"),
        ("agents/ezra/timmy/SOUL.md", "SOUL.md"),
        ("agents/ezra/merged/config.json", "home-config.yaml"),
        ("agents/ezra/home/skins/x.yaml", "skins/x.yaml"),
        ("agents/ezra/merged/cron.json", "cron/*.yaml"),
        ("skills/a/b/SKILL.md", "skills/a/b/SKILL.md"),
        ("agents/ezra/home/hooks/x.py", "hooks/x.py"),
        ("bin/timmy", "bin/timmy"),
        ("bin/other", ""),
        ("lib/timmy/cli.py", ""),
    ],
)
def test_where_the_overlay_says_it(path: str, source: str) -> None:
    assert adoption.overlay_source(RULES, path) == source


@pytest.mark.parametrize("broken", [None, [], {"paths": 3}, {"paths": [None, {"to": None}]}])
def test_broken_rules_name_nothing(broken: Any) -> None:
    assert adoption.overlay_source(broken, "SOUL.md") == ""


SOUL = "agents/ezra/home/SOUL.md"


@pytest.mark.parametrize(
    ("files", "agent", "held"),
    [
        ({SOUL: {"sha256": "one"}}, "ezra", {".hermes/SOUL.md"}),
        ({SOUL: {"sha256": "two"}}, "ezra", set()),
        ({}, "ezra", set()),
        ({SOUL: {"sha256": "one"}}, "bezalel", set()),
    ],
)
def test_an_accepted_link_holds_until_the_overlay_changes_its_file(
    files: dict[str, Any], agent: str, held: set[str]
) -> None:
    record = {
        "adopted": adoption.with_link({}, {"files": {SOUL: {"sha256": "one"}}}, ".hermes/SOUL.md", SOUL)
    }
    assert adoption.links(record, {"files": files}, agent) == held


def test_one_acceptance_is_taken_back_and_the_others_stay() -> None:
    record: dict[str, Any] = {}
    record["adopted"] = adoption.with_key(record, ["a", "b"], 1)
    record["adopted"] = adoption.with_key(record, ["a", "b"], 2)
    record["adopted"] = adoption.with_key(record, ["c"], 3)
    record["adopted"] = adoption.with_job_gone(record, "tidy", {"name": "tidy"})
    assert [entry["declared"] for entry in record["adopted"]["keys"]] == [2, 3]
    after = adoption.without(record, key=["a", "b"], job="tidy")
    assert after == {"links": {}, "keys": [{"path": ["c"], "declared": 3}], "jobs": {}}
    assert adoption.last_applied({**record, "adopted": after})["adopted"] == after["keys"]


def test_accepted_fields_leave_the_record_of_what_we_stored() -> None:
    kept = {"id": "1", "stored": {"prompt": "ours", "model": "m"}}
    assert adoption.job_fields_accepted(kept, ["prompt"]) == {
        "id": "1",
        "stored": {"model": "m"},
        "adopted": {"prompt": "ours"},
    }


MERGES: dict[str, tuple[Any, Any, list[str], Any, int]] = {
    # wanted, home -> edited, home afterwards, acceptances left; last applied and accepted are {"a": {"b": 1}}
    "as accepted": ({"a": {"b": 1}}, {"a": {"b": 9}}, [], {"a": {"b": 9}}, 1),
    "edited once more": ({"a": {"b": 1}}, {"a": {"b": 8}}, [], {"a": {"b": 8}}, 1),
    "deleted": ({"a": {"b": 1}}, {"x": 0}, [], {"x": 0}, 1),
    "back to ours": ({"a": {"b": 1}}, {"a": {"b": 1}}, [], {"a": {"b": 1}}, 0),
    "the overlay says another": ({"a": {"b": 2}}, {"a": {"b": 9}}, ["a.b"], {"a": {"b": 9}}, 0),
    "the overlay takes it over": ({"a": {"b": 9}}, {"a": {"b": 9}}, [], {"a": {"b": 9}}, 0),
    "the overlay drops it": ({}, {"a": {"b": 9}}, [], {"a": {"b": 9}}, 0),
    "another kind of value": ({"a": {"b": True}}, {"a": {"b": 9}}, ["a.b"], {"a": {"b": 9}}, 0),
}


@pytest.mark.parametrize(("wanted", "home", "edited", "after", "left"), MERGES.values(), ids=MERGES)
def test_a_merge_leaves_alone_what_was_accepted(
    wanted: Any, home: Any, edited: list[str], after: Any, left: int
) -> None:
    adopted = [{"path": ["a", "b"], "declared": 1}]
    result = home_merge.merge(wanted, {"a": {"b": 1}}, home, None, adopted)
    assert (result.edited, result.home, len(result.adopted)) == (edited, after, left)
    again = home_merge.merge(wanted, result.base, result.home, result.made, result.adopted)
    assert (again.changed, again.edited) == ([], edited)
    assert [one["problem"] for one in home_merge.findings(wanted, {"a": {"b": 1}}, home, adopted)] == [
        "edited" for _one in edited
    ]


FOUND: dict[str, tuple[Any, Any, Any, list[tuple[str, str, str, str]]]] = {
    "nothing": ({"a": 1}, {"a": 1}, {"a": 1, "theirs": 2}, []),
    "edited": ({"a": 1}, {"a": 1}, {"a": 2}, [("a", "edited", "1", "2")]),
    "deleted": ({"a": {"b": "x"}}, {"a": {"b": "x"}}, {}, [("a.b", "deleted", '"x"', "nothing")]),
    "never applied": ({"a": 1}, {}, {}, []),
    "not yet updated": ({"a": 2}, {"a": 1}, {"a": 1}, []),
    "a section in place of a value": (
        {"a": 1},
        {"a": 1},
        {"a": {"x": 1}},
        [("a", "edited", "1", '{"x": 1}')],
    ),
    "a value in place of a section": (
        {"a": {"b": 1}},
        {"a": {"b": 1}},
        {"a": 3},
        [("a.b", "edited", "1", "nothing")],
    ),
    "a secret name": (
        {"api_key": "x"},
        {"api_key": "x"},
        {"api_key": "y"},
        [("api_key", "edited", "(masked)", "(masked)")],
    ),
    "a secret form": (
        {"a": "x"},
        {"a": "x"},
        {"a": "sk-0123456789abcdef0"},
        [("a", "edited", '"x"', "(masked)")],
    ),
    "a secret in a list": (
        {"a": []},
        {"a": []},
        {"a": [{"token": "t"}]},
        [("a", "edited", "[]", "(masked)")],
    ),
    "a user in an address": ({"a": 1}, {"a": 1}, {"a": "https://u:p@h/"}, [("a", "edited", "1", "(masked)")]),
}


@pytest.mark.parametrize(("wanted", "base", "home", "told"), FOUND.values(), ids=FOUND)
def test_findings(wanted: Any, base: Any, home: Any, told: list[tuple[str, str, str, str]]) -> None:
    found = home_merge.findings(wanted, base, home)
    assert [(".".join(one["path"]), one["problem"], one["ours"], one["theirs"]) for one in found] == told
    assert all(("masked" in one["theirs"]) <= (one["line"] == "") for one in found)


def test_a_finding_says_the_line_for_the_overlay() -> None:
    found = home_merge.findings({"a": {"b": 1}}, {"a": {"b": 1}}, {"a": {"b": ["x"]}})
    assert found[0]["line"] == 'a: {"b": ["x"]}'


@pytest.mark.parametrize(
    ("home", "after"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        ({"a": 1, "c": 2}, {"c": 2}),
        ({"a": {"b": {"deep": 1}}}, {"a": {}}),
        ({}, {}),
    ],
)
def test_what_stands_in_the_way_is_taken_out(home: Any, after: Any) -> None:
    assert home_merge.without(home, ["a", "b"]) == after


def test_the_record_gets_one_key_more() -> None:
    assert adoption.with_value({"a": {"x": 1}}, ["a", "b"], {}) == {"a": {"x": 1, "b": {}}}
    assert adoption.with_value({"a": 3}, ["a", "b"], 1) == {"a": {"b": 1}}
    assert adoption.value_at({"a": {"b": None}}, ["a", "b"]) is None
    assert adoption.value_at({"a": 1}, ["b"]) is adoption.NOT_DECLARED
