# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels: definitions that may repeat, sets on an issue, and exclusive ones that push each other out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from forge_world import Repo, World


@pytest.fixture(scope="module")
def ids(repo: Repo) -> dict[str, int]:
    """Define the labels of this module: two plain ones, three of one exclusive scope."""
    made = {name: repo.label(name) for name in ("bug", "ready")}
    return made | {name: repo.label(name, exclusive=True) for name in ("fleet/a", "fleet/b", "fleet/c")}


def on(world: World, path: str) -> set[str]:
    """Return the names of the labels on an issue."""
    return {row["name"] for row in world.reader.must("GET", f"{path}/labels")}


@pytest.mark.parametrize(
    ("body", "color"),
    [({"color": "#ABC"}, "aabbcc"), ({"color": "00ff00"}, "00ff00"), ({"color": "#0F0F0F"}, "0f0f0f")],
)
def test_colours_have_one_form_in_answers(world: World, repo: Repo, body: dict[str, Any], color: str) -> None:
    made = world.writer.must("POST", f"{repo.api}/labels", {"name": world.unused("l"), **body})
    assert made["color"] == color


@pytest.mark.parametrize("body", [{"name": "l", "color": "red"}, {"color": "#ffffff"}, {"name": "l"}])
def test_a_definition_needs_a_name_and_a_colour(world: World, repo: Repo, body: dict[str, Any]) -> None:
    assert world.writer.post(f"{repo.api}/labels", body).status == 422


def test_a_definition_may_be_made_twice(world: World, own: Repo) -> None:
    first, second = own.label("twice"), own.label("twice")
    assert first != second
    rows = world.reader.must("GET", f"{own.api}/labels")
    assert sorted(row["id"] for row in rows if row["name"] == "twice") == [first, second]
    path = f"{own.api}/issues/{own.issue()}"
    rows = world.writer.must("POST", f"{path}/labels", {"labels": ["twice"]})
    assert sorted(row["id"] for row in rows) == [first, second], "a name that is defined twice sets both"


def test_definitions_belong_to_writers(world: World, repo: Repo) -> None:
    for part in ("reader", "outsider"):
        assert world.people[part].post(f"{repo.api}/labels", {"name": "no", "color": "#ffffff"}).status == 403


def test_a_change_of_a_definition_forgets_that_it_was_archived(world: World, repo: Repo) -> None:
    path = f"{repo.api}/labels/{repo.label(world.unused('l'))}"
    assert world.writer.must("PATCH", path, {"is_archived": True})["is_archived"] is True
    assert world.writer.must("PATCH", path, {"description": "d"})["is_archived"] is False
    assert world.reader.must("GET", path)["description"] == "d"


def test_a_definition_is_removed_as_often_as_one_likes(world: World, repo: Repo) -> None:
    made = repo.label(world.unused("l"))
    path = f"{repo.api}/issues/{repo.issue(labels=[made])}"
    for _turn in range(2):
        assert world.writer.delete(f"{repo.api}/labels/{made}").status == 204
    assert world.reader.get(f"{repo.api}/labels/{made}").status == 404
    assert on(world, path) == set()


def test_a_definition_is_read_by_id_or_name(world: World, repo: Repo, ids: dict[str, int]) -> None:
    for word in (str(ids["fleet/a"]), quote("fleet/a", safe="")):
        row = world.reader.must("GET", f"{repo.api}/labels/{word}")
        assert (row["id"], row["exclusive"]) == (ids["fleet/a"], True)


def test_labels_are_added_by_names_or_by_ids(world: World, repo: Repo, ids: dict[str, int]) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    world.writer.must("POST", f"{path}/labels", {"labels": ["bug"]})
    world.writer.must("POST", f"{path}/labels", {"labels": [ids["ready"]]})
    assert on(world, path) == {"bug", "ready"}


IGNORED: list[list[Any]] = [["no-such"], [999999], ["BUG"], []]


@pytest.mark.parametrize("labels", IGNORED)
def test_an_unknown_label_is_ignored_with_a_200(
    world: World, repo: Repo, ids: dict[str, int], labels: list[Any]
) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    assert world.writer.post(f"{path}/labels", {"labels": labels}).status == 200
    assert on(world, path) == set()


def test_digits_as_text_are_a_name(world: World, repo: Repo, ids: dict[str, int]) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    assert world.writer.post(f"{path}/labels", {"labels": [str(ids["bug"])]}).status == 200
    assert on(world, path) == set()


