# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's names for chats, and what Hermes reads of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .overlay_fields import check_fields
from .overlay_problem import Problem, suggest


def check_channels(
    data: Any, path: str = "channel_directory.json", *, platforms: Collection[str] = ()
) -> list[Problem]:
    """The operator's names for chats: one name per chat and one chat per name on a platform."""
    problems = check_fields(path, "", data, {"schema": (int, True), "channels": (list, True)})
    if problems:
        return problems
    fields: dict[str, tuple[type, bool]] = {
        "name": (str, True),
        "platform": (str, True),
        "id": (object, True),
        "purpose": (str, True),
        "agents": (list, False),
    }
    seen: dict[tuple[str, str, str], int] = {}
    for number, channel in enumerate(data["channels"]):
        key = f"channels[{number}]"
        wrong = check_fields(path, key, channel, fields)
        problems += wrong
        if wrong:
            continue
        if platforms and channel["platform"] not in platforms:
            hint = suggest(channel["platform"], platforms) or f"; known are {', '.join(sorted(platforms))}"
            problems.append(
                Problem(path, f"{key}.platform", f"Hermes has no platform {channel['platform']!r}{hint}")
            )
        if channel["id"] is not None and not (isinstance(channel["id"], str) and channel["id"].strip()):
            problems.append(
                Problem(path, f"{key}.id", "must be quoted text, or null while the chat does not exist yet")
            )
        for what in ("name", "id"):
            if channel[what] is None:
                continue
            first = seen.setdefault((what, channel["platform"], str(channel[what])), number)
            if first != number:
                problems.append(
                    Problem(
                        path, f"{key}.{what}", f"is already used by channels[{first}]; change one of them"
                    )
                )
    return problems


def channel_aliases(directory: Any, agent: str) -> dict[str, dict[str, str]]:
    """What Hermes reads: platform -> chat id -> name, for the existing channels of this agent."""
    aliases: dict[str, dict[str, str]] = {}
    for channel in directory.get("channels", []):
        agents = channel.get("agents", ["*"])
        if channel["id"] is not None and ("*" in agents or agent in agents):
            aliases.setdefault(str(channel["platform"]), {})[str(channel["id"])] = str(channel["name"])
    return aliases
