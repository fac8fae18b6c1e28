# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a list of the forge to its end: which page next, and when it is done.

The forge has four ways to page, and one is wrong for the other. `read_pages` decides without doing any I/O:
it yields page numbers and is sent what came. Lists run from newest to oldest with offsets, so rows move
while we read: what is opened shifts rows down, and they are seen twice; what leaves shifts rows up, and one
is skipped. Two counts tell which of it happened between two pages: by how much the total changed, and how
many rows came again.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

PAGE = 50
MAX_PAGES = 2000
_BARREN = 3
_LAST = re.compile(r"<[^>]*[?&]page=(\d{1,9})[^>]*>\s*;\s*rel=\"?last\"?")
_IDENTITY = ("id", "filename", "sha", "rule_name", "name", "ref", "login", "number")

Row = Mapping[str, Any]


class Way(Enum):
    """How a list is paged."""

    UNPAGED = "everything in one answer, whatever page is asked for"
    COUNTED = "a total, with or without Link, that counts the rows which come"
    FILTERED = "a total and Link, counted before the rows that this account may not see are taken out"
    UNTOLD = "no total that means anything: on until two pages in a row are empty"


# The lists this collection reads, by the end of their route.
LISTS: dict[str, Way] = {
    "admin/users": Way.COUNTED,
    "assignees": Way.UNPAGED,
    "branch_protections": Way.UNPAGED,
    "branches": Way.COUNTED,
    "collaborators": Way.COUNTED,
    "comments": Way.UNPAGED,
    "commits": Way.COUNTED,
    "dependencies": Way.UNTOLD,
    "files": Way.COUNTED,
    "git/refs": Way.UNPAGED,
    "hooks": Way.COUNTED,
    "issue labels": Way.UNPAGED,
    "issues": Way.COUNTED,
    "keys": Way.COUNTED,
    "labels": Way.COUNTED,
    "members": Way.COUNTED,
    "milestones": Way.COUNTED,
    "orgs": Way.COUNTED,
    "orgs/repos": Way.FILTERED,
    "pulls": Way.COUNTED,
    "release assets": Way.UNPAGED,
    "releases": Way.COUNTED,
    "repo teams": Way.UNPAGED,
    "reviews": Way.COUNTED,
    "secrets": Way.COUNTED,
    "statuses": Way.COUNTED,
    "tags": Way.COUNTED,
    "teams": Way.COUNTED,
    "teams/members": Way.COUNTED,
    "teams/repos": Way.FILTERED,
    "timeline": Way.UNTOLD,
    "tokens": Way.COUNTED,
    "users/orgs": Way.COUNTED,
    "users/repos": Way.FILTERED,
    "variables": Way.COUNTED,
}


class PagingError(ValueError):
    """The list cannot be read to its end."""


class MovingError(PagingError):
    """Rows left the list while it was read; some may be missing."""


@dataclass(frozen=True)
class Page:
    """What came: the rows, the total if told, the last page by Link, and whether there was a Link at all."""

    rows: list[Row]
    total: int | None = None
    last: int | None = None
    linked: bool = False


def page_of(rows: Any, headers: Mapping[str, str]) -> Page:
    """Return an answer's page. Raises PagingError when it is no list of objects; null is an empty one."""
    rows = [] if rows is None else rows
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise PagingError("the answer is no list of objects")
    total = headers.get("x-total-count", "").strip()
    link = headers.get("link", "")
    last = _LAST.search(link)
    return Page(
        rows,
        int(total[:12]) if total.isascii() and total.isdigit() else None,
        # Only the number counts: the host in it is the server's idea of itself.
        int(last.group(1)) if last else None,
        bool(link),
    )


def identity(row: Row) -> tuple[str, Any]:
    """Return what tells a row from the others. Raises PagingError when nothing does."""
    for name in _IDENTITY:
        value = row.get(name)
        if isinstance(value, (int, str)) and value != "":
            return name, value
    raise PagingError("a row of the list has no id")


