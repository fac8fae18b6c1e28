# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which page comes next, for each way that the forge pages, driven by hand: nothing here does I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_paging import (
    LISTS,
    MovingError,
    Page,
    PagingError,
    Way,
    identity,
    page_of,
    read_pages,
)

HOST = "http://elsewhere.test/api/v1/x"
Answers = Callable[[int], Page]


def rows(*ids: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in ids]


def drive(way: Way, answers: Answers, **more: Any) -> tuple[list[int], list[int]]:
    """Return the ids that were read and the pages that were asked for."""
    reading = read_pages(way, **more)
    asked = [next(reading)]
    try:
        while True:
            assert len(asked) < 100
            asked.append(reading.send(answers(asked[-1])))
    except StopIteration as done:
        return [row["id"] for row in done.value.every()], asked


def server(
    count: int, size: int, *, link: bool = True, total: bool = True, hidden: tuple[int, ...] = ()
) -> Answers:
    """A list that stands still, with ids from 1; hidden rows are taken out of their page and stay counted."""
    last = max(1, -(-count // size))

    def answer(number: int) -> Page:
        ids = list(range(1, count + 1))[(number - 1) * size : number * size]
        more = number < last
        return Page(
            rows(*(one for one in ids if one not in hidden)),
            count if total else None,
            last if link and more else None,
            link and last > 1,
        )

    return answer


@pytest.mark.parametrize(
    ("way", "answers", "size", "found", "asked"),
    [
        pytest.param(Way.UNPAGED, server(9, 9), 0, 9, [1], id="unpaged"),
        pytest.param(Way.COUNTED, server(0, 5), 0, 0, [1], id="empty"),
        pytest.param(Way.COUNTED, server(4, 5), 0, 4, [1], id="part of a page"),
        pytest.param(Way.COUNTED, server(5, 5), 0, 5, [1], id="one whole page"),
        pytest.param(Way.COUNTED, server(6, 5), 0, 6, [1, 2], id="one row more"),
        pytest.param(Way.COUNTED, server(10, 5), 0, 10, [1, 2], id="two whole pages"),
        pytest.param(Way.COUNTED, server(12, 5, link=False), 0, 12, [1, 2, 3], id="total without Link"),
        pytest.param(Way.COUNTED, server(10, 5, link=False), 0, 10, [1, 2], id="total without Link, whole"),
        pytest.param(Way.COUNTED, server(12, 5, total=False), 0, 12, [1, 2, 3], id="Link without total"),
        pytest.param(
            Way.COUNTED, server(12, 5, link=False, total=False), 0, 12, [1, 2, 3, 4], id="a proxy took both"
        ),
        pytest.param(Way.FILTERED, server(8, 2, hidden=(2, 3, 4, 5, 6, 7)), 50, 2, [1, 2, 3, 4], id="few"),
        pytest.param(Way.FILTERED, server(8, 2, hidden=tuple(range(1, 9))), 50, 0, [1, 2, 3, 4], id="none"),
        pytest.param(Way.FILTERED, server(2, 4, hidden=(1, 2)), 4, 0, [1], id="none shown of one page"),
        pytest.param(
            Way.FILTERED,
            server(9, 4, link=False, hidden=(1, 2, 3, 4)),
            4,
            5,
            [1, 2, 3],
            id="settings",
        ),
        pytest.param(Way.UNTOLD, server(3, 2, hidden=(1, 2)), 0, 1, [1, 2, 3, 4], id="timeline"),
        pytest.param(Way.UNTOLD, server(0, 2), 0, 0, [1, 2], id="timeline, empty"),
    ],
)
def test_every_row_once_and_no_request_too_many(
    way: Way, answers: Answers, size: int, found: int, asked: list[int]
) -> None:
    ids, pages = drive(way, answers, size=size)
    assert (len(ids), len(set(ids)), pages) == (found, found, asked)


def test_an_unpaged_list_may_hold_rows_that_look_alike() -> None:
    assert drive(Way.UNPAGED, lambda _number: Page(rows(1, 1, 2)))[0] == [1, 1, 2]


@pytest.mark.parametrize("way", [Way.COUNTED, Way.FILTERED, Way.UNTOLD])
def test_a_list_without_end_is_given_up_loudly(way: Way) -> None:
    with pytest.raises(PagingError, match="more than 20 pages; ask for less"):
        drive(way, lambda number: Page(rows(number), 10**9, 10**9, True), max_pages=20)


def test_a_page_number_that_is_ignored() -> None:
    same = Page(rows(1, 2, 3), 9)
    with pytest.raises(PagingError, match="the server ignores the page number"):
        drive(Way.COUNTED, lambda _number: same)
    assert drive(Way.COUNTED, lambda _number: Page(rows(1, 2, 3))) == ([1, 2, 3], [1, 2])
    assert drive(Way.UNTOLD, lambda _number: Page(rows(1, 2, 3))) == ([1, 2, 3], [1, 2])


def moving(*states: list[int], size: int = 2) -> Answers:
    """A list that is another one at each request, newest first; the last state stays."""
    left = list(states)

    def answer(number: int) -> Page:
        now = left.pop(0) if len(left) > 1 else left[0]
        last = max(1, -(-len(now) // size))
        at = rows(*now[(number - 1) * size : number * size])
        return Page(at, len(now), last if number < last else None, last > 1)

    return answer


def test_rows_that_come_in_are_read_too() -> None:
    ids, pages = drive(Way.COUNTED, moving([4, 3, 2, 1], [5, 4, 3, 2, 1]))
    assert sorted(ids) == [1, 2, 3, 4, 5]
    assert pages == [1, 2, 3, 1]


def test_rows_that_leave_make_the_page_before_be_read_again() -> None:
    ids, pages = drive(Way.COUNTED, moving([6, 5, 4, 3, 2, 1], [5, 4, 3, 2, 1]))
    assert set(ids) == {1, 2, 3, 4, 5, 6}
    assert pages == [1, 2, 1, 2, 3]


def test_a_list_that_is_to_stand_still_may_only_grow_at_its_front() -> None:
    grows = moving([4, 3, 2, 1], [5, 4, 3, 2, 1])
    assert sorted(drive(Way.COUNTED, grows, still=True)[0]) == [1, 2, 3, 4, 5]
    with pytest.raises(MovingError):
        drive(Way.COUNTED, moving([6, 5, 4, 3, 2, 1], [5, 4, 3, 2, 1]), still=True)
    with pytest.raises(MovingError):
        drive(Way.COUNTED, moving([6, 5, 4, 3], [7, 6, 5, 4]), still=True)


@pytest.mark.parametrize(
    ("headers", "total", "last", "linked"),
    [
        ({}, None, None, False),
        ({"x-total-count": "60"}, 60, None, False),
        ({"link": f'<{HOST}?page=2>; rel="next",<{HOST}?limit=20&page=3>; rel="last"'}, None, 3, True),
        ({"link": f'<{HOST}?page=1>; rel="first",<{HOST}?page=2>; rel="prev"'}, None, None, True),
        ({"link": f"<{HOST}?page=7>; rel=last"}, None, 7, True),
        ({"link": "nonsense", "x-total-count": "-5"}, None, None, True),
        ({"x-total-count": "\u00b2"}, None, None, False),
    ],
)
def test_what_the_headers_say(
    headers: dict[str, str], total: int | None, last: int | None, linked: bool
) -> None:
    page = page_of(None, headers)
    assert (page.rows, page.total, page.last, page.linked) == ([], total, last, linked)


@pytest.mark.parametrize("wrong", [{}, "text", 5, [1], [None], [[]]])
def test_what_is_no_list_of_objects(wrong: Any) -> None:
    with pytest.raises(PagingError, match="no list"):
        page_of(wrong, {})


def test_rows_are_told_apart_by_what_they_have() -> None:
    assert identity({"id": 5, "name": "x"}) == ("id", 5)
    assert identity({"name": "x"}) == ("name", "x")
    assert identity({"filename": "f", "sha": "same for all"}) == ("filename", "f")
    for wrong in ({}, {"id": None}, {"id": ""}, {"id": []}):
        with pytest.raises(PagingError, match="no id"):
            identity(wrong)


def test_as_many_opened_as_removed_is_no_page_number_that_is_ignored() -> None:
    """A whole page comes again while the total stays: the rest is behind it all the same."""
    ids, asked = drive(Way.COUNTED, moving([6, 5, 4, 3, 2, 1], [8, 7, 6, 5, 4, 3]))
    assert {6, 5, 4, 3} <= set(ids)
    assert asked[:3] == [1, 2, 3]


def test_the_lists_that_ignore_paging_are_known() -> None:
    unpaged = {"comments", "branch_protections", "issue labels", "assignees", "git/refs", "repo teams"}
    assert unpaged <= {name for name, way in LISTS.items() if way is Way.UNPAGED}
    assert LISTS["timeline"] is Way.UNTOLD
    assert {name for name, way in LISTS.items() if way is Way.FILTERED} == {
        "orgs/repos",
        "users/repos",
        "teams/repos",
    }
