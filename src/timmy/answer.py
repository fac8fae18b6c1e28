# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb returns, and the one renderer of it: text for people, a versioned envelope for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from timmy import __version__

if TYPE_CHECKING:
    from timmy.errors import TimmyError

SCHEMA = 1


@dataclass(frozen=True)
class Answer:
    """Data for programs, lines for people, problems for both."""

    data: dict[str, Any]
    lines: tuple[str, ...]
    problems: tuple[str, ...] = field(default=())
    exit_code: int = 0


def _envelope(verb: str, exit_code: int, **parts: Any) -> str:
    head = {"schema": SCHEMA, "timmy": __version__, "command": verb, "exit_code": exit_code}
    rest = {"data": None, "problems": [], "error": None, **parts}
    return json.dumps({**head, **rest}, indent=2, sort_keys=True)


def render(verb: str, answer: Answer, *, as_json: bool) -> str:
    """Return an answer as text or as JSON."""
    if as_json:
        return _envelope(verb, answer.exit_code, data=answer.data, problems=list(answer.problems))
    return "\n".join((*answer.lines, *(f"problem: {problem}" for problem in answer.problems)))


def render_error(verb: str, error: TimmyError, *, as_json: bool) -> str:
    """Return an error as one line, or in the same envelope as an answer."""
    if as_json:
        told = {"code": error.code, "message": error.message, "hint": error.hint or None}
        return _envelope(verb, error.exit_code, error=told)
    hint = f" ({error.hint})" if error.hint else ""
    return f"timmy: {error.message}{hint}"
