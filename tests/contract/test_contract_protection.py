# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Branch protection at merge time: required checks by their word, lists of people, what force gets past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from forge_world import Repo, World

CHECKS = {"enable_status_check": True, "status_check_contexts": ["ci/test"]}
UNMET = "Not all required status checks successful"


@pytest.fixture
def pull(own: Repo) -> tuple[int, str]:
    """Return a mergeable pull and its head, in a repository whose main requires ci/test."""
    clone = own.clone()
    sha = own.branches(clone, {"f": {"f.txt": "f\n"}})["f"]
    number = own.pull("f")
    own.checked(number)
    own.protect(**CHECKS)
    return number, sha


def merged(repo: Repo, number: int) -> bool:
    """Return whether a pull is merged."""
    return bool(repo.world.writer.must("GET", f"{repo.api}/pulls/{number}")["merged"])


def test_a_rule_is_made_once_by_repository_admins(world: World, own: Repo) -> None:
    rules = f"{own.api}/branch_protections"
    assert world.writer.post(rules, {"rule_name": "w"}).status == 403
    made = own.protect(**CHECKS)
    assert (made["rule_name"], made["status_check_contexts"], made["enable_push"]) == (
        "main",
        ["ci/test"],
        False,
    )
    assert world.admin.post(rules, {"rule_name": "main"}).status == 403
    assert world.admin.post(rules, {}).status == 400
    assert world.admin.post(rules, {"rule_name": "no-such-branch"}).status == 201
    assert world.admin.must("POST", rules, {"branch_name": "older-key"})["rule_name"] == "older-key"
    assert {row["rule_name"] for row in world.admin.must("GET", rules)} == {
        "main",
        "no-such-branch",
        "older-key",
    }
    for path in (f"{rules}/main",):
        assert world.admin.delete(path).status == 204
        for method, body in (("DELETE", None), ("GET", None), ("PATCH", {"required_approvals": 1})):
            assert world.admin.send(method, path, body).status == 404


def test_a_glob_rule_is_found_by_its_name(world: World, own: Repo) -> None:
    rules = f"{own.api}/branch_protections"
    world.admin.must("POST", rules, {"rule_name": "release/*"})
    for name in (quote("release/*", safe=""), "release/*"):
        assert world.admin.must("GET", f"{rules}/{name}")["rule_name"] == "release/*"


PEOPLE: list[tuple[dict[str, Any], int, list[str]]] = [
    ({"push_whitelist_usernames": ["nobody-has-this"]}, 422, []),
    ({"push_whitelist_teams": ["no-such-team"]}, 422, []),
    ({"push_whitelist_usernames": ["{outsider}"]}, 201, []),
    ({"push_whitelist_usernames": ["{reader}", "{writer}"]}, 201, ["{writer}"]),
]


@pytest.mark.parametrize(("lists", "status", "left"), PEOPLE)
def test_a_list_holds_known_people_who_may_write(
    own: Repo, lists: dict[str, Any], status: int, left: list[str]
) -> None:
    names = {part: actor.login for part, actor in own.world.people.items()}
    filled = {key: [one.format(**names) for one in value] for key, value in lists.items()}
    body = {"rule_name": "r", "enable_push": True, "enable_push_whitelist": True, **filled}
    got = own.world.admin.post(f"{own.api}/branch_protections", body)
    assert got.status == status
    if status == 201:
        assert got.json["push_whitelist_usernames"] == [one.format(**names) for one in left]


def test_a_push_list_is_only_switched_on_beside_enable_push(world: World, own: Repo) -> None:
    rules, login = f"{own.api}/branch_protections", world.writer.login
    made = world.admin.must(
        "POST", rules, {"rule_name": "r", "enable_push_whitelist": True, "push_whitelist_usernames": [login]}
    )
    assert (made["enable_push"], made["enable_push_whitelist"]) == (False, False)
    steps: list[tuple[dict[str, Any], bool, list[str]]] = [
        ({"enable_push_whitelist": True}, False, [login]),
        ({"enable_push": True, "enable_push_whitelist": True}, True, [login]),
        ({"push_whitelist_usernames": None}, True, [login]),
        ({"push_whitelist_usernames": []}, True, []),
        ({"enable_push": False}, False, []),
    ]
    for change, switched, names in steps:
        read = world.admin.must("PATCH", f"{rules}/r", change)
        assert (read["enable_push_whitelist"], read["push_whitelist_usernames"]) == (switched, names), change


