# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted against what is there: the one decision that all modules of the forge make.

A module reads what is there and says what is wanted, both as plain fields in the forge's own form; `decide`
compares them into a `Move`, and a `Wish` of moves is settled in one place: with check mode it is only
foretold. So no module can write in check mode, and no two can differ in what "the same" means:

- A field that is not declared (None) is neither compared nor sent.
- A list is a set: order and repetition mean nothing to the forge.
- A secret field is never shown by the forge: it is sent with a new object, later only when it is renewed.
- After a write the forge must show what was wanted. It ignores what it does not know, with a success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Fields = dict[str, Any]

HIDDEN = "(not shown)"
RENEWED = "(new, not shown)"


class KeepError(ValueError):
    """What is wanted cannot be, or did not come to be; the text is one line that names the fix.

    `facts` are returned beside it by a module, for those who decide by more than a text.
    """

    def __init__(self, text: str, **facts: Any) -> None:
        super().__init__(text)
        self.facts = facts


@dataclass(frozen=True)
class Rules:
    """What is special about the fields of one kind of object.

    `blank` is such an object before there is one; check mode fills it in. `secret` fields are never shown,
    `once` fields are taken at creation only, `fold` fields are compared without case, as account names are.
    """

    blank: Fields
    secret: frozenset[str] = frozenset()
    once: frozenset[str] = frozenset()
    fold: frozenset[str] = frozenset()

    def same(self, name: str, value: Any, other: Any) -> bool:
        """Return whether two values of a field mean the same to the forge."""
        return bool(self._normal(name, value) == self._normal(name, other))

    def differing(self, wanted: Fields, there: Fields) -> list[str]:
        """Return the names of the fields that are not as wanted, of those that the forge shows."""
        unseen = self.secret | self.once
        return [n for n, value in wanted.items() if n not in unseen and not self.same(n, value, there.get(n))]

    def _normal(self, name: str, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return sorted({self._normal(name, part) for part in value}, key=repr)
        return value.casefold() if name in self.fold and isinstance(value, str) else value


@dataclass(frozen=True)
class Move:
    """One object: what is there, what is wanted (None for nothing), and the fields to send."""

    found: Fields | None
    wanted: Fields | None
    send: Fields
    rules: Rules

    @property
    def kind(self) -> str:
        """What has to be done: create, update, delete, or "" for nothing."""
        if self.wanted is None:
            return "delete" if self.found is not None else ""
        if self.found is None:
            return "create"
        return "update" if self.send else ""

    def before(self) -> Fields:
        """Return the fields in question as they are, for a diff."""
        if self.found is None:
            return {}
        if self.wanted is None:
            return {name: value for name, value in self.found.items() if name not in self.rules.secret}
        return self._shown(self.found, HIDDEN)

    def after(self, there: Fields | None) -> Fields:
        """Return them as they then are, for a diff."""
        if self.wanted is None or there is None:
            return {}
        return self._shown(there, RENEWED)

    def expected(self) -> Fields | None:
        """Return the object as it will be."""
        if self.wanted is None:
            return None
        unseen = self.rules.secret | self.rules.once
        sent = {name: value for name, value in self.send.items() if name not in unseen}
        return {**self.rules.blank, **(self.found or {}), **sent}

    def _shown(self, there: Fields, renewed: str) -> Fields:
        rules, shown = self.rules, {}
        for name, value in (self.wanted or {}).items():
            if name in rules.secret:
                shown[name] = renewed if name in self.send else HIDDEN
            elif name not in rules.once:
                shown[name] = _listed(there.get(name))
            elif self.found is None:
                shown[name] = value
        return shown


@dataclass(frozen=True)
class Hands:
    """The three writes. `create` and `update` return the object as the forge has it afterwards.

    `create` gets the wanted fields; `update` gets what is there and the fields that change; `delete` gets
    what is there.
    """

    create: Callable[[Fields], Fields]
    update: Callable[[Fields, Fields], Fields]
    delete: Callable[[Fields], object]


@dataclass(frozen=True)
class Wish:
    """All moves of one task. `answer` is the result's name; `row` gives each object of a set its name."""

    title: str
    answer: str
    moves: Sequence[Move]
    hands: Hands
    row: str = ""
    warnings: Sequence[str] = field(default=())


def declared(params: Mapping[str, Any], names: Iterable[str]) -> Fields:
    """Return the options that were given."""
    return {name: params[name] for name in names if params.get(name) is not None}


def decide(found: Fields | None, wanted: Fields | None, rules: Rules, *, renew: bool = False) -> Move:
    """Return what has to be done; `renew` sends the secret fields also to what is there."""
    if wanted is None or found is None:
        return Move(found, wanted, dict(wanted or {}), rules)
    send = {name: wanted[name] for name in rules.differing(wanted, found)}
    if renew:
        send.update({name: value for name, value in wanted.items() if name in rules.secret})
    return Move(found, wanted, send, rules)


def single(title: str, answer: str, move: Move, hands: Hands) -> Wish:
    """Return the wish for one object; `title` names it in messages, as in "organization fleet"."""
    return Wish(title, answer, (move,), hands)


def paired(
    found: Sequence[Fields], wanted: Sequence[Fields], *, row: str = "name", was: str = "was", purge: bool
) -> tuple[list[tuple[Fields | None, Fields | None]], list[Fields]]:
    """Return each wanted object of a set with the one that is there, and the doubles that stay.

    Of several of one name the first is it. Where the name is not there, what has the name under `was` takes
    it over. With `purge` all others are paired with nothing: they go.
    """
    names = [want[row] for want in wanted]
    _refuse_clashes(names, [want[was] for want in wanted if want.get(was) not in (None, want[row])])
    left = list(found)
    own = {name: there for name in names if (there := _take(left, row, name)) is not None}
    pairs: list[tuple[Fields | None, Fields | None]] = []
    for want in wanted:
        there = own.get(want[row]) or _take(left, row, want.get(was))
        pairs.append((there, {name: value for name, value in want.items() if name != was}))
    if purge:
        return pairs + [(there, None) for there in left], []
    return pairs, [there for there in left if there[row] in own]


def settle(wish: Wish, check: bool) -> Fields:
    """Do what has to be done, or with `check` foretell it, and return a module's result."""
    to_do = sum(bool(move.kind) for move in wish.moves)
    done = 0
    after: list[Fields | None] = []
    for move in wish.moves:
        if check or not move.kind:
            after.append(move.expected())
            continue
        try:
            after.append(perform(move, wish))
        except Exception as error:
            if done:
                error.add_note(f"{done} of {to_do} changes were made before")
            raise
        done += 1
    shown = [_public(move, there) for move, there in zip(wish.moves, after, strict=True)]
    result: Fields = {"changed": to_do > 0, "diff": difference(wish, after)}
    if wish.row:
        rows = [there for there in shown if there is not None]
        result[wish.answer] = sorted(rows, key=lambda there: str(there[wish.row]))
    else:
        result[wish.answer] = shown[0] or {}
    return {**result, "warnings": list(wish.warnings)} if wish.warnings else result


def perform(move: Move, wish: Wish) -> Fields | None:
    """Do one move and return the object as it then is. KeepError when the forge did not take all of it."""
    if move.wanted is None:
        wish.hands.delete(move.found or {})
        return None
    hands = wish.hands
    there = hands.create(move.send) if move.found is None else hands.update(move.found, move.send)
    refused = move.rules.differing(move.wanted, there)
    if refused:
        name = f"{wish.title}: {there.get(wish.row)}" if wish.row else wish.title
        raise KeepError(
            f"{name}: the forge answered with success but did not take {', '.join(refused)} as given;"
            " the account may lack the right, or the forge keeps it in another form"
        )
    return there


def difference(wish: Wish, after: Sequence[Fields | None]) -> Fields:
    """Return a diff of the declared fields, without secrets."""
    if wish.row:
        old: Fields = {}
        new: Fields = {}
        for move, there in zip(wish.moves, after, strict=True):
            # A name may be there twice; the id tells such rows apart.
            for rows, source, fields in (
                (old, move.found, move.before()),
                (new, there, move.after(there)),
            ):
                if source is not None:
                    name = str(source[wish.row])
                    rows[name if name not in rows else f"{name} ({source.get('id')})"] = fields
    else:
        old, new = wish.moves[0].before(), wish.moves[0].after(after[0])
    return {"before_header": wish.title, "after_header": wish.title, "before": old, "after": new}


def same_name(what: str, asked: str, found: str) -> None:
    """Refuse what was found under a former name: the forge sends readers on, and writes go nowhere."""
    if asked.casefold() != found.casefold():
        raise KeepError(f"{what} {asked} is now called {found}; use that name")


def _refuse_clashes(names: Sequence[Any], former: Sequence[Any]) -> None:
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise KeepError(f"{', '.join(twice)}: declared twice; keep one")
    both = sorted({str(name) for name in former if name in names or former.count(name) > 1})
    if both:
        raise KeepError(f"{', '.join(both)}: a former name of one must not be another's; rename in two steps")


def _take(rows: list[Fields], row: str, name: Any) -> Fields | None:
    """Take the first of a name out of the rows."""
    at = next((at for at, there in enumerate(rows) if there[row] == name), None)
    return None if at is None else rows.pop(at)


def _listed(value: Any) -> Any:
    return sorted(value, key=repr) if isinstance(value, (list, tuple)) else value


def _public(move: Move, there: Fields | None) -> Fields | None:
    if there is None:
        return None
    return {name: value for name, value in there.items() if name not in move.rules.secret}
