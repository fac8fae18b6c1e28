# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader of the active release: `atomic_read.py ROOT WANTED dirfd|path` until its input ends.

WANTED is a JSON file: path -> release -> sha256. With `dirfd` a round opens the directory of the release once
and reads every file below it, which must all be of one release. With `path` a round reads one file by its
whole path, which must be that file of some release. Prints rounds, mixed, torn and failed as JSON.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import select
import sys
from pathlib import Path


def whose(content: bytes, known: dict[str, str]) -> str:
    """Return which release a content belongs to, "" where it is torn."""
    seen = hashlib.sha256(content).hexdigest()
    return next((key for key, sha256 in known.items() if sha256 == seen), "")


def read_below(folder: int, path: str) -> bytes:
    """Return a file of the directory that is open."""
    with os.fdopen(os.open(path, os.O_RDONLY, dir_fd=folder), "rb") as handle:
        return handle.read()


def round_by_directory(current: str, wanted: dict[str, dict[str, str]]) -> list[str]:
    """Return whose each file is, all read through one open directory."""
    folder = os.open(current, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return [whose(read_below(folder, path), known) for path, known in wanted.items()]
    finally:
        os.close(folder)


def main(arguments: list[str]) -> int:
    """See the top of the file."""
    current, how = f"{arguments[0]}/current", arguments[2]
    wanted = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
    counts = {
        "rounds": 0,
        "mixed": 0,
        "torn": 0,
        "failed": 0,
        **dict.fromkeys(next(iter(wanted.values())), 0),
    }
    paths = itertools.cycle(wanted)
    while not select.select([0], [], [], 0)[0]:
        counts["rounds"] += 1
        try:
            if how == "dirfd":
                seen = round_by_directory(current, wanted)
            else:
                path = next(paths)
                seen = [whose(Path(current, path).read_bytes(), wanted[path])]
        except OSError as error:
            counts["failed"] += 1
            sys.stderr.write(f"{error}\n")
            continue
        counts["torn"] += "" in seen
        counts["mixed"] += len(set(seen)) > 1
        if seen[0]:
            counts[seen[0]] += 1
    sys.stdout.write(json.dumps(counts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
