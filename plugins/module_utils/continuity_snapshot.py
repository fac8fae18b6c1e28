# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot: one JSON document, replaced whole, with a generation number that lets a writer say what it
has seen.

What stands in the file is one line of the frame in continuity_frame.py: schema, generation, time, data,
checksum. A new one is written beside it, made durable and renamed; before that the old one gets a second
name that ends in its generation (`state.json.g7`), and the last of those stay. Writers of a folder take
turns; readers never wait.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from . import continuity_files as files
from .continuity_frame import SCHEMA, ContinuityError, FrameError, InputError, counts, seal, unseal, version
from .continuity_log import NewerSchemaError

GENERATIONS = 3
MAX_SNAPSHOT = 16 << 20
_AS_IT_WAS = "what stood there is as it was"
_RAISE: Any = object()


class MissingError(ContinuityError):
    """There is no such snapshot, and never was one that left a generation."""


class UnreadableError(ContinuityError):
    """A snapshot cannot be read. `last_good` is the path of its last good generation, "" without one."""

    def __init__(self, line: str, last_good: str = "", generation: int = 0) -> None:
        super().__init__(line)
        self.last_good = last_good
        self.generation = generation


class ConflictError(ContinuityError):
    """Somebody else wrote meanwhile. `generation` is the one that stands there."""

    def __init__(self, line: str, generation: int) -> None:
        super().__init__(line)
        self.generation = generation


@dataclass(frozen=True)
class Snapshot:
    """A document as it was read or written. Generation 0 stands for one that is not there."""

    data: Any
    generation: int = 0
    schema: int = SCHEMA
    at: str = ""


@dataclass
class SnapshotVerdict:
    """How a snapshot and its older generations are. `why` is empty where the newest one is good."""

    path: str
    generation: int = 0
    why: str = ""
    newer: bool = False
    good: list[int] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    last_good: str = ""

    @property
    def ok(self) -> bool:
        """Whether it can be read, and all its generations too."""
        return not self.why and not self.bad


def read_json(path: str | os.PathLike[str], default: Any = _RAISE, schema: int = SCHEMA) -> Any:
    """The data of a snapshot. `default` is for one that never was; without it that is a MissingError.

    UnreadableError for one that is damaged, gone or out of reach, NewerSchemaError for one newer than
    `schema`.
    """
    return read_snapshot(path, default, schema).data


def read_snapshot(path: str | os.PathLike[str], default: Any = _RAISE, schema: int = SCHEMA) -> Snapshot:
    """The data with its generation, schema and time; as `read_json` otherwise."""
    path = os.fspath(path)
    try:
        with files.folder_of(path) as folder:
            return _current(path, folder, default, schema)
    except FileNotFoundError:
        if default is _RAISE:
            raise MissingError(f"{path}: there is no such snapshot") from None
        return Snapshot(default)
    except OSError as error:
        raise UnreadableError(str(files.storage_error(path, error, "nothing of it was read"))) from error


def write_json(
    path: str | os.PathLike[str],
    data: Any,
    *,
    generation: int | None = None,
    schema: int = SCHEMA,
    mode: int | None = None,
) -> Snapshot:
    """Replace a snapshot, durably; with `generation` only if that one stands there, where 0 means none.

    ConflictError if it is another one, StorageError where the disk is in the way. One that is unreadable or
    newer is never replaced. `mode` is that of the file there, or 0600, unless it is given.
    """
    return update_json(path, lambda _old: data, None, generation=generation, schema=schema, mode=mode)