def test_a_gate_holds_what_hangs_on_it(world: World, own: Repo) -> None:
    rules, login = f"{own.api}/branch_protections", world.writer.login
    names = ("enable_push", "enable_push_whitelist", "push_whitelist_deploy_keys")
    body = {"rule_name": "r", "push_whitelist_usernames": [login], **dict.fromkeys(names, True)}
    made = world.admin.must("POST", rules, body)
    assert [made[name] for name in names] == [True, True, True]
    steps: list[tuple[dict[str, bool], list[bool]]] = [
        ({"push_whitelist_deploy_keys": False}, [True, True, True]),
        ({"enable_push": True, "push_whitelist_deploy_keys": False}, [True, True, True]),
        (dict.fromkeys(names, True) | {"push_whitelist_deploy_keys": False}, [True, True, False]),
        (dict.fromkeys(names, True), [True, True, True]),
        ({"enable_push": True, "enable_push_whitelist": False}, [True, False, False]),
        (dict.fromkeys(names, True), [True, True, True]),
        ({"enable_push": False}, [False, False, False]),
    ]
    for change, switched in steps:
        read = world.admin.must("PATCH", f"{rules}/r", change)
        assert [read[name] for name in names] == switched, change
        assert read["push_whitelist_usernames"] == [login]


def test_force_push_is_made_only_with_push_and_keeps_alone(world: World, own: Repo) -> None:
    rules = f"{own.api}/branch_protections"
    names = ("enable_force_push", "enable_force_push_allowlist", "force_push_allowlist_deploy_keys")
    made = world.admin.must("POST", rules, {"rule_name": "r", **dict.fromkeys(names, True)})
    assert [made[name] for name in names] == [False, False, False]
    steps: list[tuple[dict[str, bool], list[bool]]] = [
        ({"enable_push": True, **dict.fromkeys(names, True)}, [True, True, True]),
        ({"enable_force_push_allowlist": False}, [True, True, True]),
        ({"enable_push": False}, [True, True, True]),
        ({"enable_force_push": False}, [False, False, False]),
        ({"enable_force_push": True}, [True, False, False]),
    ]
    for change, switched in steps:
        read = world.admin.must("PATCH", f"{rules}/r", change)
        assert [read[name] for name in names] == switched, change


@pytest.mark.parametrize(
    "field",
    [
        "push_whitelist_teams",
        "force_push_allowlist_teams",
        "merge_whitelist_teams",
        "approvals_whitelist_teams",
    ],
)
def test_a_list_holds_teams_that_read_the_code(world: World, own: Repo, field: str) -> None:
    names = {}
    for part, units, given in (
        ("Reads", {"repo.code": "read"}, True),
        ("Elsewhere", {"repo.code": "write"}, False),
        ("Issues", {"repo.issues": "write"}, True),
    ):
        names[part] = world.unused(part)
        body = {"name": names[part], "permission": "write", "units_map": units}
        team = world.admin.must("POST", f"/orgs/{world.org}/teams", body)
        if given:
            world.admin.must("PUT", f"/teams/{team['id']}/repos/{world.org}/{own.name}")
    asked = [*names.values(), "writers", "owners"]
    made = world.admin.must("POST", f"{own.api}/branch_protections", {"rule_name": "r", field: asked})
    assert sorted(made[field]) == sorted([names["Reads"], "writers", "Owners"])
    read = world.admin.must("PATCH", f"{own.api}/branch_protections/r", {field: [names["Reads"].lower()]})
    assert read[field] == [names["Reads"]]


@pytest.mark.parametrize(
    ("units", "changes", "approves"),
    [
        ({"repo.code": "write"}, False, False),
        ({"repo.code": "write", "repo.issues": "write"}, False, False),
        ({"repo.code": "write", "repo.pulls": "read"}, True, True),
        ({"repo.code": "read", "repo.pulls": "write"}, False, True),
        ({"repo.code": "read", "repo.pulls": "read"}, False, True),
    ],
)
def test_who_has_a_right_by_a_team_needs_pulls_as_well(
    world: World, own: Repo, units: dict[str, str], changes: bool, approves: bool
) -> None:
    login = world.account("member").login
    body = {"name": world.unused("t"), "permission": "write", "units_map": units}
    team = world.admin.must("POST", f"/orgs/{world.org}/teams", body)
    world.admin.must("PUT", f"/teams/{team['id']}/members/{login}")
    world.admin.must("PUT", f"/teams/{team['id']}/repos/{world.org}/{own.name}")
    names = ("push_whitelist_usernames", "merge_whitelist_usernames", "approvals_whitelist_username")
    asked = {"rule_name": "r", "enable_push": True, **{key: [login] for key in names}}
    made = world.admin.must("POST", f"{own.api}/branch_protections", asked)
    assert [made[name] == [login] for name in names] == [changes, changes, approves]


