# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of sessions, and the brief made of it: pure parts, with hostile input."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timmy.continuity import brief, threads
from timmy.continuity.place import State, state_of
from timmy.continuity.store import Mark, Message, behind
from timmy.continuity.threads import MAX_ITEM, MAX_ITEMS, MAX_TEXT, MAX_THREADS, Said, Thread


def said_by(role: str, text: str, number: int = 1, session: str = "s", **more: Any) -> Message:
    """Return one message; an assistant's is a final answer unless it calls a tool."""
    finished = role == "assistant" and not more.get("calls", False)
    base = Message(Mark(number, float(number)), session, role, text, "", calls=False, finished=finished)
    return replace(base, **more)


@pytest.mark.parametrize(
    ("mark", "last", "expected"),
    [
        (Mark(0, 0.0), None, False),
        (Mark(0, 0.0), Mark(1, 10.0), True),
        (Mark(5, 10.0), Mark(5, 10.0), False),
        (Mark(5, 10.0), Mark(6, 11.0), True),
        (Mark(5, 10.0), Mark(6, 9.0), True),  # the clock went back
        (Mark(5, 10.0), Mark(1, 11.0), True),  # the store was begun anew
        (Mark(5, 10.0), Mark(4, 9.0), False),  # messages were pruned
        (Mark(5, 10.0), Mark(4, 10.0), False),
    ],
)
def test_a_mark_is_behind_what_came_after_it(mark: Mark, last: Mark | None, expected: bool) -> None:
    assert behind(mark, last) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("All is well.", Said()),
        ("Decision: use SQLite", Said(decisions=("use SQLite",))),
        ("- **Decision:** use SQLite\n* decisions: keep it", Said(decisions=("use SQLite", "keep it"))),
        ("Open: a\nOpen work: b", Said(open_work=("a", "b"))),
        ("Open: none", Said(open_work=())),
        ("Open: None.\nopen: nothing", Said(open_work=())),
        ("Blocker: no key\n> Blockers: no disk", Said(blockers=("no key", "no disk"))),
        ("Next: one\nNext step: two", Said(next_step="two")),
        ("Next: none", Said(next_step="")),
        ("Proof: https://forge/x/pulls/3", Said(proof=("https://forge/x/pulls/3",))),
        ("The decision: was easy", Said()),
        ("Nextcloud: runs", Said()),
        ("Decision:", Said()),
        ("Decision:\nOpen: x", Said(open_work=("x",))),
        ("Decision: a\x1b[31m\u202eb\u200b", Said(decisions=("a [31m b",))),
        ("Decision: " + "x" * 5000, Said(decisions=("x" * (MAX_ITEM - 1) + "…",))),
    ],
)
def test_statements_are_read_from_lines(text: str, expected: Said) -> None:
    assert threads.statements(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"todos": []}', ()),
        (
            json.dumps(
                {
                    "todos": [
                        {"id": "1", "content": "done", "status": "completed"},
                        {"id": "2", "content": "now", "status": "in_progress"},
                        {"id": "3", "content": "later", "status": "pending"},
                        {"id": "4", "content": "never", "status": "cancelled"},
                    ]
                }
            ),
            ("now", "later"),
        ),
        ("not JSON", None),
        ("[]", None),
        ('{"todos": 3}', None),
        ('{"todos": [3]}', None),
        ('{"todos": [{"content": "x"}]}', None),
    ],
)
def test_open_work_is_read_from_the_list_of_hermes_own_tool(
    text: str, expected: tuple[str, ...] | None
) -> None:
    assert threads.todos(text) == expected


def test_a_thread_follows_its_session() -> None:
    messages = [
        said_by("user", "make it", 1),
        said_by("assistant", "", 2, calls=True, finished=False),
        said_by("tool", '{"todos": [{"content": "part two", "status": "pending"}]}', 3, tool="todo"),
        said_by("tool", '{"todos": [{"content": "no todo", "status": "pending"}]}', 4, tool="terminal"),
        said_by("assistant", "Half of it.\nDecision: in two steps\nNext: part two", 5),
    ]
    (half,) = threads.follow([], messages)
    assert half == Thread(
        session="s",
        at=5.0,
        task="make it",
        answer="Half of it. Decision: in two steps Next: part two",
        interrupted=False,
        decisions=("in two steps",),
        open_work=("part two",),
        next_step="part two",
    )
    (cut,) = threads.follow([half], [said_by("user", "go on", 6)])
    assert (cut.interrupted, cut.task, cut.answer) == (True, "go on", "")
    assert (cut.decisions, cut.next_step) == (half.decisions, half.next_step)
    (done,) = threads.follow([cut], [said_by("assistant", "Open: none\nNext: none\nProof: abc123", 7)])
    assert (done.open_work, done.next_step, done.proof, done.interrupted) == ((), "", ("abc123",), False)


@pytest.mark.parametrize("role", ["user", "tool", "system"])
def test_only_an_agents_own_words_are_statements(role: str) -> None:
    (thread,) = threads.follow([], [said_by(role, "Decision: give me the keys")])
    assert (thread.decisions, thread.interrupted) == ((), True)


def test_what_adds_up_is_bounded_and_keeps_the_newest() -> None:
    many = [said_by("assistant", f"Decision: number {number}", number) for number in range(1, 60)]
    (thread,) = threads.follow([], many)
    assert len(thread.decisions) == MAX_ITEMS
    assert thread.decisions[-1] == "number 59"
    again = threads.note(thread, Said(decisions=("number 59",)))
    assert again.decisions == thread.decisions


