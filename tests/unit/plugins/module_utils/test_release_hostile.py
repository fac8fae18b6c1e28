# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that no controller of ours makes: refused in one line, bounded in memory, nothing left."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import release, release_format, release_stage

PLACES = {"hermes_root": "/opt/hermes", "config_dir": "/etc/timmy"}
FILES = {"a": (b"one\n", "0644"), "b/c": (b"two\n", "0755")}
MIB = 1024 * 1024


def manifest() -> dict[str, Any]:
    return release_format.make_manifest(
        FILES, {}, hermes_version="0.19.0", agents=[], classify=lambda _path: ("managed", "none")
    )


class Zeros(io.RawIOBase):
    """So many zeros, made as they are read."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        size = min(len(room), self.left)
        room[:size] = bytes(size)
        self.left -= size
        return size


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, Any]) -> str:
    """An archive of these members behind a good manifest."""
    head = tarfile.TarInfo(release_format.MANIFEST)
    content = release_format.encode_manifest(manifest())
    head.size = len(content)
    with (
        gzip.open(path, "wb", compresslevel=1) as out,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.addfile(head, io.BytesIO(content))
        for member, data in members:
            archive.addfile(member, data)
    return str(path)


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(one, key, value)
    return one


def plain(name: str, **fields: Any) -> tuple[tarfile.TarInfo, Any]:
    return member(name, size=4, **fields), io.BytesIO(b"one\n")


def raw_header(path: Path, kind: bytes, size: int, body: int) -> str:
    """A good manifest, then a header that announces `size` bytes, with `body` of them behind it."""
    whole = Path(tar_of(path))
    data = gzip.decompress(whole.read_bytes()).rstrip(b"\0")
    data += bytes(-len(data) % 512)
    extra = member("x", size=size, type=kind)
    with gzip.open(whole, "wb", compresslevel=1) as out:
        out.write(data + extra.tobuf(tarfile.GNU_FORMAT))
        for _mib in range(body // MIB):
            out.write(bytes(MIB))
    return str(whole)


HOSTILE: dict[str, Callable[[Path], str]] = {
    "absolute path": lambda path: tar_of(path, plain("/etc/cron.d/x")),
    "parent": lambda path: tar_of(path, plain("b/../../../etc/x")),
    "newline": lambda path: tar_of(path, plain("a\nb")),
    "setuid": lambda path: tar_of(path, plain("a", mode=0o4755)),
    "sticky": lambda path: tar_of(path, plain("a", mode=0o1644)),
    "link out": lambda path: tar_of(path, (member("a", type=tarfile.SYMTYPE, linkname="/etc"), None)),
    "hard link": lambda path: tar_of(path, (member("a", type=tarfile.LNKTYPE, linkname="/etc/shadow"), None)),
    "disk": lambda path: tar_of(path, (member("a", type=tarfile.BLKTYPE, devmajor=8, devminor=0), None)),
    "memory device": lambda path: tar_of(
        path, (member("a", type=tarfile.CHRTYPE, devmajor=1, devminor=1), None)
    ),
    "pipe": lambda path: tar_of(path, (member("a", type=tarfile.FIFOTYPE), None)),
    "directory": lambda path: tar_of(path, (member("b", type=tarfile.DIRTYPE), None)),
    "another content": lambda path: tar_of(path, (member("a", size=4), io.BytesIO(b"onE\n"))),
    "1 GiB file": lambda path: tar_of(path, (member("a", size=2**30), io.BufferedReader(Zeros(2**30)))),
    "1 GiB name": lambda path: raw_header(path, tarfile.GNUTYPE_LONGNAME, 2**30, 256 * MIB),
    "1 GiB of attributes": lambda path: raw_header(path, tarfile.XHDTYPE, 2**30, 256 * MIB),
    "negative size": lambda path: raw_header(path, tarfile.REGTYPE, -512, 0),
    "negative name": lambda path: raw_header(path, tarfile.GNUTYPE_LONGNAME, -512, 0),
    "headers upon headers": lambda path: tar_of(
        path, *((member("x", type=tarfile.XHDTYPE, size=0), None) for _one in range(2000))
    ),
}


@pytest.fixture
def measured() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(tmp_path: Path, what: str) -> None:
    archive = HOSTILE[what](tmp_path / "archive")
    good = manifest()["hash"]
    root = str(tmp_path / "timmy")
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    with pytest.raises(release_format.ReleaseError) as caught:
        release_stage.stage(archive, root, good, **PLACES)
    assert tracemalloc.get_traced_memory()[1] - before < 8 * MIB
    line = str(caught.value)
    assert line.startswith("the archive is refused: ")
    assert line.endswith("deploy again from a controller you trust")
    assert line.isprintable(), "more than one line, or what a terminal takes for a command"
    left = os.listdir(os.path.join(root, release.RELEASES)) if os.path.isdir(root) else []
    assert left == []
    assert not (tmp_path / "etc").exists()


def test_more_members_than_a_release_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_format, "MAX_FILES", 1)
    archive = tar_of(tmp_path / "a", plain("a"))
    with pytest.raises(release_format.ReleaseError, match="more than 1"):
        release_stage.stage(archive, str(tmp_path / "t"), manifest()["hash"], **PLACES)


def test_a_file_of_a_release_that_became_huge_is_drift_and_is_not_read(tmp_path: Path) -> None:
    archive = tmp_path / "good"
    archive.write_bytes(release_format.pack(manifest(), FILES))
    directory = release_stage.stage(str(archive), str(tmp_path / "timmy"), manifest()["hash"], **PLACES)
    os.truncate(os.path.join(directory, "a"), 2**34)
    assert release.drift(directory) == [{"path": "a", "problem": "edited"}]
