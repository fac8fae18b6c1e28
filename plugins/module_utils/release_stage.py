# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release comes to a host: from an archive and the active one, checked and durable, by one rename."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from . import host_room, release
from .release_format import (
    MANIFEST,
    SHORT,
    Elsewhere,
    LackingError,
    ReleaseError,
    Source,
    encode_manifest,
    mtime_of,
    read_archive,
)

_BLOCK = 4096


def stage(source: Source, root: str, wanted: str, *, hermes_root: str, config_dir: str) -> str:
    """Unpack, check and make durable a release, or mend the one that is there; returns its directory.

    What the archive leaves out comes from the active release; LackingError where it has it no more.
    """
    final = release.release_dir(root, wanted)
    active = os.path.join(root, release.RELEASES, release.current_name(root))
    if release.load_manifest(final).get("hash") == wanted and not release.drift(final):
        return final
    with _refused():
        manifest, contents = read_archive(
            source,
            hermes_root=hermes_root,
            config_dir=config_dir,
            elsewhere=contents_of(active),
        )
        if manifest["hash"] != wanted:
            raise ReleaseError(f"it holds release {manifest['hash'][:SHORT]}, not {wanted[:SHORT]}")
    os.makedirs(os.path.join(root, release.RELEASES), mode=0o755, exist_ok=True)
    # First, since a disk may be full of what killed runs left.
    release.remove_leftovers(root)
    staging = os.path.join(root, release.RELEASES, f".{wanted[:SHORT]}.tmp-{os.getpid()}")
    release.remove_tree(staging)
    try:
        host_room.check(os.path.join(root, release.RELEASES), *_size_of(manifest))
        with _refused():
            _fill(staging, manifest, contents, active)
        _put_in_place(staging, final, manifest)
    finally:
        release.remove_tree(staging)
    return final


