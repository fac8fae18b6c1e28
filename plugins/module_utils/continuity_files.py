# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the files of continuity are opened, replaced and made durable. No link is followed at the last name
of a path.

Every name is looked up below an open folder, so what was checked is what is changed. A folder is locked by
flock on itself: no lock file is left behind, and the lock ends with its process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from .continuity_frame import ContinuityError

FILE_MODE = 0o600
FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "the file would be larger than this process may write",
    errno.EROFS: "the file system is read-only",
    errno.ELOOP: "it is a symbolic link, which is not followed",
    errno.ENXIO: "it is not a regular file",
    errno.EISDIR: "it is a folder",
}


class StorageError(ContinuityError):
    """The disk, or who may use it, is in the way. `errno` is the system's number, 0 where there is none."""

    def __init__(self, line: str, number: int = 0) -> None:
        super().__init__(line)
        self.errno = number


def storage_error(path: str, error: OSError, what: str) -> StorageError:
    """An error of the system as one line: the file, why, and what that means for what stands there."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
    return StorageError(f"{path}: {reason}; {what}", error.errno or 0)


@contextmanager
def told(path: str, what: str) -> Iterator[None]:
    """Turn errors of the system into StorageError; `what` says how things stand then."""
    try:
        yield
    except OSError as error:
        raise storage_error(path, error, what) from error


def split(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Folder and name of a path. StorageError where it cannot be a file's."""
    text = os.fspath(path)
    folder, name = os.path.split(text)
    if not name or name in {".", ".."} or "\0" in text:
        raise StorageError(f"{text!a} is no file's path")
    return folder or ".", name


@contextmanager
def folder_of(path: str, lock: bool = False) -> Iterator[int]:
    """The open folder of a path, held alone if so wanted."""
    where, _name = split(path)
    handle = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if lock:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def open_file(name: str, flags: int, folder: int | None = None, mode: int = FILE_MODE) -> int:
    """Open a regular file that is there; with O_CREAT one that is not."""
    handle = os.open(name, flags | FLAGS, mode, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.ENXIO, "not a regular file")
        if flags & os.O_CREAT:
            os.fchmod(handle, mode)
    except BaseException:
        os.close(handle)
        raise
    return handle


def make(name: str, mode: int, flags: int = 0, folder: int | None = None) -> int:
    """Make a file that must not be there yet, with exactly this mode whatever the umask says."""
    return open_file(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, folder, mode)


def sync_folder_of(path: str) -> None:
    """Make the names of a folder durable."""
    with folder_of(path) as folder:
        os.fsync(folder)


def write_all(handle: int, data: bytes) -> None:
    """Write it all to a file that nobody else knows yet."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def temp_name(name: str) -> str:
    """A name beside a file for what is to replace it."""
    return f".{name}.{os.urandom(6).hex()}.tmp"


def names(folder: int) -> list[str]:
    """All names in a folder, sorted."""
    return sorted(os.listdir(folder))


def sweep(folder: int, name: str) -> None:
    """Remove what killed writers left over. Only for whoever holds the lock that they held."""
    mine = re.compile(re.escape(f".{name}.") + r"[0-9a-f]{12}\.tmp")
    for one in names(folder):
        if mine.fullmatch(one):
            remove(one, folder)


def remove(name: str, folder: int) -> None:
    """Remove a name; that it is gone already is fine."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def same_file(name: str, handle: int, folder: int | None = None) -> bool:
    """Whether a name leads to an open file and not to one that took its place."""
    try:
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


@contextmanager
def draft(name: str, folder: int, parts: Iterable[bytes], mode: int) -> Iterator[tuple[str, int]]:
    """A new file beside another one, durable but for its name; gone again unless it was renamed."""
    temp = temp_name(name)
    handle = make(temp, mode, folder=folder)
    try:
        for part in parts:
            write_all(handle, part)
        os.fsync(handle)
        yield temp, handle
    except BaseException:
        with suppress(OSError):
            remove(temp, folder)
        raise
    finally:
        os.close(handle)
