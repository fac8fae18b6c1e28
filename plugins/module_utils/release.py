# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases on a host: staging, the flip of `current`, drift, and pruning."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from . import guard, host_room
from .release_format import (
    MANIFEST,
    MAX_MANIFEST,
    SHORT,
    Elsewhere,
    LackingError,
    ReleaseError,
    Source,
    content_hash,
    encode_manifest,
    mtime_of,
    read_archive,
)

CURRENT = "current"
RELEASES = "releases"
KEPT = ".timmy-kept-"
# The manifest of a release that is being removed: from this rename on it is no release any more.
GONE = ".manifest.gone.json"
_BLOCK = 4096
_NAME = re.compile(rf"[0-9a-f]{{{SHORT}}}")
_LEFTOVER = re.compile(rf"\.[0-9a-f]{{{SHORT}}}\.(tmp|bad)-\d+")


# The guard's way of replacing a file: a kill leaves one temporary name, which the next run replaces.
fsync_dir = guard.fsync_dir
write_file = guard.write_file


def aside_name(full: str) -> str:
    """The free name beside a path that whatever stands there would get."""
    number = 1
    while os.path.lexists(f"{full}{KEPT}{number}"):
        number += 1
    return f"{full}{KEPT}{number}"


def set_aside(full: str) -> str:
    """Rename what stands in our place to a free name; nothing is ever lost."""
    name = aside_name(full)
    os.rename(full, name)
    return name


def release_dir(root: str, digest: str) -> str:
    """Where a release lives."""
    return os.path.join(root, RELEASES, digest[:SHORT])


def current_name(root: str) -> str:
    """The directory name of the active release, "" where there is none."""
    try:
        target = os.readlink(os.path.join(root, CURRENT))
    except OSError:
        return ""
    head, name = os.path.split(target)
    return name if head == RELEASES else ""


def load_manifest(directory: str, name: str = MANIFEST) -> dict[str, Any]:
    """The manifest of a release on this host, {} where there is none that can be read."""
    try:
        with open(os.path.join(directory, name), "rb") as handle:
            data = json.loads(handle.read(MAX_MANIFEST + 1))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) and isinstance(data.get("files"), dict) else {}


def stage(source: Source, root: str, wanted: str, *, hermes_root: str, config_dir: str) -> str:
    """Unpack, check and make durable a release, or mend the one that is there; returns its directory.

    What the archive leaves out comes from the active release; LackingError where it has it no more.
    """
    final = release_dir(root, wanted)
    if load_manifest(final).get("hash") == wanted and not drift(final):
        return final
    with _refused():
        manifest, contents = read_archive(
            source,
            hermes_root=hermes_root,
            config_dir=config_dir,
            elsewhere=contents_of(os.path.join(root, RELEASES, current_name(root))),
        )
        if manifest["hash"] != wanted:
            raise ReleaseError(f"it holds release {manifest['hash'][:SHORT]}, not {wanted[:SHORT]}")
    os.makedirs(os.path.join(root, RELEASES), mode=0o755, exist_ok=True)
    # First, since a disk may be full of what killed runs left.
    remove_leftovers(root)
    staging = os.path.join(root, RELEASES, f".{wanted[:SHORT]}.tmp-{os.getpid()}")
    _remove_tree(staging)
    try:
        host_room.check(os.path.join(root, RELEASES), *_size_of(manifest))
        with _refused():
            _fill(staging, manifest, contents)
        _put_in_place(staging, final, manifest)
    finally:
        _remove_tree(staging)
    return final


def contents_of(directory: str) -> Elsewhere:
    """Finds a content in a release by its sha256. It is copied, not linked: releases share no damage."""
    files = load_manifest(directory).get("files", {})
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


def _fill(staging: str, manifest: Mapping[str, Any], contents: Iterator[tuple[str, bytes]]) -> None:
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
        fsync_dir(name)


