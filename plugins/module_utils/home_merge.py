# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three-way merge of declared keys into data that a running program also writes. Pure, over plain data.

`wanted` is what the overlay declares, `base` what we put there last time, `home` what is there now. A leaf is
anything but a non-empty mapping; lists are whole leaves.

  declared, absent at home            set
  declared, as we left it             updated
  declared, edited by somebody        kept and reported, unless we never had it: then ours is set and reported
  no longer declared, as we left it   removed, with the mappings that only we had made for it
  no longer declared, edited          kept and reported
  never declared                      not looked at

What the operator has accepted as it stands is left alone until the overlay declares another value for it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str, ...]
_ABSENT = object()
_SHOWN = 60
# A value is shown to people only where neither its name nor its form could be a secret's.
_SECRET_NAME = re.compile(
    r"key|token|secret|passw|credential|auth|cookie|bearer|webhook|headers|(^|_)env$", re.I
)
_SECRET_FORM = re.compile(
    r"://[^/\s]*@|(?=[A-Za-z0-9_+=-]*[0-9])(?=[A-Za-z0-9_+=-]*[A-Za-z])[A-Za-z0-9_+=-]{16,}"
)


@dataclass
class Merged:
    """The merged data and what happened on the way; `base`, `made` and `adopted` go on record."""

    home: dict[Any, Any]
    base: dict[str, Any]
    made: list[list[str]]
    changed: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    adopted: list[dict[str, Any]] = field(default_factory=list)


def same(left: Any, right: Any) -> bool:
    """Equality that tells true from 1 and 1 from 1.0, as a configuration reader does."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


def leaves(data: Mapping[Any, Any], prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf with its path, in order."""
    for key in data:
        path = (*prefix, key)
        if isinstance(data[key], dict) and data[key]:
            yield from leaves(data[key], path)
        else:
            yield path, data[key]


def dotted(path: Path | list[str]) -> str:
    """A path for people."""
    return ".".join(str(part) for part in path)


def get(data: Any, path: Path) -> Any:
    """The value at a path, or a private mark where there is none."""
    for part in path:
        if not isinstance(data, dict) or part not in data:
            return _ABSENT
        data = data[part]
    return data


def settled(base: Mapping[str, Any], pending: Mapping[str, Any], home: Mapping[Any, Any]) -> dict[str, Any]:
    """`base` after a killed run: what it was about to set, and what stands at home just so, is ours too."""
    result = copy.deepcopy(dict(base))
    for path, value in leaves(pending):
        if same(get(home, path), value):
            place(result, path, value)
    return result


def merge(
    wanted: Mapping[str, Any],
    base: Mapping[str, Any],
    home: Mapping[Any, Any],
    made: list[list[str]] | None = None,
    adopted: Sequence[Mapping[str, Any]] = (),
) -> Merged:
    """Apply `wanted` to a copy of `home`. No argument is changed.

    `adopted` are leaves that the operator accepted as they stand: {"path", "declared" at that time}.
    """
    result = Merged(copy.deepcopy(dict(home)), {}, [list(path) for path in made or []])
    accepted = {tuple(entry["path"]): entry["declared"] for entry in adopted}
    # Removals first: a key may have become a section, or a section a key.
    declared = dict(leaves(wanted))
    for path, value in leaves(base):
        if path not in declared and path not in accepted:
            _drop(result, path, value)
    for path, value in declared.items():
        if same(accepted.get(path, _ABSENT), value) and not same(get(home, path), value):
            result.adopted.append({"path": list(path), "declared": copy.deepcopy(value)})
            if get(base, path) is not _ABSENT:
                _remember(result, path, get(base, path))
            continue
        _put(result, path, value, get(base, path))
    result.made = [path for path in result.made if isinstance(get(result.home, tuple(path)), dict)]
    return result


