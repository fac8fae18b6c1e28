# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay of a wanted size: the collection's own, filled up with skills whose pages are text."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

# As large as the overlay that the earlier system had.
FILES = 178
LINES = 35_624
_WORDS = ("forge", "wizard", "fleet", "overlay", "release", "guard", "claim", "publish", "attempt", "landing")
_HEAD = "---\nname: {name}\ndescription: Pages that give an overlay its size.\n---\n"
_PAGES = 25


def make(source: Path, target: Path, files: int = FILES, lines: int = 0) -> Path:
    """Copy an overlay and fill it up to so many files; with ``lines`` 0 there are as many a file as usual."""
    shutil.copytree(source, target)
    have = [path for path in target.rglob("*") if path.is_file()]
    total = lines or LINES * files // FILES
    missing = files - len(have)
    left = total - sum(path.read_bytes().count(b"\n") for path in have)
    if missing <= 0 or left < 5 * missing:
        raise ValueError(f"{files} files with {total} lines are fewer than the overlay has")
    dice = random.Random(files)  # noqa: S311 - text to fill pages, the same in every run
    for number in range(missing):
        path = _page(target, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        head = _HEAD.format(name=path.parent.name) if path.name == "SKILL.md" else ""
        count = left // (missing - number) - head.count("\n")
        left -= count + head.count("\n")
        page = "".join(" ".join(dice.choices(_WORDS, k=9)) + ".\n" for _line in range(count))
        path.write_text(head + page, encoding="utf-8")
    return target


def edit(target: Path, turn: int) -> None:
    """Change ten lines of one page, which restarts nothing."""
    page = _page(target, 0)
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[10:20] = [f"Turn {turn} of this line {number}.\n" for number in range(10)]
    page.write_text("".join(lines), encoding="utf-8")


def limit_turns(target: Path, turns: int) -> None:
    """Change a key of the managed configuration, which restarts each gateway."""
    config = target / "config.yaml"
    text = config.read_text(encoding="utf-8")
    changed = re.sub(r"^  max_turns: \d+$", f"  max_turns: {turns}", text, flags=re.MULTILINE)
    if changed == text:
        raise ValueError("config.yaml has no max_turns to change")
    config.write_text(changed, encoding="utf-8")


def _page(target: Path, number: int) -> Path:
    skill, page = divmod(number, _PAGES)
    return target / "skills" / "bench" / f"pages-{skill:04}" / (f"page-{page:02}.md" if page else "SKILL.md")
