# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A POST that has its effect once, although its answer may be lost.

The forge knows no idempotency keys. So what is made carries a marker, or has a name of its own, and after a
failure that leaves it open whether it was made, we look before we ask again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import TypeVar

from .gitea_errors import (
    ConflictError,
    ForbiddenError,
    ForgeError,
    InvalidError,
    LostError,
    NotFoundError,
    ServerError,
    UnknownOutcomeError,
    UnreachableError,
)
from .gitea_retry import Retry, transient

R = TypeVar("R")

# A proxy that says these lost sight of a forge that may still be at work.
_BAD_GATEWAY = 502
_GATEWAY_TIMEOUT = 504
_MARKER = re.compile(r"[A-Za-z0-9._-]{8,80}")
_LAST_MARK = re.compile(r"(?:(?:\r?\n){2})?<!-- timmy:once:([A-Za-z0-9._-]{8,80}) -->\s*\Z")


def new_marker(rng: random.Random) -> str:
    """Return a marker that nothing else has."""
    return f"{rng.getrandbits(128):032x}"


def mark(marker: str) -> str:
    """Return the line that carries a marker, unseen in the rendered text."""
    if not _MARKER.fullmatch(marker):
        raise ValueError("a marker is 8 to 80 letters, digits, dots, dashes or underscores")
    return f"<!-- timmy:once:{marker} -->"


def marked(text: str, marker: str) -> str:
    """Return a text with a marker at its end."""
    return f"{text}\n\n{mark(marker)}" if text else mark(marker)


def unmarked(text: str) -> tuple[str, tuple[str, ...]]:
    """Return a text without the markers at its end, and those markers, the first first."""
    markers: list[str] = []
    while (found := _LAST_MARK.search(text)) is not None:
        markers.insert(0, found.group(1))
        text = text[: found.start()]
    return text, tuple(markers)


def remarked(text: str, former: str) -> str:
    """Return a text with the markers that stood at the end of the former one."""
    for marker in unmarked(former)[1]:
        text = marked(text, marker)
    return text


def post_once(
    post: Callable[[], R], find: Callable[[], R | None], retry: Retry, *, look_first: bool = False
) -> R:
    """Return what `post` made, or what `find` sees of it when an answer was lost.

    `look_first` is for a marker from an earlier run, which may have been interrupted. Raises the forge's
    error when nothing was made, and UnknownOutcomeError when something may still come to be.
    """
    if look_first:
        found = find()
        if found is not None:
            return found
    rounds = retry.rounds()
    open_question = False
    while True:
        try:
            return post()
        except (InvalidError, ConflictError, ForbiddenError) as error:
            # "It exists already" is said with several numbers; after a lost answer it may be ours.
            found = _look(find, error) if open_question else None
            if found is None:
                raise
            return found
        except ForgeError as error:
            if not transient(error):
                raise
            if not isinstance(error, UnreachableError):
                open_question = True
                found = _settle(find, error, retry)
                if found is not None:
                    return found
            if not rounds.wait(error):
                raise


def _settle(find: Callable[[], R | None], error: ForgeError, retry: Retry) -> R | None:
    """What a failed POST made, None when it made nothing. Raises UnknownOutcomeError when it may yet.

    An answer from the forge itself means that it is done with the request: one look is enough. Without one
    it may be at work still, so we look for a while; if our own patience ended first, asking again is unsafe.
    """
    found = _look(find, error)
    lost = isinstance(error, LostError) or error.status in (_BAD_GATEWAY, _GATEWAY_TIMEOUT)
    waited, wait = 0.0, retry.patience.base_s
    while found is None and lost and waited < retry.patience.settle_s:
        retry.sleep(wait)
        waited, wait = waited + wait, wait * 2
        found = _look(find, error)
    if found is None and _may_still_show(error):
        said = f"{error.reason}; it has not shown up within {waited:.0f} s and may still"
        raise UnknownOutcomeError(error.method, error.path, said, error.status) from error
    return found


def _may_still_show(error: ForgeError) -> bool:
    """Whether the forge may be at work still, or has said in a broken answer that it is done."""
    if isinstance(error, LostError):
        return error.timed_out or error.status is not None
    return isinstance(error, ServerError) and error.status == _GATEWAY_TIMEOUT


def _look(find: Callable[[], R | None], error: ForgeError) -> R | None:
    """Look for it; when that is not possible, nobody knows. Where nothing can be, nothing was made."""
    try:
        return find()
    except NotFoundError:
        raise
    except ForgeError as blind:
        said = f"{error.reason}; looking for its effect failed too: {blind}"
        raise UnknownOutcomeError(error.method, error.path, said, error.status) from error
