# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the typed client says of a merge, for each state that a pull can be in on a real forge.

It says so twice: foretold without asking, as check mode does, and then by asking for the merge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_client import GiteaClient
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import BadTokenError, NotFoundError
from ansible_collections.timmy.config.plugins.module_utils.gitea_foresee import foreseen
from ansible_collections.timmy.config.plugins.module_utils.gitea_merge import MergeState

if TYPE_CHECKING:
    from collections.abc import Callable

    from forge_git import Clone
    from forge_world import Repo, World

MERGED, BLOCKED, CONFLICT = MergeState.MERGED, MergeState.BLOCKED, MergeState.CONFLICT
MOVED, CHECKING, UNKNOWN = MergeState.HEAD_MOVED, MergeState.CHECKING, MergeState.UNKNOWN_RECHECK
FAST = "fast-forward-only"
PATIENCE_S, SHORT_S = 60.0, 4.0
ZEROS = "0" * 40
CHECK = {"enable_status_check": True, "status_check_contexts": ["ci/test"]}


@dataclass
class Case:
    """One pull into a base branch of its own; the steps of a row change it before the merge."""

    repo: Repo
    clone: Clone
    base: str
    head: str
    sha: str
    number: int = 0

    @property
    def world(self) -> World:
        """Return the accounts."""
        return self.repo.world

    def patch(self, **fields: Any) -> None:
        """Change the pull."""
        self.world.writer.must("PATCH", f"{self.repo.api}/pulls/{self.number}", fields)

    def push(self, branch: str, parent: str, text: str, name: str = "other.txt") -> str:
        """Push a commit on top of another."""
        sha = self.clone.commit({name: text}, parent=parent)
        pushed = self.clone.push(f"{sha}:refs/heads/{branch}")
        assert pushed.ok, pushed.output
        return sha

    def rule(self, **fields: Any) -> None:
        """Lay a rule on the base."""
        self.world.admin.must(
            "POST", f"{self.repo.api}/branch_protections", {"rule_name": self.base, **fields}
        )

    def depend(self, state: str) -> None:
        """Make the pull wait for an issue that is open or closed."""
        issue = self.repo.issue()
        owner = {"owner": self.world.org, "repo": self.repo.name, "index": issue}
        self.world.writer.must("POST", f"{self.repo.api}/issues/{self.number}/dependencies", owner)
        self.world.writer.must("PATCH", f"{self.repo.api}/issues/{issue}", {"state": state})

    def merge_first(self) -> None:
        """Merge it before the client asks."""
        assert self.repo.merge_when_checked(self.number).status == 200

    def move_head(self) -> str:
        """Push a commit to the head."""
        return self.push(self.head, self.sha, "more\n")

    def follow_head(self) -> None:
        """Push a commit to the head and take it for the one to merge."""
        self.sha = self.move_head()
        self.checked()

    def checked(self) -> None:
        """Wait until the forge finds the pull mergeable."""
        assert self.repo.checked(self.number)["mergeable"] is True

    def status(self, *states: str, context: str = "ci/test") -> None:
        """Post states of a context, one after another."""
        for state in states:
            self.repo.status(self.sha, context, state)


MAIN = "refs/remotes/origin/main"
STEPS: dict[str, Callable[[Case], Any]] = {
    "base moved": lambda case: case.push(case.base, MAIN, "moved\n"),
    "conflict": lambda case: case.push(case.base, MAIN, "by the base\n", f"{case.head}.txt"),
    "head moved": Case.move_head,
    "new head": Case.follow_head,
    "required": lambda case: case.rule(**CHECK),
    "two required": lambda case: case.rule(
        enable_status_check=True, status_check_contexts=["ci/test", "ci/b"]
    ),
    "glob required": lambda case: case.rule(enable_status_check=True, status_check_contexts=["ci/*"]),
    "any required": lambda case: case.rule(enable_status_check=True, status_check_contexts=[]),
    "green": lambda case: case.status("success"),
    "other green": lambda case: case.status("success", context="ci/b"),
    "other red": lambda case: case.status("failure", context="ci/b"),
    "red then green": lambda case: case.status("failure", "success"),
    "green then red": lambda case: case.status("success", "failure"),
    "pending": lambda case: case.status("pending"),
    "red": lambda case: case.status("failure"),
    "error": lambda case: case.status("error"),
    "warning": lambda case: case.status("warning"),
    "skipped": lambda case: case.status("skipped"),
    "closed": lambda case: case.patch(state="closed"),
    "closed and open": lambda case: (case.patch(state="closed"), case.patch(state="open")),
    "draft": lambda case: case.patch(title="WIP: not yet"),
    "draft no more": lambda case: (case.patch(title="WIP: not yet"), case.patch(title="ready")),
    "merged": Case.merge_first,
    "locked path": lambda case: case.rule(protected_file_patterns=f"{case.head}.txt"),
    "other path locked": lambda case: case.rule(protected_file_patterns="locked/**"),
    "list of others": lambda case: case.rule(enable_merge_whitelist=True),
    "on the list": lambda case: case.rule(
        enable_merge_whitelist=True, merge_whitelist_usernames=[case.world.writer.login]
    ),
    "no push": lambda case: case.rule(),
    "waits for an issue": lambda case: case.depend("open"),
    "waited for an issue": lambda case: case.depend("closed"),
    "a merge failed": lambda case: case.repo.merge_when_checked(case.number, head_commit_id=ZEROS),
    "branch gone": lambda case: case.world.writer.must("DELETE", f"{case.repo.api}/branches/{case.head}"),
}

