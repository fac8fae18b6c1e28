# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of continuity do: on files of one agent, and always as that agent."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from . import continuity, hermes_home, home_merge
from .continuity import ContinuityError, InputError

Answer = dict[str, Any]
FOLDER = ".timmy/continuity"


def module_answer(work: Callable[..., Answer], params: Mapping[str, Any], check_mode: bool = False) -> Answer:
    """What a module exits with; `failed` and one line in `msg` where it did not work out."""
    name = params["agent"]
    who = hermes_home.account(name, params.get("home") or "")
    if who is None:
        return _failed(f"{name}: there is no such user on this host; the role common makes it")

    def told() -> Answer:
        path = os.path.join(who.home, FOLDER, params.get("path") or "")
        try:
            return work(path, params, check_mode)
        except ContinuityError as error:
            return _failed(str(error))

    try:
        return dict(hermes_home.as_agent(who, told))
    except hermes_home.HomeError as error:
        return _failed(str(error))


def _failed(line: str) -> Answer:
    return {"failed": True, "changed": False, "msg": line}


# -- state -------------------------------------------------------------------------------------


def state(path: str, params: Mapping[str, Any], check_mode: bool) -> Answer:
    """Bring the value under a key, or the whole document, to what is declared."""
    key, wanted, number = params.get("key"), params.get("value"), params.get("generation")
    absent = params["state"] == "absent"
    found = continuity.read_snapshot(path, None)

    def changed(document: Any) -> Any:
        if not key:
            return {} if absent else wanted
        start = {} if document is None else document
        return continuity.remove_key(start, key) if absent else continuity.set_key(start, key, wanted)

    new = changed(found.data)
    stands = home_merge.same(found.data, new) or (absent and found.generation == 0)
    # One that stands as declared already is what a repeated task finds of its own work.
    if not stands and number not in {None, found.generation}:
        raise InputError(
            f"{path}: generation {found.generation or 'none'} stands there, not {number or 'none'}; "
            "read it again and decide anew"
        )
    generation = found.generation
    if not stands and not check_mode:
        generation = continuity.update_json(path, changed, None, generation=number).generation
    value = continuity.get_key(new, key) if key else new
    diff = {"before": _text(found.data), "after": _text(found.data if stands else new)}
    return {
        "changed": not stands,
        "generation": generation,
        "value": value,
        "diff": [{**diff, "header": path}],
    }


def _text(data: Any) -> str:
    return "" if data is None else json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


# -- log ---------------------------------------------------------------------------------------


def log(path: str, params: Mapping[str, Any], check_mode: bool) -> Answer:
    """Append to a log, compact it, repair it, or look at it."""
    if not continuity.is_log(path):
        raise InputError(f"{path}: the name of a log ends in .jsonl")
    operation = params["operation"]
    if operation == "append":
        added = continuity.append_once(path, params["record"], dry=check_mode)
        return {"changed": added, "rows": continuity.count_jsonl_rows(path)}
    if operation == "verify":
        return {"changed": False, **_verdict(path)}
    if operation == "repair":
        change = continuity.repair_log(path, dry=check_mode)
    else:
        change = continuity.compact_jsonl(path, kept_by(params, _now()), dry=check_mode)
    return {
        "changed": bool(change.dropped or change.moved),
        "rows": change.kept,
        "dropped": change.dropped,
        "moved": change.moved,
        "aside": change.aside,
    }


def kept_by(params: Mapping[str, Any], now: dt.datetime) -> Callable[[continuity.Rows], list[int]]:
    """The rule of a compaction. A row stays if it is among the last ones, or young enough, or has no time."""
    last, days = params.get("keep_rows"), params.get("keep_days")
    if last is None and days is None:
        raise InputError("nothing says what to keep; give keep_rows or keep_days")
    if (last is not None and last < 0) or (days is not None and days < 0):
        raise InputError("keep_rows and keep_days are not below 0")

    def young(row: Mapping[str, Any]) -> bool:
        try:
            at = dt.datetime.fromisoformat(str(row["at"]))
        except (KeyError, ValueError):
            return True
        aware = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
        return now - aware <= dt.timedelta(days=days or 0)

    def keep(rows: continuity.Rows) -> list[int]:
        first = len(rows) if last is None else len(rows) - last
        return [
            number for number, row in enumerate(rows) if number >= first or (days is not None and young(row))
        ]

    return keep


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


# -- info --------------------------------------------------------------------------------------


def info(path: str, params: Mapping[str, Any], _check_mode: bool) -> Answer:
    """How every file of an agent's continuity is, and the documents themselves where that is wished."""
    names = os.listdir(path) if os.path.isdir(path) else []
    # A snapshot that is gone is still known by its generations.
    bases = {re.sub(r"\.json\.g[0-9]+$", ".json", name) for name in names}
    wanted = sorted(name for name in bases if name.endswith((".json", ".jsonl")))
    files = [_described(os.path.join(path, name), name, params["data"]) for name in wanted]
    return {"changed": False, "files": files, "problems": [one["problem"] for one in files if one["problem"]]}


def _described(path: str, name: str, data: bool) -> Answer:
    answer: Answer = {"name": name, "problem": ""}
    try:
        answer.update(_verdict(path))
        if data and not continuity.is_log(path):
            answer["data"] = continuity.read_json(path)
    except ContinuityError as error:
        answer["problem"] = str(error)
    return answer


def _verdict(path: str) -> Answer:
    verdict = continuity.verify(path)
    if isinstance(verdict, continuity.LogVerdict):
        problem = f"{path}: {len(verdict.bad)} bad line(s)" if verdict.bad else ""
        return {"rows": verdict.rows, "bad": verdict.bad, "newer": verdict.newer, "problem": problem}
    bad = ", ".join(verdict.bad)
    problem = f"{path}: {verdict.why}" if verdict.why else f"{path}: not readable: {bad}" if bad else ""
    return {"generation": verdict.generation, "generations": verdict.good, "problem": problem}