def test_a_rule_has_a_place_and_no_negative_count(world: World, own: Repo) -> None:
    rules = f"{own.api}/branch_protections"
    assert world.admin.must("POST", rules, {"rule_name": "a"})["priority"] == 1
    made = world.admin.must("POST", rules, {"rule_name": "b", "priority": 7, "required_approvals": -1})
    assert (made["priority"], made["required_approvals"]) == (7, 0)
    assert world.admin.must("POST", rules, {"rule_name": "c"})["priority"] == 8
    assert world.admin.must("PATCH", f"{rules}/b", {"priority": 3, "rule_name": "d"})["priority"] == 3
    assert [(row["rule_name"], row["priority"]) for row in world.admin.must("GET", rules)] == [
        ("a", 1),
        ("b", 3),
        ("c", 8),
    ]


def test_a_change_leaves_what_it_does_not_name(world: World, own: Repo) -> None:
    own.protect(**CHECKS, protected_file_patterns="locked/**", block_on_outdated_branch=True)
    path = f"{own.api}/branch_protections/main"
    before = world.admin.must("GET", path)
    after = world.admin.must("PATCH", path, {"required_approvals": 1})
    assert {key for key in before if before[key] != after[key]} <= {"required_approvals", "updated_at"}
    assert world.admin.must("PATCH", path, {"status_check_contexts": None})["status_check_contexts"] == [
        "ci/test"
    ]
    assert world.admin.must("PATCH", path, {"status_check_contexts": []})["status_check_contexts"] == []


def test_a_branch_shows_its_protection_to_those_who_may_not_read_rules(world: World, own: Repo) -> None:
    own.protect(**CHECKS)
    row = world.writer.must("GET", f"{own.api}/branches/main")
    assert (row["protected"], row["enable_status_check"], row["status_check_contexts"]) == (
        True,
        True,
        ["ci/test"],
    )
    assert (row["user_can_push"], row["user_can_merge"]) == (False, True)


def test_a_protected_branch_is_not_removed_by_anybody(world: World, own: Repo) -> None:
    world.writer.must("POST", f"{own.api}/branches", {"new_branch_name": "rel", "old_branch_name": "main"})
    world.admin.must("POST", f"{own.api}/branch_protections", {"rule_name": "rel"})
    for actor in (world.writer, world.admin):
        assert actor.delete(f"{own.api}/branches/rel").status == 403
    clone = own.clone()
    assert not clone.push(":refs/heads/rel").ok
    assert {"refs/heads/rel", "refs/heads/main"} <= set(clone.remote())


@pytest.mark.parametrize("state", ["", "pending", "failure", "error", "warning", "bogus"])
def test_a_required_check_that_is_not_green_blocks_also_admins(
    own: Repo, pull: tuple[int, str], state: str
) -> None:
    number, sha = pull
    own.status(sha, "ci/other")
    if state:
        own.status(sha, "ci/test", state)
    for actor in (own.world.writer, own.world.admin):
        got = own.merge_when_checked(number, actor=actor, head_commit_id=sha)
        assert (got.status, UNMET in got.message) == (405, True), got
    assert own.merge(number, force_merge=True).status == 405, "a writer cannot force"
    assert not merged(own, number)


@pytest.mark.parametrize("state", ["success", "skipped"])
def test_a_required_check_that_is_green_or_skipped_passes(
    own: Repo, pull: tuple[int, str], state: str
) -> None:
    number, sha = pull
    own.status(sha, "ci/test", state)
    own.status(sha, "ci/other", "failure")
    assert own.merge_when_checked(number, head_commit_id=sha).status == 200
    assert merged(own, number)


def test_the_newest_word_of_a_check_counts(own: Repo, pull: tuple[int, str]) -> None:
    number, sha = pull
    for state in ("success", "failure"):
        own.status(sha, "ci/test", state)
    assert UNMET in own.merge_when_checked(number).message
    own.status(sha, "ci/test")
    assert own.merge_when_checked(number).status == 200


