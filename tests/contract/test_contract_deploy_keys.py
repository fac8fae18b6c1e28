# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploy keys: what a forge keeps of one, and what it refuses."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forge_world import Repo, World


def public_key() -> str:
    """Return a new public key without a comment."""
    kind = b"ssh-ed25519"
    raw = len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big") + secrets.token_bytes(32)
    return f"ssh-ed25519 {base64.b64encode(raw).decode()}"


def test_a_key_keeps_its_comment_and_has_a_fingerprint(world: World, own: Repo) -> None:
    key = public_key()
    body = {"title": "one", "key": f" {key} a comment\n", "read_only": True}
    made = world.admin.must("POST", f"{own.api}/keys", body)
    digest = base64.b64encode(hashlib.sha256(base64.b64decode(key.split()[1])).digest()).decode()
    assert (made["title"], made["key"], made["read_only"]) == ("one", f"{key} a comment", True)
    assert made["fingerprint"] == "SHA256:" + digest.rstrip("=")
    (read,) = world.admin.must("GET", f"{own.api}/keys")
    assert {name: read[name] for name in ("id", "title", "key", "fingerprint", "read_only")} == {
        name: made[name] for name in ("id", "title", "key", "fingerprint", "read_only")
    }
    assert world.writer.get(f"{own.api}/keys").status == 403


def test_a_title_or_a_key_is_there_once(world: World, own: Repo) -> None:
    key, other = public_key(), world.repo("other")
    world.admin.must("POST", f"{own.api}/keys", {"title": "one", "key": key})
    again = world.admin.post(f"{own.api}/keys", {"title": "two", "key": key})
    assert (again.status, again.message) == (422, "This key has already been added to this repository")
    again = world.admin.post(f"{own.api}/keys", {"title": "one", "key": public_key()})
    assert (again.status, again.message) == (422, "A key with the same name already exists")
    assert world.admin.post(f"{own.api}/keys", {"title": "ONE", "key": public_key()}).status == 201
    assert world.admin.post(f"{other.api}/keys", {"title": "one", "key": key}).status == 201


@pytest.mark.parametrize(
    "body", [{"title": "", "key": "k"}, {"title": "t"}, {"title": "t", "key": "ssh-ed25519 AAAA"}]
)
def test_a_key_is_refused(world: World, own: Repo, body: dict[str, Any]) -> None:
    assert world.admin.post(f"{own.api}/keys", body).status == 422


def test_removing_what_is_not_there_is_no_error(world: World, own: Repo) -> None:
    assert world.admin.delete(f"{own.api}/keys/999999").status == 204