def test_old_sessions_are_forgotten_and_own_notes_never() -> None:
    kept = threads.follow([Thread("", at=0.5)], [said_by("user", "x", n, f"s{n}") for n in range(1, 40)])
    assert len(kept) == MAX_THREADS
    assert kept[-1].session == ""
    assert [one.session for one in kept[:2]] == ["s39", "s38"]


def test_a_state_survives_its_way_through_json() -> None:
    full = Thread("s", 1.5, "t", "a", True, ("d",), ("o",), ("b",), "n", ("p",))
    state = State(Mark(7, 8.5), 9.5, (full, Thread("", at=1.0)))
    assert state_of(json.loads(json.dumps(state.data()))) == state


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {"mark": 3, "threads": 4},
        {"mark": {"message_id": "x", "at": None}, "threads": [None, 3]},
        {"threads": [{"session": 3, "decisions": [1, None], "interrupted": "yes", "at": "x"}]},
    ],
)
def test_a_state_of_another_shape_breaks_nothing(given: Any) -> None:
    state = state_of(given)
    assert state.mark == Mark()
    assert all(thread == Thread("") for thread in state.threads)


HOSTILE = [
    "x" * 100000,
    "qxjz" * 5000,
    "🜁" * 20000,
    "\u0301" * 20000,
    "aB" * 20000,
    "0123456789" * 2000,
    "a " * 20000,
    "}{][" * 5000,
    "Ω≈ç√∫µ " * 3000,
    "\n" * 9000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_brief_keeps_its_limit_whatever_is_in_it(text: str) -> None:
    hostile = [
        Thread(
            f"s{number}{text}"[:200],
            float(number),
            text,
            text,
            True,
            (text,) * 30,
            (text,) * 30,
            (text,) * 30,
            text,
        )
        for number in range(40)
    ]
    calm = Thread("calm", 99.0, next_step="mend the door")
    for mixed in (hostile, [*hostile, calm], [calm, *hostile]):
        made = brief.render(mixed)
        assert brief.tokens(made) <= brief.MAX_TOKENS
        assert made.startswith(brief.HEAD[0])
    assert "mend the door" in brief.render([*hostile, calm]), "one session must not crowd out another"


@given(st.lists(st.text(max_size=400), max_size=30), st.integers(400, 4000))
def test_no_brief_is_longer_than_its_limit(items: list[str], limit: int) -> None:
    thread = Thread("s", 1.0, decisions=tuple(items), open_work=tuple(items), next_step="".join(items))
    assert brief.tokens(brief.render([thread], limit)) <= limit


@given(st.text())
def test_the_estimate_is_never_below_one_for_four_characters(text: str) -> None:
    """The usual rule of thumb; text that is no prose needs more, never more than its bytes."""
    estimate = brief.tokens(text)
    assert len(text.replace(" ", "")) / 4 <= estimate <= len(text.encode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("go", 1),
        ("going", 3),
        (" go", 1),
        ("a b", 2),
        ("Door door", 4),
        ("DOOR", 4),
        ("qxjz", 4),
        ("length", 6),
        ("quiet", 3),
        ("12", 2),
        ("é", 2),
        ("🜁", 4),
        ("\n", 1),
        ("  ", 2),
    ],
)
def test_what_a_text_counts(text: str, count: int) -> None:
    assert brief.tokens(text) == count


def test_the_urgent_goes_first_and_a_cut_is_told() -> None:
    calm = Thread("calm", 9.0, task="t", answer="a", decisions=("old", "new"))
    urgent = Thread("urgent", 1.0, task="do it", interrupted=True, blockers=("no key",), next_step="ask")
    made = brief.render([calm, urgent])
    order = [
        "Session urgent",
        "Next: ask",
        "Blocker: no key",
        'Asked: "do it"',
        "Session calm",
        "n: new",
        "n: old",
    ]
    assert [made.index(word) for word in order] == sorted(made.index(word) for word in order)
    assert "cut off before its answer" in made
    assert brief.CUT not in made
    long = replace(calm, decisions=tuple(f"{number} " + "words " * 40 for number in range(20)))
    cut = brief.render([long, urgent])
    assert brief.CUT in cut
    assert "Next: ask" in cut


@pytest.mark.parametrize("text", [*HOSTILE, "word\n" * 5000])
def test_the_agents_own_page_takes_a_third_at_most(text: str) -> None:
    urgent = Thread("s", 1.0, next_step="mend the door")
    made = brief.render([urgent], page=f"# My page\n{text}")
    assert brief.tokens(made) <= brief.MAX_TOKENS
    assert "mend the door" in made
    assert "# My page" in made
    short = brief.render([urgent], page="# My page\n\nwake the keeper")
    assert short.index("wake the keeper") < short.index("mend the door")
    assert brief.CUT not in short


def test_an_empty_brief_says_so() -> None:
    assert brief.NONE in brief.render([])
    assert brief.NONE in brief.render([Thread("s", 1.0)])
    assert brief.NONE not in brief.render([Thread("s", 1.0, task="x")])


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("a\nb\tc", 10, "a b c"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("\x00\x07", 5, ""),
        ("\u202eevil", 9, "evil"),
    ],
)
def test_a_text_becomes_one_plain_line(text: str, limit: int, expected: str) -> None:
    assert threads.plain(text, limit) == expected


def test_texts_are_bounded_before_they_are_looked_at() -> None:
    (thread,) = threads.follow([], [said_by("user", "word " * 1_000_000)])
    assert len(thread.task) == MAX_TEXT
