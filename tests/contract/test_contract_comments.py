# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comments and the timeline: who may say something, and what the history keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from forge_world import Repo, World


def test_anybody_with_an_account_comments_on_a_public_repository(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    for part in ("writer", "reader", "outsider"):
        made = world.people[part].must("POST", f"{path}/comments", {"body": f"by {part}"})
        assert (made["user"]["login"], made["body"]) == (world.people[part].login, f"by {part}")
    assert world.anonymous.post(f"{path}/comments", {"body": "x"}).status == 401
    rows = world.reader.must("GET", f"{path}/comments")
    assert [row["body"] for row in rows] == ["by writer", "by reader", "by outsider"]
    assert world.reader.must("GET", path)["comments"] == 3


def test_a_comment_needs_words(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}/comments"
    for body in ({"body": ""}, {}):
        assert world.reader.post(path, body).status == 422
    comment = world.reader.must("POST", path, {"body": "x"})["id"]
    assert world.reader.patch(f"{repo.api}/issues/comments/{comment}", {"body": ""}).status == 422


@pytest.mark.parametrize("method", ["GET comments", "POST comments", "GET timeline"])
def test_on_a_missing_issue_they_are_an_opaque_500(world: World, repo: Repo, method: str) -> None:
    verb, place = method.split()
    got = world.reader.send(
        verb, f"{repo.api}/issues/9999/{place}", {"body": "x"} if verb == "POST" else None
    )
    assert (got.status, got.message) == (500, "")


def test_a_comment_is_changed_by_its_author_and_by_writers(world: World, repo: Repo) -> None:
    made = world.reader.must("POST", f"{repo.api}/issues/{repo.issue()}/comments", {"body": "x"})
    path = f"{repo.api}/issues/comments/{made['id']}"
    assert world.outsider.patch(path, {"body": "no"}).status == 403
    assert world.reader.patch(path, {"body": "own"}).status == 200
    assert world.writer.patch(path, {"body": "by writer"}).json["body"] == "by writer"
    assert world.outsider.delete(path).status == 403
    assert world.reader.delete(path).status == 204
    assert world.reader.delete(path).status == 404
    assert world.reader.get(path).status == 404


def test_a_locked_issue_is_for_writers(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    assert world.writer.put(f"{path}/lock", {"lock_reason": "spam"}).status == 403
    assert world.admin.put(f"{path}/lock", {"lock_reason": "spam"}).status == 204
    assert world.reader.post(f"{path}/comments", {"body": "x"}).status == 403
    assert world.writer.post(f"{path}/comments", {"body": "x"}).status == 201


def test_comments_come_in_one_answer_whatever_page_is_asked_for(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}/comments"
    made = [world.reader.must("POST", path, {"body": str(n)})["id"] for n in range(5)]
    for query in ("", "?limit=2", "?limit=2&page=2", "?page=99"):
        assert [row["id"] for row in world.reader.must("GET", path + query)] == made, query
    assert world.reader.must("GET", f"{path}?since=2099-01-01T00:00:00Z") == []


def test_comments_can_be_read_since_a_moment(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}/comments"
    made = world.reader.must("POST", path, {"body": "x"})
    rows = world.reader.must("GET", f"{path}?since={made['updated_at'].replace('+', '%2B')}")
    assert [row["id"] for row in rows] == [made["id"]]


def test_the_timeline_tells_what_was_done(world: World, own: Repo) -> None:
    own.label("a")
    path = f"{own.api}/issues/{own.issue(body='text')}"
    world.writer.must("POST", f"{path}/labels", {"labels": ["a"]})
    world.writer.must("PATCH", path, {"assignees": [world.writer2.login]})
    world.reader.must("POST", f"{path}/comments", {"body": "hello"})
    world.writer.must("PATCH", path, {"title": "other"})
    world.writer.must("PATCH", path, {"body": "edited"})
    world.writer.must("PATCH", path, {"state": "closed"})
    world.writer.must("PATCH", path, {"state": "open"})
    rows = world.reader.must("GET", f"{path}/timeline")
    kinds = [row["type"] for row in rows]
    assert kinds == ["label", "assignees", "comment", "change_title", "close", "reopen"], (
        "a new body leaves no trace"
    )
    assert [row["user"]["login"] for row in rows][2] == world.reader.login
    assert rows[0]["label"]["name"] == "a"
    assert rows[1]["assignee"]["login"] == world.writer2.login
    assert (rows[3]["old_title"], rows[3]["new_title"]) == ("an issue", "other")


def test_an_empty_timeline_is_null(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}/timeline"
    assert world.reader.must("GET", path) is None


def test_the_timeline_counts_the_rows_of_its_page(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    made = [world.reader.must("POST", f"{path}/comments", {"body": str(n)})["id"] for n in range(5)]
    sizes = {1: 2, 2: 2, 3: 1, 4: 0}
    for page, size in sizes.items():
        got = world.reader.get(f"{path}/timeline?limit=2&page={page}")
        assert [row["id"] for row in got.json or []] == made[2 * (page - 1) : 2 * page]
        assert got.headers["x-total-count"] == str(size)
        assert "link" not in got.headers
