# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a chat request says to the rules, and what it and its answer cost in tokens."""

from __future__ import annotations

import json
from typing import Any

from model_rules import Reply, Request


def _text_of(content: Any) -> str:
    """Return the text of a message's content, which is a string or a list of typed parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part.get("text", "") for part in parts if isinstance(part, dict))


def read_request(body: dict[str, Any]) -> Request:
    """Reduce a chat request to what rules look at."""
    messages = [message for message in body.get("messages", []) if isinstance(message, dict)]
    users = [_text_of(message.get("content")) for message in messages if message.get("role") == "user"]
    system = [_text_of(message.get("content")) for message in messages if message.get("role") == "system"]
    after_tool = bool(messages) and messages[-1].get("role") == "tool"
    return Request(
        system="\n".join(system),
        last_user=users[-1] if users else "",
        after_tool=after_tool,
        tool_result=_text_of(messages[-1].get("content")) if after_tool else "",
        tools=tuple(tool.get("function", {}).get("name", "") for tool in body.get("tools") or []),
    )


def usage_of(body: dict[str, Any], reply: Reply) -> dict[str, int]:
    """Return token counts: four characters count as one token, as in the usual rule of thumb."""
    prompt = max(1, len(json.dumps([body.get("messages"), body.get("tools")])) // 4)
    answer = max(1, len((reply.text or "") + (reply.tool_arguments if reply.tool_name else "")) // 4)
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
