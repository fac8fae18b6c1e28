# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log that is replaced: compacted, repaired or written anew, while others go on appending to it.

The new file takes the place of the old one by rename, under the lock of both. Between that rename and the
moment when it is durable it has a second name; whoever takes the lock and sees it makes the rename durable
first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from . import continuity_files as files
from .continuity_frame import SCHEMA
from .continuity_log import AS_IT_WAS, CHUNK, Line, Rows, known, lines_of, locked, read, sealed, second_name


@dataclass
class LogChange:
    """What replacing a log did: rows kept, rows dropped, bad lines moved to the file `aside`."""

    kept: int = 0
    dropped: int = 0
    moved: int = 0
    aside: str = ""


def write_jsonl(
    path: str | os.PathLike[str],
    records: Iterable[Mapping[str, Any]],
    mode: int = files.FILE_MODE,
    schema: int = SCHEMA,
) -> int:
    """Replace the records of a log in one step; returns how many. Bad lines are moved aside first."""
    path = os.fspath(path)
    lines = [sealed(path, record) for record in records]
    _replace(path, lambda _rows: [], schema, mode, added=lines)
    return len(lines)


def compact_jsonl(
    path: str | os.PathLike[str],
    keep: Callable[[Rows], Iterable[int]],
    schema: int = SCHEMA,
    dry: bool = False,
) -> LogChange:
    """Leave only the rows whose positions `keep` picks from all good ones. Bad lines are moved aside."""
    return _replace(os.fspath(path), keep, schema, None, dry=dry)


def repair_log(path: str | os.PathLike[str], dry: bool = False) -> LogChange:
    """Move bad lines to a file beside the log; every good line stays, of whatever schema."""
    return _replace(os.fspath(path), None, SCHEMA, None, dry=dry)


def _replace(
    path: str,
    keep: Callable[[Rows], Iterable[int]] | None,
    schema: int,
    mode: int | None,
    *,
    added: Iterable[bytes] = (),
    dry: bool = False,
) -> LogChange:
    """Replace a log by those of its rows that stay, and new ones. Without `keep` all stay."""
    if dry:
        return _plan(path, list(read(path)), keep, schema)[0]
    with files.told(path, AS_IT_WAS), locked(path, mode) as handle:
        change, stay, bad = _plan(path, list(lines_of(handle)), keep, schema)
        if not change.dropped and not change.moved and not added:
            _seal_tail(handle)
            return change
        with files.folder_of(path) as folder, os.fdopen(os.dup(handle), "rb") as source:
            files.sweep(folder, files.split(path)[1])
            if bad:
                change.aside = _move_aside(path, folder, source, bad)
            _take_place(path, folder, source, stay, added=added, mode=os.fstat(handle).st_mode & 0o777)
    return change


def _plan(
    path: str, lines: list[Line], keep: Callable[[Rows], Iterable[int]] | None, schema: int
) -> tuple[LogChange, list[Line], list[Line]]:
    good = [line for line in lines if line.record is not None]
    bad = [line for line in lines if line.record is None]
    stay = good
    if keep is not None:
        for line in good:
            known(path, line, schema)
        chosen = set(keep(Rows(line.record for line in good if line.record is not None)))
        stay = [line for number, line in enumerate(good) if number in chosen]
    return LogChange(kept=len(stay), dropped=len(good) - len(stay), moved=len(bad)), stay, bad


def _seal_tail(handle: int) -> None:
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        os.write(handle, b"\n")
        os.fsync(handle)


def _parts(source: BinaryIO, lines: Iterable[Line]) -> Iterator[bytes]:
    """The bytes of some lines, each with a newline at its end."""
    for line in lines:
        source.seek(line.start)
        left = line.end - line.start
        while left:
            part = source.read(min(CHUNK, left))
            if not part:
                raise OSError(0, "it became shorter while it was read")
            left -= len(part)
            yield part
        if not line.sealed:
            yield b"\n"


def _move_aside(path: str, folder: int, source: BinaryIO, bad: list[Line]) -> str:
    """Keep bad lines in a file named after its content: a repair that was killed is simply repeated."""
    digest = hashlib.blake2b(digest_size=8)
    for part in _parts(source, bad):
        digest.update(part)
    name = files.split(path)[1]
    aside = f"{name}.bad-{digest.hexdigest()}"
    with files.draft(name, folder, _parts(source, bad), files.FILE_MODE) as (temp, _handle):
        os.rename(temp, aside, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
    return os.path.join(os.path.dirname(path), aside)


def _take_place(
    path: str, folder: int, source: BinaryIO, stay: list[Line], *, added: Iterable[bytes], mode: int
) -> None:
    """Put a log of other lines in the place of the one that is held."""
    name, second = files.split(path)[1], second_name(path)
    lines = (part for parts in (_parts(source, stay), added) for part in parts)
    with files.draft(name, folder, lines, mode) as (temp, handle):
        # Held as well until its name is durable: only after a kill is that left to somebody else.
        fcntl.flock(handle, fcntl.LOCK_EX)
        files.remove(second, folder)
        try:
            os.link(temp, second, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            files.remove(second, folder)
            raise
        os.fsync(folder)
        files.remove(second, folder)
