# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a deploy that runs inside Hermes' own interpreter, as the agent: that has the YAML library.

`main` takes one request and returns one answer, both plain data. It is started by `hermes_home.ask_hermes`,
which sends this source along, so that nothing has to be installed beside Hermes.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from . import hermes_prove, home_merge
from .hermes_yaml import dump_yaml as _dump_yaml
from .hermes_yaml import library as _library
from .hermes_yaml import load_mapping as _load_mapping

JOB_FIELDS = (
    "schedule",
    "prompt",
    "skills",
    "model",
    "provider",
    "base_url",
    "script",
    "no_agent",
    "context_from",
    "deliver",
    "enabled_toolsets",
    "workdir",
)


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request: `prove` a staged release for an agent, or `apply` its merged state to the home."""
    if request["do"] == "prove":
        return hermes_prove.prove(request)
    return {"config": apply_config(request), "cron": apply_cron(request)}


# --- merged configuration


def apply_config(request: dict[str, Any]) -> dict[str, Any]:
    """Merge the declared keys into the home's config.yaml; with `dry`, only say what would happen."""
    path = os.path.join(request["home"], "config.yaml")
    for _attempt in range(5):
        before = _signature(path)
        home, problems = _load_mapping(path, path) if before else (_seed(request), [])
        if problems:
            return {"problems": problems}
        base = home_merge.settled(request["base"], request.get("pending") or {}, home)
        adopted = request.get("adopted") or []
        answer: dict[str, Any] = {"problems": []}
        if request.get("dry"):
            answer["findings"] = home_merge.findings(request["config"], base, home, adopted)
        for key in request.get("restore") or []:
            home = home_merge.without(home, key)
        merged = home_merge.merge(request["config"], base, home, request.get("made"), adopted)
        for name in ("base", "made", "changed", "edited", "taken", "adopted"):
            answer[name] = getattr(merged, name)
        if request.get("dry") or not merged.changed:
            return {**answer, "sha256": _sha256(path)}
        text = _with_comments(path, merged.home, merged.changed) if before else None
        # Hermes may have written meanwhile: then merge again into what it wrote.
        if _signature(path) == before:
            _replace(path, text, merged.home)
            return {**answer, "sha256": _sha256(path)}
    return {"problems": [f"{path}: is being rewritten faster than it can be merged"]}


