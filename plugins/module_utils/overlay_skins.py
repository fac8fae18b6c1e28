# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skins of Hermes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .overlay_fields import check_fields, check_stem
from .overlay_problem import Problem, suggest, type_name

_HEX_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_SKIN_COLOURS = frozenset(
    [
        "banner_border",
        "banner_title",
        "banner_accent",
        "banner_dim",
        "banner_text",
        "ui_accent",
        "ui_label",
        "ui_ok",
        "ui_error",
        "ui_warn",
        "prompt",
        "input_rule",
        "response_border",
        "status_bar_bg",
        "status_bar_text",
        "status_bar_strong",
        "status_bar_dim",
        "status_bar_good",
        "status_bar_warn",
        "status_bar_bad",
        "status_bar_critical",
        "session_label",
        "session_border",
        "voice_status_bg",
        "selection_bg",
        "completion_menu_bg",
        "completion_menu_current_bg",
        "completion_menu_meta_bg",
        "completion_menu_meta_current_bg",
    ]
)
_SKIN_BRANDING = frozenset(
    ["agent_name", "welcome", "goodbye", "response_label", "prompt_symbol", "help_header"]
)
_SKIN_SPINNER = frozenset(["waiting_faces", "thinking_faces", "thinking_verbs", "wings"])


def check_skin(path: str, data: Any) -> list[Problem]:
    """A skin that Hermes loads whole; a broken one silently becomes the default skin."""
    fields: dict[str, tuple[type, bool]] = {
        "name": (str, True),
        "description": (str, True),
        "colors": (dict, False),
        "spinner": (dict, False),
        "branding": (dict, False),
        "tool_prefix": (str, False),
        "tool_emojis": (dict, False),
        "banner_logo": (str, False),
        "banner_hero": (str, False),
    }
    problems = check_fields(path, "", data, fields)
    if problems:
        return problems
    problems += check_stem(path, data["name"])
    for section, known in (
        ("colors", _SKIN_COLOURS),
        ("spinner", _SKIN_SPINNER),
        ("branding", _SKIN_BRANDING),
    ):
        for key, value in data.get(section, {}).items():
            if key not in known:
                problems.append(
                    Problem(path, f"{section}.{key}", f"no such key in a skin{suggest(str(key), known)}")
                )
            elif section == "colors" and not (isinstance(value, str) and _HEX_COLOUR.fullmatch(value)):
                problems.append(
                    Problem(path, f"{section}.{key}", 'must be a quoted colour such as "#2E8B57"')
                )
            elif section == "spinner" and not isinstance(value, list):
                problems.append(Problem(path, f"{section}.{key}", f"must be a list, not {type_name(value)}"))
            elif section == "branding" and not isinstance(value, str):
                problems.append(
                    Problem(path, f"{section}.{key}", f"must be text, not {type_name(value)}; quote it")
                )
    return problems


def check_choice(
    path: str, config: Any, tree: Mapping[str, bytes], known: Collection[str]
) -> Iterator[Problem]:
    """The skin that a configuration chooses; for one that is not there Hermes takes its default."""
    display = config.get("display") if isinstance(config, Mapping) else None
    chosen = display.get("skin") if isinstance(display, Mapping) else None
    own = {name[6:-5] for name in tree if name.startswith("skins/") and name.endswith(".yaml")}
    if isinstance(chosen, str) and chosen and chosen not in own and chosen not in known:
        hint = suggest(chosen, {*own, *known}) or f"; add skins/{chosen}.yaml"
        yield Problem(path, "display.skin", f"there is no skin {chosen!r}{hint}")
