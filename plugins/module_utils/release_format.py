# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is made of: the rules of its manifest, and its archive.

The archive holds regular files only. Links are made from the manifest, and only the few kinds that
`check_link` names, so nothing in a tar header can point out of the tree.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Optional, Union

SCHEMA = 1
SHORT = 16
MANIFEST = "manifest.json"
MODES = ("0644", "0755")
# An overlay holds text. A release is held in memory file by file, and its manifest as a whole.
MAX_FILES = 50_000
MAX_FILE = 16 * 1024 * 1024
MAX_TOTAL = 256 * 1024 * 1024
MAX_MANIFEST = 32 * 1024 * 1024
MAX_PATH = 1024
# What a tar header may add to itself: a long name, and a little more.
MAX_HEADER = 16 * 1024

# What would break a line, a terminal or an encoding.
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_AGENT = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_ENV_LINK = re.compile(r"agents/(?P<agent>[a-z][a-z0-9_-]{0,30})/managed/\.env")
# Release files get a time out of 2001..2010 from their own hash: Hermes caches by mtime and size.
_MTIME_BASE = 1_000_000_000


# How much of a sha256 names a content between two hosts; the whole of it is checked where it is used.
BLOB = 8

Source = Union[str, BinaryIO]  # noqa: UP007 - an alias is made when the module is loaded
Elsewhere = Callable[[str], Optional[bytes]]  # noqa: UP045 - as above
_FEWER = "an overlay holds text, keep data elsewhere"
_EXTRA = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


class ReleaseError(Exception):
    """A release is refused or could not be put in place; the message is one line."""


class LackingError(ReleaseError):
    """An archive leaves out what this host does not have."""


# --- manifest


def content_hash(manifest: Mapping[str, Any]) -> str:
    """The hash of everything the manifest says, itself excepted; equal on every controller."""
    body = {key: value for key, value in manifest.items() if key != "hash"}
    return hashlib.sha256(_canonical(body)).hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def make_manifest(
    files: Mapping[str, tuple[bytes, str]],
    links: Mapping[str, str],
    *,
    hermes_version: str,
    agents: list[str],
    classify: Callable[[str], tuple[str, str]],
) -> dict[str, Any]:
    """The manifest of a tree given as path -> (content, mode) and path -> link target."""
    entries: dict[str, dict[str, Any]] = {}
    for path, (content, mode) in files.items():
        owner, reload_class = classify(path)
        entries[path] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "mode": mode,
            "size": len(content),
            "class": owner,
            "reload": reload_class,
        }
    for path, target in links.items():
        if path in entries:
            raise ReleaseError(f"{path}: is both a file and a link")
        owner, reload_class = classify(path)
        entries[path] = {"link": target, "class": owner, "reload": reload_class}
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "hermes_version": hermes_version,
        "agents": sorted(agents),
        "files": {path: entries[path] for path in sorted(entries)},
    }
    manifest["hash"] = content_hash(manifest)
    return manifest


