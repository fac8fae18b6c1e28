# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was rendered is found again for the same input, and for no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.plugin_utils import render_memo

TREE = {"SOUL.md": b"one", "config.yaml": b"a: 1\n"}
SEEN: list[Any] = [{"name": "ezra"}, "hermes-vps", [{"name": "ezra"}], {"default": "m"}, ["API_SERVER_KEY"]]


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))


def test_bytes_come_back_as_they_were() -> None:
    files = {"agents/ezra/home/SOUL.md": b"\x00\xff one", "empty": b""}
    render_memo.put(render_memo.key_of(TREE, *SEEN), files)
    assert render_memo.get(render_memo.key_of(dict(reversed(TREE.items())), *SEEN)) == files


@pytest.mark.parametrize("at", range(len(SEEN)))
def test_whatever_a_template_sees_is_in_the_key(at: int) -> None:
    other = [*SEEN]
    other[at] = "another"
    assert render_memo.key_of(TREE, *other) != render_memo.key_of(TREE, *SEEN)


@pytest.mark.parametrize(
    "tree",
    [
        {**TREE, "SOUL.md": b"two"},
        {**TREE, "HEART.md": b""},
        {"SOUL.md": TREE["SOUL.md"]},
        {"SOUL.mdo": b"ne", "config.yaml": TREE["config.yaml"]},
    ],
)
def test_another_overlay_is_another_key(tree: dict[str, bytes]) -> None:
    assert render_memo.key_of(tree, *SEEN) != render_memo.key_of(TREE, *SEEN)


def test_what_was_not_kept_or_is_torn_is_rendered_anew(tmp_path: Path) -> None:
    key = render_memo.key_of(TREE, *SEEN)
    assert render_memo.get(key) is None
    render_memo.put(key, {"a": b"b"})
    (torn,) = tmp_path.iterdir()
    torn.write_text(torn.read_text()[:-3])
    assert render_memo.get(key) is None
