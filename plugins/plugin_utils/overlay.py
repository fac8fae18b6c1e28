# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an overlay directory and render it, on the controller: one agent's files, then what all agents share.

YAML and JSON files are rendered leaf by leaf *after* parsing. A value can therefore never break the syntax of
the file around it, and ``"{{ model.context_length }}"`` stays a number. Other files are rendered as text.
"""

from __future__ import annotations

import functools
import json
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.template import trust_as_template
from ansible_collections.timmy.config.plugins.module_utils import (
    agent_portfolio,
    overlay_channels,
    overlay_documents,
    overlay_doors,
    overlay_problem,
    overlay_rules,
    release_format,
    wizard_defaults,
)
from ansible_collections.timmy.config.plugins.plugin_utils import render_memo

OWNERSHIP = "ownership.yml"
PORTFOLIOS = "fallback-portfolios.yaml"
CHANNELS = "channel_directory.json"
DOORS = "bin/doors.txt"
MAX_FILE = 8 * 1024 * 1024
_TEXT_ONLY = "an overlay holds text, keep data elsewhere"
_YAML_ENDINGS = (".yaml", ".yml")
_NOTE = "# Rendered from the overlay's {path}; edit it there, a change made here does not last.\n"


class OverlayError(Exception):
    """One line: where the overlay is wrong and what to do about it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {' '.join(message.split())}")
        self.path = path


# The same parser in C, where PyYAML was built with it, reads the same language ten times as fast.
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SAFE_LOADER):  # type: ignore[misc]  # chosen at run time
    """SafeLoader that refuses a key given twice: plain YAML silently keeps the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if key_node.tag == "tag:yaml.org,2002:merge" or not isinstance(key, (str, int, float, bool)):
                continue
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice; keep one of them", key_node.start_mark
                )
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def load_overlay(directory: str) -> dict[str, bytes]:
    """Every file of the overlay by its path; hidden files and editors' leftovers are not part of it."""
    if not os.path.isdir(directory):
        raise OverlayError(
            directory, "no such directory; set timmy_overlay_dir to the directory of the overlay"
        )
    tree: dict[str, bytes] = {}
    total = 0
    for relative in _names(directory):
        if len(tree) >= release_format.MAX_FILES:
            raise OverlayError(directory, f"holds more than {release_format.MAX_FILES} files; {_TEXT_ONLY}")
        tree[relative] = _read(directory, relative)
        total += len(tree[relative])
        if total > release_format.MAX_TOTAL:
            raise OverlayError(directory, f"is larger than {release_format.MAX_TOTAL} bytes; {_TEXT_ONLY}")
    return tree


def _names(directory: str) -> Iterator[str]:
    """The paths of an overlay's files; names that no release may have are refused."""
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        inside = os.path.relpath(root, directory).replace(os.sep, "/")
        head = "" if inside == "." else f"{inside}/"
        for name in folders:
            if os.path.islink(os.path.join(root, name)):
                raise OverlayError(
                    _shown(head + name), "is a link to a directory; put the directory itself there"
                )
        for name in sorted(names):
            if name.startswith(".") or name.endswith("~"):
                continue
            try:
                release_format.check_path(head + name)
            except release_format.ReleaseError as error:
                raise OverlayError(directory, f"{error}; rename it") from error
            yield head + name


def _shown(path: str) -> str:
    """A path in one line, whatever is in it."""
    return path if path.isprintable() else repr(path)


def _read(directory: str, relative: str) -> bytes:
    full = os.path.join(directory, relative)
    try:
        # What a link leads to is read as well, so it must be the operator's overlay and not, say, a key.
        if os.path.islink(full) and not _is_below(full, directory):
            raise OverlayError(relative, "is a link that leads out of the overlay; put the file itself there")
        if not os.path.isfile(full):
            raise OverlayError(relative, "is not a regular file; an overlay holds files only")
        status = os.stat(full)
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            raise OverlayError(relative, "has a setuid or setgid bit; take it away with chmod ug-s")
        if status.st_size > MAX_FILE:
            raise OverlayError(relative, f"is larger than {MAX_FILE} bytes; {_TEXT_ONLY}")
        with open(full, "rb") as handle:
            # No more than was allowed, should it grow meanwhile.
            return handle.read(MAX_FILE)
    except OSError as error:
        raise OverlayError(relative, f"cannot be read: {error.strerror}") from error


def _is_below(path: str, directory: str) -> bool:
    return os.path.realpath(path).startswith(os.path.realpath(directory) + os.sep)


