# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge on PostgreSQL, where its removal left no other: made, again, upgraded, spoiled, and gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import forge_host
import pytest
from test_gitea_absent import TRACES

if TYPE_CHECKING:
    from pathlib import Path

# With what a file of passwords has to write in another way.
PASSWORD = "tri:al\\of a password"
ASKED = {
    "gitea_database": "postgres",
    "gitea_database_host": "127.0.0.1:5432",
    "gitea_database_password": PASSWORD,
}
ISSUES = "v1/repos/forge-admin/kept/issues"
# The database alone is spoiled, files would not tell; and a table is new, as after a migration.
SPOIL = "drop table issue cascade; create table of_the_next (id int)"
HAVOC = f"psql --quiet --host=127.0.0.1 --username=gitea --dbname=gitea --command='{SPOIL}'; exit 1"


@pytest.fixture(name="forge", scope="module")
def the_forge() -> forge_host.Forge:
    found = forge_host.current()
    if found.host.vars["sandbox_forge"] != "gitea":
        pytest.skip("the pocket forge has no PostgreSQL; FORGE_BINARY names a Gitea, which has")
    return found


def sql(forge: forge_host.Forge, command: str) -> str:
    """Return what PostgreSQL says to its own admin."""
    ask = ("psql", "--no-align", "--tuples-only", "--dbname=gitea", f"--command={command}")
    return forge.host.run("env", "--chdir=/", *ask, user="postgres").ok().strip()


def titles(forge: forge_host.Forge) -> list[str]:
    status, found = forge.api("GET", ISSUES, token=forge.token())
    assert status == 200, found
    return sorted(one["title"] for one in found)


def test_its_life(forge: forge_host.Forge, tmp_path: Path) -> None:
    """One story, since each step starts from what the one before left."""
    packages = "postgresql postgresql-client"
    get = f"apt-get -qq update && apt-get -qqy install --no-install-recommends {packages}"
    forge.host.sh(f"export DEBIAN_FRONTEND=noninteractive; {get}", timeout_s=600).ok()
    user = f"create role gitea login password '{PASSWORD}'"
    as_admin = "cd / && setpriv --reuid=postgres --regid=postgres --init-groups"
    forge.host.sh(f'{as_admin} psql --command="{user}" && {as_admin} createdb --owner=gitea gitea').ok()

    forge.deploy(**ASKED).ok()
    assert forge.deploy(**ASKED).ok().changed() == {forge.host.name: 0}
    made = {"name": "kept", "auto_init": True}
    assert forge.api("POST", "v1/user/repos", made, token=forge.token())[0] == 201
    assert forge.api("POST", ISSUES, {"title": "one"}, token=forge.token())[0] == 201
    assert sql(forge, "select name from issue") == "one"
    assert forge.host.run("stat", "--format=%a %U", "/etc/gitea/pgpass").ok() == "400 gitea\n"
    said = "cat /etc/gitea/app.ini /etc/systemd/system/gitea.service; journalctl --no-pager --output cat"
    assert "al\\of a" not in forge.host.sh(said).ok()

    # The copy from before the upgrade holds the database.
    first, following = forge.release, forge.program(tmp_path, "1.26.5", "true")
    forge.deploy(**ASKED, **following).ok()
    assert (forge.release.partition("-")[0], titles(forge)) == ("1.26.5", ["one"])
    copy = forge.host.sh(f"ls -d /var/backups/gitea/*-{first}").ok().split()[-1]
    assert forge.host.run("grep", "--count", "COPY public.issue ", f"{copy}/database.sql").ok() == "1\n"

    # A release that spoils the database goes, with what it did.
    assert forge.api("POST", ISSUES, {"title": "two"}, token=forge.token())[0] == 201
    bad = forge.deploy(**ASKED, **forge.program(tmp_path, "1.26.6", HAVOC))
    assert "was taken back: it died as it started" in bad.last
    assert (forge.release.partition("-")[0], titles(forge)) == ("1.26.5", ["one", "two"])
    assert sql(forge, "select count(*) from issue") == "2"
    assert sql(forge, "select to_regclass('of_the_next') is null") == "t"
    assert forge.deploy(**ASKED, **following).ok().changed() == {forge.host.name: 0}

    gone = {"gitea_state": "absent", "gitea_remove_data": "true"}
    forge.deploy(**gone).ok()
    assert forge.host.sh(TRACES).ok().strip() == ""
    assert sql(forge, "select count(*) from issue") == "2", "a database is never removed"
