# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Owner and reload classes of the paths of a release, as its manifest carries them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLASSES = ("managed", "merged", "seeded", "runtime")
# From the mildest to the strongest: what a running gateway needs before it sees a change.
RELOADS = ("none", "next-turn", "new-session", "restart")


def strongest(reloads: list[str]) -> str:
    """The strongest of some reload classes; an unknown word counts as a restart, the safe reading."""
    rank = max((RELOADS.index(word) if word in RELOADS else len(RELOADS) - 1 for word in reloads), default=0)
    return RELOADS[rank]


def changed_paths(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Paths whose content, mode or link target differ between two manifests; classes alone change nothing."""

    def identity(entry: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
        return None if entry is None else (entry.get("link"), entry.get("sha256"), entry.get("mode"))

    return sorted(path for path in {*old, *new} if identity(old.get(path)) != identity(new.get(path)))


def concerns(path: str, agent: str) -> bool:
    """Whether a release path matters to an agent: its own subtree, and everything that all agents share."""
    return path.startswith(f"agents/{agent}/") or not path.startswith("agents/")


def reload_for(old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]], agent: str) -> str:
    """What an agent's gateway needs after going from one manifest to another."""
    return strongest(
        [
            str((new.get(path) or old[path]).get("reload", "none"))
            for path in changed_paths(old, new)
            if concerns(path, agent)
        ]
    )


def by_class(
    paths: list[str], old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """The given paths sorted under their owner class."""
    result: dict[str, list[str]] = {}
    for path in paths:
        result.setdefault(str((new.get(path) or old[path]).get("class", "managed")), []).append(path)
    return result