@dataclass
class Rows:
    """The rows so far, each once, with the page that first had it."""

    by_id: dict[tuple[str, Any], Row] = field(default_factory=dict)
    late: set[tuple[str, Any]] = field(default_factory=set)

    def add(self, page: Page, number: int) -> int:
        """Take a page's rows and return how many were new. Of one that comes again the newer form stays."""
        before = len(self.by_id)
        for row in page.rows:
            who = identity(row)
            if number > 1 and who not in self.by_id:
                self.late.add(who)
            self.by_id[who] = row
        return len(self.by_id) - before

    def every(self) -> list[Row]:
        """Return the rows in the order in which they came."""
        return list(self.by_id.values())

    def later_pages(self) -> list[Row]:
        """Return those that a page after the first had first."""
        return [row for who, row in self.by_id.items() if who in self.late]


Reading = Generator[int, Page, Rows]


def read_pages(way: Way, size: int = 0, *, still: bool = False, max_pages: int = MAX_PAGES) -> Reading:
    """Yield page numbers, be sent each Page, and return the rows.

    `size` is the server's page size where it is known. With `still`, a list that changes in any other way
    than by new rows at its front raises MovingError. Raises PagingError at the cap.
    """
    if way is Way.UNPAGED:
        return _unpaged()
    if way is Way.UNTOLD:
        return _untold(max_pages)
    return _counted(way is Way.FILTERED, size, still, max_pages)


def _unpaged() -> Reading:
    rows = Rows()
    for position, row in enumerate((yield 1).rows):
        rows.by_id["position", position] = row
    return rows


def _untold(max_pages: int) -> Reading:
    rows = Rows()
    empty = 0
    for number in range(1, max_pages + 1):
        page = yield number
        new = rows.add(page, number)
        empty = 0 if page.rows else empty + 1
        if empty == 2 or (page.rows and not new):
            return rows
    raise PagingError(f"more than {max_pages} pages; ask for less")


def _counted(filtered: bool, size: int, still: bool, max_pages: int) -> Reading:
    rows = Rows()
    number, highest = 1, 0
    repeated = grown = barren = 0
    first = before = None
    for _request in range(max_pages):
        page = yield number
        again = len(page.rows) - rows.add(page, number)
        if number == 1 and not filtered:
            size = size or len(page.rows)
        change = 0 if before is None or page.total is None else page.total - before
        if still and number > 1 and change != again:
            raise MovingError("rows left the list while it was read")
        if number > highest:
            repeated, grown = repeated + again, grown + max(change, 0)
            barren = barren + 1 if page.rows and again == len(page.rows) else 0
        stuck = barren > 0 and repeated > grown
        if stuck and (page.total is None or barren == _BARREN):
            # Nothing new, and more than new rows at the front can have moved down.
            break
        highest = max(highest, number)
        first = page.total if first is None else first
        before = page.total
        if change < 0 and number > 1:
            # What left moved the rows behind it up, over the border that we have passed: read that again.
            number = max(1, number + change // max(size, 1))
        elif number >= _last_page(page, number, size):
            break
        else:
            number += 1
    else:
        raise PagingError(f"more than {max_pages} pages; ask for less")
    if filtered or before is None or first is None:
        return rows
    if before > first or stuck:
        yield from _front(rows)
    if stuck and len(rows.by_id) < before:
        raise PagingError("a page brings nothing new, but there is more: the server ignores the page number")
    return rows


def _front(rows: Rows) -> Generator[int, Page, None]:
    """Read what came in at the front meanwhile."""
    for number in range(1, MAX_PAGES):
        page = yield number
        if rows.add(page, number) < len(page.rows) or not page.rows:
            return


def _last_page(page: Page, number: int, size: int) -> int:
    """The last page as far as this one tells; the next one while nothing tells and rows still come."""
    if page.last is not None:
        return page.last
    if page.linked:
        return number
    if page.total is not None and (size or len(page.rows) >= page.total):
        return -(-page.total // size) if size else number
    return number + 1 if page.rows else number
