# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases and the files attached to them, on the wire and through the typed client."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_client import GiteaClient
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_transport import Content, ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_wire import Answer
    from forge_world import Repo, World

BINARY = {"Content-Type": "application/octet-stream"}
FORM = {"Content-Type": "multipart/form-data; boundary=cut"}
BIG = b"\x00\xff\r\n" * 700_000


@pytest.fixture
def drafted(world: World, own: Repo) -> str:
    """Return the path of a draft."""
    made = world.writer.must("POST", f"{own.api}/releases", {"tag_name": "v1", "name": "One", "draft": True})
    return f"{own.api}/releases/{made['id']}"


@pytest.fixture
def forge_client(world: World) -> Iterator[GiteaClient]:
    """Return the client as a writer."""
    with GiteaClient(world.forge.url, world.writer.token) as client:
        yield client


def name_of(repo: Repo) -> str:
    return repo.api.removeprefix("/repos/")


def upload(world: World, path: str, name: str, data: bytes) -> Answer:
    return world.writer.send("POST", f"{path}/assets?name={name}", raw=data, headers=BINARY)


def field(name: str, file: str, data: bytes) -> bytes:
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
    return head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n--cut--\r\n"


def content(data: bytes, announced: int | None = None) -> Content:
    return Content(lambda: io.BytesIO(data), len(data) if announced is None else announced)


def test_a_draft_makes_no_tag_until_it_is_published(world: World, own: Repo, drafted: str) -> None:
    assert world.writer.must("GET", f"{own.api}/tags") == []
    assert world.writer.must("GET", f"{own.api}/releases/tags/v1")["draft"] is True
    assert world.reader.get(drafted).status == 404
    assert world.reader.get(f"{own.api}/releases/tags/v1").status == 404
    assert world.reader.must("GET", f"{own.api}/releases") == []
    published = world.writer.must("PATCH", drafted, {"draft": False})
    assert (published["draft"], published["name"]) == (False, "One")
    assert [row["name"] for row in world.writer.must("GET", f"{own.api}/tags")] == ["v1"]
    assert world.writer.must("PATCH", drafted, {"draft": True})["draft"] is True
    assert [row["name"] for row in world.writer.must("GET", f"{own.api}/tags")] == ["v1"]


def test_empty_texts_are_ignored(world: World, drafted: str) -> None:
    world.writer.must("PATCH", drafted, {"body": "notes"})
    left = world.writer.must("PATCH", drafted, {"name": "", "body": "", "prerelease": True})
    assert (left["name"], left["body"], left["prerelease"]) == ("One", "notes", True)


def test_a_tag_has_one_release_and_goes_after_it(world: World, own: Repo) -> None:
    made = world.writer.must("POST", f"{own.api}/releases", {"tag_name": "v1"})
    assert world.writer.post(f"{own.api}/releases", {"tag_name": "v1"}).status == 409
    assert (
        world.writer.post(f"{own.api}/releases", {"tag_name": "v2", "target_commitish": "no"}).status == 404
    )
    assert world.writer.delete(f"{own.api}/tags/v1").status == 409
    assert world.writer.delete(f"{own.api}/releases/{made['id']}").status == 204
    assert world.writer.get(f"{own.api}/releases/{made['id']}").status == 404
    assert world.writer.must("GET", f"{own.api}/tags/v1")["name"] == "v1"
    assert [world.writer.delete(f"{own.api}/tags/v1").status for _each in range(2)] == [204, 404]


def test_what_is_attached_comes_back_as_it_was(world: World, own: Repo, drafted: str) -> None:
    made = upload(world, drafted, "a.bin", BIG).json
    assert (made["name"], made["size"], made["download_count"]) == ("a.bin", len(BIG), 0)
    assert made["browser_download_url"].endswith(f"/attachments/{made['uuid']}")
    assert world.writer.get(f"//attachments/{made['uuid']}").raw == BIG
    assert upload(world, drafted, "empty", b"").json["size"] == 0
    listed = world.writer.must("GET", f"{drafted}/assets?limit=1&page=2")
    assert [row["name"] for row in listed] == ["a.bin", "empty"]
    assert world.writer.must("GET", f"{own.api}/releases")[0]["assets"][0]["uuid"] == made["uuid"]
    assert world.writer.must("GET", f"{drafted}/assets/{made['id']}")["download_count"] == 1
    assert world.writer.get(f"{drafted}/assets/999999").status == 404


def test_addresses_of_attachments(world: World, own: Repo) -> None:
    """By its own id an attachment has one address, in every list it has that of its release."""
    for tag, draft, for_reader in (("v/1", False, 200), ("v2", True, 404)):
        made = world.writer.must("POST", f"{own.api}/releases", {"tag_name": tag, "draft": draft})
        path = f"{own.api}/releases/{made['id']}"
        one = upload(world, path, quote("ä b"), b"data").json
        by_uuid = f"/attachments/{one['uuid']}"
        by_tag = f"/{name_of(own)}/releases/download/{quote(tag, safe='')}/{quote('ä b')}"
        alone = [one, world.writer.must("GET", f"{path}/assets/{one['id']}")]
        listed = [
            world.writer.must("GET", f"{path}/assets")[0],
            world.writer.must("GET", path)["assets"][0],
            world.writer.must("PATCH", path, {"prerelease": True})["assets"][0],
        ]
        at = world.forge.url
        assert {row["browser_download_url"].removeprefix(at) for row in alone} == {by_uuid}
        assert {row["browser_download_url"].removeprefix(at) for row in listed} == {by_tag}
        assert world.writer.get(f"/{by_tag}").raw == b"data"
        assert world.reader.get(f"/{by_tag}").status == for_reader
        assert world.reader.get(f"/{by_uuid}").status == 200