def parse(path: str, data: bytes) -> Any:
    """The parsed content of a YAML or JSON file; a mistake is reported as file:line:column."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OverlayError(path, f"is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    if path.endswith(".json"):
        try:
            return json.loads(text, object_pairs_hook=_unique_pairs)
        except json.JSONDecodeError as error:
            raise OverlayError(f"{path}:{error.lineno}:{error.colno}", f"broken JSON: {error.msg}") from error
        except ValueError as error:
            raise OverlayError(path, str(error)) from error
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that refuses double keys
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise OverlayError(where, f"broken YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise OverlayError(f"{path}:{line}", f"broken YAML: {error.reason}") from error
    except (ValueError, RecursionError) as error:
        raise OverlayError(path, f"broken YAML: {error}") from error


@functools.lru_cache(maxsize=1024)
def _parsed(path: str, data: bytes) -> Any:
    """As `parse`, for rendering, which reads the same files for each agent and changes none of it."""
    return parse(path, data)


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"broken JSON: the key {key!r} is given twice; keep one of them")
        result[key] = value
    return result


def is_structured(path: str) -> bool:
    """Whether the file is rendered leaf by leaf rather than as text."""
    return path.endswith((*_YAML_ENDINGS, ".json"))


def parse_tree(tree: Mapping[str, bytes]) -> dict[str, Any]:
    """The parsed content of every YAML and JSON file of the overlay, and the frontmatter of every skill."""
    parsed = {path: parse(path, data) for path, data in tree.items() if is_structured(path)}
    for path, data in tree.items():
        if path.startswith("skills/") and path.endswith("/SKILL.md") and data.startswith(b"---\n"):
            head, found, _body = data[4:].partition(b"\n---\n")
            if found:
                parsed[path + overlay_documents.FRONTMATTER] = parse(path, head)
    return parsed


def ownership_of(tree: Mapping[str, bytes]) -> dict[str, Any]:
    """The parsed ownership.yml of an overlay; its shape is checked before anything relies on it."""
    if OWNERSHIP not in tree:
        raise OverlayError(OWNERSHIP, "is missing; copy it from the collection's overlay and adapt it")
    ownership = parse(OWNERSHIP, tree[OWNERSHIP])
    problems = overlay_rules.check_ownership_shape(ownership)
    if problems:
        raise OverlayError(problems[0].where, problems[0].message)
    return dict(ownership)


def _rule(ownership: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    try:
        return overlay_rules.rule_for(ownership, path)
    except overlay_problem.CheckError as error:
        raise OverlayError(OWNERSHIP, str(error)) from error


def render(  # noqa: PLR0917 - the whole subject of a release, in the order in which one says it
    templar: Any,
    tree: Mapping[str, bytes],
    ownership: Mapping[str, Any],
    wizard: Mapping[str, Any],
    host: str,
    fleet: Sequence[Mapping[str, Any]],
    model: Mapping[str, Any],
    *,
    secret_names: Collection[str] = (),
) -> dict[str, bytes]:
    """One agent's part of a release: every rule whose destination names ``{agent}``, by path in the release.

    ``secret_names`` are the *names* of the agent's secrets: a provider that needs a key is used only then.
    """
    key = render_memo.key_of(tree, wizard, host, list(fleet), model, sorted(secret_names))
    kept = render_memo.get(key)
    if kept is not None:
        return kept
    variables = agent_variables(
        templar, tree, wizard, host=host, fleet=fleet, model=model, secret_names=secret_names
    )
    return encoded(render_values(templar, tree, ownership, variables))


def encoded(rendered: Mapping[str, tuple[str, Any]]) -> dict[str, bytes]:
    """The bytes of what `render_values` gave."""
    return {destination: encode(path, destination, value) for destination, (path, value) in rendered.items()}


def agent_variables(
    templar: Any,
    tree: Mapping[str, bytes],
    wizard: Mapping[str, Any],
    *,
    host: str,
    fleet: Sequence[Mapping[str, Any]],
    model: Mapping[str, Any],
    secret_names: Collection[str] = (),
) -> dict[str, Any]:
    """What the templates of one agent see: the wizard with its defaults and portfolio, and the others."""
    full = wizard_defaults.complete_wizard(wizard)
    others = [wizard_defaults.complete_wizard(other) for other in fleet]
    variables: dict[str, Any] = {
        "wizard": full,
        "host": host,
        "fleet": [other for other in others if other["state"] == "present"],
        "model": dict(model),
    }
    if PORTFOLIOS in tree:
        portfolios = _template(templar, PORTFOLIOS, _parsed(PORTFOLIOS, tree[PORTFOLIOS]), variables)
        try:
            full.update(agent_portfolio.portfolio_of(portfolios, full, variables["model"], secret_names))
        except overlay_problem.CheckError as error:
            raise OverlayError(PORTFOLIOS, str(error)) from error
    return variables


def render_values(
    templar: Any, tree: Mapping[str, bytes], ownership: Mapping[str, Any], variables: Mapping[str, Any]
) -> dict[str, tuple[str, Any]]:
    """As :func:`render`, but parsed: destination -> (source path, data, text or bytes)."""
    full = variables["wizard"]
    result: dict[str, tuple[str, Any]] = {}
    for path in sorted(tree):
        rule = _rule(ownership, path)
        for target in overlay_rules.targets(rule):
            if "{agent}" not in target:
                continue
            destination = overlay_rules.expand_target(target, path, str(full["name"]))
            if path == PORTFOLIOS:
                value: Any = agent_portfolio.portfolio_document(full)
            else:
                rendered = bool(rule.get("template")) or destination.endswith(".json")
                value = _value(templar, path, tree[path], variables) if rendered else tree[path]
            _put(result, destination, path, value)
    return result


def render_shared(tree: Mapping[str, bytes], ownership: Mapping[str, Any]) -> dict[str, bytes]:
    """The part of a release that all agents share; it sees no variables."""
    result: dict[str, tuple[str, Any]] = {}
    for path in sorted(tree):
        for target in overlay_rules.targets(_rule(ownership, path)):
            if "{agent}" in target:
                continue
            destination = overlay_rules.expand_target(target, path, "")
            convert = destination.endswith(".json") and is_structured(path)
            _put(result, destination, path, parse(path, tree[path]) if convert else tree[path])
    return encoded(result)


def shared_links(tree: Mapping[str, bytes]) -> dict[str, str]:
    """The doors: each name of bin/doors.txt becomes a link beside bin/door.sh in the release."""
    if DOORS not in tree:
        return {}
    try:
        return {f"bin/{name}": "door.sh" for name in overlay_doors.parse_doors(tree[DOORS].decode("utf-8"))}
    except (overlay_problem.CheckError, UnicodeDecodeError) as error:
        raise OverlayError(DOORS, str(error)) from error


def modes(tree: Mapping[str, bytes], ownership: Mapping[str, Any], agent: str = "") -> dict[str, str]:
    """Destinations whose rule asks for a mode of its own, such as "0755"; all others are "0644"."""
    result: dict[str, str] = {}
    for path in sorted(tree):
        rule = _rule(ownership, path)
        if "mode" in rule:
            for target in overlay_rules.targets(rule):
                result[overlay_rules.expand_target(target, path, agent)] = str(rule["mode"])
    return result


def _value(templar: Any, path: str, data: bytes, variables: Mapping[str, Any]) -> Any:
    if is_structured(path):
        value = _template(templar, path, _parsed(path, data), variables)
        if path == CHANNELS:
            return overlay_channels.channel_aliases(value, str(variables["wizard"]["name"]))
        return value
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OverlayError(path, f"is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    return str(_template(templar, path, text, variables))


def _template(templar: Any, path: str, value: Any, variables: Mapping[str, Any]) -> Any:
    own = templar.copy_with_new_env(available_variables=dict(variables))
    return _walk(own, path, value, "")


def _walk(templar: Any, path: str, value: Any, where: str) -> Any:
    if isinstance(value, dict):
        return {
            key: _walk(templar, path, item, f"{where}.{key}" if where else str(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_walk(templar, path, item, f"{where}[{number}]") for number, item in enumerate(value)]
    if not isinstance(value, str) or ("{{" not in value and "{%" not in value and "{#" not in value):
        return value
    try:
        return _plain(templar.template(trust_as_template(value), escape_backslashes=False))
    except AnsibleError as error:
        raise OverlayError(
            path if not where else f"{path}: {where}",
            f"{_first_cause(error)} (an overlay template sees wizard, host, fleet and model only)",
        ) from error


def _first_cause(error: BaseException) -> str:
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__


def _plain(value: Any) -> Any:
    """Plain types only: Ansible's tagged strings are not for YAML or JSON writers."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str.__str__(value) if isinstance(value, str) else str(value)


def _put(result: dict[str, tuple[str, Any]], destination: str, path: str, value: Any) -> None:
    """Cron jobs meet in one destination as a list; any other meeting is a mistake in ownership.yml."""
    if path.startswith("cron/") and destination.endswith(".json"):
        jobs = result[destination][1] if destination in result else {"jobs": []}
        jobs["jobs"].append(value)
        result[destination] = (path, jobs)
        return
    if destination in result:
        raise OverlayError(
            path, f"and {result[destination][0]} both become {destination}; change one rule's to:"
        )
    result[destination] = (path, value)


def encode(path: str, destination: str, value: Any) -> bytes:
    """The bytes of one destination; the same input gives the same bytes."""
    if isinstance(value, bytes):
        return value
    if destination.endswith(".json"):
        return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
    if isinstance(value, str):
        return value.encode("utf-8")
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100)
    return (_NOTE.format(path=path) + text).encode("utf-8")
