# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The removal of the forge's content: what others made is not ours to remove, and nothing of ours is left."""

from __future__ import annotations

import forge_host
import pytest
from test_forge_content import places, token

GONE = {"forge_state": "absent", "forge_remove_data": True}


@pytest.fixture(name="forge")
def the_forge() -> forge_host.Forge:
    return forge_host.current()


def test_what_others_made_is_not_removed_unasked(forge: forge_host.Forge) -> None:
    admin = forge.token()
    assert forge.api("POST", "v1/orgs/fleet/repos", {"name": "theirs"}, token=admin)[0] == 201
    refused = forge.settle(**GONE)
    assert refused.rc != 0
    assert "fleet has theirs, which this role did not make" in refused.last
    assert refused.changed()["gitea-forge"] == 0
    assert forge.api("GET", "v1/orgs/fleet", token=admin)[0] == 200


def test_nothing_is_left(forge: forge_host.Forge) -> None:
    admin, agent = forge.token(), token("bezalel")
    told = forge.settle("--check", **GONE, forge_remove_foreign=True).ok()
    assert forge.api("GET", "v1/repos/fleet/work", token=agent)[0] == 200
    done = forge.settle(**GONE, forge_remove_foreign=True).ok()
    assert done.changed() == told.changed()
    assert forge.api("GET", "v1/user", token=agent)[0] == 401
    assert forge.api("GET", "v1/orgs/fleet", token=admin)[0] == 404
    people = forge.api("GET", "v1/admin/users?limit=50", token=admin)[1]
    assert {one["login"] for one in people} <= {"forge-admin", "reader"}
    assert {one["owner"]["login"] for one in forge.api("GET", "v1/repos/search", token=admin)[1]["data"]} <= {
        "forge-admin"
    }
    assert (places("gitea-forge"), places("bezal")) == (set(), set())
    again = forge.settle(**GONE).ok()
    assert set(again.changed().values()) == {0}