def contents_of(directory: str) -> Elsewhere:
    """Finds a content in a release by its sha256, as long as nobody damaged it there."""
    files = release.load_manifest(directory).get("files", {})
    places = {entry["sha256"]: (path, entry["size"]) for path, entry in files.items() if "sha256" in entry}

    def find(sha256: str) -> bytes | None:
        if sha256 not in places:
            return None
        try:
            path, size = places[sha256]
            handle = os.open(os.path.join(directory, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(handle, "rb") as stream:
            content = stream.read(size + 1)
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    return find


@contextmanager
def _refused() -> Iterator[None]:
    """An archive that is not as its controller made it: broken on the way, or made by somebody else."""
    try:
        yield
    except LackingError:
        raise
    except ReleaseError as error:
        raise ReleaseError(
            f"the archive is refused: {error}; nothing was changed, deploy again from a controller you trust"
        ) from error


def _size_of(manifest: Mapping[str, Any]) -> tuple[int, int]:
    """Bytes and files that a release needs on a disk."""
    sizes = [int(entry.get("size", 0)) for entry in manifest["files"].values()]
    folders = {os.path.dirname(path) for path in manifest["files"]}
    blocks = sum(-(-size // _BLOCK) for size in [*sizes, len(encode_manifest(manifest))])
    return (blocks + len(folders)) * _BLOCK, len(sizes) + len(folders) + 2


def _fill(
    staging: str, manifest: Mapping[str, Any], contents: Iterator[tuple[str, bytes]], active: str
) -> None:
    made = {staging}
    os.mkdir(staging, 0o755)

    def parent_of(path: str) -> str:
        full = os.path.join(staging, path)
        folder = os.path.dirname(full)
        missing = []
        while folder not in made:
            missing.append(folder)
            folder = os.path.dirname(folder)
        for name in reversed(missing):
            os.mkdir(name, 0o755)
            made.add(name)
        return full

    written: list[str] = []
    for path, content in contents:
        entry = manifest["files"][path]
        full = parent_of(path)
        if not _share(os.path.join(active, path), full, content, entry):
            _write_member(full, content, int(entry["mode"], 8), mtime_of(entry["sha256"]))
            written.append(full)
    for path, entry in manifest["files"].items():
        if "link" in entry:
            os.symlink(entry["link"], parent_of(path))
    full = os.path.join(staging, MANIFEST)
    _write_member(full, encode_manifest(manifest), 0o644, mtime_of(str(manifest["hash"])))
    # All writes are under way before the first wait, so the disk can order them.
    for name in [*written, full]:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    for name in sorted(made, reverse=True):
        os.chmod(name, 0o755)  # noqa: S103 - a release is for all agents to read
        release.fsync_dir(name)


def _share(source: str, full: str, content: bytes, entry: Mapping[str, Any]) -> bool:
    """Link a file of the active release that is the very same: it is on the disk already.

    A deploy then costs what changed, not what the overlay weighs. What is linked is looked at, not believed.
    """
    try:
        os.link(source, full, follow_symlinks=False)
    except OSError:
        return False
    status = os.lstat(full)
    if stat.S_ISREG(status.st_mode) and status.st_size == len(content):
        known = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_mtime_ns)
        wanted = (int(entry["mode"], 8), os.geteuid(), mtime_of(entry["sha256"]) * 1_000_000_000)
        with open(full, "rb") as handle:
            if known == wanted and handle.read() == content:
                return True
    os.unlink(full)
    return False


def _write_member(full: str, content: bytes, mode: int, mtime: int) -> None:
    handle = os.open(full, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fchmod(out.fileno(), mode)
        os.utime(out.fileno(), (mtime, mtime))


def _put_in_place(staging: str, final: str, manifest: Mapping[str, Any]) -> None:
    if release.is_folder(final):
        _mend(staging, final, manifest)
        return
    if os.path.lexists(final):
        release.set_aside(final)
    os.rename(staging, final)
    release.fsync_dir(os.path.dirname(final))


def _mend(staging: str, final: str, manifest: Mapping[str, Any]) -> None:
    """Move what is damaged over from a good tree, each file or link by one rename.

    Not by exchanging the trees: who holds the directory open goes on reading this very release, by path
    nothing is missing for a moment, and files of others keep their place.
    """
    whole = {MANIFEST: _entry_of(encode_manifest(manifest)), **manifest["files"]}
    touched: set[str] = set()
    damaged = (path for path, entry in whole.items() if release.differs(os.path.join(final, path), entry))
    for path in sorted(damaged):
        _make_way(final, path)
        full = os.path.join(final, path)
        sharers = _mend_sharers(final, staging, path, whole[path])
        os.rename(os.path.join(staging, path), full)
        touched.update(os.path.dirname(one) for one in (full, *sharers))
    for folder in sorted(touched):
        release.fsync_dir(folder)


def _mend_sharers(final: str, staging: str, path: str, entry: Mapping[str, Any]) -> list[str]:
    """Put right what other releases share of a damaged file, since one may have to go back to them."""
    mended: list[str] = []
    with suppress(FileNotFoundError):
        damaged = os.lstat(os.path.join(final, path))
        if not stat.S_ISREG(damaged.st_mode) or damaged.st_nlink == 1:
            return mended
        base, name = os.path.split(final)
        for other in sorted(set(filter(release.RELEASE_NAME.fullmatch, os.listdir(base))) - {name}):
            directory = os.path.join(base, other)
            full, spare_name = os.path.join(directory, path), os.path.join(staging, ".shared")
            if not os.path.lexists(full) or not os.path.samestat(os.lstat(full), damaged):
                continue
            theirs = release.load_manifest(directory).get("files", {}).get(path) or {}
            if theirs.get("sha256") == entry["sha256"]:
                os.link(os.path.join(staging, path), spare_name)
                os.rename(spare_name, full)
                mended.append(full)
    return mended


def _entry_of(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "mode": "0644", "size": len(content)}


def _make_way(directory: str, path: str) -> None:
    """Real folders down to a path, and no folder in its place."""
    folder = directory
    for part in path.split("/")[:-1]:
        folder = os.path.join(folder, part)
        if release.is_folder(folder):
            continue
        if os.path.lexists(folder):
            release.set_aside(folder)
        os.mkdir(folder, 0o755)
        release.fsync_dir(os.path.dirname(folder))
    full = os.path.join(directory, path)
    if release.is_folder(full):
        release.set_aside(full)
