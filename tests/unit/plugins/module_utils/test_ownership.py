# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner and reload classes between two manifests."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import ownership


def entry(content: str, reload: str = "none", owner: str = "managed", mode: str = "0644") -> dict[str, Any]:
    return {"sha256": content, "mode": mode, "size": 1, "class": owner, "reload": reload}


OLD = {
    "agents/a/managed/config.yaml": entry("1", "restart"),
    "agents/a/home/SOUL.md": entry("1", "new-session"),
    "skills/x/SKILL.md": entry("1", "new-session"),
    "hermes": {"link": "/opt/hermes/1", "class": "managed", "reload": "restart"},
}


@pytest.mark.parametrize(
    ("change", "agent", "wanted"),
    [
        ({}, "a", "none"),
        ({"agents/a/managed/config.yaml": entry("2", "restart")}, "a", "restart"),
        ({"agents/a/managed/config.yaml": entry("2", "restart")}, "b", "none"),
        ({"skills/x/SKILL.md": entry("2", "new-session")}, "b", "new-session"),
        ({"skills/x/SKILL.md": entry("1", "new-session", mode="0755")}, "b", "new-session"),
        ({"hermes": {"link": "/opt/hermes/2", "class": "managed", "reload": "restart"}}, "b", "restart"),
        ({"agents/a/home/SOUL.md": None}, "a", "new-session"),
        ({"x": entry("1", "no such word")}, "a", "restart"),
        ({"skills/x/SKILL.md": entry("1", "restart")}, "a", "none"),
    ],
)
def test_what_a_gateway_needs(change: dict[str, Any], agent: str, wanted: str) -> None:
    new = {path: value for path, value in {**OLD, **change}.items() if value is not None}
    assert ownership.reload_for(OLD, new, agent) == wanted


def test_changes_are_sorted_under_their_owner() -> None:
    new = {**OLD, "agents/a/seeded/m.md": entry("1", owner="seeded")}
    del new["skills/x/SKILL.md"]
    paths = ownership.changed_paths(OLD, new)
    assert ownership.by_class(paths, OLD, new) == {
        "managed": ["skills/x/SKILL.md"],
        "seeded": ["agents/a/seeded/m.md"],
    }
