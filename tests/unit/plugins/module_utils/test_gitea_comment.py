# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which comment is meant: by the key in it, and by who wrote it."""

from __future__ import annotations

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import KeepError
from ansible_collections.timmy.config.plugins.module_utils.gitea_keep_comment import key_of, keyed, marker_of
from ansible_collections.timmy.config.plugins.module_utils.gitea_once import marked
from ansible_collections.timmy.config.plugins.module_utils.gitea_types import Comment, User

ONE = "one-of-ours"


def comment(number: int, author: str, *markers: str) -> Comment:
    text = "text"
    for marker in markers:
        text = marked(text, marker)
    return Comment(id=number, body=text, user=User(login=author) if author else None)


def test_a_comment_counts_by_its_key_and_its_author() -> None:
    checks = marker_of("checks")
    rows = [
        comment(9, "timmy", checks, ONE),
        comment(3, "mallory", checks),
        comment(5, "Timmy", checks),
        comment(2, "timmy", marker_of("other")),
        comment(1, "timmy", ONE),
        comment(4, "", checks),
    ]
    assert [key_of(row) for row in rows] == ["checks", "checks", "checks", "other", "", "checks"]
    assert [row.id for row in keyed(rows, "checks", "timmy")] == [5, 9]


@pytest.mark.parametrize("key", ["", "two words", "x" * 65, "a-->b", "a\n"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(KeepError, match="key: "):
        marker_of(key)
