# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator sets up through the typed client on a real forge: made, read back, changed, removed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_errors import ForgeError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_world import Repo, World


@pytest.fixture(scope="module")
def boss(world: World) -> Iterator[GiteaClient]:
    """Return the client as site admin."""
    with GiteaClient(world.forge.url, world.admin.token) as client:
        yield client


@pytest.fixture(scope="module")
def place(repo: Repo) -> str:
    """Return the module's repository as owner/name."""
    return repo.api.removeprefix("/repos/")


def test_organization_and_its_repositories(world: World, boss: GiteaClient) -> None:
    org = boss.create_org(world.unused("org"), description="one").name
    made = boss.create_repo(org, "work", auto_init=True)
    assert (made.full_name, made.owner, made.admin) == (f"{org}/work", org, True)
    assert boss.update_org(org, description="two").description == "two"
    assert [one.name for one in boss.list_org_repos(org)] == ["work"]
    with pytest.raises(ForgeError, match=f"POST /orgs/{org}/repos: 409 "):
        boss.create_repo(org, "work")
    boss.delete_repo(made.full_name)
    boss.delete_org(org)
    with pytest.raises(NotFoundError):
        boss.get_org(org)


def test_a_repository_of_ones_own_and_its_way_to_others(world: World, boss: GiteaClient) -> None:
    name, org = world.unused("own"), world.unused("org")
    mine = f"{world.writer.login}/{name}"
    boss.create_org(org)
    with GiteaClient(world.forge.url, world.writer.token) as own:
        assert own.create_own_repo(world.writer.login, name, private=True).full_name == mine
        offered = own.transfer_repo(mine, org)
        assert (offered.full_name, offered.transfer_to) == (mine, org)
        assert own.get_repo(mine).transfer_to == org
    with pytest.raises(ForgeError, match="409 "):
        boss.transfer_repo(mine, org)
    boss.write("POST", f"/repos/{mine}/transfer/reject")
    moved = boss.transfer_repo(mine, org)
    assert (moved.full_name, moved.transfer_to) == (f"{org}/{name}", "")
    boss.delete_repo(moved.full_name)
    boss.delete_org(org)


def test_teams(world: World, boss: GiteaClient, place: str) -> None:
    login = world.outsider.login
    team = boss.create_team(world.org, world.unused("t"), permission="read", units_map={"repo.code": "read"})
    assert dict(team.units_map) == {"repo.code": "read"}
    assert boss.get_team(team.id) == team
    boss.put_team_member(team.id, login)
    boss.put_team_repo(team.id, place)
    assert [one.login for one in boss.list_team_members(team.id)] == [login]
    assert [one.full_name for one in boss.list_team_repos(team.id)] == [place]
    boss.delete_team_member(team.id, login)
    boss.delete_team_repo(team.id, place)
    assert (boss.list_team_members(team.id), boss.list_team_repos(team.id)) == ([], [])
    boss.delete_team(team.id)
    assert boss.find_team(world.org, team.name) is None


def test_accounts_and_tokens(world: World, boss: GiteaClient) -> None:
    login, password = world.unused("bot"), secrets.token_urlsafe(15)
    boss.create_user(login, f"{login}@forge.test", password)
    assert boss.update_user(login, full_name="A bot").full_name == "A bot"
    with GiteaClient(world.forge.url, user=login, password=password) as own:
        token = own.create_token(login, "one", ["read:user"])
        assert len(token.value) == 40
        assert [(one.name, one.value) for one in own.list_tokens(login)] == [("one", "")]
        with pytest.raises(InvalidError):
            own.create_token(login, "one", ["read:user"])
        with GiteaClient(world.forge.url, token.value) as bot:
            assert bot.whoami().login == login
        own.delete_token(login, token.id)
        assert own.list_tokens(login) == []
    boss.delete_user(login)


