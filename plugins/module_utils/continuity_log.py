# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log: one record a line, appended by many processes at once, none of which can take a record from another.

An append holds the log by flock while it looks at the last byte and makes one write. A torn tail of
somebody who was killed is closed with a newline and stays: cutting it could cut a record that is just being
confirmed. What was written is made durable after the lock is given back, so writers wait for the disk side
by side.

continuity_rewrite.py says how a log is replaced meanwhile.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from . import continuity_files as files
from .continuity_frame import MAX_LINE, SCHEMA, ContinuityError, FrameError, InputError, seal, unseal, version

Record = dict[str, Any]
MAX_APPEND = 64 << 20
_TRIES = 1000
CHUNK = 1 << 20
AS_IT_WAS = "the log is as it was"


class NewerSchemaError(ContinuityError):
    """A file was written by a newer program; nothing was changed."""


class Rows(list[Record]):
    """The good records of a log. `bad` counts skipped lines; `sealed`: whether the last has its newline."""

    bad: int = 0
    sealed: bool = True


@dataclass(frozen=True)
class Line:
    """A line of a log: where it is in bytes, its record, or why it has none."""

    number: int
    start: int
    end: int
    record: Record | None = None
    why: str = ""
    sealed: bool = True


@dataclass
class LogVerdict:
    """What a log holds. `bad` has line, byte offset and reason of each line that is not good."""

    path: str
    rows: int = 0
    newer: int = 0
    sealed: bool = True
    bad: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every line is good."""
        return not self.bad


def append_jsonl(
    path: str | os.PathLike[str],
    records: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    mode: int = files.FILE_MODE,
) -> int:
    """Append one record or several, all or none; durable when this returns. Returns how many.

    InputError for what cannot be written, StorageError where the disk is in the way: the log is then as it
    was.
    """
    path = os.fspath(path)
    rows = [records] if isinstance(records, (dict, Mapping)) else list(records)
    payload = b"".join([sealed(path, row) for row in rows])
    if len(payload) > MAX_APPEND:
        raise InputError(
            f"{path}: {len(payload)} bytes at once are more than {MAX_APPEND}; append smaller groups"
        )
    if rows:
        _append(path, mode, lambda _handle: payload)
    return len(rows)


def append_once(
    path: str | os.PathLike[str],
    record: Mapping[str, Any],
    key: str = "id",
    mode: int = files.FILE_MODE,
    dry: bool = False,
) -> bool:
    """Append a record unless one with the same id is there; whether it was not. Durable in both cases.

    InputError where the id stands there with other content. With `dry` nothing is written.
    """
    path = os.fspath(path)
    line = sealed(path, record)
    if not isinstance(record.get(key), str) or not record[key]:
        raise InputError(f'{path}: the record needs a text under "{key}", by which it is known')
    if dry:
        return _standing(path, read(path), record, key) is None
    new: list[bool] = []

    def missing(handle: int) -> bytes:
        new.append(_standing(path, lines_of(handle), record, key) is None)
        return line if new[0] else b""

    # Also where another one wrote it, who may not have come as far as the disk.
    _append(path, mode, missing)
    return new[0]


def load_jsonl(path: str | os.PathLike[str], schema: int = SCHEMA) -> Rows:
    """The records of a log; no log is none. Bad lines are counted in `bad` and skipped.

    StorageError where it cannot be read, NewerSchemaError where a record is newer than `schema`.
    """
    path = os.fspath(path)
    rows = Rows()
    for line in read(path):
        rows.sealed = line.sealed
        if line.record is None:
            rows.bad += 1
        else:
            known(path, line, schema)
            rows.append(line.record)
    return rows


def count_jsonl_rows(path: str | os.PathLike[str]) -> int:
    """How many good records a log has, of whatever schema."""
    return sum(line.record is not None for line in read(os.fspath(path)))


def verify_log(path: str | os.PathLike[str], schema: int = SCHEMA) -> LogVerdict:
    """Look at every line. StorageError where the log cannot be read, or is not there."""
    path = os.fspath(path)
    verdict = LogVerdict(path)
    for line in read(path, needed=True):
        verdict.sealed = line.sealed
        if line.record is None:
            verdict.bad.append({"line": line.number, "at": line.start, "why": line.why})
        else:
            verdict.rows += 1
            verdict.newer += version(line.record) > schema
    return verdict


# -- one append --------------------------------------------------------------------------------


def sealed(path: str, record: Mapping[str, Any]) -> bytes:
    try:
        return seal(record)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _append(path: str, mode: int, payload_for: Callable[[int], bytes]) -> None:
    """Hold the log, write what is to be written, give the log back, and wait for the disk."""
    try:
        handle, size = _hold(path, mode)
        try:
            payload = payload_for(handle)
            if payload:
                _write(path, handle, size, payload)
            fcntl.flock(handle, fcntl.LOCK_UN)
            # Who is about to write as well writes first, and one commit of the disk serves all; else the
            # first one begins it, the others just miss it, and eight writers get two thirds of the speed.
            os.sched_yield()
            _durable(path, handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise files.storage_error(path, error, AS_IT_WAS) from error


@contextmanager
def locked(path: str, mode: int | None) -> Iterator[int]:
    """The log that has this name now, held alone; made where it is not there and `mode` is given."""
    handle, _size = _hold(path, mode)
    try:
        yield handle
    finally:
        os.close(handle)


def _hold(path: str, mode: int | None) -> tuple[int, int]:
    """The log that has this name now, open and locked, and its size."""
    for _try in range(_TRIES):
        handle = _open(path, mode)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                raise OSError(errno.ENXIO, "not a regular file")
            if _has_name(path, about):
                if about.st_size == 0 or about.st_nlink != 1:
                    _settle(path, handle)
                return handle, about.st_size
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    raise files.StorageError(f"{path}: it is replaced again and again; {AS_IT_WAS}")


def _open(path: str, mode: int | None) -> int:
    flags = os.O_RDWR | os.O_APPEND | files.FLAGS
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        if mode is None:
            raise
    try:
        return files.make(path, mode, os.O_APPEND)
    except FileExistsError:
        return os.open(path, flags)


def _has_name(path: str, about: os.stat_result) -> bool:
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return False
    return there.st_ino == about.st_ino and there.st_dev == about.st_dev


def _settle(path: str, handle: int) -> None:
    """Make the name durable where the one who gave it might not have come so far."""
    with files.folder_of(path) as folder:
        os.fsync(folder)
        second = second_name(path)
        if files.same_file(second, handle, folder):
            files.remove(second, folder)


def second_name(path: str) -> str:
    return f".{files.split(path)[1]}.settling"


def _write(path: str, handle: int, size: int, payload: bytes) -> None:
    """One write at the end of a log that is held; all of it or nothing."""
    if size and os.pread(handle, 1, size - 1) != b"\n":
        payload = b"\n" + payload
    written = os.write(handle, payload)
    if written != len(payload):
        os.ftruncate(handle, size)
        raise files.StorageError(
            f"{path}: only {written} of {len(payload)} bytes found room; {AS_IT_WAS}, free some space"
        )


def _durable(path: str, handle: int) -> None:
    try:
        os.fsync(handle)
    except OSError as error:
        what = "whether the record is on disk is not known; look before you append it again"
        raise files.storage_error(path, error, what) from error


# -- reading -----------------------------------------------------------------------------------


def read(path: str, needed: bool = False) -> Iterator[Line]:
    """The lines of a log as they are at one moment; nobody waits while they are read."""
    with files.told(path, "nothing of it was read"):
        for _try in range(_TRIES):
            try:
                handle = files.open_file(path, os.O_RDONLY)
            except FileNotFoundError:
                if needed:
                    raise
                return
            try:
                fcntl.flock(handle, fcntl.LOCK_SH)
                if files.same_file(path, handle):
                    size = os.fstat(handle).st_size
                    fcntl.flock(handle, fcntl.LOCK_UN)
                    yield from lines_of(handle, size)
                    return
            finally:
                os.close(handle)
    raise files.StorageError(f"{path}: it is replaced again and again; nothing of it was read")


def lines_of(handle: int, size: int | None = None) -> Iterator[Line]:
    """The lines of an open log up to a size; a line that is too long is not kept in memory."""
    end = os.fstat(handle).st_size if size is None else size
    with os.fdopen(os.dup(handle), "rb") as source:
        source.seek(0)
        at = number = 0
        while at < end:
            number, start = number + 1, at
            piece = source.readline(min(MAX_LINE + 1, end - at))
            at += len(piece)
            whole = piece
            while piece and not piece.endswith(b"\n") and at < end:
                piece, whole = source.readline(min(CHUNK, end - at)), b""
                at += len(piece)
            if not piece:
                raise OSError(0, "it became shorter while it was read")
            yield _judged(number, start, at, whole, piece.endswith(b"\n"))


def _judged(number: int, start: int, end: int, whole: bytes, sealed: bool) -> Line:
    if not whole:
        return Line(number, start, end, None, "too long", sealed)
    try:
        # Only the newline goes: a line may end where a killed writer got to, the newline apart.
        return Line(number, start, end, unseal(whole[:-1] if sealed else whole), "", sealed)
    except FrameError as error:
        return Line(number, start, end, None, str(error) if sealed else "torn", sealed)


def known(path: str, line: Line, schema: int) -> None:
    found = version(line.record or {})
    if found > schema:
        raise NewerSchemaError(
            f"{path}: line {line.number} has schema {found}, and this program knows {schema}; "
            "nothing was changed, use the release that wrote it"
        )


def _standing(path: str, lines: Iterable[Line], record: Mapping[str, Any], key: str) -> Record | None:
    """The record with the same id, if there is one. InputError where it says something else."""
    for line in lines:
        if line.record is not None and line.record.get(key) == record[key]:
            if seal(line.record) != seal(record):
                raise InputError(f"{path}: {record[key]!a} stands there with other content; use another id")
            return line.record
    return None
