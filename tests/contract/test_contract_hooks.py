# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks: which events a word stands for, what a change forgets, and one signed delivery for each event."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forge_hooks import Delivery, Receiver
    from forge_world import Repo, World

SECRET = "a secret of this test"
ISSUES = {"issues", "issue_assign", "issue_label", "issue_milestone", "issue_comment"}
PULLS = {
    "pull_request",
    "pull_request_assign",
    "pull_request_label",
    "pull_request_milestone",
    "pull_request_comment",
    "pull_request_review",
    "pull_request_sync",
    "pull_request_review_request",
}


def hook(url: str, events: list[str] | None, **more: Any) -> dict[str, Any]:
    """Return a whole hook as it is sent."""
    config = {"url": url, "content_type": "json", "secret": SECRET}
    body = {"type": "gitea", "active": True, "config": config, **more}
    return body if events is None else {**body, "events": events}


EVENTS: list[tuple[list[str] | None, set[str]]] = [
    (["issues"], ISSUES),
    (["issues_only"], {"issues"}),
    (["pull_request"], PULLS),
    (["pull_request_only"], {"pull_request"}),
    (["push", "status"], {"push", "status"}),
    (["issues", "no-such"], ISSUES),
    (["no-such"], set()),
    ([], {"push"}),
    (None, {"push"}),
]


@pytest.mark.parametrize(("asked", "wanted"), EVENTS, ids=[str(asked) for asked, _wanted in EVENTS])
def test_a_word_stands_for_several_events(
    world: World, repo: Repo, asked: list[str] | None, wanted: set[str]
) -> None:
    made = world.admin.must("POST", f"{repo.api}/hooks", hook("http://127.0.0.1:9/x", asked))
    read = world.admin.must("GET", f"{repo.api}/hooks/{made['id']}")
    assert set(made["events"] or []) == set(read["events"] or []) == wanted
    assert read["active"] is True
    assert SECRET not in str(read)
    world.admin.must("DELETE", f"{repo.api}/hooks/{made['id']}")


