# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done at a host, packed when it is asked and sent when its turn comes.

Between the two lies the canary, and a file on the controller that lives as long as the run. So each host gets
the overlay as it was when all were asked, and its variables and templates are worked out once.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible import constants

# Secrets are told anew when they are sent, never kept in a file; the lock's owner is a run, not a question.
_NOT_KEPT = ("secrets", "owner", "ask", "ask_groups", "parcel")


class ParcelError(Exception):
    """A parcel that this run did not leave; the message is one line."""


@dataclass(frozen=True)
class Parcel:
    """The arguments of a deploy without its secrets, and what its host lacked of the release."""

    args: dict[str, Any]
    archive: bytes


def put(args: Mapping[str, Any], archive: bytes) -> str:
    """Keep a parcel; its path, in the directory that this run removes at its end."""
    kept = {name: value for name, value in args.items() if name not in _NOT_KEPT}
    handle, path = tempfile.mkstemp(prefix="parcel-", dir=constants.DEFAULT_LOCAL_TMP)
    with os.fdopen(handle, "wb") as out:
        out.write(json.dumps(kept, default=str).encode("utf-8") + b"\n" + archive)
    return path


def take(path: str) -> Parcel:
    """The parcel that `put` left under this path during this run."""
    if os.path.dirname(path) != str(constants.DEFAULT_LOCAL_TMP):
        raise ParcelError(f"parcel: {path} is not of this run; ask the host in the same run")
    try:
        with open(path, "rb") as source:
            return Parcel(json.loads(source.readline()), source.read())
    except (OSError, ValueError) as error:
        raise ParcelError(f"parcel: {path} cannot be read any more; run the playbook again") from error
