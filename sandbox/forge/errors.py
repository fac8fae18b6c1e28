# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a request can be refused, each as the forge words it."""

from __future__ import annotations

from typing import Any

ABSENT: Any = object()


class ApiError(Exception):
    """An answer that ends the request. ``body`` None means a body of no bytes."""

    def __init__(self, status: int, message: str | None, *, url: bool = True, errors: Any = ABSENT) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.url = url
        self.errors = errors
        self.headers: dict[str, str] = {}
        self.body: dict[str, Any] | None = None  # in the place of message and url


def not_found(*errors: str, message: str = "not found") -> ApiError:
    """Return 404 in the usual shape: ``errors`` is null or a list."""
    return ApiError(404, message, errors=list(errors) or None)


def no_user(name: str) -> str:
    """Return the forge's words for an unknown account."""
    return f"user does not exist [uid: 0, name: {name}]"


def internal(message: str) -> ApiError:
    """Return 500; only a site admin is shown the message."""
    return ApiError(500, message)


def forbidden() -> ApiError:
    """Return 403 with no body, as several edit routes answer."""
    return ApiError(403, None)


def redirect(status: int, location: str) -> ApiError:
    """Return a redirect with a relative Location."""
    error = ApiError(status, None)
    error.headers["Location"] = location
    return error