def update_json(
    path: str | os.PathLike[str],
    change: Callable[[Any], Any],
    default: Any = _RAISE,
    *,
    generation: int | None = None,
    schema: int = SCHEMA,
    mode: int | None = None,
) -> Snapshot:
    """Replace a snapshot by what `change` makes of its data, with no other writer in between."""
    path = os.fspath(path)
    with files.told(path, _AS_IT_WAS), files.folder_of(path, lock=True) as folder:
        old = _current(path, folder, default, schema)
        if generation is not None and generation != old.generation:
            raise ConflictError(
                f"{path}: generation {old.generation or 'none'} stands there, not {generation or 'none'}; "
                "read it again and decide anew",
                old.generation,
            )
        return _put(path, folder, old.generation, Snapshot(change(old.data), schema=schema), mode)


def verify_snapshot(path: str | os.PathLike[str], schema: int = SCHEMA) -> SnapshotVerdict:
    """Look at a snapshot and its generations. MissingError where there is none of them."""
    path = os.fspath(path)
    try:
        with files.folder_of(path) as folder:
            return _verdict(path, folder, schema)
    except OSError as error:
        raise files.storage_error(path, error, "nothing of it was read") from error


def repair_snapshot(path: str | os.PathLike[str], schema: int = SCHEMA, dry: bool = False) -> list[str]:
    """Move what is unreadable aside and put the last good generation in its place. Returns what was done.

    The data returns under a new generation number, so nobody takes it for what was lost. UnreadableError
    where no good generation is left: then nothing is touched.
    """
    path = os.fspath(path)
    with files.told(path, _AS_IT_WAS), files.folder_of(path, lock=not dry) as folder:
        verdict = _verdict(path, folder, schema)
        if verdict.newer:
            raise NewerSchemaError(
                f"{path}: {verdict.why}; nothing was changed, use the release that wrote it"
            )
        if verdict.why and not verdict.last_good:
            raise _unreadable(path, verdict)
        name = files.split(path)[1]
        # One number is left out: what was lost may have had it, and somebody may remember that.
        before = max(_generations(folder, name), default=0) + 1
        bad = [*verdict.bad, *([name] if verdict.why and name in files.names(folder) else [])]
        done = [_aside(folder, name, one, dry) for one in bad]
        if verdict.why:
            number = verdict.good[-1]
            good = _load(folder, f"{name}.g{number}", schema)
            if not dry:
                _put(path, folder, before, good, _mode(folder, f"{name}.g{number}"))
            done.append(f"generation {number} stands again as generation {before + 1}")
        return done


# -- reading -----------------------------------------------------------------------------------


def _current(path: str, folder: int, default: Any, schema: int) -> Snapshot:
    name = files.split(path)[1]
    try:
        found = _load(folder, name, schema)
    except (OSError, FrameError) as error:
        verdict = _verdict(path, folder, schema, missing_ok=True)
        if isinstance(error, FileNotFoundError) and not verdict.good and not verdict.bad:
            if default is _RAISE:
                raise MissingError(f"{path}: there is no such snapshot") from None
            return Snapshot(default)
        if verdict.why:
            raise _unreadable(path, verdict) from error
        # Somebody wrote it between the two looks.
        found = _load(folder, name, schema)
    if found.schema > schema:
        raise NewerSchemaError(
            f"{path}: it has schema {found.schema}, and this program knows {schema}; "
            "nothing was changed, use the release that wrote it"
        )
    return found


def _load(folder: int, name: str, known: int) -> Snapshot:
    """The snapshot in a file. FrameError where it is damaged; a newer one comes without its data."""
    handle = files.open_file(name, os.O_RDONLY, folder)
    with os.fdopen(handle, "rb") as source:
        line = source.read(MAX_SNAPSHOT + 1)
    if not line.endswith(b"\n"):
        raise FrameError("too long" if len(line) > MAX_SNAPSHOT else "it does not end where it should")
    record = unseal(line[:-1])
    generation, schema = record.get("generation"), version(record)
    if not counts(generation) or (schema <= known and "data" not in record):
        raise FrameError("not a snapshot")
    return Snapshot(record.get("data"), generation, schema, str(record.get("at", "")))


