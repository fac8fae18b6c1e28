# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests with meaning: what each verb may repeat, how lists are read, and answers as typed objects.

The resource files (`gitea_issues` and so on) build on this and on nothing below it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from .gitea_admin_types import ServerSettings
from .gitea_decode import DecodeError, decode, decode_list, moment
from .gitea_errors import ForgeError, ListingError, LostError, NotFoundError, ServerError
from .gitea_once import post_once
from .gitea_paging import LISTS, PAGE, MovingError, Page, PagingError, Rows, Way, page_of, read_pages
from .gitea_retry import Retry
from .gitea_transport import Reply, Transport, http_time
from .gitea_url import with_query

T = TypeVar("T")
R = TypeVar("R")
Query = Mapping[str, "str | int | bool | None"]

NO_QUERY: Query = MappingProxyType({})

# How many pages of the newest to search for what was just made.
LOOK_PAGES = 4
LOOK_AGAIN = 3


class Session:
    """One account at one forge. Safe in threads; closing is optional, and `with` does it."""

    def __init__(self, transport: Transport, retry: Retry | None = None) -> None:
        self.transport = transport
        self.retry = retry or Retry()
        self._settings: ServerSettings | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.transport.base})"

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()

    @property
    def rng(self) -> random.Random:
        """The chance that markers and pauses come from."""
        return self.retry.rng

    # --- reads

    def read(self, kind: type[T], path: str, query: Query = NO_QUERY, *, beside: str = "") -> T:
        """Return one object. `beside` is a path to ask first when the forge answers 500 (see `_get`)."""
        full = with_query(path, query)

        def attempt() -> T:
            return self._typed(kind, "GET", full, self._get(full, beside))

        return self.retry.run(attempt)

    def read_list(
        self, kind: type[T], lists: str, path: str, query: Query = NO_QUERY, *, beside: str = ""
    ) -> list[T]:
        """Return a whole list; `lists` names its way of paging in `LISTS`. Each object comes once."""
        return self.objects(kind, path, self.read_rows(lists, path, query, beside=beside)[0].every())

    def read_rows(
        self, lists: str, path: str, query: Query = NO_QUERY, *, beside: str = "", still: bool = False
    ) -> tuple[Rows, float | None]:
        """Return a list's rows as they are, and the server's time of the first page as a Unix time.

        Raises MovingError when `still` is asked for and the list was not, ListingError when it has no end.
        """
        way = LISTS[lists]
        paged = {**query, "limit": PAGE} if way is not Way.UNPAGED else dict(query)
        page, began = self._page(with_query(path, paged), beside)
        reading = read_pages(way, self._size_of(way, page), still=still)
        try:
            next(reading)
            while True:
                number = reading.send(page)
                page, _clock = self._page(
                    with_query(path, {**paged, "page": number if number > 1 else None}), beside
                )
        except StopIteration as done:
            return done.value, began
        except MovingError:
            raise
        except PagingError as error:
            raise ListingError("GET", path, str(error)) from None

    def objects(self, kind: type[T], path: str, rows: object) -> list[T]:
        """Return rows as typed objects, none for null."""
        try:
            return list(decode_list(kind, rows))
        except DecodeError as error:
            raise LostError("GET", path, str(error)) from None

    def still_rows(self, lists: str, path: str, query: Query) -> list[Any] | None:
        """Return the rows of a filtered list, None when some may have been skipped.

        Rows that leave shift others over a page's border. Counts show that, unless as many rows came back
        behind the border at the same moment; those we read later, changed since we began.
        """
        try:
            rows, began = self.read_rows(lists, path, query, still=True)
        except MovingError:
            return None
        late = rows.later_pages()
        if late and (began is None or any(changed_since(row, began) for row in late)):
            return None
        return rows.every()

    def newest(self, kind: type[T], path: str, query: Query) -> list[T]:
        """Return the objects of the first pages of a list that begins with the newest; some may come twice.

        When rows left the list meanwhile, one may have moved up past us: then we begin again.
        """
        found: list[T] = []
        number, passed, before = 1, 0, 0
        for _request in range(LOOK_AGAIN * LOOK_PAGES):
            page, _clock = self._page(with_query(path, {**query, "limit": PAGE, "page": number}), "")
            found += self.objects(kind, path, page.rows)
            total = before if page.total is None else page.total
            passed += len(page.rows)
            if number > 1 and total < before:
                number, passed = 1, 0
            elif not page.rows or number == LOOK_PAGES or (page.total is not None and passed >= total):
                break
            else:
                number += 1
            before = total
        return found

    def exists(self, path: str) -> bool:
        """Return whether something is there, for routes that answer with a number only."""
        try:
            self.retry.run(lambda: self.transport.send("GET", path).data("GET", path))
        except NotFoundError:
            return False
        return True

    # --- writes that may be repeated as they are

    def write(self, method: str, path: str, data: Any = None, *, slow: bool = False) -> Any:
        """Send a PUT, PATCH or other write whose effect is the same however often; return its JSON."""
        return self.retry.run(lambda: self.transport.send(method, path, data, slow=slow).data(method, path))

    def write_typed(self, kind: type[T], method: str, path: str, data: Any = None) -> T:
        """Send such a write and return the object that it answers with."""

        def attempt() -> T:
            return self._typed(kind, method, path, self.transport.send(method, path, data))

        return self.retry.run(attempt)

    def delete(self, path: str, data: Any = None) -> None:
        """Delete something. Not there is an error, unless an earlier attempt may have removed it."""
        tried = False

        def attempt() -> None:
            nonlocal tried
            try:
                # Read, so that somebody else's page is not taken for the forge's word.
                self.transport.send("DELETE", path, data).data("DELETE", path)
            except NotFoundError:
                if not tried:
                    raise
            except ForgeError:
                tried = True
                raise

        self.retry.run(attempt)

    # --- writes that must not be repeated blindly

    def create(
        self,
        kind: type[T],
        path: str,
        data: Any,
        find: Callable[[], T | None],
        *,
        look_first: bool = False,
        slow: bool = False,
    ) -> T:
        """POST once and return what it made; `find` looks for it after an answer that was lost."""

        def post() -> T:
            return self.made(kind, path, self.transport.send("POST", path, data, slow=slow))

        return post_once(post, find, self.retry, look_first=look_first)

    def made(self, kind: type[T], path: str, reply: Reply) -> T:
        """Return what a POST made. Raises LostError for no object, and for one that lacks its id."""
        made = self._typed(kind, "POST", path, reply)
        if getattr(made, "id", None) == 0:
            raise LostError("POST", path, f"no {kind.__name__} with an id in the answer", reply.status)
        return made

    # --- inside

    def server_settings(self) -> ServerSettings:
        """Return how this forge pages; asked once."""
        if self._settings is None:
            self._settings = self.read(ServerSettings, "/settings/api")
        return self._settings

    def _size_of(self, way: Way, page: Page) -> int:
        """The rows of a page, where some are not shown and no Link tells the last page."""
        if way is not Way.FILTERED or page.linked or page.total is None or len(page.rows) >= page.total:
            return 0
        return min(PAGE, self.server_settings().max_response_items or PAGE)

    def _get(self, path: str, beside: str) -> Reply:
        """GET once. A 500 below an issue can mean that there is no such issue: ask for that first."""
        try:
            return self.transport.send("GET", path)
        except ServerError as error:
            if beside and error.status == 500:
                self.transport.send("GET", beside)
            raise

    def _page(self, path: str, beside: str) -> tuple[Page, float | None]:
        def attempt() -> tuple[Page, float | None]:
            reply = self._get(path, beside)
            if reply.empty:
                # The forge writes an empty list as [] or null; who takes nothing for it makes things twice.
                raise LostError("GET", path, "no list in the answer", reply.status)
            try:
                page = page_of(reply.data("GET", path), reply.headers)
            except PagingError as error:
                raise LostError("GET", path, str(error), reply.status) from None
            return page, http_time(reply.headers.get("date", ""))

        return self.retry.run(attempt)

    def _typed(self, kind: type[T], method: str, path: str, reply: Reply) -> T:
        try:
            return decode(kind, reply.data(method, path))
        except DecodeError as error:
            raise LostError(method, path, str(error), reply.status) from None


def changed_since(row: Mapping[str, Any], began: float) -> bool:
    """Return whether a row was changed at or after a moment, or does not say when it was."""
    updated = moment(row.get("updated_at"))
    return updated is None or updated.timestamp() >= began


def first(rows: Sequence[T], fits: Callable[[T], bool]) -> T | None:
    """Return the first that fits, None when none does."""
    return next((row for row in rows if fits(row)), None)


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not None: a key that is left out is left alone by the forge."""
    return {name: value for name, value in fields.items() if value is not None}
