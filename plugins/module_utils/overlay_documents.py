# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents that an agent reads: SOUL and HEART, its memories, its skills; and the seeded config.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .overlay_fields import check_fields
from .overlay_problem import Problem

CONFIG_VERSION = 33
SOUL_LIMIT = 20000
MEMORY_LIMITS = {"MEMORY.md": 2200, "USER.md": 1375}
ENTRY_DELIMITER = "\n§\n"
FRONTMATTER = "#frontmatter"
# The one promise that both documents must carry in words of their own; agents are judged by it, not by code.
FLOOR_HEADING = re.compile(r"^#+ .*\bfloor\b", re.IGNORECASE | re.MULTILINE)
_SKILL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_soul(path: str, text: str) -> list[Problem]:
    """SOUL.md and HEART.md: short enough to be read whole, and never without the floor."""
    problems = []
    if not text.strip():
        return [Problem(path, "", "is empty; an agent without it runs on Hermes' own default character")]
    if len(text) > SOUL_LIMIT:
        problems.append(
            Problem(path, "", f"has {len(text)} characters; Hermes cuts it at {SOUL_LIMIT}, so shorten it")
        )
    if not FLOOR_HEADING.search(text):
        problems.append(
            Problem(path, "", "has no heading with the word 'floor'; keep the section for people in danger")
        )
    return problems


def check_memory(path: str, text: str) -> list[Problem]:
    """A seeded memory file must survive a read and write by Hermes unchanged, or it refuses to touch it."""
    name = path.rsplit("/", 1)[-1]
    if name not in MEMORY_LIMITS:
        return [
            Problem(
                path, "", f"Hermes reads only {' and '.join(MEMORY_LIMITS)} in memories/; rename or remove it"
            )
        ]
    problems = []
    limit = MEMORY_LIMITS[name]
    body = text.strip("\n")
    if len(body) > limit:
        problems.append(Problem(path, "", f"has {len(body)} characters, the limit is {limit}; drop an entry"))
    entries = body.split(ENTRY_DELIMITER)
    for number, entry in enumerate(entries, 1):
        if not entry.strip():
            problems.append(Problem(path, f"entry {number}", "is empty; remove a § line beside it"))
        elif entry != entry.strip():
            problems.append(
                Problem(path, f"entry {number}", "has blank space around it; put § alone on its line")
            )
        elif "§" in entry:
            problems.append(
                Problem(path, f"entry {number}", "holds a § inside a line; put § alone on its line")
            )
    return problems


def check_seed(path: str, data: Any) -> list[Problem]:
    """The seeded config.yaml must name the version that Hermes would write itself."""
    if not isinstance(data, Mapping):
        return [Problem(path, "", f"must be a mapping; write `_config_version: {CONFIG_VERSION}`")]
    if data.get("_config_version") != CONFIG_VERSION:
        return [
            Problem(
                path, "_config_version", f"must be {CONFIG_VERSION}, or Hermes takes the file for an old one"
            )
        ]
    return []


def check_skill(path: str, text: str, frontmatter: Any, name: str) -> list[Problem]:
    """skills/<category>/<name>/SKILL.md with a name and a description that Hermes can list."""
    parts = path.split("/")
    if len(parts) < 4:
        return [Problem(path, "", "must be skills/<category>/<name>/SKILL.md or a file beside one")]
    if name != "SKILL.md":
        return []
    problems = []
    fields: dict[str, tuple[type, bool]] = {
        "name": (str, True),
        "description": (str, True),
        "version": (str, False),
        "license": (str, False),
        "metadata": (dict, False),
        "platforms": (object, False),
        "environments": (object, False),
        "required_environment_variables": (list, False),
    }
    if frontmatter is None:
        return [
            Problem(path, "", "must begin with a block between two --- lines that gives name and description")
        ]
    problems += check_fields(path, "", frontmatter, fields)
    if problems:
        return problems
    if frontmatter["name"] != parts[-2] or not _SKILL_NAME.fullmatch(frontmatter["name"]):
        problems.append(Problem(path, "name", f"must be the folder's own name, {parts[-2]}"))
    platforms = frontmatter.get("platforms") or ["linux"]
    if "linux" not in ([platforms] if isinstance(platforms, str) else platforms):
        problems.append(
            Problem(
                path, "platforms", "leaves linux out, so Hermes hides the skill here; add linux or drop it"
            )
        )
    if not 20 <= len(frontmatter["description"]) <= 1024:
        problems.append(
            Problem(path, "description", "must say in 20 to 1024 characters when to use the skill")
        )
    if len(text.split("---", 2)[-1].strip()) < 40:
        problems.append(Problem(path, "", "has no body; write what to do below the second --- line"))
    return problems