def encode_manifest(manifest: Mapping[str, Any]) -> bytes:
    """The bytes of manifest.json."""
    return (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode("utf-8")


def check_path(path: str) -> None:
    """Refuse every name that is not a plain relative path inside the tree."""
    if not path or len(path) > MAX_PATH or path.startswith("/"):
        raise ReleaseError(f"{path[:80]!r}: is not a relative path")
    for part in path.split("/"):
        if part in {"", ".", ".."} or len(part.encode("utf-8", "surrogateescape")) > 255:
            raise ReleaseError(f"{path[:80]!r}: has a part that does not belong into a path")
    if _CONTROL.search(path):
        raise ReleaseError(f"{path[:80]!r}: has a control character")


def check_link(path: str, target: str, *, hermes_root: str, config_dir: str) -> None:
    """Allow links inside the tree, and the three kinds that lead out of it on purpose."""
    if any(ord(char) < 32 for char in target):
        raise ReleaseError(f"{path!r}: its link target has a control character")
    if path in {"hermes", "runtime"}:
        if os.path.dirname(target) == hermes_root and os.path.basename(target) not in {"", ".", ".."}:
            return
        raise ReleaseError(f"{path!r}: must lead to a directory right below {hermes_root}, not {target!r}")
    env = _ENV_LINK.fullmatch(path)
    if env:
        if target == f"{config_dir}/agents/{env['agent']}.env":
            return
        raise ReleaseError(f"{path!r}: must lead to its own env file, not {target!r}")
    inside = os.path.normpath(os.path.join(os.path.dirname(path), target))
    if target.startswith("/") or inside.startswith("../") or inside in {".", ".."}:
        raise ReleaseError(f"{path!r}: its link leaves the release ({target!r})")


def check_manifest(manifest: Any, *, hermes_root: str, config_dir: str) -> dict[str, Any]:
    """The manifest itself if all of it is acceptable; the caller compares the hash with the wanted one."""
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise ReleaseError(f"{MANIFEST}: schema {SCHEMA} expected")
    files, agents = manifest.get("files"), manifest.get("agents")
    if not isinstance(files, dict) or not isinstance(agents, list):
        raise ReleaseError(f"{MANIFEST}: has no list of files or agents")
    if len(files) > MAX_FILES:
        raise ReleaseError(f"{MANIFEST}: {len(files)} files are more than {MAX_FILES}; {_FEWER}")
    for agent in agents:
        if not isinstance(agent, str) or not _AGENT.fullmatch(agent):
            raise ReleaseError(f"{MANIFEST}: {agent!r} is no agent name")
    total = sum(_check_entry(path, files, hermes_root, config_dir) for path in files)
    if total > MAX_TOTAL:
        raise ReleaseError(f"{MANIFEST}: {total} bytes are more than {MAX_TOTAL}; {_FEWER}")
    if manifest.get("hash") != content_hash(manifest):
        raise ReleaseError(f"{MANIFEST}: its hash does not fit its content")
    return manifest


def _check_entry(path: str, files: Mapping[str, Any], hermes_root: str, config_dir: str) -> int:
    """The size of an acceptable entry."""
    check_path(path)
    entry = files[path]
    if path == MANIFEST or not isinstance(entry, dict):
        raise ReleaseError(f"{path!r}: has no acceptable entry in {MANIFEST}")
    parent = os.path.dirname(path)
    while parent:
        if parent in files:
            raise ReleaseError(f"{path!r}: lies below {parent!r}, which is a file or a link")
        parent = os.path.dirname(parent)
    if "link" in entry:
        check_link(path, str(entry["link"]), hermes_root=hermes_root, config_dir=config_dir)
        return 0
    return _check_file(path, entry)


def _check_file(path: str, entry: Mapping[str, Any]) -> int:
    size, mode = entry.get("size"), entry.get("mode")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_FILE:
        raise ReleaseError(f"{path!r}: a size of {size!r} is not between 0 and {MAX_FILE}; {_FEWER}")
    if mode not in MODES:
        raise ReleaseError(f"{path!r}: mode {mode!r} is none of {', '.join(MODES)}")
    if not _HEX64.fullmatch(str(entry.get("sha256"))):
        raise ReleaseError(f"{path!r}: has no sha256")
    return size


def mtime_of(sha256: str) -> int:
    """A file's time, derived from its content."""
    return _MTIME_BASE + int(sha256[:7], 16)


# --- archive


def blobs_of(manifest: Mapping[str, Any]) -> str:
    """The contents that a release holds, as text: the first BLOB bytes of each sha256, in base64."""
    known = {entry["sha256"] for entry in manifest.get("files", {}).values() if "sha256" in entry}
    return base64.b64encode(b"".join(bytes.fromhex(one)[:BLOB] for one in sorted(known))).decode("ascii")


def blobs_in(text: str) -> frozenset[str]:
    """What `blobs_of` said, each as the beginning of a sha256 in hex."""
    raw = base64.b64decode(text)
    return frozenset(raw[at : at + BLOB].hex() for at in range(0, len(raw), BLOB))


def pack(
    manifest: Mapping[str, Any],
    files: Mapping[str, tuple[bytes, str]],
    known: frozenset[str] = frozenset(),
) -> bytes:
    """The archive: the manifest first, then the files in order; equal input gives equal bytes.

    A file whose content the host has by `known` (see :func:`blobs_in`) does not travel.
    """
    buffer = io.BytesIO()
    entries = manifest["files"]
    travel = [path for path in sorted(files) if entries[path]["sha256"][: 2 * BLOB] not in known]
    zipped = gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6, mtime=0)
    with zipped, tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in [
            (MANIFEST, encode_manifest(manifest)),
            *((path, files[path][0]) for path in travel),
        ]:
            member = tarfile.TarInfo(path)
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class _Member(tarfile.TarInfo):
    """A header whose own additions are read only where they are small: they are read as a whole."""

    def _proc_member(self, tarfile: Any) -> Any:
        """Where the library, in each of its versions, has read a header and nothing of what belongs to it."""
        if self.size < 0 or (self.type in _EXTRA and self.size > MAX_HEADER):
            raise ReleaseError(f"a header in the archive says that it has {self.size} bytes")
        return super()._proc_member(tarfile)  # type: ignore[misc]  # not in its stubs


