# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership: which rule of ownership.yml holds for a file, and where that file goes."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .overlay_fields import check_fields
from .overlay_problem import CheckError, Problem, one_of

CLASSES = ("managed", "merged", "seeded")
RELOADS = ("none", "next-turn", "new-session", "restart")
_MODE = re.compile(r"0[0-7]{3}")


@functools.lru_cache(maxsize=1024)
def glob_regex(glob: str) -> re.Pattern[str]:
    """`*` and `?` stay inside one folder, `**` does not."""
    out = []
    position = 0
    while position < len(glob):
        if glob.startswith("**", position):
            out.append(".*")
            position += 2
            continue
        char = glob[position]
        out.append({"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)))
        position += 1
    return re.compile("".join(out))


def matches(path: str, glob: str) -> bool:
    """Whether the whole path matches the glob."""
    return glob_regex(glob).fullmatch(path) is not None


def rule_for(ownership: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The one rule of ownership.yml for an overlay file."""
    rules: list[Mapping[str, Any]] = [rule for rule in ownership["paths"] if matches(path, rule["path"])]
    if len(rules) != 1:
        raise CheckError(_rule_count(path, rules))
    return rules[0]


def _rule_count(path: str, rules: Sequence[Mapping[str, Any]]) -> str:
    if not rules:
        return f"no rule covers {path}; add one under paths:, or remove the file from the overlay"
    both = " and ".join(str(rule["path"]) for rule in rules)
    return f"{path} is covered by {len(rules)} rules ({both}); narrow one of them"


def targets(rule: Mapping[str, Any]) -> list[str]:
    """A rule's destinations as a list."""
    to = rule["to"]
    return [to] if isinstance(to, str) else list(to)


def expand_target(target: str, path: str, agent: str) -> str:
    """The destination of one file for one agent."""
    name = path.rsplit("/", 1)[-1]
    return target.replace("{agent}", agent).replace("{path}", path).replace("{name}", name)


def plugin_names(tree: Mapping[str, bytes]) -> list[str]:
    """Plugins of Hermes that the overlay itself brings."""
    return sorted(path.split("/")[1] for path in tree if matches(path, "plugins/*/__init__.py"))


def check_ownership_shape(ownership: Any, path: str = "ownership.yml") -> list[Problem]:
    """The shape of ownership.yml alone, before any file is looked at."""
    problems: list[Problem] = []
    fields = {"schema": (int, True), "paths": (list, True), "runtime": (list, True)}
    problems += check_fields(path, "", ownership, fields)
    if problems:
        return problems
    if ownership["schema"] != 1:
        return [Problem(path, "schema", f"is {ownership['schema']}, this release reads 1; write `schema: 1`")]
    for number, rule in enumerate(ownership["paths"]):
        problems += _check_rule(path, f"paths[{number}]", rule)
    for number, glob in enumerate(ownership["runtime"]):
        if not isinstance(glob, str) or glob.startswith("/") or ".." in glob.split("/"):
            problems.append(
                Problem(path, f"runtime[{number}]", "must be a glob below ~/.hermes, such as state.db*")
            )
    return problems


def _check_rule(path: str, key: str, rule: Any) -> list[Problem]:
    fields: dict[str, tuple[type, bool]] = {
        "path": (str, True),
        "class": (str, True),
        "to": (object, True),
        "reload": (str, True),
        "template": (bool, False),
        "mode": (str, False),
    }
    problems = check_fields(path, key, rule, fields)
    if problems:
        return problems
    key = f"{key} ({rule['path']})"
    if rule["class"] not in CLASSES:
        hint = "list home paths of Hermes under runtime:" if rule["class"] == "runtime" else one_of(CLASSES)
        problems.append(Problem(path, f"{key}.class", f"{rule['class']!r} is no owner class; {hint}"))
    if rule["reload"] not in RELOADS:
        problems.append(
            Problem(path, f"{key}.reload", f"{rule['reload']!r} is no reload class; {one_of(RELOADS)}")
        )
    if "mode" in rule and not _MODE.fullmatch(rule["mode"]):
        problems.append(
            Problem(path, f"{key}.mode", 'must be quoted octal digits without setuid, such as "0755"')
        )
    return problems + _check_to(path, f"{key}.to", rule)


def _check_to(path: str, key: str, rule: Mapping[str, Any]) -> list[Problem]:
    to = rule["to"]
    listed = [to] if isinstance(to, str) else to
    if (
        not isinstance(listed, list)
        or not listed
        or not all(isinstance(item, str) and item for item in listed)
    ):
        return [
            Problem(
                path, key, "must be one destination or a list of them, such as agents/{agent}/home/{path}"
            )
        ]
    problems = []
    for target in listed:
        bare = re.sub(r"\{(agent|path|name)\}", "x", target)
        if target.startswith("/") or ".." in target.split("/") or "{" in bare or "}" in bare:
            problems.append(
                Problem(
                    path,
                    key,
                    f"{target!r} must stay inside the release and use only {{agent}}, {{path}}, {{name}}",
                )
            )
        elif rule.get("template") and "{agent}" not in target:
            problems.append(Problem(path, key, f"{target!r} is shared by all agents, so set template: false"))
    return problems


def check_ownership(tree: Mapping[str, bytes], ownership: Mapping[str, Any]) -> list[Problem]:
    """Every file has one rule, and every rule without a glob has its file."""
    path = "ownership.yml"
    problems = []
    used: set[str] = set()
    for name in sorted(tree):
        rules = [rule for rule in ownership["paths"] if matches(name, rule["path"])]
        used.update(str(rule["path"]) for rule in rules)
        if len(rules) != 1:
            problems.append(Problem(path, "", _rule_count(name, rules)))
            continue
        problems += _check_not_runtime(path, name, rules[0], ownership["runtime"])
    for rule in ownership["paths"]:
        if rule["path"] not in used and not _is_glob(rule["path"]):
            problems.append(
                Problem(
                    path,
                    rule["path"],
                    "names a file that is not in the overlay; add the file or drop the rule",
                )
            )
    return problems


def _check_not_runtime(
    path: str, name: str, rule: Mapping[str, Any], runtime: Sequence[str]
) -> list[Problem]:
    """What we manage as a file in the home must not also be declared Hermes' own."""
    prefix = "agents/x/home/"
    problems = []
    for target in targets(rule):
        place = expand_target(target, name, "x")
        if not place.startswith(prefix):
            continue
        home = place[len(prefix) :]
        owner = runtime_glob(home, runtime)
        if owner:
            problems.append(
                Problem(
                    path,
                    name,
                    f"becomes ~/.hermes/{home}, which runtime: {owner} gives to Hermes; drop one",
                )
            )
    return problems


def runtime_glob(home: str, runtime: Sequence[str]) -> str:
    """The glob that gives a path below ~/.hermes to Hermes, or "". The last one that matches decides."""
    owner = ""
    for glob in runtime:
        if matches(home, glob.removeprefix("!")):
            owner = "" if glob.startswith("!") else glob
    return owner


def _is_glob(text: str) -> bool:
    return "*" in text or "?" in text
