# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let Hermes itself read a staged release, in its own interpreter and as the agent, before anything changes.

All of an agent's release is asked for in this one process: its configuration, its cron jobs, its soul. What
Hermes would have ignored, blanked or cut in silence comes back as one line that names the fix.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from . import config_schema, hermes_endpoints, hermes_keys, home_merge
from .hermes_yaml import library, load_mapping, write_yaml

SOUL = "SOUL.md"


def prove(request: dict[str, Any]) -> dict[str, Any]:
    """Every problem of the staged release, and the endpoints that the agent would talk to."""
    problems = _check_real_home(request["home"])
    endpoints: list[dict[str, Any]] = []
    scratch = tempfile.mkdtemp(prefix="timmy-prove-")
    try:
        os.environ["HERMES_HOME"] = scratch
        os.environ["HERMES_MANAGED_DIR"] = request["managed"]
        managed, found = load_mapping(os.path.join(request["managed"], "config.yaml"), "managed config.yaml")
        problems += found
        seed: dict[str, Any] = {}
        if request.get("seed"):
            seed, found = load_mapping(request["seed"], "seeded config.yaml")
            problems += found
        merged = request.get("config") or {}
        jobs = request.get("jobs") or []
        # Before Hermes looks at its home: it would put a character of its own where there is none.
        _lay_documents(request.get("documents") or "", scratch)
        if not problems:
            keys = hermes_keys.collect()
            problems += check_config(managed, "config.yaml", "managed", keys)
            problems += check_config(merged, "home-config.yaml", "home", keys)
            problems += check_config(seed, "seed/config.yaml", "seed", keys) if seed else []
        if not problems:
            write_yaml(os.path.join(scratch, "config.yaml"), home_merge.merge(merged, {}, seed).home)
            problems += read_back({"config.yaml": managed, "home-config.yaml": merged})
            problems += check_soul(request.get("documents") or "", managed)
            problems += check_skin(managed)
            problems += check_memory(request.get("documents") or "", managed)
        problems += check_jobs(jobs, request.get("scripts"))
        if not problems:
            endpoints = hermes_endpoints.used(managed, jobs)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return {"problems": problems, "endpoints": endpoints}


def _lay_documents(room: str, scratch: str) -> None:
    """Copies of what the home will get by links: Hermes repairs a soul that it takes for an old template."""
    soul = os.path.join(room, SOUL)
    if room and os.path.isfile(soul):
        shutil.copyfile(soul, os.path.join(scratch, SOUL))
    for name in ("skins", "plugins"):
        folder = os.path.join(room, name)
        if room and os.path.isdir(folder):
            shutil.copytree(folder, os.path.join(scratch, name), copy_function=shutil.copyfile)


def check_soul(room: str, managed: Mapping[str, Any]) -> list[str]:
    """What Hermes' own loader makes of the soul must be the soul: it blanks and cuts without a word."""
    if not room:
        return []
    try:
        with open(os.path.join(room, SOUL), encoding="utf-8") as handle:
            given = handle.read().strip().removeprefix("\ufeff")
    except FileNotFoundError:
        return [f"{SOUL}: is not in the release; add it to the overlay, or Hermes takes its own character"]
    except UnicodeDecodeError as error:
        return [f"{SOUL}: is not UTF-8 (byte {error.start}), so Hermes would not read it; save it as UTF-8"]
    model = managed.get("model")
    window = model.get("context_length") if isinstance(model, dict) else None
    loaded = library("agent.prompt_builder").load_soul_md(window if isinstance(window, int) else None)
    return soul_problems(given, loaded)


def soul_problems(given: str, loaded: str | None) -> list[str]:
    """The difference between a soul and what Hermes loaded of it, as lines that name reason and fix."""
    if loaded == given:
        return []
    if not given or not loaded:
        return [f"{SOUL}: Hermes loads nothing of it and takes its own character; write who the agent is"]
    if loaded.startswith("[BLOCKED:"):
        reason = loaded.partition("(")[2].partition(")")[0] or "no reason given"
        where = _blocked_lines(given)
        return [f"{SOUL}: Hermes blanks all of it as a prompt injection ({reason}); reword {where}"]
    limit = library("agent.prompt_builder")._get_context_file_max_chars(None)
    if "[...truncated" in loaded and "[...truncated" not in given:
        fix = f"shorten it to {limit}, or raise context_file_max_chars in config.yaml"
        return [f"{SOUL}: has {len(given)} characters and Hermes cuts the middle out of it; {fix}"]
    return [f"{SOUL}: Hermes loads another text than the one given; it takes it for one of its old templates"]


