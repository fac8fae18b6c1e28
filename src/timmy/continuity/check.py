# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether continuity holds all that happened, and what must not go on while it does not.

An attempt may not say "done", and a gateway may not start, before what sessions hold is in continuity.
Both try to bring it there first. A gateway that is refused again and again would be lost for a fault of
its notebook, so its refusals are few and counted; after them it starts, and the alert stands.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from timmy.continuity.flush import flush_continuity
from timmy.continuity.place import Place
from timmy.continuity.store import Mark, Store, behind
from timmy.errors import NotFlushed

if TYPE_CHECKING:
    from collections.abc import Mapping

# starts of a gateway that are refused in a row, before it may start all the same
REFUSALS = 2
# between the end of a turn and its flush lies the hook; younger ones are no alert yet
GRACE_S = 120.0


@dataclass(frozen=True)
class Verdict:
    """How continuity is: `problem` is empty where nothing is wrong. `flushed_at` 0.0: never."""

    problem: str
    mark: Mark
    last: Mark | None
    flushed_at: float
    repaired: tuple[str, ...] = ()


def look(home: Path, now: float, session: str = "") -> Verdict:
    """Return how things are, changing nothing: a failed flush, or a turn that was never flushed."""
    place, store = Place(home), Store(home)
    try:
        state = place.read()
        last = store.last(session, finished=not session)
    except NotFlushed as error:
        return Verdict(error.message, Mark(), None, 0.0)
    failure = place.failure()
    problem = f"the last flush failed: {failure}" if failure else ""
    if not problem and last is not None and behind(state.mark, last) and (session or now - last.at > GRACE_S):
        problem = f"message {last.message_id} of {now - last.at:.0f} s ago is not in it"
    return Verdict(problem, state.mark, last, state.flushed_at)


def settle(home: Path, now: float, session: str = "") -> Verdict:
    """Flush what is not flushed, then return how things are; a flush that fails is the verdict's problem."""
    try:
        repaired = flush_continuity(home, now).repaired
    except NotFlushed as error:
        return Verdict(error.message, Mark(), None, 0.0)
    return replace(look(home, now, session), repaired=repaired)


def may_start(home: Path, now: float, environment: Mapping[str, str]) -> tuple[bool, Verdict, str]:
    """Return whether a gateway may start, how continuity is, and a line for its journal.

    Refusals in a row are counted in the unit's runtime directory, which no disk fault of the home reaches;
    without one nothing can be counted, so nothing is refused.
    """
    verdict = settle(home, now)
    folder = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    counter = Path(folder, "continuity-refusals") if folder else None
    if not verdict.problem:
        if counter:
            with suppress(OSError):
                counter.unlink(missing_ok=True)
        return True, verdict, "holds all that happened"
    refused = _count(counter)
    if refused is None or refused > REFUSALS:
        return True, verdict, f"cannot be mended, the gateway starts all the same: {verdict.problem}"
    return False, verdict, f"start refused ({refused} of {REFUSALS}): {verdict.problem}"


def _count(counter: Path | None) -> int | None:
    """Add one and return the sum; None where that cannot be kept."""
    if counter is None:
        return None
    try:
        before = counter.read_text(encoding="ascii").strip() if counter.exists() else "0"
        number = (int(before) if before.isdigit() else 0) + 1
        counter.write_text(str(number), encoding="ascii")
        os.chmod(counter, 0o600)
    except OSError:
        return None
    return number