def test_names_and_ids_do_not_mix(world: World, repo: Repo, ids: dict[str, int]) -> None:
    path = f"{repo.api}/issues/{repo.issue()}"
    assert world.writer.post(f"{path}/labels", {"labels": [ids["bug"], "ready"]}).status == 400
    assert on(world, path) == set()


def test_put_replaces_the_set_and_no_key_clears_it(world: World, repo: Repo, ids: dict[str, int]) -> None:
    path = f"{repo.api}/issues/{repo.issue(labels=[ids['bug']])}"
    world.writer.must("PUT", f"{path}/labels", {"labels": [ids["ready"]]})
    assert on(world, path) == {"ready"}
    assert world.writer.put(f"{path}/labels", {}).status == 200
    assert on(world, path) == set()


def test_labels_are_taken_off(world: World, repo: Repo, ids: dict[str, int]) -> None:
    path = f"{repo.api}/issues/{repo.issue(labels=[ids['bug'], ids['ready']])}"
    for _turn in range(2):
        assert world.writer.delete(f"{path}/labels/{ids['bug']}").status == 204
    assert on(world, path) == {"ready"}
    for unknown in ("999999", "ready"):
        assert world.writer.delete(f"{path}/labels/{unknown}").status == 422
    for _turn in range(2):
        assert world.writer.delete(f"{path}/labels").status == 204
    assert on(world, path) == set()


def test_labels_belong_to_writers(world: World, repo: Repo, ids: dict[str, int]) -> None:
    path = f"{repo.api}/issues/{repo.issue(actor=world.reader)}"
    assert world.reader.post(f"{path}/labels", {"labels": ["bug"]}).status == 403
    assert world.writer.post(f"{repo.api}/issues/99999/labels", {"labels": ["bug"]}).status == 404


EXCLUSIVE = [
    ("POST", ["fleet/b"], {"bug", "fleet/b"}),
    ("POST", ["fleet/b", "fleet/c"], {"bug", "fleet/c"}),
    ("POST", ["fleet/c", "fleet/b"], {"bug", "fleet/c"}),
    ("PUT", ["fleet/a", "fleet/c", "ready"], {"fleet/c", "ready"}),
]


@pytest.mark.parametrize("by_id", [False, True])
@pytest.mark.parametrize("case", EXCLUSIVE, ids=lambda case: f"{case[0]} {' '.join(case[1])}")
def test_of_one_scope_the_last_by_name_stays(repo: Repo, ids: dict[str, int], case: Any, by_id: bool) -> None:
    method, names, left = case
    world = repo.world
    path = f"{repo.api}/issues/{repo.issue(labels=[ids['bug'], ids['fleet/a']])}"
    sent = [ids[name] for name in names] if by_id else names
    answered = {row["name"] for row in world.writer.must(method, f"{path}/labels", {"labels": sent})}
    assert answered == left
    assert on(world, path) == left


def test_creation_keeps_all_of_one_scope(world: World, repo: Repo, ids: dict[str, int]) -> None:
    path = f"{repo.api}/issues/{repo.issue(labels=[ids['fleet/a'], ids['fleet/b']])}"
    assert on(world, path) == {"fleet/a", "fleet/b"}


def test_an_exclusive_label_without_a_scope_pushes_nothing_out(
    world: World, repo: Repo, ids: dict[str, int]
) -> None:
    name = world.unused("plain")
    repo.label(name, exclusive=True)
    path = f"{repo.api}/issues/{repo.issue(labels=[ids['bug']])}"
    world.writer.must("POST", f"{path}/labels", {"labels": [name]})
    assert on(world, path) == {"bug", name}


def test_a_label_of_the_organisation_is_set_by_name_and_filters_nothing(world: World, own: Repo) -> None:
    name = world.unused("everywhere")
    world.admin.must("POST", f"/orgs/{world.org}/labels", {"name": name, "color": "#00aabb"})
    with_it, without = own.issue(), own.issue()
    world.writer.must("POST", f"{own.api}/issues/{with_it}/labels", {"labels": [name]})
    assert on(world, f"{own.api}/issues/{with_it}") == {name}
    rows = world.reader.must("GET", f"{own.api}/issues?labels={name}")
    assert {row["number"] for row in rows} == {with_it, without}
