# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why what a play declares for a home would not do what it says: asked of Hermes before anything changes.

Runs in Hermes' own interpreter, as the agent. A key that the managed configuration fixes, one that Hermes
does not know, one of a wrong type, a job that would never run: each is one line that names the fix.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from . import hermes_keys, hermes_prove, home_merge, overlay_cron
from .hermes_yaml import library, load_mapping, write_yaml

LABEL = "config"


def check(request: Mapping[str, Any]) -> list[str]:
    """Every problem of a request with a `check`.

    That holds `managed_source`, the overlay's name of the managed configuration, and `beside`, the keys that
    the release and other declarations put into the same home.
    """
    about = request["check"]
    managed, problems = _managed(request["managed"])
    problems += [_fixed(path, about["managed_source"]) for path in fixed(request["config"], managed)]
    home, found = _home(request["home"])
    if problems or found:
        return problems + found
    context = managed
    for keys in about["beside"]:
        context = home_merge.merge(keys, {}, context).home
    with _own_room():
        known = hermes_keys.collect()
        known["memory_providers"] += _memories(request["home"])
        if request["config"]:
            problems = check_keys(request["config"], context, known)
            problems += [] if problems else _read_back(request, home)
    config = home_merge.merge(context, {}, home).home
    for job in request["jobs"]:
        problems += check_job(job, config, known, request["home"])
    return problems


def fixed(wanted: Mapping[str, Any], managed: Mapping[str, Any]) -> list[home_merge.Path]:
    """The declared leaves that would be hidden by the managed configuration."""
    return home_merge.clashes(dict(home_merge.leaves(wanted)), dict(home_merge.leaves(managed)))


def _fixed(path: home_merge.Path, source: str) -> str:
    told = "the release fixes it in the managed configuration, which goes before the home's"
    return f"{LABEL}: {home_merge.dotted(path)}: {told}; change {source} and deploy"


def _managed(directory: str) -> tuple[dict[str, Any], list[str]]:
    path = os.path.join(directory, "config.yaml")
    return load_mapping(path, path) if os.path.exists(path) else ({}, [])


def _home(home: str) -> tuple[dict[str, Any], list[str]]:
    path = os.path.join(home, "config.yaml")
    return load_mapping(path, path) if os.path.exists(path) else ({}, [])


def _memories(home: str) -> list[str]:
    """The memories that the home itself brings, as plugins of Hermes."""
    place = os.path.join(home, "plugins")
    names = sorted(os.listdir(place)) if os.path.isdir(place) else []
    return [name for name in names if os.path.isfile(os.path.join(place, name, "__init__.py"))]


@contextmanager
def _own_room() -> Iterator[str]:
    """A home of its own for Hermes while it is only asked: it writes into the one it is given."""
    before, scratch = os.environ.get("HERMES_HOME", ""), tempfile.mkdtemp(prefix="timmy-prove-")
    os.environ["HERMES_HOME"] = scratch
    try:
        yield scratch
    finally:
        os.environ["HERMES_HOME"] = before
        shutil.rmtree(scratch, ignore_errors=True)


def check_keys(wanted: Mapping[str, Any], context: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """Each leaf by name and type, as the proof of a release does it, among the keys that stand beside it."""
    before = hermes_prove.check_config(context, LABEL, "seed", known)
    whole = home_merge.merge(wanted, {}, context).home
    return [line for line in hermes_prove.check_config(whole, LABEL, "seed", known) if line not in before]


def _read_back(request: Mapping[str, Any], home: Mapping[str, Any]) -> list[str]:
    """Hermes' own loader, over the home as it will be, must return what will stand there as declared."""
    wanted = request["config"]
    start = home_merge.restored(home, wanted, request.get("restore") or [])
    after = home_merge.merge(wanted, request["base"], start, request.get("made")).home
    write_yaml(os.path.join(os.environ["HERMES_HOME"], "config.yaml"), after)
    standing: dict[str, Any] = {}
    for path, value in home_merge.leaves(wanted):
        if home_merge.same(home_merge.get(after, path), value):
            home_merge.place(standing, path, value)
    return hermes_prove.read_back({LABEL: standing})


def check_job(
    job: Mapping[str, Any], config: Mapping[str, Any], known: Mapping[str, Any], home: str
) -> list[str]:
    """A job held to the rules of the overlay, and to what only this host can tell."""
    name = str(job["name"])
    path = f"cron/{name}.yaml"
    found = overlay_cron.check_cron(path, dict(job), known["toolsets"])
    if not found:
        found = list(overlay_cron.check_jobs([{**job, "skills": []}], config, {}, known))
    lines = [f"cron {name}: {one.key}: {' '.join(one.message.split())}" for one in found]
    if not lines:
        lines = hermes_prove.check_jobs([dict(job)], os.path.join(home, "scripts"))
    if not lines:
        lines = [f"cron {name}: {line}" for line in _of_this_host(job, config, home)]
    return lines


def _of_this_host(job: Mapping[str, Any], config: Mapping[str, Any], home: str) -> Iterator[str]:
    there = _skills(config, home)
    for skill in job.get("skills") or []:
        if str(skill).rsplit("/", 1)[-1] not in there:
            yield f"skills: the agent has no skill {skill!r}; add it to the overlay's skills/ and deploy"
    try:
        library("cron.jobs")._normalize_workdir(job.get("workdir"))
        guard = library("cron.lifecycle_guard")
        guard.check_gateway_lifecycle(str(job.get("prompt") or ""), job.get("script"))
    except ValueError as error:
        yield " ".join(str(error).split())


def _skills(config: Mapping[str, Any], home: str) -> set[str]:
    """Folders with a SKILL.md, the agent's own and those that it is lent."""
    lent = home_merge.get(config, ("skills", "external_dirs"))
    found = set()
    for place in [os.path.join(home, "skills"), *(lent if isinstance(lent, list) else ())]:
        for folder, _folders, names in os.walk(str(place)):
            if "SKILL.md" in names:
                found.add(os.path.basename(folder))
    return found
