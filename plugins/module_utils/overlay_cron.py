# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared cron jobs and their schedules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .overlay_fields import check_fields, check_stem, check_texts, check_toolsets
from .overlay_problem import Problem, suggest

_INTERVAL = re.compile(r"every\s+[1-9][0-9]*\s*(m|min|mins|minutes?|h|hr|hrs|hours?|d|days?)", re.IGNORECASE)
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def check_cron(path: str, data: Any, toolsets: Collection[str]) -> list[Problem]:
    """A declared cron job: named, repeating, pinned to a model unless it runs no agent."""
    fields: dict[str, tuple[type, bool]] = {
        "name": (str, True),
        "schedule": (str, True),
        "prompt": (str, False),
        "script": (str, False),
        "no_agent": (bool, False),
        "model": (str, False),
        "provider": (str, False),
        "deliver": (str, True),
        "base_url": (str, False),
        "workdir": (str, False),
        "context_from": (object, False),
        "skills": (list, False),
        "enabled_toolsets": (list, False),
        "enabled": (bool, True),
    }
    problems = check_fields(path, "", data, fields)
    if problems:
        return problems
    problems += check_stem(path, data["name"])
    problem = schedule_problem(data["schedule"])
    if problem:
        problems.append(Problem(path, "schedule", problem))
    problems += check_toolsets(path, "enabled_toolsets", data.get("enabled_toolsets", []), toolsets)
    problems += check_texts(path, "skills", data.get("skills", []), empty=True)
    if data.get("no_agent"):
        if not data.get("script"):
            problems.append(
                Problem(path, "script", "is missing; a job with no_agent runs a script and nothing else")
            )
        return problems
    if not data.get("prompt", "").strip():
        problems.append(
            Problem(path, "prompt", "is missing; say what the job does, or set no_agent with a script")
        )
    problems += [
        Problem(path, key, "is missing; an unpinned job stops running when the default model changes")
        for key in ("model", "provider")
        if not data.get(key)
    ]
    return problems


def check_same_job(path: str, data: Mapping[str, Any], parsed: Mapping[str, Any]) -> Iterator[Problem]:
    """Hermes has no key for a job but its name, so a name may stand once."""
    for other, job in parsed.items():
        if (
            other < path
            and other.startswith("cron/")
            and isinstance(job, Mapping)
            and job.get("name") == data.get("name")
        ):
            yield Problem(
                path, "name", f"{data.get('name')!r} is also the name of {other}; rename one of the jobs"
            )


def schedule_problem(schedule: str) -> str:
    """What is wrong with a schedule, or nothing. It must repeat: a one-shot comes back at each deploy."""
    advice = "use five fields such as `30 6 * * *`, or `every 2h`"
    if _INTERVAL.fullmatch(schedule.strip()):
        return ""
    parts = schedule.split()
    if len(parts) != 5:
        return f"{schedule!r} does not repeat or is no schedule; {advice}"
    for part, (low, high) in zip(parts, _CRON_RANGES, strict=True):
        if not _cron_field_ok(part, low, high):
            return f"the field {part!r} is not within {low}-{high}; {advice}"
    return ""


def _cron_field_ok(field: str, low: int, high: int) -> bool:
    for item in field.split(","):
        found = re.fullmatch(r"(\*|\d+(?:-\d+)?)(?:/(\d+))?", item)
        if not found or found.group(2) == "0":
            return False
        if found.group(1) == "*":
            continue
        ends = [int(end) for end in found.group(1).split("-")]
        if any(not low <= end <= high for end in ends) or ends != sorted(ends):
            return False
    return True


def check_jobs(
    jobs: Any, config: Mapping[str, Any], tree: Mapping[str, bytes], keys: Mapping[str, Any]
) -> Iterator[Problem]:
    """What the jobs of an agent name must be there for it: providers and skills."""
    declared = config.get("providers")
    providers = {*keys["providers"], *keys["aliases"], *(declared if isinstance(declared, Mapping) else ())}
    skills = {
        path.split("/")[-2] for path in tree if path.startswith("skills/") and path.endswith("/SKILL.md")
    }
    for job in jobs:
        path = f"cron/{job['name']}.yaml"
        provider = job.get("provider")
        if provider and str(provider).removeprefix("custom:") not in providers:
            hint = suggest(str(provider), providers) or "; use one that config.yaml declares"
            yield Problem(path, "provider", f"no provider {provider!r}{hint}")
        yield from _check_deliver(path, str(job.get("deliver") or "local"), keys["platforms"])
        for number, skill in enumerate(job.get("skills") or []):
            if str(skill).rsplit("/", 1)[-1] not in skills:
                hint = suggest(str(skill), skills) or "; add it to skills/"
                yield Problem(path, f"skills[{number}]", f"no skill {skill!r} in the overlay{hint}")


def _check_deliver(path: str, deliver: str, platforms: Collection[str]) -> Iterator[Problem]:
    """Where answers go. Hermes drops a target that it does not know, and the answer with it."""
    for part in deliver.split(","):
        head = part.strip().partition(":")[0].lower()
        if head not in ("local", "origin", "all") and head not in platforms:
            hint = suggest(head, platforms) or "; use local, origin, all, or a platform with a chat"
            yield Problem(path, "deliver", f"no place {part.strip()!r} to deliver to{hint}")
