# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names on issues and pulls, markers in their texts, and changes that must not overwrite another's."""

from __future__ import annotations

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import KeepError
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import (
    ConflictError,
    UnknownOutcomeError,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_keep_issue import guarded
from ansible_collections.timmy.config.plugins.module_utils.gitea_once import marked, remarked, unmarked
from ansible_collections.timmy.config.plugins.module_utils.gitea_place import (
    columns,
    scope_of,
    title_of,
    with_added,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_types import Label

ONE, TWO = "one-of-ours", "two-of-ours"
LABELS = {
    name: Label(name=name, exclusive=exclusive)
    for name, exclusive in [
        ("fleet/queued", True),
        ("fleet/done", True),
        ("fleet/remark", False),
        ("a/b/one", True),
        ("a/b/two", True),
        ("a/c", True),
        ("plain", False),
    ]
}


@pytest.mark.parametrize(
    ("there", "added", "after"),
    [
        ("", "plain", "plain"),
        ("plain", "", "plain"),
        ("plain", "plain", "plain"),
        ("fleet/queued", "fleet/done", "fleet/done"),
        ("fleet/queued plain fleet/remark", "fleet/done", "fleet/done fleet/remark plain"),
        ("fleet/queued", "fleet/queued", "fleet/queued"),
        ("fleet/queued", "fleet/remark", "fleet/queued fleet/remark"),
        ("a/b/one a/c", "a/b/two", "a/b/two a/c"),
    ],
)
def test_an_exclusive_label_replaces_those_of_its_scope(there: str, added: str, after: str) -> None:
    now, new = ([LABELS[name] for name in text.split()] for text in (there, added))
    assert with_added(now, new) == after.split()


def test_a_label_without_the_switch_has_no_scope() -> None:
    scopes = {name: scope_of(label) for name, label in LABELS.items()}
    assert scopes == {
        "fleet/queued": "fleet",
        "fleet/done": "fleet",
        "fleet/remark": "",
        "a/b/one": "a/b",
        "a/b/two": "a/b",
        "a/c": "a",
        "plain": "",
    }


@pytest.mark.parametrize("text", ["x", "  x  ", "x" * 255, "漢" * 127, "e\u0301" * 127])
def test_a_title_is_what_the_forge_stores(text: str) -> None:
    assert title_of(text) == text.strip()


@pytest.mark.parametrize("text", ["", " \n", "x" * 256, "漢" * 128])
def test_what_the_forge_would_not_store_is_no_title(text: str) -> None:
    with pytest.raises(KeepError, match="title: "):
        title_of(text)


def test_columns_of_a_character() -> None:
    assert {char: columns(char) for char in "aÿ漢\u3000\u2003\u0301\u200d"} == {
        "a": 1,
        "ÿ": 1,
        "漢": 2,
        "\u3000": 2,
        "\u2003": 1,
        "\u0301": 1,
        "\u200d": 1,
    }


@pytest.mark.parametrize("text", ["", "text", "text\n", "a\n\nb\n\n", "<!-- other -->", "x\r\n"])
def test_markers_come_off_without_a_trace(text: str) -> None:
    once = marked(text, ONE)
    twice = marked(once, TWO)
    assert unmarked(text) == (text, ())
    assert unmarked(once) == (text, (ONE,))
    assert unmarked(twice) == (text, (ONE, TWO))
    assert unmarked(twice.replace("\n", "\r\n") if "\r" not in text else twice)[1] == (ONE, TWO)
    assert remarked("new", twice) == marked(marked("new", ONE), TWO)
    assert remarked("new", text) == "new"


def test_a_marker_in_the_middle_is_text() -> None:
    assert unmarked(marked("text", ONE) + " and more")[1] == ()


def edit(error: Exception | None) -> None:
    if error is not None:
        raise error


def test_a_change_by_somebody_else_is_said() -> None:
    guarded(lambda: edit(None), lambda: "never read", "new", "issue #1")
    with pytest.raises(KeepError, match=r"issue #1 was edited by somebody else"):
        guarded(lambda: edit(ConflictError("PATCH", "/x", "already changed", 409)), str, "new", "issue #1")
    with pytest.raises(ConflictError):
        guarded(lambda: edit(ConflictError("PATCH", "/x", "archived", 423)), str, "new", "issue #1")


def test_after_a_lost_answer_the_body_decides() -> None:
    lost = UnknownOutcomeError("PATCH", "/x", "no answer")
    guarded(lambda: edit(lost), lambda: marked("new", ONE), marked("new", ONE), "issue #1")
    with pytest.raises(UnknownOutcomeError):
        guarded(lambda: edit(lost), lambda: "old", "new", "issue #1")
