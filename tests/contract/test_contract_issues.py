# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issues: what creation takes and drops, what a change does when half of it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from forge_world import Repo, World

JSON = {"Content-Type": "application/json"}


def test_a_writer_sets_every_field_at_creation(world: World, repo: Repo) -> None:
    label, login = repo.label(world.unused("l")), world.writer.login
    stone = world.writer.must("POST", f"{repo.api}/milestones", {"title": "m1"})["id"]
    body = {"title": "full", "body": "text", "labels": [label], "assignees": [login], "milestone": stone}
    made = world.writer.must("POST", f"{repo.api}/issues", {**body, "due_date": "2030-01-02T03:04:05Z"})
    read = world.reader.must("GET", f"{repo.api}/issues/{made['number']}")
    assert (read["title"], read["body"], read["state"], read["user"]["login"]) == (
        "full",
        "text",
        "open",
        login,
    )
    assert [one["id"] for one in read["labels"]] == [label]
    assert [one["login"] for one in read["assignees"]] == [login]
    assert read["milestone"]["id"] == stone
    assert read["due_date"] == "2030-01-02T03:04:05Z"
    assert (read["pull_request"], read["content_version"], read["closed_at"]) == (None, 0, None)


@pytest.mark.parametrize("part", ["reader", "outsider"])
def test_who_may_not_write_loses_the_fields_with_a_201(world: World, repo: Repo, part: str) -> None:
    label = repo.label(world.unused("l"))
    body = {"title": "dropped", "body": "kept", "labels": [label], "assignees": [world.writer.login]}
    made = world.people[part].must("POST", f"{repo.api}/issues", {**body, "due_date": "2030-01-02T03:04:05Z"})
    read = world.admin.must("GET", f"{repo.api}/issues/{made['number']}")
    assert (read["labels"], read["assignees"], read["due_date"]) == ([], None, None)
    assert (read["title"], read["body"]) == ("dropped", "kept")
    assert (
        world.people[part].post(f"{repo.api}/issues", {"title": "t", "assignees": ["nobody-has-this"]}).status
        == 201
    )


REFUSED: list[tuple[Any, int]] = [
    ({"title": ""}, 422),
    ({"body": "x"}, 422),
    ({}, 422),
    ({"title": 5}, 422),
    ({"title": "x", "labels": ["bug"]}, 422),
    ({"title": "x", "assignees": ["nobody-has-this"]}, 422),
    ({"title": "x", "due_date": "tomorrow"}, 422),
    ([], 422),
]


@pytest.mark.parametrize(("body", "status"), REFUSED)
def test_a_creation_is_refused(world: World, repo: Repo, body: Any, status: int) -> None:
    assert world.writer.post(f"{repo.api}/issues", body).status == status


TAKEN: list[dict[str, Any]] = [
    {"title": "   "},
    {"title": "t" * 256},
    {"title": "unknown label id", "labels": [999999]},
    {"title": "misspelt", "assignes": ["writer"], "label": [1]},
    {"title": "labels null", "labels": None},
]


@pytest.mark.parametrize("body", TAKEN)
def test_a_creation_is_taken(world: World, repo: Repo, body: dict[str, Any]) -> None:
    got = world.writer.post(f"{repo.api}/issues", body)
    assert got.status == 201
    assert (got.json["labels"], got.json["assignees"]) == ([], None)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"Title": "wrong case"}',
        b'{"title": "a", "title": "b"}',
        b'{"title": "\xff"}',
        b'{"title": "a"} {}',
        b'{"title": ',
    ],
)
def test_loose_json_is_refused(world: World, repo: Repo, raw: bytes) -> None:
    got = world.writer.send("POST", f"{repo.api}/issues", raw=raw, headers=JSON)
    assert got.status == 422, got
    assert got.message


def test_a_body_needs_its_content_type(world: World, repo: Repo) -> None:
    for headers in ({}, {"Content-Type": "text/plain"}):
        got = world.writer.send("POST", f"{repo.api}/issues", raw=b'{"title": "x"}', headers=headers)
        assert got.status == 422
        assert "Content-Type" in got.message


@pytest.mark.parametrize("number", ["9999", "abc", "0"])
def test_a_missing_issue_is_404(world: World, repo: Repo, number: str) -> None:
    assert world.writer.get(f"{repo.api}/issues/{number}").status == 404


def test_a_change_answers_201_and_leaves_the_rest(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue(body='text', assignees=[world.writer.login])}"
    for body in ({"title": "patched"}, {}, {"labels": [1]}, {"title": ""}, {"assignees": None}):
        assert world.writer.patch(path, body).status == 201, body
    read = world.writer.must("GET", path)
    assert (read["title"], read["body"], read["labels"]) == ("patched", "text", [])
    assert [one["login"] for one in read["assignees"]] == [world.writer.login]


