# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API description (Swagger 2.0) as a judge of answers: known operation, known status, fitting body.

Go's encoder writes null for an empty list, an absent object or time, so null fits those; strings, numbers and
truth values have to be there. A key that the description does not have is a mistake as well. Three things
that a real Gitea does beside its own description are named below and let pass.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forge_wire import Answer, Wire

SIMPLE: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
UNDESCRIBED = {"username"}  # the older name of `login`, still in every user
NULLABLE = {"merge_commit_sha"}  # a text, null before the merge
# The end of a route and the status that it answers with, and the status under which that is described.
ELSEWHERE = {
    ("transfer", 201): 202,  # a repository that is offered, with a status of its own
    ("tags", 201): 200,
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass
class Description:
    """One description, and what it found wrong so far."""

    spec: dict[str, Any]
    wrong: list[str] = field(default_factory=list)
    judged: int = 0
    _paths: list[tuple[re.Pattern[str], dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Turn path templates into patterns, the most literal ones first."""
        for template in sorted(self.spec["paths"], key=lambda path: (path.count("{"), -len(path))):
            pieces = re.split(r"(\{[^}]+\})", template)
            # Only what Gitea reads to the end of the path may hold slashes.
            pattern = "".join(
                re.escape(piece) if not piece.startswith("{") else wildcard(template, piece)
                for piece in pieces
            )
            self._paths.append((re.compile(pattern), self.spec["paths"][template]))

    def judge(self, method: str, path: str, answer: Answer) -> None:
        """Note what does not fit. Refusals are judged by their own tests; redirects have no body to judge."""
        if not 200 <= answer.status < 300:
            return
        operation = self.operation(method, path.rstrip("/"))
        if operation is None:
            self.wrong.append(f"{method} {path} answered {answer.status} and is not described")
            return
        self.judged += 1
        status = ELSEWHERE.get((path.rpartition("/")[2], answer.status), answer.status)
        described = operation["responses"].get(str(status))
        if described is None:
            self.wrong.append(f"{method} {path}: status {answer.status} is not described")
            return
        while "$ref" in described:
            described = self.resolve(described["$ref"])
        if "schema" not in described or "json" not in answer.headers.get("content-type", ""):
            return
        self.wrong += [
            f"{method} {path}: {one}" for one in self.mismatches(described["schema"], answer.json, "$")
        ]

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the described operation of a call."""
        for pattern, operations in self._paths:
            if pattern.fullmatch(path) and method.lower() in operations:
                found: dict[str, Any] = operations[method.lower()]
                return found
        return None

    def resolve(self, ref: str) -> dict[str, Any]:
        """Follow a reference within the description."""
        node: Any = self.spec
        for step in ref.removeprefix("#/").split("/"):
            node = node[step]
        found: dict[str, Any] = node
        return found

    def mismatches(self, schema: dict[str, Any], value: Any, at: str) -> list[str]:
        """Return where a value does not fit a schema."""
        while "$ref" in schema:
            schema = self.resolve(schema["$ref"])
        kind = schema.get("type", "object" if "properties" in schema else "")
        if value is None:
            nullable = kind in {"array", "object", ""} or schema.get("format") == "date-time"
            return [] if nullable else [f"{at} is null, not {kind}"]
        if kind and (not isinstance(value, SIMPLE[kind]) or (isinstance(value, bool) and kind != "boolean")):
            return [f"{at} is {type(value).__name__}, not {kind}"]
        if schema.get("format") == "date-time" and not TIME.fullmatch(value):
            return [f"{at} is not a time: {value!r}"]
        if kind == "array":
            return [
                one
                for n, row in enumerate(value)
                for one in self.mismatches(schema["items"], row, f"{at}[{n}]")
            ]
        if kind == "object":
            return self.object_mismatches(schema, value, at)
        return []

    def object_mismatches(self, schema: dict[str, Any], value: dict[str, Any], at: str) -> list[str]:
        """Return where an object's keys do not fit."""
        known, rest = schema.get("properties"), schema.get("additionalProperties")
        found = []
        for key, inner in value.items():
            if key in UNDESCRIBED or (inner is None and key in NULLABLE):
                continue
            if known and key in known:
                found += self.mismatches(known[key], inner, f"{at}.{key}")
            elif isinstance(rest, dict):
                found += self.mismatches(rest, inner, f"{at}.{key}")
            elif known:
                found.append(f"{at}.{key} is not described")
        return found


def wildcard(template: str, piece: str) -> str:
    """Return the pattern of one placeholder."""
    to_the_end = piece in {"{filepath}", "{ref}", "{name}", "{branch}"} and template.endswith(piece)
    return ".+" if to_the_end else "[^/]+"


def description_of(wire: Wire) -> Description | None:
    """Return the forge's own description, else the one that FORGE_SWAGGER names, else none."""
    answer = wire.send("GET", "//swagger.v1.json")
    if answer.status == 200 and "json" in answer.headers.get("content-type", ""):
        return Description(answer.json)
    named = os.environ.get("FORGE_SWAGGER", "")
    return Description(json.loads(Path(named).read_text(encoding="utf-8"))) if named else None
