# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release may be made of: hostile input is refused, equal input gives equal bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import release_format

PLACES = {"hermes_root": "/opt/hermes", "config_dir": "/etc/timmy"}
FILES = {"bin/door.sh": (b"#!/bin/sh\n", "0755"), "agents/ezra/home/SOUL.md": (b"honest\n", "0644")}
LINKS = {
    "hermes": "/opt/hermes/0.19.0",
    "agents/ezra/managed/.env": "/etc/timmy/agents/ezra.env",
    "bin/fleet-status.sh": "door.sh",
}


def manifest(files: Any = None, links: Any = None, agents: tuple[str, ...] = ("ezra",)) -> dict[str, Any]:
    return release_format.make_manifest(
        FILES if files is None else files,
        LINKS if links is None else links,
        hermes_version="0.19.0",
        agents=list(agents),
        classify=lambda _path: ("managed", "none"),
    )


def resealed(data: dict[str, Any]) -> dict[str, Any]:
    data["hash"] = release_format.content_hash(data)
    return data


def archive(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> str:
    with gzip.open(path, "wb") as out, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return str(path)


def regular(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    return tarfile.TarInfo(name), content


def read_all(path: str) -> dict[str, bytes]:
    _manifest, contents = release_format.read_archive(path, **PLACES)
    return dict(contents)


def test_the_order_of_the_input_does_not_matter() -> None:
    turned = manifest(dict(reversed(FILES.items())), dict(reversed(LINKS.items())))
    assert turned == manifest()
    assert release_format.pack(turned, dict(reversed(FILES.items()))) == release_format.pack(
        manifest(), FILES
    )


@pytest.mark.parametrize(
    ("files", "links"),
    [
        ({**FILES, "bin/door.sh": (b"#!/bin/sh \n", "0755")}, LINKS),
        ({**FILES, "bin/door.sh": (b"#!/bin/sh\n", "0644")}, LINKS),
        ({**FILES, "bin/new": (b"", "0644")}, LINKS),
        (FILES, {**LINKS, "hermes": "/opt/hermes/0.20.0"}),
        (FILES, {path: target for path, target in LINKS.items() if path != "bin/fleet-status.sh"}),
    ],
)
def test_content_mode_name_and_link_all_count(files: Any, links: Any) -> None:
    assert manifest(files, links)["hash"] != manifest()["hash"]


def test_a_good_archive_comes_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(release_format.pack(manifest(), FILES))
    assert read_all(str(path)) == {name: content for name, (content, _mode) in FILES.items()}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "./a",
        "a/.",
        "",
        "a\nb",
        "a\x7fb",
        "x" * 300,
        "a/" * 600 + "b",
    ],
)
def test_names_that_are_no_plain_relative_path(path: str) -> None:
    with pytest.raises(release_format.ReleaseError):
        release_format.check_path(path)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("hermes", "/opt/hermes"),
        ("hermes", "/opt/hermes/.."),
        ("hermes", "/opt/hermes/a/b"),
        ("hermes", "/usr"),
        ("agents/ezra/managed/.env", "/etc/timmy/agents/bezalel.env"),
        ("agents/ezra/managed/.env", "/etc/shadow"),
        ("bin/x", "/bin/sh"),
        ("bin/x", "../../etc/passwd"),
        ("bin/x", ".."),
        ("x", "a\nb"),
    ],
)
def test_links_that_lead_out_of_the_tree(path: str, target: str) -> None:
    with pytest.raises(release_format.ReleaseError):
        release_format.check_link(path, target, **PLACES)


@pytest.mark.parametrize(
    ("path", "target"), [*LINKS.items(), ("a/b", "../c"), ("runtime", "/opt/hermes/venv")]
)
def test_links_that_are_wanted(path: str, target: str) -> None:
    release_format.check_link(path, target, **PLACES)


def _broken(change: str) -> Any:
    data = manifest()
    files = data["files"]
    entry = files["bin/door.sh"]
    changes: dict[str, Any] = {
        "setuid": lambda: entry.update(mode="4755"),
        "huge": lambda: entry.update(size=2**30),
        "negative": lambda: entry.update(size=-1),
        "no sum": lambda: entry.update(sha256="x"),
        "below a file": lambda: files.update({"bin/door.sh/x": dict(entry)}),
        "below a link": lambda: files.update({"hermes/bin/hermes": dict(entry)}),
        "escape": lambda: files.update({"../x": dict(entry)}),
        "itself": lambda: files.update({"manifest.json": dict(entry)}),
        "agent": lambda: data.update(agents=["Ezra; rm"]),
        "no mapping": lambda: files.update({"bin/x": 7}),
        "schema": lambda: data.update(schema=2),
    }
    changes[change]()
    return resealed(data)