def test_state_moves_between_two_words(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    for word in ("bogus", "Closed"):
        got = world.writer.patch(path, {"state": word})
        assert (got.status, word in got.message) == (412, True)
    for word in ("closed", "closed", "open", "open"):
        got = world.writer.patch(path, {"state": word})
        assert (got.status, got.json["state"], bool(got.json["closed_at"])) == (201, word, word == "closed")


def test_assignees_replace_each_other(world: World, repo: Repo) -> None:
    path, one, two = f"{repo.api}/issues/{repo.issue()}", world.writer.login, world.writer2.login
    steps = [([one], {one}), ([two.upper()], {two}), ([one, two], {one, two}), ([], set())]
    for names, wanted in steps:
        got = world.writer.patch(path, {"assignees": names})
        assert got.status == 201
        assert {row["login"] for row in got.json["assignees"] or []} == wanted
    assert world.writer.must("GET", path)["assignees"] is None, "an empty list reads null"


def test_an_unknown_assignee_is_an_opaque_500_after_the_title_was_written(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue('before')}"
    got = world.writer.patch(path, {"title": "half", "assignees": ["nobody-has-this"]})
    assert (got.status, got.message) == (500, "")
    assert world.writer.must("GET", path)["title"] == "half"
    assert "nobody-has-this" in world.admin.patch(path, {"assignees": ["nobody-has-this"]}).message


def test_only_the_author_and_writers_change_an_issue(world: World, repo: Repo) -> None:
    theirs = f"{repo.api}/issues/{repo.issue(actor=world.reader)}"
    assert world.reader.patch(theirs, {"title": "own", "state": "closed"}).json["title"] == "own"
    assert world.reader.patch(theirs, {"assignees": [world.writer.login]}).json["assignees"] is None
    assert world.writer.patch(theirs, {"title": "by writer"}).status == 201
    mine = f"{repo.api}/issues/{repo.issue()}"
    for body in ({"title": "no"}, {"state": "closed"}):
        assert world.reader.patch(mine, body).status == 403
    assert world.anonymous.patch(mine, {"title": "no"}).status == 401
    assert world.writer.get(mine).json["title"] == "an issue"


def test_the_assignees_route_depends_on_the_version(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    got = world.writer.post(f"{path}/assignees", {"assignees": [world.writer.login]})
    if world.version >= (1, 27):
        assert got.status == 201
    else:
        assert (got.status, got.headers["content-type"].split(";")[0]) == (404, "text/plain")
        assert world.writer.must("GET", path)["assignees"] is None


def test_an_issue_is_removed_by_repository_admins(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    assert world.writer.delete(path).status == 403
    assert world.admin.delete(path).status == 204
    assert world.writer.get(path).status == 404
    assert world.admin.delete(path).status == 404


def test_numbers_are_shared_by_issues_and_pulls(world: World, own: Repo) -> None:
    issue = own.issue()
    own.branches(own.clone(), {"f": {"f.txt": "f\n"}})
    pull = own.pull("f")
    assert pull == issue + 1
    assert world.writer.get(f"{own.api}/pulls/{issue}").status == 404
    assert world.writer.get(f"{own.api}/issues/{pull}").json["pull_request"]["merged"] is False
    kinds = {kind: world.writer.get(f"{own.api}/issues?type={kind}").json for kind in ("issues", "pulls")}
    assert {kind: [row["number"] for row in rows] for kind, rows in kinds.items()} == {
        "issues": [issue],
        "pulls": [pull],
    }
    assert len(world.writer.get(f"{own.api}/issues").json) == 2


def test_a_title_is_trimmed_at_creation_only_and_cut_by_columns(world: World, repo: Repo) -> None:
    path = f"{repo.api}/issues/{repo.issue('  spaced  ')}"
    assert world.writer.must("GET", path)["title"] == "spaced"
    for sent, stored in [
        (" both ", " both "),
        ("x" * 255, "x" * 255),
        ("x" * 256, "x" * 252 + "…"),
        ("é" * 255, "é" * 255),
        ("漢" * 127, "漢" * 127),
        ("漢" * 128, "漢" * 126 + "…"),
        ("x\u0301" * 127, "x\u0301" * 127),
        ("\u3000" + "x" * 254, "\u3000" + "x" * 250 + "…"),
        ("а" * 128, "а" * 126 + "…"),  # noqa: RUF001 - Cyrillic
    ]:
        assert world.writer.must("PATCH", path, {"title": sent})["title"] == stored


def test_who_may_write_is_listed_and_asking_for_one_depends_on_the_version(world: World, repo: Repo) -> None:
    listed = {row["login"] for row in world.writer.must("GET", f"{repo.api}/assignees")}
    assert {world.writer.login, world.writer2.login} <= listed
    assert world.outsider.login not in listed
    if world.version < (1, 27):
        assert world.writer.get(f"{repo.api}/assignees/{world.writer.login}").status == 404