def findings(
    wanted: Mapping[str, Any],
    base: Mapping[str, Any],
    home: Mapping[Any, Any],
    adopted: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """The leaves of ours that somebody edited or deleted, just as `merge` judges them, ready to be shown."""
    result = merge(wanted, base, home, None, adopted)
    edited, changed = set(result.edited), set(result.changed)
    found = []
    for path, ours in {**dict(leaves(base)), **dict(leaves(wanted))}.items():
        theirs = get(home, path)
        deleted = theirs is _ABSENT and dotted(path) in changed and get(base, path) is not _ABSENT
        if not deleted and dotted(path) not in edited:
            continue
        found.append(
            {
                "path": list(path),
                "problem": "deleted" if deleted else "edited",
                "ours": shown(path, ours),
                "theirs": shown(path, theirs),
                "line": _yaml_line(path, theirs),
            }
        )
    return found


def clashes(ours: Mapping[Path, Any], theirs: Mapping[Path, Any]) -> list[Path]:
    """Those of our leaves that cannot stand beside theirs; an empty mapping only has to be there."""
    return [
        path
        for path, value in ours.items()
        if any(_clash(path, value, other, theirs[other]) for other in theirs)
    ]


def _clash(path: Path, value: Any, other: Path, theirs: Any) -> bool:
    if len(path) == len(other):
        return path == other
    if len(path) < len(other):
        return other[: len(path)] == path and value != {}
    return path[: len(other)] == other and theirs != {}


def restored(
    home: Mapping[Any, Any], wanted: Mapping[str, Any], paths: Sequence[Sequence[str]]
) -> dict[Any, Any]:
    """`home` without what differs from ours at these paths, so that a merge puts ours there."""
    result = dict(home)
    for path in paths:
        if not same(get(home, tuple(path)), get(wanted, tuple(path))):
            result = without(result, path)
    return result


def changes(
    paths: Mapping[Path, Any], changed: Sequence[str], before: Mapping[Any, Any], after: Mapping[Any, Any]
) -> list[dict[str, str]]:
    """What a merge did to the leaves that it names as changed, ready to be shown."""
    return [
        difference(path, get(before, path), get(after, path)) for path in paths if dotted(path) in changed
    ]


def difference(path: Path, before: Any = _ABSENT, after: Any = _ABSENT) -> dict[str, str]:
    """One changed value for people: {"key", "before", "after"}; a text that looks the same says it is not."""
    was, now = shown(path, before), shown(path, after)
    return {"key": dotted(path), "before": was, "after": f"{now}, changed" if was == now else now}


def without(home: Mapping[Any, Any], path: Sequence[str]) -> dict[Any, Any]:
    """`home` without what stands at a path, or in the way to it, so that a merge puts ours there."""
    result = copy.deepcopy(dict(home))
    node: Any = result
    for depth, part in enumerate(path):
        if part not in node:
            break
        if depth == len(path) - 1 or not isinstance(node[part], dict):
            del node[part]
            break
        node = node[part]
    return result


def secretive(path: Sequence[Any], value: Any) -> bool:
    """Whether a value might be a secret, by the names on its path or by its own form."""
    if any(_SECRET_NAME.search(str(part)) for part in path):
        return not isinstance(value, (bool, int, float, type(None)))
    if isinstance(value, dict):
        return any(secretive((key,), below) for key, below in value.items())
    if isinstance(value, list):
        return any(secretive((), below) for below in value)
    return isinstance(value, str) and bool(_SECRET_FORM.search(value))


def shown(path: Sequence[Any], value: Any) -> str:
    """A value in a few words for people; one that might be a secret is masked."""
    if value is _ABSENT:
        return "nothing"
    if secretive(path, value):
        return "(masked)"
    text = json.dumps(value, ensure_ascii=True, default=str)
    if len(text) <= _SHOWN:
        return text
    if isinstance(value, (dict, list)):
        return f"{'a section' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return f"{text[:_SHOWN]}..."


def _yaml_line(path: Path, value: Any) -> str:
    """The line that declares a value, "" where it is none that may be shown. JSON is YAML."""
    if value is _ABSENT or secretive(path, value):
        return ""
    for part in reversed(path[1:]):
        value = {part: value}
    return f"{path[0]}: {json.dumps(value, ensure_ascii=False, default=str)}"


def _drop(result: Merged, path: Path, value: Any) -> None:
    at_home = get(result.home, path)
    if at_home is _ABSENT:
        return
    if not same(at_home, value):
        # A mapping that others have filled is theirs by now; anything else is somebody's edit of our key.
        if not isinstance(value, dict) or not isinstance(at_home, dict):
            result.edited.append(dotted(path))
        return
    if isinstance(value, dict) and list(path) not in result.made:
        return
    parent = get(result.home, path[:-1])
    del parent[path[-1]]
    result.changed.append(dotted(path))
    _sweep(result, path[:-1])


def _sweep(result: Merged, path: Path) -> None:
    """Remove mappings that we made and that are empty now, from the inside out."""
    while path and get(result.home, path) == {} and list(path) in result.made:
        del get(result.home, path[:-1])[path[-1]]
        path = path[:-1]


def _put(result: Merged, path: Path, value: Any, before: Any) -> None:
    at_home = get(result.home, path)
    if at_home is not _ABSENT and same(at_home, value):
        _remember(result, path, value)
        return
    if isinstance(value, dict):
        # An empty mapping only has to be there.
        if isinstance(at_home, dict):
            _remember(result, path, value)
            return
        if at_home is _ABSENT and list(path) not in result.made:
            result.made.append(list(path))
    if at_home is _ABSENT:
        if not _make_parents(result, path):
            return
    elif before is not _ABSENT and not same(at_home, before):
        result.edited.append(dotted(path))
        _remember(result, path, before)
        return
    elif isinstance(at_home, dict) and at_home:
        # Ours is one value, theirs a whole section: not ours to wipe out.
        result.edited.append(dotted(path))
        return
    elif before is _ABSENT:
        result.taken.append(dotted(path))
    get(result.home, path[:-1])[path[-1]] = copy.deepcopy(value)
    result.changed.append(dotted(path))
    _remember(result, path, value)


def _make_parents(result: Merged, path: Path) -> bool:
    node: Any = result.home
    for depth, part in enumerate(path[:-1], start=1):
        below = node.get(part, _ABSENT)
        if below is _ABSENT or below is None:
            node[part] = below = {}
            if list(path[:depth]) not in result.made:
                result.made.append(list(path[:depth]))
        if not isinstance(below, dict):
            result.edited.append(dotted(path))
            return False
        node = below
    return True


def _remember(result: Merged, path: Path, value: Any) -> None:
    place(result.base, path, value)


def place(data: dict[str, Any], path: Path, value: Any) -> None:
    """Put a copy of a value at a path of `data`, whatever stood in the way."""
    node: Any = data
    for part in path[:-1]:
        if not isinstance(node.get(part), dict):
            node[part] = {}
        node = node[part]
    node[path[-1]] = copy.deepcopy(value)