def test_names_of_attachments(world: World, drafted: str) -> None:
    assert [upload(world, drafted, "twice", data).status for data in (b"1", b"22")] == [201, 201]
    assert upload(world, drafted, "", b"1").status == 400
    first = world.writer.must("GET", f"{drafted}/assets")[0]["id"]
    assert world.writer.patch(f"{drafted}/assets/{first}", {"name": "once"}).status == 201
    assert world.writer.patch(f"{drafted}/assets/{first}", {"name": ""}).json["name"] == "once"
    assert [row["name"] for row in world.writer.must("GET", f"{drafted}/assets")] == ["once", "twice"]
    assert [world.writer.delete(f"{drafted}/assets/{first}").status for _each in range(2)] == [204, 404]


def test_a_form_may_carry_the_file(world: World, drafted: str) -> None:
    path, raw = f"{drafted}/assets", field("attachment", "m.bin", b"by form")
    made = world.writer.send("POST", path, raw=raw, headers=FORM).json
    named = world.writer.send("POST", f"{path}?name=other", raw=raw, headers=FORM).json
    assert (made["name"], made["size"], named["name"]) == ("m.bin", 7, "other")
    wrong = world.writer.send("POST", path, raw=field("file", "m.bin", b"x"), headers=FORM)
    assert wrong.status == 500


def test_who_may_attach_and_read(world: World) -> None:
    private = world.repo("private", private=True)
    made = world.writer.must("POST", f"{private.api}/releases", {"tag_name": "v1"})
    path = f"{private.api}/releases/{made['id']}"
    key = upload(world, path, "a", b"data").json["uuid"]
    assert world.reader.send("POST", f"{path}/assets?name=b", raw=b"1", headers=BINARY).status == 403
    scoped = {scope: world.with_scopes(world.writer, scope) for scope in ("read:repository", "read:issue")}
    asked: list[tuple[Any, int]] = [
        (world.writer, 200),
        (world.reader, 200),
        (world.outsider, 404),
        (world.anonymous, 404),
        (scoped["read:repository"], 200),
        (scoped["read:issue"], 403),
    ]
    assert [actor.get(f"//attachments/{key}").status for actor, _status in asked] == [
        status for _actor, status in asked
    ]
    assert world.writer.delete(path).status == 204
    assert world.writer.get(f"//attachments/{key}").status == 404


def test_an_archived_repository_takes_attachments_only(world: World, own: Repo) -> None:
    made = world.writer.must("POST", f"{own.api}/releases", {"tag_name": "v1"})
    world.admin.must("PATCH", own.api, {"archived": True})
    assert upload(world, f"{own.api}/releases/{made['id']}", "a", b"1").status == 201
    assert world.writer.post(f"{own.api}/releases", {"tag_name": "v2"}).status == 500
    assert world.writer.patch(f"{own.api}/releases/{made['id']}", {"name": "other"}).status == 500
    assert world.writer.delete(f"{own.api}/releases/{made['id']}").status == 204


def test_the_client_streams_both_ways(own: Repo, forge_client: GiteaClient) -> None:
    name = name_of(own)
    release = forge_client.create_release(name, "v1")
    made = forge_client.create_attachment(name, release.id, "ä b.bin", content(BIG))
    assert (made.name, made.size) == ("ä b.bin", len(BIG))
    assert forge_client.hash_attachment(made.uuid) == hashlib.sha256(BIG).hexdigest()
    small = forge_client.create_attachment(name, release.id, "small", content(b"few\n"))
    assert forge_client.read_attachment(small.uuid) == b"few\n"
    assert forge_client.transport.connections == 1
    assert [one.name for one in forge_client.list_attachments(name, release.id)] == ["small", "ä b.bin"]
    forge_client.delete_attachment(name, release.id, made.id)
    assert [one.uuid for one in forge_client.get_release_by_tag(name, "v1").assets] == [small.uuid]


def test_a_file_that_shrinks_is_not_attached(own: Repo, forge_client: GiteaClient) -> None:
    name = name_of(own)
    release = forge_client.create_release(name, "v1")
    with pytest.raises(ContentError, match="shorter"):
        forge_client.create_attachment(name, release.id, "short", content(b"12", announced=3))
    longer = forge_client.create_attachment(name, release.id, "longer", content(b"1234", announced=3))
    assert forge_client.read_attachment(longer.uuid) == b"123"
    assert [one.name for one in forge_client.list_attachments(name, release.id)] == ["longer"]


def test_the_client_on_what_is_not_there(world: World, own: Repo, forge_client: GiteaClient) -> None:
    name = name_of(own)
    with pytest.raises(NotFoundError):
        forge_client.hash_attachment("00000000-0000-4000-8000-000000000000")
    release = forge_client.create_release(name, "v1")
    with pytest.raises(ConflictError):
        forge_client.delete_tag(name, "v1")
    assert forge_client.get_commit(name, "main").sha == forge_client.get_tag(name, "v1").sha
    with GiteaClient(world.forge.url, world.reader.token) as reader, pytest.raises(ForbiddenError):
        reader.create_attachment(name, release.id, "mine", content(b"1"))