@pytest.mark.parametrize(
    "change",
    [
        "setuid",
        "huge",
        "negative",
        "no sum",
        "below a file",
        "below a link",
        "escape",
        "itself",
        "agent",
        "no mapping",
        "schema",
    ],
)
def test_manifests_that_are_refused(change: str) -> None:
    with pytest.raises(release_format.ReleaseError):
        release_format.check_manifest(_broken(change), **PLACES)


def test_too_many_files_and_too_many_bytes() -> None:
    entry = manifest()["files"]["bin/door.sh"]
    many = {f"f{number}": entry for number in range(release_format.MAX_FILES + 1)}
    with pytest.raises(release_format.ReleaseError, match="files are more than"):
        release_format.check_manifest(resealed({**manifest(), "files": many}), **PLACES)
    big = {f"f{number}": {**entry, "size": release_format.MAX_FILE} for number in range(17)}
    with pytest.raises(release_format.ReleaseError, match="bytes are more than"):
        release_format.check_manifest(resealed({**manifest(), "files": big}), **PLACES)


def test_a_manifest_edited_without_its_hash() -> None:
    data = manifest()
    data["hermes_version"] = "9"
    with pytest.raises(release_format.ReleaseError, match="hash"):
        release_format.check_manifest(data, **PLACES)


def _member(kind: bytes, name: str = "bin/door.sh", target: str = "/etc/passwd") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE],
)
def test_members_that_are_no_regular_files(tmp_path: Path, kind: bytes) -> None:
    head = regular("manifest.json", release_format.encode_manifest(manifest()))
    path = archive(tmp_path / "a", [head, (_member(kind), b"")])
    with pytest.raises(release_format.ReleaseError, match="regular files only"):
        read_all(path)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ([], "lacks 2 files"),
        ([("bin/door.sh", b"#!/bin/sh\n")], "lacks 1 files"),
        ([("bin/door.sh", b"#!/bin/sh!")], "sha256"),
        ([("bin/door.sh", b"short")], "bytes"),
        ([("bin/door.sh", b"#!/bin/sh\n"), ("bin/door.sh", b"#!/bin/sh\n")], "twice"),
        ([("bin/stranger", b"")], "not in the manifest"),
        ([("../x", b"")], "does not belong"),
        ([("/x", b"")], "relative"),
    ],
)
def test_archives_that_do_not_fit_their_manifest(tmp_path: Path, members: Any, word: str) -> None:
    head = regular("manifest.json", release_format.encode_manifest(manifest()))
    path = archive(tmp_path / "a", [head, *(regular(*member) for member in members)])
    with pytest.raises(release_format.ReleaseError, match=word):
        read_all(path)


def test_a_setuid_member(tmp_path: Path) -> None:
    member, content = regular("bin/door.sh", b"#!/bin/sh\n")
    member.mode = 0o4755
    head = regular("manifest.json", release_format.encode_manifest(manifest()))
    with pytest.raises(release_format.ReleaseError, match="setuid"):
        read_all(archive(tmp_path / "a", [head, (member, content)]))


@pytest.mark.parametrize("cut", [0, 10, 100, -200])
def test_an_archive_cut_short(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(release_format.pack(manifest(), FILES)[:cut])
    with pytest.raises(release_format.ReleaseError):
        read_all(str(path))


def test_any_flipped_bit_is_refused_or_without_effect(tmp_path: Path) -> None:
    good = release_format.pack(manifest(), FILES)
    whole = {name: content for name, (content, _mode) in FILES.items()}
    path = tmp_path / "a"
    refused = 0
    for place in range(0, len(good), 7):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        try:
            assert read_all(str(path)) == whole
        except release_format.ReleaseError:
            refused += 1
    assert refused > 20


def test_times_come_from_the_content_and_differ_for_a_same_length_edit() -> None:
    one, two = manifest(), manifest({**FILES, "agents/ezra/home/SOUL.md": (b"honesT\n", "0644")})
    path = "agents/ezra/home/SOUL.md"
    times = [release_format.mtime_of(data["files"][path]["sha256"]) for data in (one, two)]
    assert times[0] != times[1]
    assert all(1_000_000_000 <= when < 1_300_000_000 for when in times)