UNMET = "status checks"
ROWS: list[tuple[str, str, str, MergeState, str]] = [
    *[("", style, "writer", MERGED, "") for style in ("merge", "rebase", "rebase-merge", "squash", FAST)],
    *[("base moved", style, "writer", MERGED, "") for style in ("merge", "rebase", "rebase-merge", "squash")],
    ("base moved", FAST, "writer", BLOCKED, "behind"),
    *[("conflict", style, "writer", CONFLICT, "") for style in ("merge", "squash", FAST)],
    *[("head moved", style, "writer", MOVED, "") for style in ("merge", "squash", FAST)],
    ("new head", FAST, "writer", MERGED, ""),
    ("required", FAST, "writer", BLOCKED, UNMET),
    ("required", FAST, "admin", BLOCKED, UNMET),
    *[
        (f"required, {word}", FAST, "writer", BLOCKED, UNMET)
        for word in ("pending", "red", "error", "warning")
    ],
    ("required, other green", FAST, "writer", BLOCKED, UNMET),
    ("required, green then red", FAST, "writer", BLOCKED, UNMET),
    ("required, green, new head", FAST, "writer", BLOCKED, UNMET),
    ("two required, green", FAST, "writer", BLOCKED, UNMET),
    ("glob required, green, other red", FAST, "writer", BLOCKED, UNMET),
    ("any required", FAST, "writer", BLOCKED, UNMET),
    ("required, green", FAST, "writer", MERGED, ""),
    ("required, skipped", FAST, "writer", MERGED, ""),
    ("required, red then green", FAST, "writer", MERGED, ""),
    ("required, green, other red", FAST, "writer", MERGED, ""),
    ("two required, green, other green", FAST, "writer", MERGED, ""),
    ("glob required, green", FAST, "writer", MERGED, ""),
    ("closed", FAST, "writer", BLOCKED, "closed"),
    ("closed and open", FAST, "writer", MERGED, ""),
    ("draft", FAST, "writer", BLOCKED, "work in progress"),
    ("draft", FAST, "admin", BLOCKED, "work in progress"),
    ("draft no more", FAST, "writer", MERGED, ""),
    ("merged", FAST, "writer", MERGED, ""),
    ("merged", "squash", "reader", MERGED, ""),
    ("locked path", FAST, "writer", BLOCKED, "protected files"),
    ("locked path", FAST, "admin", BLOCKED, "protected files"),
    ("other path locked", FAST, "writer", MERGED, ""),
    ("list of others", FAST, "writer", BLOCKED, "not allowed"),
    ("list of others", FAST, "admin", BLOCKED, "not allowed"),
    ("on the list", FAST, "writer", MERGED, ""),
    ("no push", FAST, "writer", MERGED, ""),
    ("", FAST, "reader", BLOCKED, "not allowed"),
    ("", FAST, "outsider", BLOCKED, "not allowed"),
    ("waits for an issue", FAST, "writer", BLOCKED, "depends on 1"),
    ("waited for an issue", FAST, "writer", MERGED, ""),
    ("a merge failed", FAST, "writer", MERGED, ""),
    ("a merge failed, head moved", FAST, "writer", MOVED, ""),
]


@pytest.fixture(scope="module")
def clone(repo: Repo) -> Clone:
    """Return a clone of the module's repository."""
    return repo.clone()


