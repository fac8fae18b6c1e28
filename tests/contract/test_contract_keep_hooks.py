# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secret that a kept hook signs with: the one that was asked for last, told from others by a mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from timmy.core import gitea_keep_webhook
from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_ensure import Fields, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_hooks import Receiver
    from forge_world import Repo, World


@pytest.fixture(scope="module")
def boss(world: World) -> Iterator[GiteaClient]:
    """Return the client as site admin."""
    with GiteaClient(world.forge.url, world.admin.token) as client:
        yield client


def keep(boss: GiteaClient, **given: Any) -> Fields:
    """Keep a hook and return the module's result."""
    blank: dict[str, Any] = dict.fromkeys(gitea_keep_webhook.ARGUMENTS)
    fixed = {"state": "present", "type": "gitea", "update_secret": "on_change", "events": ["issues_only"]}
    return settle(gitea_keep_webhook.wish(boss, {**blank, **fixed, **given}), check=False)


def test_each_delivery_is_signed_with_the_secret_of_the_day(
    boss: GiteaClient, own: Repo, receiver: Receiver
) -> None:
    place = own.api.removeprefix("/repos/")
    days: list[tuple[str, str, bool]] = [
        ("one", "on_change", True),
        ("one", "on_change", False),
        ("two", "on_change", True),
        ("three", "on_create", False),
        ("two", "on_change", False),
        ("two", "always", True),
        ("two", "always", True),
        ("two", "on_change", True),
        ("two", "on_change", False),
    ]
    signer = ""
    for count, (secret, update, changes) in enumerate(days, 1):
        got = keep(boss, repo=place, hook_url=receiver.url, secret=secret, update_secret=update)
        signer = secret if changes else signer
        assert got["changed"] is changes, (secret, update)
        assert secret not in str(got).replace(receiver.url, "")
        own.issue(f"day {count}")
        told = receiver.wait(lambda seen, count=count: len(seen) >= count)
        assert len(told) == count
        assert told[-1].signed_with(signer), (secret, update)
    assert len(receiver.settle()) == len(days), "one hook, one delivery"


def test_a_header_goes_along_and_stays(boss: GiteaClient, own: Repo, receiver: Receiver) -> None:
    place = own.api.removeprefix("/repos/")
    common = {"repo": place, "hook_url": receiver.url}
    keep(boss, **common, secret="one", authorization_header="Bearer one")
    keep(boss, **common, branch_filter="*")
    keep(boss, **common, secret="two")
    own.issue()
    assert not keep(boss, **common, authorization_header="Bearer one", secret="two")["changed"]
    (told,) = receiver.wait(lambda seen: len(seen) >= 1)
    assert told.headers["authorization"] == "Bearer one"
    assert told.signed_with("two")


def test_a_hook_keeps_its_name_before_the_mark(world: World, boss: GiteaClient, own: Repo) -> None:
    config = {"url": "http://127.0.0.1:9/x", "content_type": "json"}
    body = {"type": "gitea", "config": config, "name": "by hand", "events": ["push"]}
    made = world.admin.must("POST", f"{own.api}/hooks", body)
    assert (made["name"], made["authorization_header"]) == ("by hand", "")
    changed = world.admin.must("PATCH", f"{own.api}/hooks/{made['id']}", {"authorization_header": "Bearer x"})
    assert (changed["name"], changed["authorization_header"]) == ("by hand", "Bearer x")
    keep(boss, repo=own.api.removeprefix("/repos/"), hook_url=config["url"], secret="one")
    (named,) = world.admin.must("GET", f"{own.api}/hooks")
    assert named["name"].startswith("by hand [timmy:")
    assert (named["events"], named["authorization_header"]) == (["issues"], "Bearer x")
