# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's env file, written so that every reader Hermes has for it gets the same value.

The managed .env is read twice: by a dotenv library (quotes, backslashes, `$` and `#` mean something) and by a
plain reader that only strips quotes from both ends. What the two could read differently is refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_BARE = re.compile(r"[A-Za-z0-9_@%+=:,./~^*?&!;<>()\[\]{}|-]*")
_HEAD = "# Written by timmy.config; a change made here does not last.\n"
# They would change the program itself rather than what it talks to.
_REFUSED = frozenset(
    {
        "PATH",
        "HOME",
        "SHELL",
        "USER",
        "LOGNAME",
        "IFS",
        "BASH_ENV",
        "ENV",
        "HERMES_HOME",
        "HERMES_MANAGED_DIR",
    }
)
_REFUSED_HEADS = ("LD_", "PYTHON", "DYLD_")


class EnvError(Exception):
    """A name or value cannot be kept in an env file; the message never holds the value."""


def check_name(name: str) -> None:
    """Refuse what is not an environment name, or would change how the program is loaded."""
    if not _NAME.fullmatch(name):
        raise EnvError(f"{name[:40]!r} is no name of an environment variable")
    if name in _REFUSED or name.startswith(_REFUSED_HEADS):
        raise EnvError(f"{name} belongs to the unit and must not be set in an agent's env file")


def quote(name: str, value: str) -> str:
    """The value as both readers take it unchanged."""
    if _BARE.fullmatch(value):
        return value
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise EnvError(
            f"{name}: a value with a line break or control character cannot be kept in an env file"
        )
    if any(part in value for part in ("'", "\\", "${")) or value[0] == '"' or value[-1] == '"':
        raise EnvError(
            f"{name}: a value with ', \\ or ${{, or \" at an end, is not read alike by Hermes' two readers"
        )
    return f"'{value}'"


def render(values: Mapping[str, str]) -> bytes:
    """The whole file; names in order, so that equal values give equal bytes."""
    lines = []
    for name in sorted(values):
        check_name(name)
        lines.append(f"{name}={quote(name, str(values[name]))}\n")
    return (_HEAD + "".join(lines)).encode("utf-8")


def names(content: bytes) -> list[str]:
    """The names in an env file, for a report that shows no value."""
    return sorted(_pairs(content))


def value_of(content: bytes, name: str) -> str:
    """One value as it was given to `render`, "" where there is none."""
    value = _pairs(content).get(name, "")
    quoted = len(value) > 1 and value[0] == value[-1] == "'"
    return value[1:-1] if quoted else value


def digest(content: bytes) -> str:
    """A fingerprint to tell whether a running gateway has seen this content."""
    return hashlib.sha256(content).hexdigest()


def masked(content: bytes) -> str:
    """The file for a diff: each name with its value masked."""
    return "".join(f"{name}=(masked)\n" for name in names(content))


def changes(before: bytes | None, after: bytes) -> list[str]:
    """Names whose values differ between two files."""
    old, new = _pairs(before or b""), _pairs(after)
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _pairs(content: bytes) -> dict[str, str]:
    lines = content.decode("utf-8", "replace").splitlines()
    split = [line.partition("=") for line in lines if "=" in line and not line.startswith("#")]
    return {name: value for name, _sign, value in split}
