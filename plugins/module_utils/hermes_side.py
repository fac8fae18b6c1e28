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

from . import declared_check, hermes_jobs, hermes_prove, home_merge
from .hermes_yaml import dump_yaml as _dump_yaml
from .hermes_yaml import library as _library
from .hermes_yaml import load_mapping as _load_mapping


def main(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request: `prove` a staged release for an agent, or `apply` its merged state to the home.

    A declaration beside the release brings its own `check`; one that would not hold changes nothing.
    """
    if request["do"] == "prove":
        return hermes_prove.prove(request)
    problems = declared_check.check(request) if request.get("check") else []
    if problems:
        return {"config": {"problems": problems}, "cron": {}}
    return {"config": apply_config(request), "cron": hermes_jobs.apply_cron(request)}


# --- merged configuration


def apply_config(request: dict[str, Any]) -> dict[str, Any]:
    """Merge the declared keys into the home's config.yaml; with `dry`, only say what would happen."""
    path = os.path.join(request["home"], "config.yaml")
    for _attempt in range(5):
        before, found = _signature(path), _sha256(path)
        home, problems = _load_mapping(path, path) if before else (_seed(request), [])
        if problems:
            return {"problems": problems}
        base = request["base"]
        for begun in request.get("pending") or []:
            base = home_merge.settled(base, begun["config"], home)
        adopted = request.get("adopted") or []
        answer: dict[str, Any] = {"problems": [], "found_sha256": found}
        if request.get("dry"):
            answer["findings"] = home_merge.findings(request["config"], base, home, adopted)
        start = home_merge.restored(home, request["config"], request.get("restore") or [])
        merged = home_merge.merge(request["config"], base, start, request.get("made"), adopted)
        paths = {**dict(home_merge.leaves(base)), **dict(home_merge.leaves(request["config"]))}
        answer["differences"] = home_merge.changes(paths, merged.changed, home, merged.home)
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
    # One name, so that what a kill leaves is met and replaced by the next run.
    temporary = f"{target}.timmy~"
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
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
