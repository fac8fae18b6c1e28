# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The typed client against a running forge: the meaning of its calls, past the traps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_client import GiteaClient
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import (
    BadTokenError,
    ConflictError,
    ForbiddenError,
    MovedError,
    NotFoundError,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_merge import UpdateState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from forge_wire import Actor
    from forge_world import Repo, World

    Open = Callable[[Actor], GiteaClient]


@pytest.fixture
def as_(world: World) -> Iterator[Open]:
    """Return a function that opens a client for an account."""
    opened: list[GiteaClient] = []

    def open_client(actor: Actor) -> GiteaClient:
        opened.append(GiteaClient(world.forge.url, token=actor.token))
        return opened[-1]

    yield open_client
    for one in opened:
        one.close()


@pytest.fixture
def name(own: Repo) -> str:
    """Return the repository's whole name."""
    return f"{own.world.org}/{own.name}"


def test_an_unknown_label_filters_everything_out(as_: Open, own: Repo, name: str, world: World) -> None:
    label = own.label("fleet/queued")
    queued, _other = own.issue(labels=[label]), own.issue()
    forge = as_(world.reader)
    assert [one.number for one in forge.list_issues(name, labels=["fleet/queued"])] == [queued]
    assert forge.list_issues(name, labels=["no-such"]) == []
    assert forge.list_issues(name, labels=["FLEET/queued"]) == []


def test_a_list_is_whole_and_each_row_is_there_once(as_: Open, own: Repo, name: str, world: World) -> None:
    made = [own.issue(f"i{n}") for n in range(53)]
    assert sorted(one.number for one in as_(world.reader).list_issues(name)) == made


def test_an_issue_is_opened_once_under_a_marker(as_: Open, own: Repo, name: str, world: World) -> None:
    forge = as_(world.writer)
    label = own.label("l")
    marker = "m0123456789abcdef"
    first = forge.create_issue(
        name, "t", "text", labels=[label], assignees=[world.writer.login], marker=marker
    )
    again = forge.create_issue(name, "t", "text", marker=marker)
    assert first.number == again.number
    assert len(forge.list_issues(name)) == 1
    assert ([one.name for one in first.labels], [one.login for one in first.assignees]) == (
        ["l"],
        [world.writer.login],
    )
    comment = forge.create_comment(name, first.number, "hello", marker=marker)
    assert forge.create_comment(name, first.number, "hello", marker=marker).id == comment.id
    assert [one.id for one in forge.list_comments(name, first.number)] == [comment.id]


def test_a_body_that_was_changed_meanwhile_is_kept(as_: Open, own: Repo, name: str, world: World) -> None:
    number, forge = own.issue(body="first"), as_(world.writer)
    version = forge.get_issue(name, number).content_version
    forge.update_issue(name, number, body="second", content_version=version)
    with pytest.raises(ConflictError):
        forge.update_issue(name, number, body="third", content_version=version)
    assert forge.get_issue(name, number).body == "second"


def test_an_issue_from_open_to_closed(as_: Open, own: Repo, name: str, world: World) -> None:
    number, forge = own.issue(), as_(world.writer)
    label = own.label("fleet/done", exclusive=True)
    assert [one.login for one in forge.assign_issue(name, number, [world.writer2.login]).assignees] == [
        world.writer2.login
    ]
    assert [one.name for one in forge.add_labels(name, number, [label])] == ["fleet/done"]
    assert forge.close_issue(name, number).state == "closed"
    kinds = [one.type for one in forge.list_timeline(name, number)]
    assert kinds == ["assignees", "label", "close"]
    assert forge.list_timeline(name, own.issue()) == []


def test_a_moved_repository_says_where(as_: Open, own: Repo, name: str, world: World) -> None:
    own.issue()
    new = world.unused("moved")
    world.admin.must("PATCH", own.api, {"name": new})
    forge = as_(world.writer)
    with pytest.raises(MovedError) as moved:
        forge.create_issue(name, "x")
    assert new in moved.value.location
    assert len(forge.list_issues(f"{world.org}/{new}")) == 1


def test_refusals_name_what_is_missing_and_never_the_token(as_: Open, name: str, world: World) -> None:
    narrow = world.with_scopes(world.writer, "read:repository")
    with pytest.raises(ForbiddenError) as refused:
        as_(narrow).create_issue(name, "x")
    assert "write:issue" in str(refused.value)
    assert narrow.token not in str(refused.value)
    wrong = "f" * 40
    with (
        GiteaClient(world.forge.url, token=wrong) as stranger,
        pytest.raises(BadTokenError) as unknown,
    ):
        stranger.get_repo(name)
    assert wrong not in str(unknown.value)
    with pytest.raises(NotFoundError):
        as_(world.writer).get_issue(name, 9999)
    with pytest.raises(NotFoundError):
        as_(world.writer).list_comments(name, 9999)


def test_repositories_behind_hidden_ones_are_found(as_: Open, world: World) -> None:
    org = world.unused("mixed")
    world.admin.must("POST", "/orgs", {"username": org})
    names = [f"r{n}" for n in range(5)]
    for at, each in enumerate(names):
        world.admin.must("POST", f"/orgs/{org}/repos", {"name": each, "private": at < 3})
    try:
        assert [one.name for one in as_(world.outsider).list_org_repos(org)] == ["r3", "r4"]
        assert sorted(one.name for one in as_(world.admin).list_org_repos(org)) == names
    finally:
        for each in names:
            world.admin.delete(f"/repos/{org}/{each}")
        world.admin.delete(f"/orgs/{org}")


def test_a_pull_from_opening_to_closing(as_: Open, own: Repo, name: str, world: World) -> None:
    clone = own.clone()
    own.branches(clone, {"f": {"f.txt": "f\n"}})
    forge = as_(world.writer)
    pull = forge.create_pull(name, "f", "main", "t", "text", marker="p0123456789abcdef")
    assert forge.create_pull(name, "f", "main", "t", "text", marker="p0123456789abcdef").number == pull.number
    with pytest.raises(ConflictError):
        forge.create_pull(name, "f", "main", "t")
    assert [one.number for one in forge.list_pulls(name, base="main")] == [pull.number]
    assert [one.filename for one in forge.list_pull_files(name, pull.number)] == ["f.txt"]
    assert forge.update_pull_branch(name, pull.number).state is UpdateState.CURRENT
    assert clone.push(f"{clone.commit({'base.txt': 'moved'})}:refs/heads/main").ok
    own.checked(pull.number)
    updated = forge.update_pull_branch(name, pull.number)
    assert updated.state is UpdateState.UPDATED
    assert clone.fetch().parents(updated.head) == [clone.sha("refs/remotes/origin/main")]
    assert forge.close_pull(name, pull.number).state == "closed"
    assert forge.list_pulls(name) == []


def test_statuses_are_read_from_every_page_newest_first(
    as_: Open, own: Repo, name: str, world: World
) -> None:
    forge = as_(world.writer)
    sha = own.clone().sha("refs/remotes/origin/main")
    for at in range(32):
        forge.create_status(name, sha, f"c{at:02}", "success" if at else "failure")
    rows = forge.list_statuses(name, sha)
    assert [one.context for one in rows] == [f"c{at:02}" for at in reversed(range(32))]
    assert rows[-1].state == "failure"
    assert {one.creator.login for one in rows if one.creator} == {world.writer.login}


def test_rules_hooks_and_tokens(as_: Open, own: Repo, name: str, world: World) -> None:
    forge = as_(world.admin)
    fields: dict[str, Any] = {"enable_status_check": True, "status_check_contexts": ["ci/test"]}
    assert forge.create_branch_protection(name, "main", fields).status_check_contexts == ("ci/test",)
    with pytest.raises(ForbiddenError):
        forge.create_branch_protection(name, "main", fields)
    assert as_(world.writer).get_branch(name, "main").status_check_contexts == ("ci/test",)
    made = forge.create_hook(name, "http://127.0.0.1:9/x", ["issues_only"], secret="s")
    assert [(one.id, one.events, one.active) for one in forge.list_hooks(name)] == [
        (made.id, ("issues",), True)
    ]
    person = world.account("minted")
    with GiteaClient(world.forge.url, user=person.login, password=person.password) as by_password:
        token = by_password.create_token(person.login, "t", ["read:user"])
        assert (len(token.value), token.last_eight) == (40, token.value[-8:])
        assert "t" in {one.name for one in by_password.list_tokens(person.login)}
        by_password.delete_token(person.login, token.id)
        assert "t" not in {one.name for one in by_password.list_tokens(person.login)}
