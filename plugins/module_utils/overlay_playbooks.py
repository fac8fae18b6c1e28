# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of agents."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .overlay_fields import check_fields, check_stem, check_texts, check_toolsets
from .overlay_problem import Problem, one_of, suggest


def check_playbook(
    path: str, data: Any, classes: Collection[str], toolsets: Collection[str]
) -> list[Problem]:
    """A playbook of an agent: who may run it, with what, until when, and what never."""
    fields: dict[str, tuple[type, bool]] = {
        "name": (str, True),
        "description": (str, True),
        "role_class": (str, True),
        "toolsets": (list, True),
        "inputs": (dict, True),
        "steps": (list, True),
        "done_when": (list, True),
        "never": (list, True),
        "limits": (dict, True),
    }
    problems = check_fields(path, "", data, fields)
    if problems:
        return problems
    problems += check_stem(path, data["name"])
    if data["role_class"] not in classes:
        known = suggest(data["role_class"], classes) or f"; {one_of(sorted(classes))}"
        problems.append(
            Problem(path, "role_class", f"{data['role_class']!r} is not in fallback-portfolios.yaml{known}")
        )
    for key in ("steps", "done_when", "never", "toolsets"):
        problems += check_texts(path, key, data[key])
    problems += check_toolsets(path, "toolsets", data["toolsets"], toolsets)
    problems += check_texts(path, "inputs", list(data["inputs"].values()))
    limits: dict[str, tuple[type, bool]] = {
        "max_turns": (int, True),
        "deadline_minutes": (int, True),
        "token_budget": (int, True),
    }
    wrong = check_fields(path, "limits", data["limits"], limits)
    problems += wrong
    if not wrong:
        for key, ceiling in (("max_turns", 500), ("deadline_minutes", 1440), ("token_budget", 50_000_000)):
            if not 1 <= data["limits"][key] <= ceiling:
                problems.append(Problem(path, f"limits.{key}", f"must be between 1 and {ceiling}"))
    return problems
