# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of tags and attachments, checksum files, and what is to be attached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_admin_types import Attachment
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import KeepError
from ansible_collections.timmy.config.plugins.module_utils.gitea_keep_release import _TAG
from ansible_collections.timmy.config.plugins.module_utils.gitea_release_files import (
    Attached,
    format_sums,
    goal,
    locals_of,
    parse_sums,
    written,
)

ONE, TWO = "1" * 64, "2" * 64
SUMS = "SHA256SUMS"


@pytest.mark.parametrize("tag", ["v1", "v1.2.3-rc.1+5", "release/1", "a@b", "ü", "v1.locked", "@"])
def test_what_git_takes_for_a_tag(tag: str) -> None:
    assert _TAG.fullmatch(tag)


@pytest.mark.parametrize(
    "tag",
    [
        *("", "a b", "a..b", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "-a"),
        *("a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a@{1}", "a\n", "a\x7f", "x" * 201),
    ],
)
def test_what_git_takes_for_no_tag(tag: str) -> None:
    assert not _TAG.fullmatch(tag)


def test_a_checksum_file_is_read_as_it_was_written() -> None:
    sums = {"b name": ONE, "a": TWO}
    text = format_sums(sums)
    assert text == f"{TWO}  a\n{ONE}  b name\n"
    assert parse_sums(text) == sums
    assert parse_sums(f"{ONE} *binary\nno sum at all\n{ONE[:-1]}  short\n\n") == {"binary": ONE}


def test_doubles_count_as_unknown() -> None:
    rows = [
        Attachment(id=1, name="a", size=3),
        Attachment(id=2, name="a", size=4),
        Attachment(id=3, name="b"),
    ]
    assert Attached(rows, {1: ONE, 2: TWO, 3: ONE}).shown() == {
        "a": {"size": 7, "sha256": ""},
        "b": {"size": 0, "sha256": ONE},
    }


@pytest.mark.parametrize(
    ("purge", "sums_name", "wanted"),
    [
        (False, "", ["a", "b", "new"]),
        (True, "", ["b", "new"]),
        (False, SUMS, ["a", "b", "new", SUMS]),
        (True, SUMS, ["b", "new", SUMS]),
    ],
)
def test_what_is_to_be_attached(purge: bool, sums_name: str, wanted: list[str]) -> None:
    rows = [Attachment(id=at, name=name) for at, name in enumerate(["a", "b", *filter(None, [sums_name])])]
    uploads = {name: written(name, name) for name in ("b", "new")}
    told = {"a": ONE, "b": TWO, "gone": TWO}
    found = goal(Attached(rows), uploads, told, sums_name, purge=purge)
    assert list(found) == wanted
    assert {name for name, upload in found.items() if upload is None} == {"a"} - ({"a"} if purge else set())
    if sums_name:
        sums = found[SUMS]
        assert sums is not None
        with sums.content.open() as stream:
            listed = parse_sums(stream.read().decode())
        known = {"b": uploads["b"].sha256, "new": uploads["new"].sha256}
        assert listed == (known if purge else {"a": ONE, **known})


@pytest.mark.parametrize(
    ("rows", "sums_name", "said"),
    [
        ([("there", "a/b")], "", "no name for an attachment"),
        ([("there", "x" * 256)], "", "no name for an attachment"),
        ([("there", "a\nb")], "", "no name for an attachment"),
        ([("there", None), ("other", "there")], "", "declared twice"),
        ([("there", SUMS)], SUMS, "declared twice"),
        ([("never", None)], "", "cannot be read"),
        ([(".", "folder")], "", "cannot be read"),
    ],
)
def test_files_that_cannot_be_attached(
    tmp_path: Path, rows: list[tuple[str, Any]], sums_name: str, said: str
) -> None:
    for name in ("there", "other"):
        (tmp_path / name).write_text("text", encoding="utf-8")
    given = [{"path": str(tmp_path / path), "name": name} for path, name in rows]
    with pytest.raises(KeepError, match=said):
        locals_of(given, sums_name)
