# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mistake in an overlay as one line, and the words that such lines are made of."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

MIN_CONTEXT = 64000
ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
TYPE_WORDS = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a mapping"}


class CheckError(ValueError):
    """Something that a renderer cannot go on with; the text is one line for the operator."""


class Problem(NamedTuple):
    """One mistake: the file, the key inside it (may be empty), and a sentence that names the fix."""

    path: str
    key: str
    message: str

    @property
    def where(self) -> str:
        """File and key as one prefix."""
        return f"{self.path}: {self.key}" if self.key else self.path

    def line(self) -> str:
        """The whole problem as the one line that the operator reads."""
        return f"{self.where}: {' '.join(self.message.split())}"

    def __str__(self) -> str:
        return self.line()


def suggest(word: str, known: Iterable[str]) -> str:
    """`; did you mean x?` for the closest known word, or nothing."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def one_of(words: Iterable[str]) -> str:
    """The advice that lists what may stand there."""
    return f"use one of {', '.join(words)}"


def type_name(value: Any) -> str:
    """The kind of a value in words an operator uses."""
    if value is None:
        return "empty"
    return TYPE_WORDS.get(type(value), "a number" if isinstance(value, float) else type(value).__name__)


def is_kind(value: Any, kind: type) -> bool:
    """isinstance without the surprise that true is an int."""
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
