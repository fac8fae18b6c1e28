# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""flush_continuity: bring into continuity all that Hermes' session store has, and read it back."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from timmy.continuity import brief
from timmy.continuity.place import BELOW, SCHEMA, Place, State, state_of
from timmy.continuity.store import Mark, Store
from timmy.continuity.threads import MAX_ITEM, Said, Thread, follow, latest, note, plain
from timmy.core import continuity, guard
from timmy.errors import NotFlushed
from timmy.files import read_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOCK_S = 15.0
MAX_DAILY = 512 * 1024
ENTRY = "\n## "


@dataclass(frozen=True)
class Flushed:
    """What a flush did: how far continuity goes now, and what was damaged and how it was mended."""

    mark: Mark
    threads: int
    repaired: tuple[str, ...]


def flush_continuity(home: Path, now: float, said: Said | None = None, session: str = "") -> Flushed:
    """Bring all messages of the session store, and what is `said` about a session, into continuity.

    Decisions, open work, blockers, next step and proof links then stand in state.json, active.md and the
    note of the day; each was read back when this returns. `now` is the wall clock in seconds. Raises
    NotFlushed, with a line on why, and leaves a note of that which `timmy status` shows.
    """
    place = Place(home)
    try:
        with _alone(place):
            done = _flush(place, Store(home), now, said, session)
        place.clear_failure()
    except NotFlushed as error:
        place.record_failure(error.message, now)
        raise
    except (continuity.ContinuityError, OSError) as error:
        reason = _line(error)
        place.record_failure(reason, now)
        raise NotFlushed(reason, "what was said stays in Hermes' session store") from None
    return done


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Hold the lock of this home's flushes; a later flush must not be overwritten by an earlier one."""
    for folder in (place.folder.parent, place.folder, place.folder / "daily"):
        # one by one: a parent that is made on the way would be open to all
        folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(place.folder / ".flush.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        limit = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > limit:
                    raise NotFlushed(f"{place.folder}: another flush has held the lock too long") from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _flush(place: Place, store: Store, now: float, said: Said | None, session: str) -> Flushed:
    old, repaired = _old(place, now)
    messages = store.after(old.mark)
    if not messages and said is None and old.flushed_at and not repaired and place.active.exists():
        return Flushed(old.mark, len(old.threads), ())
    threads = follow(old.threads, messages)
    if said is not None:
        mine = next((one for one in threads if one.session == session), Thread(session))
        others = [one for one in threads if one.session != session]
        threads = latest([replace(note(mine, _plain(said)), at=now), *others])
    mark = max((one.mark for one in messages), default=old.mark)
    new = State(replace(mark, at=max([mark.at, *(one.mark.at for one in messages)])), now, tuple(threads))
    changed = [one for one in threads if one not in old.threads]
    # the mark goes last: while it is behind, nobody believes what stands before it
    if changed:
        _write_daily(place.daily(now), changed, now)
    _write_active(place, new)
    # other keys of the document are other people's
    continuity.update_json(place.state, lambda was: {**(was or {}), **new.data()}, None, schema=SCHEMA)
    if state_of(continuity.read_json(place.state, schema=SCHEMA)) != new:
        raise NotFlushed(f"{place.state}: reads otherwise than it was written")
    return Flushed(new.mark, len(threads), tuple(repaired))


def _plain(said: Said) -> Said:
    def each(items: Sequence[str]) -> tuple[str, ...]:
        return tuple(text for text in (plain(item, MAX_ITEM) for item in items) if text)

    return Said(
        decisions=each(said.decisions),
        proof=each(said.proof),
        open_work=None if said.open_work is None else each(said.open_work),
        blockers=None if said.blockers is None else each(said.blockers),
        next_step=None if said.next_step is None else plain(said.next_step, MAX_ITEM),
    )


def _old(place: Place, now: float) -> tuple[State, list[str]]:
    """Return the state to go on from, mended where it is damaged.

    With no good generation left all of it is put aside, and made anew from the session store.
    """
    try:
        return state_of(continuity.read_json(place.state, None, SCHEMA)), []
    except continuity.UnreadableError:
        try:
            done = continuity.repair(place.state, SCHEMA)
            return state_of(continuity.read_json(place.state, None, SCHEMA)), done
        except continuity.UnreadableError:
            aside = place.folder / time.strftime("lost-%Y%m%dT%H%M%S", time.localtime(now))
            aside.mkdir(mode=0o700, exist_ok=True)
            for path in sorted(place.folder.glob(f"{place.state.name}*")):
                path.rename(aside / path.name)
            return State(), [f"no good generation was left; all of them are in {aside}"]


def _write(path: Path, text: str) -> None:
    data = text.encode("utf-8", "replace")
    guard.write_file(os.fspath(path), data, 0o600)
    if read_foreign(path, len(data) + 1) != data:
        raise NotFlushed(f"{path}: reads otherwise than it was written")


def _write_active(place: Place, state: State) -> None:
    page = place.page()
    made = brief.render(state.threads, brief.MAX_ACTIVE)
    _write(place.active, f"{page}\n\n{BELOW}\n\n{made}" if page else f"{BELOW}\n\n{made}")


def _write_daily(path: Path, changed: Sequence[Thread], now: float) -> None:
    """Add to the note of the day what changed; of a very long note the oldest entries go."""
    try:
        text = read_foreign(path, MAX_DAILY + MAX_DAILY // 4).decode("utf-8", "replace")
    except FileNotFoundError:
        text = path.stem + "\n"
    except ValueError as error:
        raise NotFlushed(f"{path}: {error}", "move it aside") from None
    clock = time.strftime("%H:%M:%S", time.localtime(now))
    for thread in changed:
        text += f"{ENTRY}{clock} {thread.session or 'own notes'}\n\n" + "\n".join(brief.facts(thread)) + "\n"
    while len(text.encode("utf-8", "replace")) > MAX_DAILY:
        head, _first, rest = text.partition(ENTRY)
        text = head + ENTRY + rest.partition(ENTRY)[2]
    _write(path, text)
