# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doors: names of bin/doors.txt and the words after `timmy` they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .overlay_fields import text_of
from .overlay_problem import CheckError, Problem

_DOOR = re.compile(r"[a-z][a-z0-9_-]*\.(sh|py)")
_VERB = re.compile(r"[a-z][a-z0-9-]*")


def parse_doors(text: str) -> dict[str, list[str]]:
    """The name table of bin/doors.txt: name -> words after `timmy`."""
    doors: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        name, verbs = words[0], words[1:]
        if not _DOOR.fullmatch(name):
            raise CheckError(f"line {number}: {name!r} is no file name such as fleet-status.sh")
        if not verbs or not all(_VERB.fullmatch(verb) for verb in verbs):
            raise CheckError(f"line {number}: {name} needs the words after `timmy`, such as `{name} status`")
        if name in doors:
            raise CheckError(f"line {number}: {name} is given twice; keep one of the lines")
        doors[name] = verbs
    return doors


def check_doors(path: str, tree: Mapping[str, bytes]) -> list[Problem]:
    """The name table, the script that all names lead to, and no name taken by a file."""
    try:
        doors = parse_doors(text_of(tree, path))
    except CheckError as error:
        return [Problem(path, "", str(error))]
    if "bin/door.sh" not in tree:
        return [Problem("bin/door.sh", "", "is missing; every name of doors.txt is a link to it")]
    taken = [name for name in doors if f"bin/{name}" in tree]
    return [Problem(path, name, f"is also a file, bin/{name}; remove the file or the line") for name in taken]
