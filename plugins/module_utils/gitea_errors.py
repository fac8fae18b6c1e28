# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between us and the forge, as one tree.

    ForgeError
    ├── AnswerError            an answer came, and it is no success
    │   ├── InvalidError       400, 412, 413, 422: the request itself is wrong
    │   ├── BadTokenError      401: wrong, expired or missing credentials, also on public reads
    │   ├── ForbiddenError     403: the account or the token's scope may not do this
    │   ├── NotFoundError      404: not there, or not visible to this account
    │   ├── MovedError         3xx that is not followed; `location` says where to
    │   ├── ConflictError      405, 409, 423: not in the state it is in now
    │   ├── ThrottledError     429: a proxy asks us to wait; `retry_after` in seconds
    │   └── ServerError        5xx: nobody knows whether it took effect
    ├── UnreachableError       no connection was made: nothing was sent
    ├── LostError              sent, but no whole usable answer came: nobody knows whether it took effect
    ├── UnknownOutcomeError    a write may have happened, and reading again did not settle it
    └── ListingError           a list that cannot be read to its end

Each text names method, path, status and the server's reason. None holds a token: see `Secrets.clean`.
"""

from __future__ import annotations

import re

REASON_LENGTH = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_SPACES = re.compile(r"\s+")


class ForgeError(Exception):
    """A request to the forge did not do what it was to do."""

    def __init__(self, method: str, path: str, reason: str, status: int | None = None) -> None:
        self.method = method
        self.path = path
        self.reason = reason
        self.status = status
        super().__init__(self._text())

    def _text(self) -> str:
        said = f"{self.method} {self.path}: "
        if self.status is not None:
            said += f"{self.status} "
        return said + (self.reason or "no reason given")


class AnswerError(ForgeError):
    """The forge answered, and not with success."""


class InvalidError(AnswerError):
    """The request is wrong as it stands."""


class BadTokenError(AnswerError):
    """The credentials are wrong, expired or missing."""


class ForbiddenError(AnswerError):
    """The account or the token's scope does not allow this."""


class NotFoundError(AnswerError):
    """Not there, or not visible to this account."""


class ConflictError(AnswerError):
    """Not possible in the state that the object is in now."""


class MovedError(AnswerError):
    """The object has another address now, and going on there by itself would be wrong."""

    def __init__(self, method: str, path: str, reason: str, status: int, location: str) -> None:
        self.location = location
        super().__init__(method, path, reason, status)


class ThrottledError(AnswerError):
    """Somebody before the forge asks us to wait."""

    def __init__(
        self, method: str, path: str, reason: str, status: int, retry_after: float | None = None
    ) -> None:
        self.retry_after = retry_after
        super().__init__(method, path, reason, status)


class ServerError(ThrottledError):
    """The forge failed; a 503 may say when to come again."""


class UnreachableError(ForgeError):
    """No connection: nothing was sent. A `permanent` cause, such as a wrong certificate, stays on a retry."""

    def __init__(self, method: str, path: str, reason: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(method, path, reason)


class LostError(ForgeError):
    """Sent, but no whole usable answer came.

    `timed_out` tells that the forge may still be at work on the request.
    """

    def __init__(
        self, method: str, path: str, reason: str, status: int | None = None, *, timed_out: bool = False
    ) -> None:
        self.timed_out = timed_out
        super().__init__(method, path, reason, status)


class UnknownOutcomeError(ForgeError):
    """A write may have happened, and reading again did not settle it."""


class ListingError(ForgeError):
    """A list cannot be read to its end."""


_BY_STATUS: dict[int, type[AnswerError]] = {
    400: InvalidError,
    401: BadTokenError,
    403: ForbiddenError,
    404: NotFoundError,
    405: ConflictError,
    409: ConflictError,
    423: ConflictError,
}


def answer_error(
    method: str, path: str, status: int, reason: str, *, location: str = "", retry_after: float | None = None
) -> AnswerError:
    """Return the error for an answer that is no success."""
    if status == 401:
        reason = f"{reason or 'unauthorized'} (the token or password is wrong, expired or missing)"
    if 300 <= status < 400:
        return MovedError(method, path, f"moved to {location or 'an unnamed place'}", status, location)
    if status == 429:
        return ThrottledError(method, path, reason or "too many requests", status, retry_after)
    if status >= 500:
        return ServerError(method, path, reason, status, retry_after)
    return _BY_STATUS.get(status, InvalidError)(method, path, reason, status)


def one_line(text: str, length: int = REASON_LENGTH) -> str:
    """Return untrusted text on one line, without control or direction characters, cut to a length."""
    plain = _SPACES.sub(" ", _CONTROL.sub(" ", text)).strip()
    return plain if len(plain) <= length else plain[: length - 1] + "…"


class Secrets:
    """The texts that no message may hold."""

    def __init__(self, *values: str) -> None:
        self._values = sorted({value for value in values if value}, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)})"

    def clean(self, text: str) -> str:
        """Return a text without any of the secrets, on one line and cut to a length."""
        for value in self._values:
            text = text.replace(value, "<secret>")
        return one_line(text)