WRONG: list[tuple[str, Any]] = [
    ("type", None),
    ("type", "no-such"),
    ("config", None),
    ("config", {"content_type": "json"}),
    ("config", {"url": "http://127.0.0.1:9/x"}),
    ("config", {"url": "nourl", "content_type": "json"}),
    ("config", {"url": "http://127.0.0.1:9/x", "content_type": "xml"}),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_hook_is_refused(world: World, repo: Repo, key: str, value: Any) -> None:
    body = {**hook("http://127.0.0.1:9/x", ["push"]), key: value}
    if value is None:
        del body[key]
    assert world.admin.post(f"{repo.api}/hooks", body).status == 422


def test_a_hook_sleeps_unless_it_is_said_to_be_active(world: World, repo: Repo) -> None:
    body = hook("http://127.0.0.1:9/x", ["push"])
    del body["active"]
    assert world.admin.must("POST", f"{repo.api}/hooks", body)["active"] is False


def test_a_change_forgets_what_it_does_not_name(world: World, repo: Repo) -> None:
    body = hook("http://127.0.0.1:9/x", ["issues"], branch_filter="main", authorization_header="Bearer x")
    made = world.admin.must("POST", f"{repo.api}/hooks", body)
    path = f"{repo.api}/hooks/{made['id']}"
    assert (made["branch_filter"], set(made["events"])) == ("main", ISSUES)
    changed = world.admin.must("PATCH", path, {"active": False})
    assert (changed["active"], changed["branch_filter"], changed["events"]) == (False, "", ["push"])
    moved = world.admin.must(
        "PATCH", path, {"config": {"url": "http://127.0.0.1:9/y"}, "events": ["issues_only"]}
    )
    assert (moved["config"]["url"], moved["config"]["content_type"]) == ("http://127.0.0.1:9/y", "json")
    assert world.admin.delete(path).status == 204
    for method, sent in (("GET", None), ("PATCH", {"active": False}), ("DELETE", None)):
        assert world.admin.send(method, path, sent).status == 404


def test_hooks_may_be_equal_and_belong_to_admins(world: World, own: Repo) -> None:
    body = hook("http://127.0.0.1:9/x", ["push"])
    ids = [world.admin.must("POST", f"{own.api}/hooks", body)["id"] for _turn in range(2)]
    assert {row["id"] for row in world.admin.must("GET", f"{own.api}/hooks")} == set(ids)
    assert world.writer.post(f"{own.api}/hooks", body).status == 403


class TestDeliveries:
    """What comes in at the other end."""

    @pytest.fixture
    def watched(self, own: Repo, receiver: Receiver) -> Repo:
        """Return a repository with a hook for everything."""
        asked = ["issues", "pull_request", "push", "create", "delete", "status"]
        own.world.admin.must("POST", f"{own.api}/hooks", hook(receiver.url, asked))
        return own

    def test_an_issue_is_told_once_and_signed(self, watched: Repo, receiver: Receiver) -> None:
        number = watched.issue("told")
        receiver.wait(lambda seen: len(seen) >= 1)
        (told,) = receiver.settle()
        assert told.signed_with(SECRET)
        assert not told.signed_with("another secret")
        assert (told.event, told.headers["x-gitea-event"], told.json["action"]) == (
            "issues",
            "issues",
            "opened",
        )
        assert (told.json["number"], told.json["issue"]["title"]) == (number, "told")
        assert told.json["repository"]["full_name"].endswith(f"/{watched.name}")
        assert told.json["sender"]["login"] == watched.world.writer.login
        assert len(told.headers["x-gitea-delivery"]) == 36
        assert told.headers["content-type"] == "application/json"

    def test_fields_at_creation_are_told_one_by_one(self, watched: Repo, receiver: Receiver) -> None:
        label = watched.label("l")
        watched.issue("full", labels=[label], assignees=[watched.world.writer.login])
        receiver.wait(lambda seen: len(seen) >= 3)
        seen = receiver.settle()
        assert Counter(one.event for one in seen) == {"issues": 1, "issue_label": 1, "issue_assign": 1}
        assert len({one.headers["x-gitea-delivery"] for one in seen}) == 3

    def test_what_happens_to_an_issue(self, watched: Repo, receiver: Receiver) -> None:
        world = watched.world
        watched.label("l")
        path = f"{watched.api}/issues/{watched.issue()}"
        steps: list[tuple[str, str, Any, str, str]] = [
            ("POST", f"{path}/labels", {"labels": ["l"]}, "issue_label", "label_updated"),
            ("POST", f"{path}/labels", {"labels": ["l"]}, "issue_label", "label_updated"),
            ("DELETE", f"{path}/labels", None, "issue_label", "label_cleared"),
            ("POST", f"{path}/comments", {"body": "hi"}, "issue_comment", "created"),
            ("PATCH", path, {"title": "new"}, "issues", "edited"),
            ("PATCH", path, {"state": "closed"}, "issues", "closed"),
            ("PATCH", path, {"state": "open"}, "issues", "reopened"),
        ]
        for count, (method, place, body, event, action) in enumerate(steps, 2):
            world.writer.must(method, place, body)
            seen = receiver.wait(lambda seen, count=count: len(seen) >= count)
            assert [(one.event, one.json["action"]) for one in seen[count - 1 :]] == [(event, action)], (
                method,
                body,
            )
        assert all(one.signed_with(SECRET) for one in receiver.settle(1))

    def test_a_pull_from_its_branch_to_its_merge(self, watched: Repo, receiver: Receiver) -> None:
        clone = watched.clone()
        sha = watched.branches(clone, {"f": {"f.txt": "f\n"}})["f"]
        told = receiver.wait(lambda seen: len(seen) >= 2)
        assert Counter(one.event for one in told) == {"create": 1, "push": 1}
        number = watched.pull("f")
        (opened,) = receiver.wait(lambda seen: len(seen) >= 3)[2:]
        assert (opened.event, opened.json["action"], opened.json["number"]) == (
            "pull_request",
            "opened",
            number,
        )
        watched.status(sha, "ci/test")
        (status,) = receiver.wait(lambda seen: len(seen) >= 4)[3:]
        assert (status.event, status.json["context"], status.json["sha"]) == ("status", "ci/test", sha)
        assert watched.merge_when_checked(number).status == 200

        def merged(seen: list[Delivery]) -> bool:
            return {(one.event, one.json.get("action")) for one in seen[4:]} >= {
                ("pull_request", "closed"),
                ("push", None),
            }

        seen = receiver.wait(merged)[4:]
        closed = next(one for one in seen if one.event == "pull_request")
        assert closed.json["pull_request"]["merged"] is True
        pushed = next(one for one in seen if one.event == "push")
        assert pushed.json["ref"] == "refs/heads/main"

    def test_free_refs_are_not_told(self, watched: Repo, receiver: Receiver) -> None:
        clone = watched.clone()
        assert clone.push(f"{clone.unique()}:refs/fleet/claims/1").ok
        assert clone.push(f"{clone.commit({'a.txt': 'a'})}:refs/heads/main").ok
        receiver.wait(lambda seen: len(seen) >= 1)
        assert [(one.event, one.json["ref"]) for one in receiver.settle(1)] == [("push", "refs/heads/main")]

    def test_a_refusal_is_not_tried_again(self, watched: Repo, receiver: Receiver) -> None:
        receiver.status = 500
        watched.issue("refused")
        receiver.wait(lambda seen: len(seen) >= 1)
        receiver.status = 200
        assert len(receiver.settle()) == 1
        watched.issue("taken")
        seen = receiver.wait(lambda seen: len(seen) >= 2)
        assert [one.json["issue"]["title"] for one in seen] == ["refused", "taken"]

    def test_many_at_once_are_each_told_once(self, watched: Repo, receiver: Receiver, at_once: Any) -> None:
        numbers = at_once([lambda n=n: watched.issue(f"i{n}") for n in range(12)])
        receiver.wait(lambda seen: len(seen) >= 12)
        seen = receiver.settle()
        assert sorted(one.json["number"] for one in seen) == sorted(numbers)

    def test_a_sleeping_or_removed_hook_tells_nothing(self, own: Repo, receiver: Receiver) -> None:
        admin, hooks = own.world.admin, f"{own.api}/hooks"
        admin.must("POST", hooks, hook(receiver.url, ["issues"], active=False))
        gone = admin.must("POST", hooks, hook(receiver.url, ["issues"]))["id"]
        admin.must("DELETE", f"{hooks}/{gone}")
        own.issue()
        assert receiver.settle() == []
