# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a release, where others attach too, runs are interrupted, and reading is dear."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_client import GiteaClient
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import KeepError, settle
from ansible_collections.timmy.config.plugins.module_utils.gitea_keep_release import wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ansible_collections.timmy.config.plugins.module_utils.gitea_admin_types import Attachment
    from forge_world import Repo, World

    Keep = Callable[..., dict[str, Any]]

BINARY = {"Content-Type": "application/octet-stream"}
SUMS = "SHA256SUMS"


@pytest.fixture
def own(world: World) -> Repo:
    """Return a repository for one test alone."""
    return world.repo("files")


@pytest.fixture
def forge_client(world: World) -> Iterator[GiteaClient]:
    """Return the client as a writer."""
    with GiteaClient(world.forge.url, world.writer.token) as client:
        yield client


@pytest.fixture
def keep(own: Repo, forge_client: GiteaClient, tmp_path: Path) -> Keep:
    """Return a function that keeps the release v1 with these files, given as name and bytes."""

    def run(files: dict[str, bytes] | None, *, check: bool = False, **more: Any) -> dict[str, Any]:
        rows = []
        for name, data in (files or {}).items():
            (tmp_path / name).write_bytes(data)
            rows.append({"path": str(tmp_path / name), "name": None})
        params = {
            "repo": own.api.removeprefix("/repos/"),
            "tag": "v1",
            "state": "present",
            "files": None if files is None else rows,
            "checksum_file": "",
            **dict.fromkeys(("purge", "draft", "remove_tag"), False),
            **dict.fromkeys(("target", "title", "notes", "prerelease")),
        }
        return settle(wish(forge_client, {**params, **more}), check)

    return run


def attached(world: World, own: Repo) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = world.writer.must("GET", f"{own.api}/releases/tags/v1")["assets"]
    return rows


def attach(world: World, own: Repo, name: str, data: bytes) -> None:
    release = world.writer.must("GET", f"{own.api}/releases/tags/v1")["id"]
    path = f"{own.api}/releases/{release}/assets?name={name}"
    assert world.writer.send("POST", path, raw=data, headers=BINARY).status == 201


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_others_attached_stays(world: World, own: Repo, keep: Keep) -> None:
    keep({"a": b"1"})
    attach(world, own, "theirs", b"other")
    assert keep({"a": b"1"})["changed"] is False
    done = keep({"a": b"2"})
    assert done["release"]["files"] == {
        "a": {"size": 1, "sha256": sha(b"2")},
        "theirs": {"size": 5, "sha256": ""},
    }
    assert done["diff"]["before"]["files"]["a"]["sha256"] == sha(b"1")
    assert sorted(row["name"] for row in attached(world, own)) == ["a", "theirs"]
    assert keep({"a": b"2"}, purge=True)["release"]["files"] == {"a": {"size": 1, "sha256": sha(b"2")}}


def test_one_of_several_with_a_name_is_kept(world: World, own: Repo, keep: Keep) -> None:
    keep({"a": b"old"})
    attach(world, own, "a", b"new")
    attach(world, own, "a", b"longer")
    keeps = attached(world, own)[1]["uuid"]
    assert keep({"a": b"new"}, check=True)["changed"] is True
    assert keep({"a": b"new"})["changed"] is True
    assert [row["uuid"] for row in attached(world, own)] == [keeps]
    assert keep({"a": b"new"})["changed"] is False


def test_an_interrupted_creation_is_finished(world: World, own: Repo, keep: Keep) -> None:
    world.writer.must("POST", f"{own.api}/releases", {"tag_name": "v1", "draft": True})
    attach(world, own, "a", b"1")
    before = attached(world, own)[0]["uuid"]
    done = keep({"a": b"1", "b": b"2"})
    assert done["release"]["draft"] is False
    assert [row["name"] for row in attached(world, own)] == ["a", "b"]
    assert attached(world, own)[0]["uuid"] == before


def test_nobody_sees_it_before_it_is_whole(
    world: World, own: Repo, keep: Keep, forge_client: GiteaClient, tmp_path: Path
) -> None:
    """A file that goes away on the way leaves a draft, and the next run goes on from there."""
    attach_one = forge_client.create_attachment

    def lose_the_next(*args: Any) -> Attachment:
        (tmp_path / "b").unlink(missing_ok=True)
        return attach_one(*args)

    forge_client.create_attachment = lose_the_next  # type: ignore[method-assign]
    with pytest.raises(KeepError, match="went away"):
        keep({"a": b"1", "b": b"2"})
    forge_client.create_attachment = attach_one  # type: ignore[method-assign]
    assert [row["name"] for row in attached(world, own)] == ["a"]
    assert world.reader.must("GET", f"{own.api}/releases") == []
    assert keep({"a": b"1", "b": b"2"})["release"]["draft"] is False
    assert len(world.reader.must("GET", f"{own.api}/releases")[0]["assets"]) == 2


def test_the_checksum_file_spares_reading(world: World, own: Repo, keep: Keep) -> None:
    files = {"a": b"1" * 1000, "b": b"2" * 1000}
    keep(files, checksum_file=SUMS)
    by_name = {row["name"]: row for row in attached(world, own)}
    text = world.writer.get(f"//attachments/{by_name[SUMS]['uuid']}").raw.decode()
    assert text == "".join(f"{sha(data)}  {name}\n" for name, data in files.items())
    assert keep(files, checksum_file=SUMS)["changed"] is False
    assert [row["download_count"] for row in attached(world, own) if row["name"] != SUMS] == [0, 0]
    assert keep(files)["changed"] is False
    assert [row["download_count"] for row in attached(world, own) if row["name"] != SUMS] == [1, 1]


def test_the_checksum_file_knows_what_stays(world: World, own: Repo, keep: Keep) -> None:
    keep({"a": b"1", "b": b"2"}, checksum_file=SUMS)
    keep({"a": b"3"}, checksum_file=SUMS)
    key = next(row["uuid"] for row in attached(world, own) if row["name"] == SUMS)
    assert world.writer.get(f"//attachments/{key}").raw.decode() == f"{sha(b'3')}  a\n{sha(b'2')}  b\n"


def test_all_that_is_attached_goes_with_it(world: World, own: Repo, keep: Keep) -> None:
    keep({"a": b"1"})
    key = attached(world, own)[0]["uuid"]
    assert keep(None, state="absent", check=True)["changed"] is True
    assert world.writer.get(f"//attachments/{key}").status == 200
    assert keep(None, state="absent")["changed"] is True
    assert world.writer.get(f"//attachments/{key}").status == 404
    assert [row["name"] for row in world.writer.must("GET", f"{own.api}/tags")] == ["v1"]
    assert keep(None, state="absent", remove_tag=True)["changed"] is True
    assert world.writer.must("GET", f"{own.api}/tags") == []
    assert keep(None, state="absent", remove_tag=True)["changed"] is False


def test_an_archived_repository_is_refused(world: World, own: Repo, keep: Keep) -> None:
    keep({"a": b"1"})
    world.admin.must("PATCH", own.api, {"archived": True})
    assert keep({"a": b"1"})["changed"] is False
    with pytest.raises(KeepError, match="archived"):
        keep({"a": b"2"}, check=True)
