# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator accepted as it stands on a host, and where the overlay would have to say it.

An acceptance is kept in the agent's record beside what was last applied. It names what the overlay declared
at that time, so it ends by itself when the overlay declares something else. Pure.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from . import home_merge

NOT_DECLARED = object()


def last_applied(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a request to Hermes' interpreter has to know of the past."""
    adopted = record.get("adopted") or {}
    return {
        "base": record.get("config") or {},
        "pending": record.get("pending") or [],
        "made": record.get("made") or [],
        "cron": record.get("cron") or {},
        "adopted": adopted.get("keys") or [],
        "adopted_jobs": adopted.get("jobs") or {},
    }


def after_apply(record: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """The acceptances that still hold after a request was carried out."""
    return {
        **_copy(record),
        "keys": list(answer["config"].get("adopted") or []),
        "jobs": dict(answer["cron"].get("adopted") or {}),
    }


def after_links(record: Mapping[str, Any], manifest: Mapping[str, Any], agent: str) -> dict[str, Any]:
    """The acceptances without links whose file the overlay has changed."""
    adopted, held = _copy(record), links(record, manifest, agent)
    adopted["links"] = {name: entry for name, entry in adopted["links"].items() if name in held}
    return adopted


def accepted_links(record: Mapping[str, Any]) -> list[str]:
    """Names in the home that the operator accepted at some time."""
    return sorted((record.get("adopted") or {}).get("links") or {})


def declared_link(manifest: Mapping[str, Any], path: str) -> str:
    """What stands for the overlay's own value of a linked file: the content that the release has for it."""
    entry = (manifest.get("files") or {}).get(path) or {}
    return str(entry.get("sha256") or entry.get("link") or "")


def links(record: Mapping[str, Any], manifest: Mapping[str, Any], agent: str) -> set[str]:
    """Names in the home that the operator accepted and whose file the overlay has not changed since."""
    kept = (record.get("adopted") or {}).get("links") or {}
    return {
        name
        for name, entry in kept.items()
        if entry["path"].startswith(f"agents/{agent}/")
        and declared_link(manifest, entry["path"]) == entry["declared"]
    }


def with_link(record: Mapping[str, Any], manifest: Mapping[str, Any], name: str, path: str) -> dict[str, Any]:
    """The acceptances with one more link."""
    adopted = _copy(record)
    adopted["links"][name] = {"path": path, "declared": declared_link(manifest, path)}
    return adopted


def with_key(record: Mapping[str, Any], path: list[str], declared: Any) -> dict[str, Any]:
    """The acceptances with one more key of the home's configuration."""
    adopted = _copy(record)
    adopted["keys"] = [entry for entry in adopted["keys"] if entry["path"] != path]
    adopted["keys"].append({"path": path, "declared": declared})
    return adopted


def with_job_gone(record: Mapping[str, Any], name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    """The acceptances with one more cron job that somebody removed."""
    adopted = _copy(record)
    adopted["jobs"][name] = dict(declared)
    return adopted


def without(record: Mapping[str, Any], *, link: str = "", key: list[str] | None = None, job: str = "") -> Any:
    """The acceptances without one that was taken back."""
    adopted = _copy(record)
    adopted["links"].pop(link, None)
    adopted["keys"] = [entry for entry in adopted["keys"] if entry["path"] != key]
    adopted["jobs"].pop(job, None)
    return adopted


def job_fields_accepted(kept: Mapping[str, Any], fields: list[str]) -> dict[str, Any]:
    """The record of a job whose given fields are the operator's from now on."""
    stored = {key: value for key, value in kept["stored"].items() if key not in fields}
    taken = {key: kept["stored"][key] for key in fields if key in kept["stored"]}
    return {**kept, "stored": stored, "adopted": {**(kept.get("adopted") or {}), **taken}}


def _copy(record: Mapping[str, Any]) -> dict[str, Any]:
    adopted = record.get("adopted") or {}
    return copy.deepcopy({"links": {}, "keys": [], "jobs": {}, **adopted})


def value_at(data: Mapping[str, Any], path: list[str]) -> Any:
    """The declared value of a key, NOT_DECLARED where there is none."""
    return dict(home_merge.leaves(data)).get(tuple(path), NOT_DECLARED)


def nested(path: list[str], value: Any) -> dict[str, Any]:
    """A configuration that declares one key and nothing else."""
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def with_value(data: Mapping[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    """A copy of what was last applied with one key more."""
    merged = home_merge.merge(nested(path, value), {}, home_merge.without(data, path))
    return merged.home


def overlay_source(ownership: Any, path: str) -> str:
    """The overlay file or glob that a release path comes from, "" where no rule says so."""
    rules = ownership.get("paths") if isinstance(ownership, dict) else None
    for rule in rules if isinstance(rules, list) else []:
        places = rule.get("to") if isinstance(rule, dict) else None
        for place in [places] if isinstance(places, str) else places or []:
            source = _source(str(rule.get("path", "")), str(place), path)
            if source:
                return source
    return ""


def _source(glob: str, place: str, path: str) -> str:
    pattern = re.escape(place)
    for word, inside in (("agent", "[^/]+"), ("path", ".+"), ("name", "[^/]+")):
        mark = re.escape("{" + word + "}")
        pattern = pattern.replace(mark, f"(?P<{word}>{inside})", 1).replace(mark, f"(?P={word})")
    match = re.fullmatch(pattern, path)
    if match is None:
        return ""
    parts = match.groupdict()
    if "*" not in glob:
        return glob if parts.get("path", glob) == glob else ""
    if "path" in parts:
        return parts["path"] if _globbed(glob, parts["path"]) else ""
    return f"{glob.rpartition('/')[0]}/{parts['name']}".lstrip("/") if "name" in parts else glob


def _globbed(glob: str, path: str) -> bool:
    pattern = re.escape(glob).replace(r"\*\*", ".+").replace(r"\*", "[^/]*")
    return re.fullmatch(pattern, path) is not None