def test_an_account_that_owns_something(world: World, boss: GiteaClient) -> None:
    login, org = world.unused("bot"), world.unused("org")
    boss.create_user(login, f"{login}@forge.test", secrets.token_urlsafe(15))
    boss.create_repo(login, "own", org=False)
    boss.create_org(org)
    team = boss.create_team(org, "t", permission="admin")
    boss.put_team_member(team.id, login)
    assert [one.full_name for one in boss.list_user_repos(login)] == [f"{login}/own"]
    assert [one.name for one in boss.list_user_orgs(login)] == [org]
    with pytest.raises(InvalidError, match="owner"):
        boss.delete_user(login)
    boss.delete_user(login, purge=True)
    with pytest.raises(NotFoundError):
        boss.get_user(login)
    boss.delete_org(org)


def test_labels_milestones_and_the_issue_that_has_them(world: World, boss: GiteaClient, place: str) -> None:
    queued = boss.create_label(place, "fleet/queued", "00AABB", exclusive=True)
    done = boss.create_label(place, "fleet/done", "#00aabb", exclusive=True)
    assert (queued.color, queued.exclusive) == ("00aabb", True)
    milestone = boss.create_milestone(place, "first")
    issue = boss.create_issue(place, "one", labels=[queued.id], milestone=milestone.id)
    assert [one.name for one in issue.labels] == ["fleet/queued"]
    assert [one.name for one in boss.add_labels(place, issue.number, [done.id])] == ["fleet/done"]
    assert [one.number for one in boss.list_issues(place, labels=["fleet/done"])] == [issue.number]
    assert [one.number for one in boss.list_issues(place, milestone="first")] == [issue.number]
    assert boss.list_issues(place, labels=["fleet/Done"]) == []
    who = world.writer.login
    assert [one.login for one in boss.assign_issue(place, issue.number, [who]).assignees] == [who]
    assert [one.number for one in boss.list_issues(place, assigned_to=who)] == [issue.number]
    boss.remove_label(place, issue.number, done.id)
    boss.remove_label(place, issue.number, done.id)
    assert boss.get_issue(place, issue.number).labels == ()
    kinds = {event.type for event in boss.list_timeline(place, issue.number)}
    assert {"label", "milestone", "assignees"} <= kinds
    assert boss.close_issue(place, issue.number).state == "closed"


def test_protections_hooks_and_keys(boss: GiteaClient, place: str) -> None:
    rule = boss.create_branch_protection(place, "release/*", {"required_approvals": 2})
    assert (rule.rule_name, rule.required_approvals) == ("release/*", 2)
    changed = boss.update_branch_protection(place, "release/*", {"required_approvals": 1})
    assert changed.required_approvals == 1
    boss.delete_branch_protection(place, "release/*")
    assert boss.list_branch_protections(place) == []
    hook = boss.create_hook(place, "http://127.0.0.1:9/in", ["push"], secret=secrets.token_hex(8))
    assert (hook.url, hook.events, hook.active) == ("http://127.0.0.1:9/in", ("push",), True)
    boss.delete_hook(place, hook.id)
    assert boss.list_hooks(place) == []


def test_collaborators(world: World, boss: GiteaClient, place: str) -> None:
    login = world.outsider.login
    boss.put_collaborator(place, login, "read")
    assert [one.login for one in boss.list_collaborators(place)] == [login]
    assert boss.get_permission(place, login).permission == "read"
    boss.delete_collaborator(place, login)
    assert boss.list_collaborators(place) == []


def test_branches_and_releases(boss: GiteaClient, place: str) -> None:
    made = boss.create_branch(place, "side/one", "main")
    assert made.sha == boss.get_branch(place, "main").sha
    assert {one.name for one in boss.list_branches(place)} == {"main", "side/one"}
    assert ("refs/heads/side/one", made.sha) in {(one.ref, one.sha) for one in boss.list_refs(place)}
    boss.delete_branch(place, "side/one")
    release = boss.create_release(place, "v1", target_commitish="main", name="First")
    assert boss.get_release_by_tag(place, "v1") == boss.list_releases(place)[0]
    assert boss.update_release(place, release.id, name="Second").name == "Second"
    assert [one.name for one in boss.list_tags(place)] == ["v1"]
    boss.delete_release(place, release.id)
    assert boss.list_releases(place) == []
