# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The removal of the forge's content: what others made is not ours to remove, and nothing of ours is left."""

from __future__ import annotations

import forge_host
import pytest
from test_forge_content import places, token

# Words, as `-e name=true` gives them.
GONE = {"forge_state": "absent", "forge_remove_data": "true"}


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


def test_repositories_stay_until_their_removal_is_asked_for(forge: forge_host.Forge) -> None:
    admin, agent = forge.token(), token("bezalel")
    told = forge.settle("--check", forge_state="absent", forge_remove_data="false").ok()
    done = forge.settle(forge_state="absent", forge_remove_data="false").ok()
    assert done.changed() == told.changed()
    assert forge.api("GET", "v1/user", token=agent)[0] == 401
    assert (places("gitea-forge"), places("bezal")) == (set(), set())
    owned = forge.api("GET", "v1/orgs/fleet/repos?limit=50", token=admin)[1]
    assert {one["name"] for one in owned} >= {"work", "timmy-home", "ledger", "theirs"}
    for path in ("v1/orgs/fleet/hooks", "v1/repos/fleet/work/branch_protections"):
        assert forge.api("GET", path, token=admin) == (200, []), path
    teams = forge.api("GET", "v1/orgs/fleet/teams?limit=50", token=admin)[1]
    assert [team["name"] for team in teams] == ["Owners"]
    people = forge.api("GET", "v1/admin/users?limit=50", token=admin)[1]
    assert {one["login"] for one in people} <= {"forge-admin", "reader"}
    assert set(forge.settle(forge_state="absent").ok().changed().values()) == {0}

    # What stayed is taken over again.
    forge.settle().ok()
    assert forge.api("GET", "v1/repos/fleet/work", token=token("bezalel"))[0] == 200


def test_nothing_is_left(forge: forge_host.Forge) -> None:
    admin, agent = forge.token(), token("bezalel")
    told = forge.settle("--check", **GONE, forge_remove_foreign="true").ok()
    assert forge.api("GET", "v1/repos/fleet/work", token=agent)[0] == 200
    done = forge.settle(**GONE, forge_remove_foreign="true").ok()
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
