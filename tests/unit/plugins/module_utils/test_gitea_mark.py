# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mark tells the secret that it was made of from any other, and holds no part of it."""

from __future__ import annotations

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_mark import bare, fits, has, marked


@pytest.mark.parametrize("text", ["", "by hand", " a\r\nb ", "[timmy:no mark]", "ends [timmy:00:-] not"])
def test_a_text_is_as_it_was_without_its_mark(text: str) -> None:
    once = marked(text, ["one", None])
    assert (bare(text), bare(once), bare(marked(once, ["two"]))) == (text, text, text)
    assert "one" not in once
    assert len(once) - len(text) < 100


def test_a_mark_fits_its_own_secret_at_its_own_place() -> None:
    text = marked("a hook", ["one", "two"])
    assert [fits(text, at, "one") for at in range(3)] == [True, False, False]
    assert [fits(text, at, "two") for at in range(3)] == [False, True, False]
    assert not any(fits("a hook", at, secret) for at in range(2) for secret in ("one", ""))


def test_what_is_not_given_again_stays() -> None:
    text = marked("", ["one", None])
    later = marked(text, [None, "two"], text)
    assert (fits(later, 0, "one"), fits(later, 1, "two")) == (True, True)
    assert [has(text, at) for at in range(3)] == [True, False, False]
    again = marked(later, ["three", None], later)
    assert (fits(again, 0, "one"), fits(again, 0, "three"), fits(again, 1, "two")) == (False, True, True)


def test_equal_secrets_do_not_look_equal() -> None:
    first, second = marked("", ["one", "one"]), marked("", ["one", "one"])
    assert first != second
    assert len(set(first[1:-1].split(":")[2:])) == 2