def _blocked_lines(text: str) -> str:
    """Which lines Hermes' own scan objects to, so that the operator does not have to guess."""
    scan = library("agent.prompt_builder")._scan_context_content
    lines = [
        str(number)
        for number, line in enumerate(text.splitlines(), 1)
        if str(scan(line, SOUL)).startswith("[BLOCKED:")
    ]
    return f"line {', '.join(lines[:5])}" if lines else "what it objects to, which goes over several lines"


def check_skin(managed: Mapping[str, Any]) -> list[str]:
    """The chosen skin must be the one that Hermes loads; for any other it takes its default."""
    display = managed.get("display")
    wanted = display.get("skin") if isinstance(display, dict) else None
    if not isinstance(wanted, str) or not wanted:
        return []
    if library("hermes_cli.skin_engine").load_skin(wanted).name == wanted:
        return []
    return [f"config.yaml: display.skin: Hermes loads no skin {wanted!r}; add skins/{wanted}.yaml or mend it"]


def check_memory(room: str, managed: Mapping[str, Any]) -> list[str]:
    """A memory provider of the release must be one that Hermes loads; without it it goes on in silence."""
    memory = managed.get("memory")
    name = memory.get("provider") if isinstance(memory, dict) else None
    if not room or not isinstance(name, str) or not os.path.isdir(os.path.join(room, "plugins", name)):
        return []
    if library("plugins.memory").load_memory_provider(name) is not None:
        return []
    return [f"config.yaml: memory.provider: Hermes cannot load {name!r}; mend plugins/{name}/__init__.py"]


def _check_real_home(home: str) -> list[str]:
    """A home file that cannot be read would be ignored by Hermes and must not be merged into."""
    path = os.path.join(home, "config.yaml")
    if not os.path.exists(path):
        return []
    _data, problems = load_mapping(path, path)
    return problems


def check_config(config: Mapping[str, Any], name: str, layer: str, keys: Mapping[str, Any]) -> list[str]:
    """Each leaf by name and type, against this very Hermes, and then Hermes' own check of the shape."""
    problems = [str(problem) for problem in config_schema.check_config(name, config, keys, layer=layer)]
    if not problems:
        issues = library("hermes_cli.config").validate_config_structure(dict(config))
        problems = [f"{name}: {issue.message}" for issue in issues if issue.severity == "error"]
    return problems


def read_back(layers: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Hermes' own loader must return each leaf as declared; each layer has the name that problems give it."""
    hermes = library("hermes_cli.config")

    seen = hermes.load_config()
    problems = []
    for name, config in layers.items():
        for path, value in home_merge.leaves(config):
            wanted = hermes._expand_env_vars(value)
            found = home_merge.get(seen, path)
            if not home_merge.same(found, wanted) and not (wanted == {} and isinstance(found, dict)):
                problems.append(
                    f"{name}: {home_merge.dotted(path)}: Hermes does not read it back as it was written"
                )
    return problems


def check_jobs(jobs: list[dict[str, Any]], scripts: str | None) -> list[str]:
    """Cron jobs as Hermes will take them: a repeating schedule, pinned model and provider, unique names."""
    parse_schedule = library("cron.jobs").parse_schedule

    problems, names = [], set()
    for job in jobs:
        name = str(job.get("name", ""))
        where = f"cron {name or '(no name)'}"
        if not name or name in names:
            problems.append(f"{where}: needs a name of its own")
        names.add(name)
        try:
            if parse_schedule(str(job.get("schedule", "")))["kind"] == "once":
                problems.append(
                    f"{where}: a schedule that runs once does not belong into a deploy; use every or cron"
                )
        except ValueError as error:
            problems.append(f"{where}: {' '.join(str(error).split())}")
        if not job.get("no_agent") and not (job.get("model") and job.get("provider")):
            problems.append(f"{where}: pin model and provider, or it stops when the default changes")
        script = job.get("script")
        if script and not (scripts and os.path.isfile(os.path.join(scripts, str(script)))):
            problems.append(f"{where}: its script {script} is not among the agent's scripts")
    return problems
