# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared cron jobs and those that stand in an agent's home, kept by Hermes' own code and known by name.

Runs in Hermes' own interpreter, as the agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import home_merge
from .hermes_yaml import library as _library

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


def apply_cron(request: dict[str, Any]) -> dict[str, Any]:
    """Create, update and remove the declared jobs; jobs that we did not make are not looked at."""
    wanted = {str(job["name"]): job for job in request["jobs"]}
    record: dict[str, Any] = request.get("cron") or {}
    answer: dict[str, Any] = {"record": {}, "changed": [], "edited": [], "taken": [], "adopted": {}}
    answer.update(differences=[], problems=[])
    begun = [job for one in request.get("pending") or [] for job in one["jobs"]]
    if not wanted and not record and not begun:
        return answer
    hermes = _library("cron.jobs")
    record = with_begun_jobs(hermes, record, begun)
    request = {**request, "cron": record}
    if request.get("dry"):
        answer["findings"] = job_findings(record, hermes.load_jobs())
    if request.get("own_only"):
        answer["problems"] = strangers(wanted, record, hermes.load_jobs())
    if answer["problems"]:
        return answer
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
        answer["differences"].append(home_merge.difference((name,), job.get("schedule_display")))
        if not request.get("dry"):
            hermes.remove_job(job["id"])
    return answer


def with_begun_jobs(hermes: Any, record: Mapping[str, Any], begun: list[dict[str, Any]]) -> dict[str, Any]:
    """The record after a run that was killed before it had its answer: what stands as meant is ours."""
    settled, present = dict(record), hermes.load_jobs() if begun else []
    for job in begun:
        name, fields = str(job["name"]), _stored_form(hermes, job)
        kept = settled.get(name)
        key, value = ("id", kept.get("id")) if kept else ("name", name)
        stands = next((one for one in present if one.get(key) == value), None)
        if stands is None:
            continue
        same = {field: want for field, want in fields.items() if home_merge.same(stands.get(field), want)}
        if kept:
            settled[name] = {**kept, "stored": {**kept.get("stored", {}), **same}}
        elif {*same, "enabled"} >= {*fields}:
            # Hermes makes a job first and pauses it then.
            stored = {**fields, "enabled": stands.get("enabled") is not False}
            settled[name] = {"id": stands["id"], "stored": stored}
    return settled


def strangers(wanted: Mapping[str, Any], record: Mapping[str, Any], jobs: list[dict[str, Any]]) -> list[str]:
    """Declared names that a job of somebody else has. Hermes finds jobs by name whatever the case."""
    ours = {str(kept.get("id")) for kept in record.values()}
    known = {str(job["id"]) for job in jobs} & ours
    theirs = {str(job.get("name")).lower(): job["id"] for job in jobs if job["id"] not in ours}
    fix = "give yours another name, or remove that one with `hermes cron remove`"
    return [
        f"cron {name}: a job of this name ({theirs[name.lower()]}) is there that no play made; {fix}"
        for name in wanted
        if name.lower() in theirs and str((record.get(name) or {}).get("id")) not in known
    ]


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
    if name in (request.get("restore_jobs") or []):
        # Without what we stored before, each declared field counts as ours to set.
        kept = {"id": kept.get("id")}
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
        told = {key: _words(value) for key, value in fields.items() if value not in (None, [], False, "")}
        answer["differences"] += [home_merge.difference((name, key), after=told[key]) for key in told]
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
        answer["differences"] += [
            home_merge.difference((name, key), _words(job.get(key)), _words(updates[key]))
            for key in sorted(updates)
        ]
    return updates, accepted


def _words(value: Any) -> Any:
    """A schedule in its own words, anything else as it is."""
    return value.get("display", value) if isinstance(value, dict) else value


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
        hermes.pause_job(job_id, "declared as disabled")


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
