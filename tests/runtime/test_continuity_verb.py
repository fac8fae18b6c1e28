# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy continuity`: what it takes, what it says, and whose files it touches."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from continuity_home import NOW, kept, make, say

from timmy.continuity import brief, command
from timmy.continuity.flush import flush_continuity
from timmy.continuity.threads import Said, Thread
from timmy.errors import NoPermission, UsageError

if TYPE_CHECKING:
    from timmy.context import Context


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with an empty session store."""
    return make(tmp_path)


def verb(home: Path, context: Context, *args: str) -> Any:
    """Run the verb in this home."""
    return command.command([*args, "--home", str(home)], context)


def test_the_verb_flushes_checks_and_hands_on(home: Path, context: Context) -> None:
    say(home, "user", "mend the door", time.time() - 500)
    say(home, "assistant", "Done.", time.time() - 500)
    looked = verb(home, context, "check")
    assert (looked.exit_code, len(looked.problems)) == (1, 1)
    facts = (
        "--decision",
        "a",
        "--decision",
        "b",
        "--open",
        "c",
        "--blocker",
        "d",
        "--next",
        "e",
        "--proof",
        "f",
    )
    assert verb(home, context, "flush", *facts).data["mark"] == 2
    assert verb(home, context, "check").exit_code == 0
    given = verb(home, context, "brief")
    for word in (
        "mend the door",
        "Decision: a",
        "Decision: b",
        "Open: c",
        "Blocker: d",
        "Next: e",
        "Proof: f",
    ):
        assert word in given.lines[0], word
    assert given.data["tokens_at_most"] <= brief.MAX_TOKENS
    verb(home, context, "flush", "--open", "none", "--next", "none")
    mine = next(one for one in kept(home).threads if not one.session)
    assert (mine.open_work, mine.next_step, mine.blockers, mine.decisions) == ((), "", ("d",), ("a", "b"))


def test_the_verb_recovers_and_decides_about_a_start(home: Path, context: Context) -> None:
    say(home, "assistant", "Done.", time.time() - 500)
    assert verb(home, context, "check", "--recover").exit_code == 0
    assert kept(home).mark.message_id == 1
    say(home, "assistant", "Done.", time.time() - 400)
    started = verb(home, context, "check", "--start")
    assert (started.exit_code, started.data["allowed"], kept(home).mark.message_id) == (0, True, 2)


def test_the_verb_refuses_what_makes_no_sense(home: Path, context: Context) -> None:
    with pytest.raises(UsageError, match="check takes no facts"):
        verb(home, context, "check", "--next", "x")
    with pytest.raises(UsageError, match="No such file"):
        verb(home / "absent", context, "check")
    with pytest.raises(UsageError):
        command.command(["forget"], context)
    if os.getuid() == 0:
        os.chown(home, 65534, 65534)
        with pytest.raises(NoPermission, match="belongs to another user"):
            verb(home, context, "flush")


def test_the_data_of_a_thread_is_json(home: Path) -> None:
    flush_continuity(home, NOW, Said(decisions=("a",)))
    json.dumps(Thread("s", decisions=("x",)).data())
    assert kept(home).threads[0].decisions == ("a",)