@pytest.fixture
def case(repo: Repo, clone: Clone) -> Case:
    """Open a pull into a base branch of its own and wait until it is mergeable."""
    base, head = repo.world.unused("base"), repo.world.unused("f")
    sha = clone.commit({f"{head}.txt": "by the pull\n"})
    assert clone.push(f"{MAIN}:refs/heads/{base}", f"{sha}:refs/heads/{head}").ok
    made = Case(repo, clone, base, head, sha)
    made.number = repo.pull(head, base=base)
    made.checked()
    return made


def client(case: Case, part: str) -> GiteaClient:
    """Return the typed client of an account."""
    return GiteaClient(case.world.forge.url, token=getattr(case.world, part).token)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0] or 'plain'}; {row[1]} by {row[2]}")
def test_the_result_of_a_merge(case: Case, row: tuple[str, str, str, MergeState, str]) -> None:
    steps, style, part, state, words = row
    wanted = case.sha
    for step in filter(None, steps.split(", ")):
        STEPS[step](case)
    if "new head" in steps:
        wanted = case.sha
    patience = SHORT_S if state in {CONFLICT, MOVED} else PATIENCE_S
    # What is blocked may be so for a while only; here nobody changes it.
    foresight = PATIENCE_S if state is MERGED else SHORT_S
    if state is CONFLICT:
        case.repo.checked(case.number, mergeable=False)
    name = f"{case.world.org}/{case.repo.name}"
    with client(case, part) as forge:
        told, _spent = foreseen(forge, forge.get_repo(name), case.number, wanted, style, wait_s=foresight)
        result = forge.merge_pull(name, case.number, wanted, style=style, patience_s=patience)
    assert result.state is state, result
    # Only admins may read which paths are protected.
    assert told.state is (MERGED if (steps, part) == ("locked path", "writer") else state), told
    assert words in result.reason.lower(), result
    read = case.world.writer.must("GET", f"{case.repo.api}/pulls/{case.number}")
    assert read["merged"] is (state is MERGED)
    if state is MERGED:
        assert result.sha == read["merge_commit_sha"]
        assert case.clone.remote(f"refs/heads/{case.base}") == {f"refs/heads/{case.base}": result.sha}


def test_a_pull_whose_branch_is_gone_is_not_merged(case: Case) -> None:
    STEPS["branch gone"](case)
    with client(case, "writer") as forge:
        result = forge.merge_pull(f"{case.world.org}/{case.repo.name}", case.number, case.sha)
    # The forge closes such a pull some moments later; until then a merge is an opaque 500.
    assert result.state in {UNKNOWN, BLOCKED}, result
    assert case.world.writer.must("GET", f"{case.repo.api}/pulls/{case.number}")["merged"] is False


def test_nothing_to_merge_stays_checking(repo: Repo, clone: Clone) -> None:
    base, head = repo.world.unused("base"), repo.world.unused("f")
    assert clone.push(f"{MAIN}:refs/heads/{base}", f"{MAIN}:refs/heads/{head}").ok
    case = Case(repo, clone, base, head, clone.sha(MAIN))
    case.number = repo.pull(head, base=base)
    with client(case, "writer") as forge:
        result = forge.merge_pull(f"{repo.world.org}/{repo.name}", case.number, case.sha, patience_s=SHORT_S)
    assert result.state is CHECKING


@pytest.mark.parametrize(
    ("fields", "style", "words"),
    [({"archived": True}, FAST, "archived"), ({"allow_squash_merge": False}, "squash", "squash")],
)
def test_what_a_whole_repository_forbids(own: Repo, fields: dict[str, bool], style: str, words: str) -> None:
    clone = own.clone()
    sha = own.branches(clone, {"f": {"f.txt": "f\n"}})["f"]
    case = Case(own, clone, "main", "f", sha, own.pull("f"))
    case.checked()
    own.world.admin.must("PATCH", own.api, fields)
    with client(case, "writer") as forge:
        result = forge.merge_pull(
            f"{own.world.org}/{own.name}", case.number, sha, style=style, patience_s=SHORT_S
        )
    assert (result.state, words in result.reason) == (BLOCKED, True), result


def test_what_cannot_be_asked_is_an_error(case: Case) -> None:
    name = f"{case.world.org}/{case.repo.name}"
    with client(case, "anonymous") as nobody, pytest.raises(BadTokenError):
        nobody.merge_pull(name, case.number, case.sha)
    with client(case, "writer") as forge, pytest.raises(NotFoundError):
        forge.merge_pull(name, 999999, case.sha)