@contextmanager
def _opened(source: Source) -> Iterator[tarfile.TarFile]:
    try:
        with (
            tarfile.open(source, mode="r|gz", tarinfo=_Member)
            if isinstance(source, str)
            else tarfile.open(fileobj=source, mode="r|gz", tarinfo=_Member)
        ) as archive:
            yield archive
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, RecursionError) as error:
        raise ReleaseError(f"the archive cannot be read: {error}") from error


def _check_member(member: tarfile.TarInfo) -> None:
    check_path(member.name)
    if not member.isreg() or member.issparse():
        raise ReleaseError(f"{member.name!r}: the archive may hold regular files only")
    if member.mode & ~0o777:
        raise ReleaseError(f"{member.name!r}: has a setuid, setgid or sticky bit")


def read_archive(
    source: Source, *, hermes_root: str, config_dir: str, elsewhere: Elsewhere | None = None
) -> tuple[dict[str, Any], Iterator[tuple[str, bytes]]]:
    """The checked manifest of an archive, and its files one by one, each checked against the manifest.

    What the archive leaves out is asked of `elsewhere`, which finds a content by its sha256.
    """
    members = _members(source)
    name, size, read = next(members, ("", 0, lambda: b""))
    if name != MANIFEST or size > MAX_MANIFEST:
        raise ReleaseError(f"the archive does not begin with {MANIFEST}")
    try:
        manifest = check_manifest(json.loads(read()), hermes_root=hermes_root, config_dir=config_dir)
    except ValueError as error:
        raise ReleaseError(f"{MANIFEST}: {error}") from error

    def contents() -> Iterator[tuple[str, bytes]]:
        wanted = {p: entry for p, entry in manifest["files"].items() if "link" not in entry}
        for member, length, fetch in members:
            entry = wanted.pop(member, None)
            if entry is None:
                raise ReleaseError(f"{member!r}: is not in the manifest, or twice in the archive")
            if length != entry["size"]:
                raise ReleaseError(f"{member!r}: has {length} bytes, {entry['size']} expected")
            yield member, _checked(member, fetch(), entry)
        for count, (path, entry) in enumerate(wanted.items()):
            content = elsewhere(entry["sha256"]) if elsewhere else None
            if content is None:
                raise LackingError(f"the archive lacks {len(wanted) - count} files, {path!r} among them")
            yield path, _checked(path, content, entry)

    return manifest, contents()


def _checked(path: str, content: bytes, entry: Mapping[str, Any]) -> bytes:
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise ReleaseError(f"{path!r}: does not fit its sha256")
    return content


def _members(source: Source) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with _opened(source) as archive:
        for count, member in enumerate(archive):
            if count > MAX_FILES:
                raise ReleaseError(f"the archive holds more than {MAX_FILES} files")
            _check_member(member)
            limit = MAX_FILE if count else MAX_MANIFEST
            if not 0 <= member.size <= limit:
                raise ReleaseError(f"{member.name!r}: {member.size} bytes are more than {limit}")
            # A stream is read forward only, so the content is taken while its member is at hand.
            handle = archive.extractfile(member)
            content = handle.read() if handle is not None else b""
            yield member.name, member.size, lambda content=content: content  # type: ignore[misc]
