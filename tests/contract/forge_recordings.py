# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded exchanges with a real Gitea 1.26.4: reading them, filling in what they name, comparing answers.

A line of a file in recordings/ is one exchange. Names in braces in a request stand for what a run has made in
their place: {repo} for a repository's path, {number} for an issue or pull, {bug} for a label, {writer} for a
login.
"<cut>" in a body means that keys were left out of the recording.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forge_wire import Answer

FOLDER = Path(__file__).parent / "recordings"
EXACT = {
    "state",
    "color",
    "context",
    "status",
    "rule_name",
    "branch_name",
    "type",
    "content_type",
    "sha",
    "ref",
}
OWN = {"sha", "ref", "mergeable"}  # of these only the type is the forge's affair
EMPTY = "<empty>"


@dataclass(frozen=True)
class Exchange:
    """One request and what the real forge answered."""

    file: str
    step: str
    actor: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def status(self) -> int:
        """Return the recorded status."""
        return int(self.response["status"])

    @property
    def body(self) -> Any:
        """Return the recorded body."""
        return self.response.get("body")

    @property
    def message(self) -> str:
        """Return the recorded words of a refusal."""
        return str(self.body.get("message") or "") if isinstance(self.body, dict) else ""

    def __str__(self) -> str:
        """Return the name that a test shows."""
        return f"{self.file}: {self.step}"


def exchanges() -> list[Exchange]:
    """Return all recorded exchanges."""
    found = []
    for path in sorted(FOLDER.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found.append(Exchange(path.stem, row["step"], row["actor"], row["request"], row["response"]))
    return found


def fill(value: Any, names: Mapping[str, Any]) -> Any:
    """Return a recorded value with its names filled in; a text that is one name becomes its value."""
    if isinstance(value, dict):
        return {key: fill(one, names) for key, one in value.items()}
    if isinstance(value, list):
        return [fill(one, names) for one in value]
    if not isinstance(value, str):
        return value
    if value.startswith("{") and value.endswith("}") and value[1:-1] in names:
        return names[value[1:-1]]
    return re.sub(r"\{([^{}]+)\}", lambda found: str(names.get(found[1], found[0])), value)


def said(message: str, names: Mapping[str, Any]) -> str:
    """Return a message without the numbers and names that belong to one run."""
    for name, value in sorted(names.items(), key=lambda item: -len(str(item[1]))):
        if isinstance(value, str) and len(value) > 3:
            message = message.replace(value, {"head": "f1", "org": "fleet"}.get(name, name))
    return re.sub(r"\d+", "#", message)


def differences(exchange: Exchange, answer: Answer, names: Mapping[str, Any]) -> list[str]:
    """Return how an answer differs from the recorded one, apart from what belongs to one run."""
    if answer.status != exchange.status:
        return [f"status {answer.status}, recorded {exchange.status}: {answer}"]
    found = []
    recorded = {name.lower(): text for name, text in exchange.response["headers"].items()}
    kinds = [headers.get("content-type", "").partition(";")[0] for headers in (answer.headers, recorded)]
    if kinds[0] != kinds[1]:
        found.append(f"content type {kinds[0]!r}, recorded {kinds[1]!r}")
    counted = [name for name in ("x-total-count", "link") if recorded.get(name)]
    found += [f"no {name}" for name in counted if name not in answer.headers]
    if exchange.body == EMPTY:
        return [*found, f"a body, recorded none: {answer}"] if answer.raw else found
    if "json" not in kinds[1]:
        return found
    if said(answer.message, names) != said(exchange.message, {}):
        found.append(f"message {said(answer.message, names)!r}, recorded {said(exchange.message, {})!r}")
    return found + shapes(exchange.body, answer.json, "$")


def shapes(recorded: Any, got: Any, at: str) -> list[str]:
    """Return where a value has not the recorded shape: its keys, its types, its nulls, its truth values."""
    if isinstance(recorded, dict) and isinstance(got, dict):
        keys = [key for key in recorded if not key.startswith("<")]
        return [one for key in keys for one in key_shapes(key, recorded[key], got, at)]
    if isinstance(recorded, list) and isinstance(got, list):
        return shapes(recorded[0], got[0], f"{at}[0]") if recorded and got else []
    if isinstance(recorded, bool) or recorded is None:
        return [] if got is recorded else [f"{at} is {got!r}, recorded {recorded!r}"]
    return [] if type(got) is type(recorded) else [f"{at} is {got!r}, recorded {recorded!r}"]


def key_shapes(key: str, recorded: Any, got: dict[str, Any], at: str) -> list[str]:
    """Return where one key of an object has not the recorded shape."""
    if key not in got:
        return [f"{at}.{key} is missing"]
    if key in OWN:
        return [] if type(got[key]) is type(recorded) else [f"{at}.{key} is {got[key]!r}"]
    if key in EXACT and isinstance(recorded, str) and got[key] != recorded:
        return [f"{at}.{key} is {got[key]!r}, recorded {recorded!r}"]
    return shapes(recorded, got[key], f"{at}.{key}")
