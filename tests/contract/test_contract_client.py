# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The typed client on a real forge: what it says of merges and updates, and lists under way.

TIMMY_FORGE_ISSUES sets how many issues the list has; 5,000 take some minutes to open on a real Gitea.
"""

from __future__ import annotations

import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from timmy.core.gitea_client import GiteaClient
from timmy.core.gitea_errors import ForgeError, MovedError, NotFoundError
from timmy.core.gitea_merge import MergeState, UpdateState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_git import Clone
    from forge_world import Repo, World

ISSUES = int(os.environ.get("TIMMY_FORGE_ISSUES", "130"))
PATIENCE_S = 60.0
MAIN = "refs/remotes/origin/main"


@pytest.fixture(scope="module")
def forge_client(world: World) -> Iterator[GiteaClient]:
    """Return the client as the account that merges."""
    with GiteaClient(world.forge.url, world.writer.token) as client:
        yield client


def name_of(repo: Repo) -> str:
    return repo.api.removeprefix("/repos/")


def offered(repo: Repo, clone: Clone, files: dict[str, str], title: str = "") -> tuple[int, str]:
    """Push a branch with these files, open a pull of it, and return its number and head."""
    branch = repo.world.unused("f")
    sha = repo.branches(clone.fetch(), {branch: files})[branch]
    return repo.pull(branch, title), sha


def move_main(clone: Clone, files: dict[str, str]) -> None:
    """Push a commit to main, past all pulls."""
    pushed = clone.push(f"{clone.fetch().commit(files)}:refs/heads/main")
    assert pushed.ok, pushed.output


def test_a_pull_is_merged_once_and_every_asker_is_told_so(own: Repo, forge_client: GiteaClient) -> None:
    clone, name = own.clone(), name_of(own)
    number, sha = offered(own, clone, {"a.txt": "a\n"})
    first = forge_client.merge_pull(name, number, sha, patience_s=PATIENCE_S)
    again = forge_client.merge_pull(name, number, sha)
    assert (first.state, first.sha, first.head) == (MergeState.MERGED, sha, sha)
    assert (again.state, again.sha) == (MergeState.MERGED, sha)
    assert forge_client.is_merged(name, number)
    assert clone.fetch().sha(MAIN) == sha


def test_a_head_that_moved_is_not_merged(own: Repo, forge_client: GiteaClient) -> None:
    clone, name = own.clone(), name_of(own)
    number, sha = offered(own, clone, {"a.txt": "a\n"})
    result = forge_client.merge_pull(name, number, "0" * 40, patience_s=PATIENCE_S)
    assert (result.state, result.head) == (MergeState.HEAD_MOVED, sha)
    # The refusal sent the pull back to checking; patience gets over that.
    assert forge_client.merge_pull(name, number, sha, patience_s=PATIENCE_S).merged


def test_a_conflict_is_told_from_checking(own: Repo, forge_client: GiteaClient) -> None:
    clone, name = own.clone(), name_of(own)
    number, sha = offered(own, clone, {"a.txt": "ours\n"})
    move_main(clone, {"a.txt": "theirs\n"})
    own.checked(number, mergeable=False)
    result = forge_client.merge_pull(name, number, sha, style="merge", patience_s=5.0)
    assert result.state is MergeState.CONFLICT, result
    assert forge_client.update_pull_branch(name, number).state is UpdateState.CONFLICT


def test_behind_and_brought_up_to_date(own: Repo, forge_client: GiteaClient) -> None:
    clone, name = own.clone(), name_of(own)
    number, sha = offered(own, clone, {"a.txt": "a\n"})
    assert forge_client.update_pull_branch(name, number).state is UpdateState.CURRENT
    move_main(clone, {"b.txt": "b\n"})
    own.checked(number)
    behind = forge_client.merge_pull(name, number, sha, patience_s=PATIENCE_S)
    assert behind.state is MergeState.BLOCKED, behind
    assert "behind" in behind.reason
    updated = forge_client.update_pull_branch(name, number)
    assert updated.state is UpdateState.UPDATED, updated
    assert updated.head not in ("", sha)
    assert forge_client.merge_pull(name, number, updated.head, patience_s=PATIENCE_S).merged


def test_draft_closed_and_missing(own: Repo, forge_client: GiteaClient) -> None:
    clone, name = own.clone(), name_of(own)
    number, sha = offered(own, clone, {"a.txt": "a\n"}, "WIP: not yet")
    draft = forge_client.merge_pull(name, number, sha)
    assert draft.state is MergeState.BLOCKED, draft
    forge_client.close_pull(name, number)
    closed = forge_client.merge_pull(name, number, sha)
    assert (closed.state, closed.reason) == (MergeState.BLOCKED, "the pull is closed")
    with pytest.raises(NotFoundError):
        forge_client.merge_pull(name, 4711, sha)


@pytest.mark.parametrize("state", ["", "pending", "failure", "error"])
def test_required_checks_that_are_not_green_block(own: Repo, forge_client: GiteaClient, state: str) -> None:
    clone, name = own.clone(), name_of(own)
    number, sha = offered(own, clone, {"a.txt": "a\n"})
    own.protect(enable_status_check=True, status_check_contexts=["ci/test"])
    assert forge_client.get_branch(name, "main").status_check_contexts == ("ci/test",)
    if state:
        forge_client.create_status(name, sha, "ci/test", state)
    own.checked(number)
    red = forge_client.merge_pull(name, number, sha, patience_s=PATIENCE_S)
    assert red.state is MergeState.BLOCKED, red
    assert "status check" in red.reason
    forge_client.create_status(name, sha, "ci/test", "success")
    assert forge_client.merge_pull(name, number, sha, patience_s=PATIENCE_S).merged


def test_a_protected_path_blocks(own: Repo, forge_client: GiteaClient) -> None:
    clone, name = own.clone(), name_of(own)
    number, sha = offered(own, clone, {"locked/a.txt": "a\n"})
    own.protect(protected_file_patterns="locked/**")
    own.checked(number)
    result = forge_client.merge_pull(name, number, sha, patience_s=PATIENCE_S)
    assert result.state is MergeState.BLOCKED, result
    assert "protected" in result.reason


def test_what_is_not_there_is_said_at_once(own: Repo, forge_client: GiteaClient) -> None:
    name = name_of(own)
    calls: list[Any] = [
        lambda: forge_client.list_comments(name, 4711),
        lambda: forge_client.list_timeline(name, 4711),
        lambda: forge_client.create_comment(name, 4711, "text"),
        lambda: forge_client.create_status(name, "0" * 40, "ci", "success"),
    ]
    for call in calls:
        with pytest.raises(NotFoundError):
            call()


def test_a_renamed_repository_is_found_and_not_written_to(
    world: World, own: Repo, forge_client: GiteaClient
) -> None:
    old, new = name_of(own), world.unused("renamed")
    with GiteaClient(world.forge.url, world.admin.token) as boss:
        boss.update_repo(old, name=new)
    assert forge_client.get_repo(old).name == new
    with pytest.raises(MovedError, match=new):
        forge_client.create_issue(old, "lost")
    assert forge_client.list_issues(f"{world.org}/{new}", state="all") == []


def test_an_issue_with_a_marker_of_its_own_is_opened_once(own: Repo, forge_client: GiteaClient) -> None:
    name = name_of(own)
    made = forge_client.create_issue(name, "one", "text", marker="contract.once")
    found = [forge_client.create_issue(name, "one", "text", marker="contract.once") for _each in range(3)]
    assert {issue.number for issue in found} == {made.number}
    assert len(forge_client.list_issues(name)) == 1


def test_a_long_list_is_whole_while_it_changes(world: World, own: Repo, forge_client: GiteaClient) -> None:
    name = name_of(own)
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda number: own.issue(f"issue {number}"), range(ISSUES)))
    before = forge_client.transport.requests
    quiet = [issue.number for issue in forge_client.list_issues(name, state="all")]
    assert sorted(quiet) == list(range(1, ISSUES + 1))
    assert forge_client.transport.requests - before == math.ceil(ISSUES / 50)
    stop = threading.Event()
    closed: list[int] = []

    def churn() -> None:
        with GiteaClient(world.forge.url, world.writer2.token) as other:
            for number in range(ISSUES, 0, -2):
                if stop.is_set():
                    return
                closed.append(number)
                other.close_issue(name, number)
                other.create_issue(name, f"opened meanwhile {number}")

    other = threading.Thread(target=churn)
    other.start()
    try:
        while not closed:
            stop.wait(0.01)
        listed = {state: forge_client.list_issues(name, state=state) for state in ("open", "all")}
    finally:
        stop.set()
        other.join()
    for state, found in listed.items():
        numbers = [issue.number for issue in found]
        assert len(numbers) == len(set(numbers))
        assert set(quiet) - (set(closed) if state == "open" else set()) <= set(numbers)
    assert forge_client.transport.connections == 1


def test_a_wrong_token_is_named_as_that_and_not_shown(world: World, own: Repo) -> None:
    with GiteaClient(world.forge.url, "0" * 40) as stranger, pytest.raises(ForgeError) as caught:
        stranger.create_issue(name_of(own), "nobody's")
    assert str(caught.value).startswith(f"POST {own.api}/issues: 401 ")
    assert "0" * 40 not in str(caught.value)
