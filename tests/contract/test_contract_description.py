# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge that holds every answer to an API description, and that there was one to be held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from forge_description import Description
from forge_wire import Answer

if TYPE_CHECKING:
    from forge_world import Repo, World

SPEC: dict[str, Any] = {
    "paths": {
        "/repos/{owner}/{repo}": {"get": {"responses": {"200": {"$ref": "#/responses/Repo"}}}},
        "/repos/search": {
            "get": {"responses": {"200": {"schema": {"type": "array", "items": {"type": "integer"}}}}}
        },
        "/user": {"delete": {"responses": {"204": {}}}},
    },
    "responses": {"Repo": {"schema": {"$ref": "#/definitions/Repo"}}},
    "definitions": {
        "Repo": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "size": {"type": "integer"},
                "owner": {"$ref": "#/definitions/Repo"},
                "created": {"type": "string", "format": "date-time"},
                "units": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        }
    },
}
GET = ("GET", "/repos/fleet/work", 200)
CASES: list[tuple[tuple[str, str, int], str, int]] = [
    (
        GET,
        '{"name": "r", "size": 1, "owner": null, "created": "2026-01-02T03:04:05Z", "units": {"a": "b"}}',
        0,
    ),
    (GET, '{"owner": {"owner": {"name": "deep"}}}', 0),
    (GET, '{"name": null}', 1),
    (GET, '{"name": 1, "size": "1"}', 2),
    (GET, '{"size": true}', 1),
    (GET, '{"created": "yesterday"}', 1),
    (GET, '{"units": {"a": 1}}', 1),
    (GET, '{"invented": 1}', 1),
    (GET, '{"owner": {"invented": 1}}', 1),
    (GET, "[]", 1),
    (("GET", "/repos/search", 200), "[1, 2]", 0),
    (("GET", "/repos/search", 200), '[1, "2"]', 1),
    (("GET", "/repos/fleet/work", 201), "{}", 1),
    (("GET", "/repos/fleet/work/more", 200), "{}", 1),
    (("POST", "/repos/fleet/work", 200), "{}", 1),
    (("DELETE", "/user", 204), "", 0),
    (("GET", "/nowhere", 404), "{}", 0),
]


@pytest.mark.parametrize(("call", "body", "wrong"), CASES)
def test_the_judge(call: tuple[str, str, int], body: str, wrong: int) -> None:
    judge = Description(SPEC)
    method, path, status = call
    judge.judge(method, path, Answer(status, {"content-type": "application/json"}, body.encode()))
    assert len(judge.wrong) == wrong, judge.wrong


def test_answers_are_held_to_a_description(world: World, repo: Repo, description: Description | None) -> None:
    if description is None:
        pytest.skip("the forge has no /swagger.v1.json and FORGE_SWAGGER names no file")
    before = description.judged
    world.reader.must("GET", repo.api)
    assert description.judged == before + 1
    assert "/api/v1" in description.spec["basePath"]