def _write_member(full: str, content: bytes, mode: int, mtime: int) -> None:
    handle = os.open(full, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(content)
        out.flush()
        os.fchmod(out.fileno(), mode)
        os.utime(out.fileno(), (mtime, mtime))


def _put_in_place(staging: str, final: str, manifest: Mapping[str, Any]) -> None:
    if _is_folder(final):
        _mend(staging, final, manifest)
        return
    if os.path.lexists(final):
        set_aside(final)
    os.rename(staging, final)
    fsync_dir(os.path.dirname(final))


def _mend(staging: str, final: str, manifest: Mapping[str, Any]) -> None:
    """Move what is damaged over from a good tree, each file or link by one rename.

    Not by exchanging the trees: who holds the directory open goes on reading this very release, by path
    nothing is missing for a moment, and files of others keep their place.
    """
    whole = {MANIFEST: _entry_of(encode_manifest(manifest)), **manifest["files"]}
    touched = set()
    for path in sorted(path for path, entry in whole.items() if _differs(os.path.join(final, path), entry)):
        _make_way(final, path)
        full = os.path.join(final, path)
        os.rename(os.path.join(staging, path), full)
        touched.add(os.path.dirname(full))
    for folder in sorted(touched):
        fsync_dir(folder)


def _entry_of(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "mode": "0644", "size": len(content)}


def _make_way(directory: str, path: str) -> None:
    """Real folders down to a path, and no folder in its place."""
    folder = directory
    for part in path.split("/")[:-1]:
        folder = os.path.join(folder, part)
        if _is_folder(folder):
            continue
        if os.path.lexists(folder):
            set_aside(folder)
        os.mkdir(folder, 0o755)
        fsync_dir(os.path.dirname(folder))
    full = os.path.join(directory, path)
    if _is_folder(full):
        set_aside(full)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def flip(root: str, name: str) -> None:
    """Make `current` lead to a release (or to none, with an empty name) in one rename."""
    link = os.path.join(root, CURRENT)
    if not name:
        guard.remove_file(link)
    else:
        guard.set_link(link, f"{RELEASES}/{name}")


def drift(directory: str) -> list[dict[str, str]]:
    """What differs between a release directory and its own manifest."""
    found: list[dict[str, str]] = []
    manifest = load_manifest(directory)
    if not manifest:
        return [{"path": MANIFEST, "problem": "missing or unreadable"}]
    if content_hash(manifest) != manifest.get("hash"):
        found.append({"path": MANIFEST, "problem": "edited"})
    for path, entry in sorted(manifest["files"].items()):
        problem = _differs(os.path.join(directory, path), entry)
        if problem:
            found.append({"path": path, "problem": problem})
    return found


def _differs(full: str, entry: Mapping[str, Any]) -> str:
    try:
        status = os.lstat(full)
        if "link" in entry:
            good = stat.S_ISLNK(status.st_mode) and os.readlink(full) == entry["link"]
            return "" if good else "link edited"
        if not stat.S_ISREG(status.st_mode):
            return "not a regular file"
        # Of another size it need not be read, however large somebody made it.
        good = status.st_size == entry["size"] and _sha256(full) == entry["sha256"]
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return str(error.strerror)
    mode = stat.S_IMODE(status.st_mode)
    if good and mode != int(entry["mode"], 8):
        return f"mode {mode:04o}"
    return "" if good else "edited"


def _sha256(full: str) -> str:
    with open(full, "rb") as handle:
        return hashlib.sha256(handle.read()).hexdigest()


def _by_age(root: str) -> list[tuple[float, str]]:
    """The directories that may be releases, newest first, as (change time, name).

    The change time says when a release came to this host; a manifest has no clock.
    """
    base = os.path.join(root, RELEASES)
    try:
        names = [name for name in os.listdir(base) if _NAME.fullmatch(name)]
    except OSError:
        return []
    return sorted(((os.stat(os.path.join(base, name)).st_ctime, name) for name in names), reverse=True)


def releases(root: str) -> list[tuple[str, dict[str, Any]]]:
    """The releases of this host, newest first, as (directory name, manifest)."""
    base = os.path.join(root, RELEASES)
    found = [(name, load_manifest(os.path.join(base, name))) for _when, name in _by_age(root)]
    return [(name, manifest) for name, manifest in found if str(manifest.get("hash", "")).startswith(name)]


def spare(root: str, keep: int, protected: set[str], young_s: float = 0) -> list[str]:
    """The releases that `prune` removes: beyond the `keep` newest, and not young."""
    born = {name: when for when, name in _by_age(root) if name not in protected}
    limit = time.time() - young_s
    # What is no release only takes a place here: without one too old, no manifest needs to be read.
    if not any(when <= limit for when in [*born.values()][max(keep, 0) :]):
        return []
    names = [name for name, _manifest in releases(root) if name in born][max(keep, 0) :]
    return [name for name in names if born[name] <= limit]


def prune(root: str, keep: int, protected: set[str], young_s: float = 0) -> list[str]:
    """Remove old releases beyond `keep`, file by file after their manifests; what is not ours stays.

    One that came within the last `young_s` seconds stays too: somebody may still read it or go back to it.
    """
    base = os.path.join(root, RELEASES)
    removed = spare(root, keep, protected, young_s)
    for name in removed:
        remove_release(os.path.join(base, name))
    remove_leftovers(root)
    return removed


def leftovers(root: str) -> list[str]:
    """What killed runs left half made or half removed, as directory names; the caller holds the lock."""
    base = os.path.join(root, RELEASES)
    with suppress(FileNotFoundError, NotADirectoryError):
        return [name for name in os.listdir(base) if _half_done(os.path.join(base, name), name)]
    return []


def _half_done(full: str, name: str) -> bool:
    if _LEFTOVER.fullmatch(name) or os.path.lexists(os.path.join(full, GONE)):
        return True
    return bool(_NAME.fullmatch(name)) and os.path.isdir(full) and not os.listdir(full)


def remove_leftovers(root: str) -> None:
    """Finish what killed runs began."""
    for name in leftovers(root):
        full = os.path.join(root, RELEASES, name)
        if _LEFTOVER.fullmatch(name):
            _remove_tree(full)
        else:
            remove_release(full)


def remove_release(directory: str) -> None:
    """Remove a release's own files and the directories that this leaves empty."""
    gone = os.path.join(directory, GONE)
    with suppress(FileNotFoundError):
        # A half removed release must never pass for one that could be activated.
        os.rename(os.path.join(directory, MANIFEST), gone)
    folders = set()
    for path in load_manifest(directory, GONE).get("files", {}):
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(os.path.join(directory, path))
        folder = os.path.dirname(path)
        while folder:
            folders.add(folder)
            folder = os.path.dirname(folder)
    for folder in sorted(folders, reverse=True):
        with suppress(OSError):
            os.rmdir(os.path.join(directory, folder))
    with suppress(FileNotFoundError):
        os.unlink(gone)
    with suppress(OSError):
        os.rmdir(directory)


def _remove_tree(path: str) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(path)