def _seed(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a file that is not there yet will begin with; only a prediction has to be told."""
    data = _library("yaml").safe_load(request["seed_text"]) if request.get("seed_text") else None
    return data if isinstance(data, dict) else {}


def _signature(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return ()
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _sha256(path: str) -> str:
    try:
        with open(path, "rb") as handle:
            return hashlib.sha256(handle.read()).hexdigest()
    except FileNotFoundError:
        return ""


def _with_comments(path: str, wanted: dict[Any, Any], changed: list[str]) -> str | None:
    """The new text with the old one's comments and order, None where that cannot be had exactly."""
    yaml = _library("yaml")
    if not changed:
        return None
    try:
        rich = _library("ruamel.yaml").YAML
    except ImportError:
        return None
    writer = rich(typ="rt")
    writer.preserve_quotes = True
    writer.width = 4096
    try:
        with open(path, encoding="utf-8") as handle:
            document = writer.load(handle)
        _carry_over(document, wanted)
        out = io.StringIO()
        writer.dump(document, out)
        text = out.getvalue()
        return text if home_merge.same(yaml.safe_load(text), wanted) else None
    except Exception:
        # The library is only here to keep comments; plain YAML is always a correct answer.
        return None


def _carry_over(document: Any, wanted: Mapping[Any, Any]) -> None:
    yaml = _library("yaml")
    for key in [key for key in document if key not in wanted]:
        del document[key]
    for key, value in wanted.items():
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            _carry_over(document[key], value)
        elif key not in document or not home_merge.same(yaml.safe_load(_plain_text(document[key])), value):
            document[key] = _quoted(value)


def _quoted(value: Any) -> Any:
    """New values in the library's own types: a text such as off must stay a text for older YAML readers."""
    if isinstance(value, dict):
        return {key: _quoted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    if isinstance(value, str):
        try:
            plain = _library("yaml").safe_load(value) == value
        except _library("yaml").YAMLError:
            plain = False
        return value if plain else _library("ruamel.yaml.scalarstring").DoubleQuotedScalarString(value)
    return value


def _plain_text(value: Any) -> str:
    out = io.StringIO()
    _library("ruamel.yaml").YAML(typ="rt").dump(value, out)
    return out.getvalue()


def _replace(path: str, text: str | None, data: dict[Any, Any]) -> None:
    """Replace the file in one rename, a link's target rather than the link."""
    target = os.path.realpath(path)
    temporary = f"{target}.timmy-{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            if text is None:
                _dump_yaml(data, out)
            else:
                out.write(text)
            with suppress(OSError):
                os.fchmod(out.fileno(), os.stat(target).st_mode & 0o777)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


# --- cron


def apply_cron(request: dict[str, Any]) -> dict[str, Any]:
    """Create, update and remove the declared jobs; jobs that we did not make are not looked at."""
    wanted = {str(job["name"]): job for job in request["jobs"]}
    record: dict[str, Any] = request.get("cron") or {}
    answer: dict[str, Any] = {"record": {}, "changed": [], "edited": [], "taken": [], "adopted": {}}
    if not wanted and not record:
        return answer
    hermes = _library("cron.jobs")

    if request.get("dry"):
        answer["findings"] = job_findings(record, hermes.load_jobs())
    for name, job in wanted.items():
        _settle_job(hermes, request, name, job, answer)
    by_id = {job["id"]: job for job in hermes.load_jobs()}
    for name, kept in record.items():
        job = by_id.get(str(kept.get("id")))
        if name in wanted or job is None:
            continue
        if _job_edits(job, kept.get("stored", {})):
            answer["edited"].append(f"cron {name}")
            continue
        answer["changed"].append(f"cron {name}: removed")
        if not request.get("dry"):
            hermes.remove_job(job["id"])
    return answer


def job_findings(record: Mapping[str, Any], jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Our jobs that somebody removed or edited, ready to be shown."""
    by_id = {job["id"]: job for job in jobs}
    found: list[dict[str, Any]] = []
    for name, kept in record.items():
        job, stored = by_id.get(kept.get("id")), kept.get("stored", {})
        if job is None:
            found.append({"name": name, "problem": "removed", "fields": {}})
            continue
        fields = {}
        for key in _job_edits(job, stored):
            ours, theirs = home_merge.shown((key,), stored[key]), home_merge.shown((key,), job.get(key))
            fields[key] = {"ours": ours, "theirs": theirs}
        if fields:
            found.append({"name": name, "problem": "edited", "fields": fields})
    return found


def _job_edits(job: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    return [key for key, value in stored.items() if not home_merge.same(job.get(key), value)]


def _settle_job(
    hermes: Any, request: Mapping[str, Any], name: str, wanted: dict[str, Any], answer: dict[str, Any]
) -> None:
    kept = (request.get("cron") or {}).get(name) or {}
    stored: dict[str, Any] = kept.get("stored", {})
    present = hermes.load_jobs()
    job = next((one for one in present if one["id"] == kept.get("id")), None)
    if job is None:
        # A job of this name that we have no record of, from a lost record or made by hand, becomes ours.
        job = next((one for one in present if one.get("name") == name), None)
        stored = {}
        if job is not None:
            answer["taken"].append(f"cron {name}")
    if job is None and home_merge.same((request.get("adopted_jobs") or {}).get(name), wanted):
        # The operator accepted that it is gone, and the overlay still says what it said then.
        answer["adopted"][name] = wanted
        return
    fields = _stored_form(hermes, wanted)
    dry = bool(request.get("dry"))
    accepted: dict[str, Any] = {}
    if job is None:
        answer["changed"].append(f"cron {name}: created")
        if dry:
            return
        job = hermes.create_job(name=name, repeat=wanted.get("repeat"), **_as_arguments(wanted))
        if not fields["enabled"]:
            _switch(hermes, job["id"], False)
    else:
        updates, accepted = _job_updates(name, job, fields, {**kept, "stored": stored}, answer)
        if updates and not dry:
            _update_job(hermes, job["id"], updates)
    answer["record"][name] = {"id": job["id"], "stored": fields}
    if accepted:
        answer["record"][name]["adopted"] = accepted


def _job_updates(
    name: str,
    job: Mapping[str, Any],
    fields: dict[str, Any],
    kept: Mapping[str, Any],
    answer: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields to write, and those that the operator accepted as they stand, which leave `fields`.

    A field that somebody edited is kept, reported, and stays on record as we left it.
    """
    adopted = dict(kept.get("adopted") or {})
    # An accepted field has left the record of what we stored; what was declared then stands for it.
    stored = {**adopted, **kept["stored"]}
    updates, accepted = {}, {}
    for key, value in list(fields.items()):
        if home_merge.same(job.get(key), value):
            continue
        if key in adopted and home_merge.same(adopted[key], value):
            accepted[key] = fields.pop(key)
        elif key in stored and not home_merge.same(job.get(key), stored[key]):
            answer["edited"].append(f"cron {name}: {key}")
            fields[key] = stored[key]
        else:
            updates[key] = value
    if updates:
        answer["changed"].append(f"cron {name}: {', '.join(sorted(updates))}")
    return updates, accepted


def _update_job(hermes: Any, job_id: str, updates: Mapping[str, Any]) -> None:
    rest = {key: value for key, value in updates.items() if key != "enabled"}
    if rest:
        hermes.update_job(job_id, rest)
    if "enabled" in updates:
        _switch(hermes, job_id, updates["enabled"])


def _switch(hermes: Any, job_id: str, enabled: bool) -> None:
    if enabled:
        hermes.resume_job(job_id)
    else:
        hermes.pause_job(job_id, "declared as disabled in the overlay")


def _as_arguments(wanted: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {key: wanted.get(key) for key in JOB_FIELDS if wanted.get(key) is not None}
    arguments.setdefault("prompt", None)
    return arguments


def _stored_form(hermes: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The declared fields in the form in which Hermes keeps them in a job."""

    def text(value: Any) -> str | None:
        return str(value).strip() or None if value is not None else None

    def several(value: Any) -> list[str] | None:
        if isinstance(value, str):
            value = [value]
        return [str(one).strip() for one in value if str(one).strip()] or None if value else None

    base_url = text(wanted.get("base_url"))
    return {
        "schedule": hermes.parse_schedule(str(wanted["schedule"])),
        "prompt": str(wanted.get("prompt") or ""),
        "skills": several(wanted.get("skills")) or [],
        "model": text(wanted.get("model")),
        "provider": text(wanted.get("provider")),
        "base_url": base_url.rstrip("/") if base_url else None,
        "script": text(wanted.get("script")),
        "no_agent": bool(wanted.get("no_agent")),
        "context_from": several(wanted.get("context_from")),
        "deliver": wanted.get("deliver") or "local",
        "enabled_toolsets": several(wanted.get("enabled_toolsets")),
        "workdir": text(wanted.get("workdir")),
        "enabled": wanted.get("enabled") is not False,
    }
