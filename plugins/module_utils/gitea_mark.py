# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mark of what the forge takes and never shows: enough to tell whether it is still the same.

It stands at the end of a text that the forge keeps beside the secret, a hook's name or a description, as in
"from the controller [timmy:<salt>:<digest>]", with one digest for each secret, or a dash. The digests are
slow to make, so that a guess is slow to try; a short secret can be guessed from one all the same.

A mark tells what was last written with it, no more: who changes a secret by other means leaves it as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

ROUNDS = 100_000
SALT_BYTES = 8
DIGEST_BYTES = 16
NONE = "-"
_MARK = re.compile(r" ?\[timmy:([0-9a-f]{16})((?::(?:[0-9a-f]{32}|-))+)\]\Z")


def bare(text: str) -> str:
    """Return a text without its mark."""
    return _MARK.sub("", text)


def fits(text: str, place: int, secret: str) -> bool:
    """Return whether the text has a mark, and the digest at this place of it is of this secret."""
    salt, digests = _read(text)
    return place < len(digests) and hmac.compare_digest(digests[place], _digest(salt, place, secret))


def marked(text: str, values: Sequence[str | None], old: str = "") -> str:
    """Return a text with a mark of these secrets; of None it has what `old` had at this place."""
    salt, digests = _read(old)
    salt = salt or secrets.token_hex(SALT_BYTES)
    kept = [*digests, *[NONE] * len(values)]
    made = [kept[at] if one is None else _digest(salt, at, one) for at, one in enumerate(values)]
    mark = f"[timmy:{salt}:{':'.join(made)}]"
    return f"{bare(text)} {mark}" if bare(text) else mark


def has(text: str, place: int) -> bool:
    """Return whether the text has a mark with a digest at this place."""
    digests = _read(text)[1]
    return place < len(digests) and digests[place] != NONE


def _read(text: str) -> tuple[str, list[str]]:
    match = _MARK.search(text)
    return (match.group(1), match.group(2)[1:].split(":")) if match else ("", [])


def _digest(salt: str, place: int, secret: str) -> str:
    seasoned = f"{salt}:{place}".encode()
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), seasoned, ROUNDS, DIGEST_BYTES).hex()
