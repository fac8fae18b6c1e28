# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule of the scripted model looks at, when it matches, and what it makes the server do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

PLACE = re.compile(r"@\{(tool_result|[0-9])\}")


@dataclass(frozen=True)
class Request:
    """What a rule may look at; `system` is for the log alone."""

    last_user: str
    after_tool: bool
    tool_result: str
    tools: tuple[str, ...]
    system: str = ""


@dataclass(frozen=True)
class Reply:
    """What the server does: wait, then answer with a text, a tool call, an error, or a cut connection."""

    rule: str
    text: str | None = None
    tool_name: str | None = None
    tool_arguments: str = "{}"
    status: int = 200
    message: str = ""
    retry_after: int | None = None
    delay_s: float = 0.0
    cut: bool = False


@dataclass
class Rule:
    """One rule; `seen` counts how often everything but `nth` has matched."""

    name: str
    match: dict[str, Any]
    reply: dict[str, Any]
    regex: re.Pattern[str] | None
    seen: int = field(default=0)

    def matches(self, request: Request) -> re.Match[str] | bool:
        """Return the regex match, True for a match without regex, or False."""
        found: re.Match[str] | bool = True
        if "contains" in self.match and self.match["contains"] not in request.last_user:
            return False
        if self.match.get("after_tool", request.after_tool) != request.after_tool:
            return False
        if "tool" in self.match and self.match["tool"] not in request.tools:
            return False
        if self.regex is not None:
            searched = self.regex.search(request.last_user)
            if searched is None:
                return False
            found = searched
        self.seen += 1
        return found if self.match.get("nth", self.seen) == self.seen else False


def _fill(value: Any, found: re.Match[str] | bool, request: Request) -> Any:
    """Put regex groups and the last tool result into every string of a reply."""

    def one(place: re.Match[str]) -> str:
        if place[1] == "tool_result":
            return request.tool_result
        return "" if isinstance(found, bool) else found[int(place[1])] or ""

    if isinstance(value, str):
        return PLACE.sub(one, value)
    if isinstance(value, dict):
        return {key: _fill(item, found, request) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, found, request) for item in value]
    return value


@dataclass
class Script:
    """A read and checked script."""

    model: str
    context_length: int
    rules: list[Rule]

    def decide(self, request: Request) -> Reply:
        """Return the reply of the first rule that matches; the built-in last rule always does."""
        # every rule looks at every request, so that what `nth` counts does not hang on the rules before it
        for rule, found in [(rule, rule.matches(request)) for rule in self.rules]:
            if found is False:
                continue
            body = _fill(rule.reply, found, request)
            call = body.get("tool_call")
            return Reply(
                rule=rule.name,
                text=body.get("text"),
                tool_name=call["name"] if call else None,
                tool_arguments=json.dumps(call["arguments"]) if call else "{}",
                status=body.get("status", 200),
                message=body.get("message", "the script says so"),
                retry_after=body.get("retry_after"),
                delay_s=float(body.get("delay_s", 0)),
                cut=body.get("cut", False),
            )
        return Reply(rule="built-in", text="The script has no rule for this.")