def test_a_status_of_an_older_head_counts_nothing(own: Repo, pull: tuple[int, str]) -> None:
    number, sha = pull
    own.status(sha, "ci/test")
    clone = own.clone()
    new = clone.commit({"more.txt": "more\n"}, parent=sha)
    assert clone.push(f"{new}:refs/heads/f").ok
    own.checked(number)
    got = own.merge_when_checked(number, head_commit_id=new)
    assert (got.status, UNMET in got.message) == (405, True)


def test_anybody_who_writes_can_make_a_check_green(own: Repo, pull: tuple[int, str]) -> None:
    number, sha = pull
    own.status(sha, "ci/test", actor=own.world.writer2)
    assert own.merge_when_checked(number).status == 200, "the creator is for the reader of statuses to judge"


def test_force_is_for_repository_admins_unless_the_rule_says_no(own: Repo, pull: tuple[int, str]) -> None:
    number, _sha = pull
    rule = f"{own.api}/branch_protections/main"
    own.world.admin.must("PATCH", rule, {"block_admin_merge_override": True})
    assert UNMET in own.merge_when_checked(number, actor=own.world.admin, force_merge=True).message
    own.world.admin.must("PATCH", rule, {"block_admin_merge_override": False})
    assert own.merge_when_checked(number, actor=own.world.admin, force_merge=True).status == 200


def test_a_required_check_is_a_glob(own: Repo, pull: tuple[int, str]) -> None:
    number, sha = pull
    own.world.admin.must("PATCH", f"{own.api}/branch_protections/main", {"status_check_contexts": ["ci/*"]})
    assert UNMET in own.merge_when_checked(number).message
    own.status(sha, "ci/a")
    own.status(sha, "ci/b", "pending")
    assert UNMET in own.merge_when_checked(number).message
    own.status(sha, "ci/b")
    assert own.merge_when_checked(number).status == 200


def test_checks_without_names_want_at_least_one_status(own: Repo, pull: tuple[int, str]) -> None:
    number, sha = pull
    own.world.admin.must("PATCH", f"{own.api}/branch_protections/main", {"status_check_contexts": []})
    assert UNMET in own.merge_when_checked(number).message
    own.status(sha, "whatever")
    assert own.merge_when_checked(number).status == 200


def test_each_required_check_is_needed(own: Repo, pull: tuple[int, str]) -> None:
    number, sha = pull
    own.world.admin.must("PATCH", f"{own.api}/branch_protections/main", {"status_check_contexts": ["a", "b"]})
    own.status(sha, "a")
    assert UNMET in own.merge_when_checked(number).message
    own.status(sha, "b")
    assert own.merge_when_checked(number).status == 200


def test_mergeable_says_nothing_of_protection(own: Repo, pull: tuple[int, str]) -> None:
    number, _sha = pull
    assert own.checked(number)["mergeable"] is True
    assert UNMET in own.merge_when_checked(number).message


def test_only_listed_people_merge(world: World, own: Repo) -> None:
    own.branches(own.clone(), {"f": {"f.txt": "f\n"}})
    number = own.pull("f")
    own.protect(enable_merge_whitelist=True, merge_whitelist_usernames=[world.writer2.login])
    for actor, more in ((world.writer, {}), (world.admin, {}), (world.admin, {"force_merge": True})):
        got = own.merge_when_checked(number, actor=actor, **more)
        assert (got.status, got.message) == (405, "User not allowed to merge PR")
    assert own.merge_when_checked(number, actor=world.writer2).status == 200


def test_a_head_behind_its_base_is_blocked_when_the_rule_says_so(own: Repo) -> None:
    clone = own.clone()
    own.branches(clone, {"one": {"1.txt": "1\n"}, "two": {"2.txt": "2\n"}})
    one, two = own.pull("one"), own.pull("two")
    own.protect(block_on_outdated_branch=True)
    assert own.merge_when_checked(one).status == 200
    # The rule is checked against stored data: it bites when the forge has looked at the pull anew.
    own.checked(two, mergeable=True)
    got = own.merge_when_checked(two)
    if got.status == 405:
        assert "behind the base branch" in got.message
        assert own.world.writer.post(f"{own.api}/pulls/{two}/update?style=rebase").status == 200
        assert own.merge_when_checked(two).status == 200
    assert {"1.txt", "2.txt"} <= set(clone.fetch().files("refs/remotes/origin/main"))
