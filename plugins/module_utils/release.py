# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases on a host: the flip of `current`, drift, and pruning; `release_stage` brings them here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from . import guard
from .release_format import (
    MANIFEST,
    MAX_MANIFEST,
    SHORT,
    content_hash,
)

CURRENT = "current"
RELEASES = "releases"
KEPT = ".timmy-kept-"
# The manifest of a release that is being removed: from this rename on it is no release any more.
GONE = ".manifest.gone.json"
RELEASE_NAME = re.compile(rf"[0-9a-f]{{{SHORT}}}")
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


def is_folder(path: str) -> bool:
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
        problem = differs(os.path.join(directory, path), entry)
        if problem:
            found.append({"path": path, "problem": problem})
    return found


def differs(full: str, entry: Mapping[str, Any]) -> str:
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
        names = [name for name in os.listdir(base) if RELEASE_NAME.fullmatch(name)]
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
    return bool(RELEASE_NAME.fullmatch(name)) and os.path.isdir(full) and not os.listdir(full)


def remove_leftovers(root: str) -> None:
    """Finish what killed runs began."""
    for name in leftovers(root):
        full = os.path.join(root, RELEASES, name)
        if _LEFTOVER.fullmatch(name):
            remove_tree(full)
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


def remove_tree(path: str) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(path)
