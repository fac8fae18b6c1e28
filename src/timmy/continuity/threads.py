# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a session: its thread. Pure: messages in, facts out.

An agent states facts in lines of its answers: `Decision: …`, `Open: …`, `Blocker: …`, `Next: …`, `Proof: …`.
Decisions and proofs add up. What is open, in the way and next is as last said; `none` clears it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from timmy.continuity.store import Message

MAX_ITEMS = 20
MAX_ITEM = 300
MAX_TEXT = 600
MAX_THREADS = 12
# such an answer to "what is open?" is no item
NOTHING = frozenset(("none", "nothing", "-", "no", "n/a"))
_LINE = re.compile(
    r"^[ \t>*#-]*(decision|open(?: work)?|blocker|next(?: step)?|proof)s?"
    r"[ \t]*\**[ \t]*:[ \t]*\**[ \t]*(\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_NAMES = {"decision": "decisions", "open": "open_work", "blocker": "blockers", "next": "next_step"}
# control characters, and those that turn the direction of a text or cannot be seen
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]+"
)


@dataclass(frozen=True)
class Said:
    """Facts that were stated; None where nothing was said about a matter, empty where it was cleared."""

    decisions: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    open_work: tuple[str, ...] | None = None
    blockers: tuple[str, ...] | None = None
    next_step: str | None = None


@dataclass(frozen=True)
class Thread:
    """One session, or with an empty name the agent's own notes. `at` is the wall clock's, in seconds."""

    session: str
    at: float = 0.0
    task: str = ""
    answer: str = ""
    interrupted: bool = False
    decisions: tuple[str, ...] = ()
    open_work: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    next_step: str = ""
    proof: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """Return it as it stands in state.json."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


def thread_of(given: Any) -> Thread:
    """Return the thread from its data; what is of another type is left out, an unknown key too."""
    found: dict[str, Any] = {"session": ""}
    for field in fields(Thread):
        value = given.get(field.name) if isinstance(given, dict) else None
        kind = type(getattr(Thread(""), field.name))
        if kind is tuple and isinstance(value, list):
            found[field.name] = tuple(one for one in value if isinstance(one, str))
        elif kind is float and isinstance(value, int | float):
            found[field.name] = float(value)
        elif isinstance(value, kind) and kind is not tuple:
            found[field.name] = value
    return Thread(**found)


def plain(text: str, limit: int) -> str:
    """Return the text on one line, without what cannot be seen, cut to a length in characters."""
    flat = " ".join(_HIDDEN.sub(" ", text[: limit * 8]).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def statements(text: str) -> Said:
    """Return what the lines of an answer state."""
    found: dict[str, list[str]] = {}
    for label, value in _LINE.findall(text):
        name = _NAMES.get(label.split()[0].lower(), "proof")
        item = plain(value.strip("* "), MAX_ITEM)
        found.setdefault(name, [])
        if item.lower().rstrip(".") not in NOTHING:
            found[name].append(item)
    return Said(
        decisions=tuple(found.get("decisions", ())),
        proof=tuple(found.get("proof", ())),
        open_work=tuple(found["open_work"]) if "open_work" in found else None,
        blockers=tuple(found["blockers"]) if "blockers" in found else None,
        next_step=(found["next_step"] or [""])[-1] if "next_step" in found else None,
    )


def todos(text: str) -> tuple[str, ...] | None:
    """Return what is not done on the list that Hermes' own tool `todo` answered; None: no such answer."""
    try:
        rows = json.loads(text)["todos"]
        return tuple(
            plain(str(row["content"]), MAX_ITEM)
            for row in rows
            if row["status"] in ("pending", "in_progress")
        )
    except (ValueError, KeyError, TypeError):
        return None


def _joined(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Return both without repetitions, the newest of too many."""
    return tuple(dict.fromkeys((*old, *new)))[-MAX_ITEMS:]


def note(thread: Thread, said: Said) -> Thread:
    """Return the thread with what was stated."""
    return replace(
        thread,
        decisions=_joined(thread.decisions, said.decisions),
        proof=_joined(thread.proof, said.proof),
        open_work=thread.open_work if said.open_work is None else _joined((), said.open_work),
        blockers=thread.blockers if said.blockers is None else _joined((), said.blockers),
        next_step=thread.next_step if said.next_step is None else said.next_step,
    )


def _follow(thread: Thread, message: Message) -> Thread:
    """Return the thread after one more message."""
    thread = replace(thread, at=message.mark.at, interrupted=not message.finished)
    if message.role == "user":
        return replace(thread, task=plain(message.text, MAX_TEXT), answer="")
    if message.role == "tool":
        listed = todos(message.text) if message.tool == "todo" else None
        return thread if listed is None else note(thread, Said(open_work=listed))
    if message.role != "assistant" or not message.text.strip():
        return thread
    return note(replace(thread, answer=plain(message.text, MAX_TEXT)), statements(message.text))


def follow(threads: Iterable[Thread], messages: Iterable[Message]) -> list[Thread]:
    """Return the threads after these messages, the latest first; the oldest of too many are forgotten."""
    known = {thread.session: thread for thread in threads}
    for message in messages:
        known[message.session] = _follow(known.get(message.session, Thread(message.session)), message)
    return latest(known.values())


def latest(threads: Iterable[Thread]) -> list[Thread]:
    """Return the threads that are kept, the latest first; the agent's own notes stay in any case."""
    ordered = sorted(threads, key=lambda thread: (thread.session == "", thread.at), reverse=True)
    return sorted(ordered[:MAX_THREADS], key=lambda thread: thread.at, reverse=True)
