# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a script of the scripted model and refuse, in one line, what cannot be used."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from model_rules import PLACE, Rule, Script

SCHEMA = 1
TOP_KEYS = {"schema": int, "model": str, "context_length": int, "rules": list}
MATCH_KEYS = {"contains": str, "regex": str, "nth": int, "after_tool": bool, "tool": str}
REPLY_KEYS = {
    "text": str,
    "tool_call": dict,
    "status": int,
    "message": str,
    "retry_after": int,
    "delay_s": (int, float),
    "cut": bool,
}
ACTIONS = ("text", "tool_call", "status", "cut")


class ScriptError(Exception):
    """A script that cannot be used; the text names the file and the rule."""


def _check_keys(where: str, given: Any, known: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ScriptError(f"{where}: expected an object, got {type(given).__name__}")
    for key, value in given.items():
        if key not in known:
            raise ScriptError(f"{where}: unknown key {key!r} (known: {', '.join(sorted(known))})")
        # bool is an int to Python, but `"nth": true` is a mistake
        if not isinstance(value, known[key]) or (isinstance(value, bool) and known[key] is not bool):
            raise ScriptError(f"{where}: {key} has the wrong type ({type(value).__name__})")
    return given


def _rule(where: str, given: Any) -> Rule:
    rule = _check_keys(where, given, {"name": str, "match": dict, "reply": dict})
    match = _check_keys(f"{where}: match", rule.get("match", {}), MATCH_KEYS)
    if "reply" not in rule:
        raise ScriptError(f"{where}: reply is missing")
    reply = _check_keys(f"{where}: reply", rule["reply"], REPLY_KEYS)
    actions = [key for key in ACTIONS if key in reply]
    if len(actions) != 1:
        raise ScriptError(f"{where}: reply needs exactly one of {', '.join(ACTIONS)}, has {len(actions)}")
    if "status" in reply and not 400 <= reply["status"] <= 599:
        raise ScriptError(f"{where}: reply: status must be an error, 400 to 599, not {reply['status']}")
    if "tool_call" in reply:
        call = _check_keys(f"{where}: reply: tool_call", reply["tool_call"], {"name": str, "arguments": dict})
        if set(call) != {"name", "arguments"}:
            raise ScriptError(f"{where}: reply: tool_call needs name and arguments")
    try:
        regex = re.compile(match["regex"]) if "regex" in match else None
    except re.error as error:
        raise ScriptError(f"{where}: match: regex does not compile: {error}") from None
    groups = regex.groups if regex else 0
    used = [int(number) for number in PLACE.findall(json.dumps(reply)) if number.isdigit()]
    if used and max(used) > groups:
        raise ScriptError(f"{where}: reply uses @{{{max(used)}}}, but regex has {groups} groups")
    return Rule(name=rule.get("name", where), match=match, reply=reply, regex=regex)


def parse(name: str, text: str) -> Script:
    """Check a script; raise ScriptError, in one line that names the rule, for anything wrong."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise ScriptError(f"{name}: not JSON: {error}") from None
    top = _check_keys(name, given, TOP_KEYS)
    missing = sorted(set(TOP_KEYS) - set(top))
    if missing:
        raise ScriptError(f"{name}: missing {', '.join(missing)}")
    if top["schema"] != SCHEMA:
        raise ScriptError(f"{name}: schema {top['schema']} is unknown, this server reads {SCHEMA}")
    rules = []
    for number, rule in enumerate(top["rules"], start=1):
        called = f" ({rule['name']})" if isinstance(rule, dict) and isinstance(rule.get("name"), str) else ""
        rules.append(_rule(f"{name}: rule {number}{called}", rule))
        rules[-1].name = rule.get("name", f"rule {number}")
    return Script(model=top["model"], context_length=top["context_length"], rules=rules)


def load(path: Path) -> Script:
    """Read a script file; raise ScriptError where it cannot be read or used."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}: cannot be read: {error}") from None
    return parse(str(path), text)