def _generations(folder: int, name: str) -> list[int]:
    """Numbers of the older generations that have a file, lowest first."""
    mine = re.compile(re.escape(name) + r"\.g([1-9][0-9]{0,17})")
    return sorted(int(found[1]) for one in files.names(folder) if (found := mine.fullmatch(one)))


def _verdict(path: str, folder: int, schema: int, missing_ok: bool = False) -> SnapshotVerdict:
    where, name = os.path.dirname(path), files.split(path)[1]
    verdict = SnapshotVerdict(path)
    for number in _generations(folder, name):
        one = f"{name}.g{number}"
        try:
            found = _load(folder, one, schema)
        except (OSError, FrameError):
            verdict.bad.append(one)
            continue
        if found.schema <= schema:
            verdict.good.append(number)
            verdict.last_good = os.path.join(where, one)
    try:
        current = _load(folder, name, schema)
    except FileNotFoundError:
        if not missing_ok and not verdict.good and not verdict.bad:
            raise MissingError(f"{path}: there is no such snapshot") from None
        verdict.why = "it is gone"
    except OSError as error:
        verdict.why = str(files.storage_error("", error, "")).strip(" ;:")
    except FrameError as error:
        verdict.why = str(error)
    else:
        verdict.generation = current.generation
        if current.schema > schema:
            verdict.newer, verdict.why = (
                True,
                f"it has schema {current.schema}, and this program knows {schema}",
            )
        else:
            verdict.last_good = path
    return verdict


def _unreadable(path: str, verdict: SnapshotVerdict) -> UnreadableError:
    if not verdict.last_good:
        return UnreadableError(
            f"{path}: unreadable: {verdict.why}; no good generation is left, move it away to begin anew"
        )
    number = verdict.good[-1]
    return UnreadableError(
        f"{path}: unreadable: {verdict.why}; "
        f"its last good generation is {number}, {verdict.last_good}; repair puts it back",
        verdict.last_good,
        number,
    )


# -- writing -----------------------------------------------------------------------------------


def _put(path: str, folder: int, before: int, new: Snapshot, mode: int | None) -> Snapshot:
    """Write a document as the generation after `before`, for whoever holds the folder."""
    name = files.split(path)[1]
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    new = replace(new, generation=before + 1, at=at)
    record = {"schema": new.schema, "generation": new.generation, "at": at, "data": new.data}
    try:
        line = seal(record, MAX_SNAPSHOT)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    files.sweep(folder, name)
    with files.draft(name, folder, [line], _mode(folder, name) if mode is None else mode) as (temp, _handle):
        if before:
            _keep(folder, name, before)
        os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
    for number in _generations(folder, name)[: 1 - GENERATIONS]:
        files.remove(f"{name}.g{number}", folder)
    return new


def _keep(folder: int, name: str, number: int) -> None:
    """Give the file that is about to be replaced a second name."""
    kept = f"{name}.g{number}"
    try:
        os.link(name, kept, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    except FileExistsError:
        # From a writer that was killed at this place, or of another life of this name.
        if not _same(folder, name, kept):
            _aside(folder, name, kept, dry=False)
            os.link(name, kept, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)


def _mode(folder: int, name: str) -> int:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode & 0o777
    except FileNotFoundError:
        return files.FILE_MODE


def _same(folder: int, one: str, other: str) -> bool:
    here, there = (os.stat(each, dir_fd=folder, follow_symlinks=False) for each in (one, other))
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _aside(folder: int, name: str, one: str, dry: bool) -> str:
    """Rename a file after what is in it, so that it is in nobody's way and not lost."""
    try:
        with os.fdopen(files.open_file(one, os.O_RDONLY, folder), "rb") as source:
            digest = hashlib.blake2b(source.read(MAX_SNAPSHOT + 1), digest_size=8).hexdigest()
    except OSError:
        digest = os.urandom(8).hex()
    aside = f"{name}.bad-{digest}"
    if not dry:
        os.rename(one, aside, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    return f"{one} is now {aside}"
