# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Continuity on real hosts: gateways that start after a kill, and a folder that takes nothing any more."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet import WizardAt

TIMMY = "/usr/local/bin/timmy"
MODEL_LOG = "/var/log/scripted-model.jsonl"


def ask(wizard: WizardAt, prompt: str) -> dict[str, Any]:
    """Run the agent once; returns the envelope."""
    done = wizard.host.run(TIMMY, "ask", prompt, "--agent", wizard.name, "--json", timeout_s=180.0)
    told: dict[str, Any] = json.loads(done.out)
    return told


def brief(wizard: WizardAt) -> str:
    """Return what the next session of this agent will be told."""
    told = wizard.host.json(TIMMY, "continuity", "brief", "--agent", wizard.name, "--json")
    text: str = told["data"]["text"]
    return text


def continuity_problems(wizard: WizardAt) -> list[str]:
    """Return what the status of the host says of this agent's continuity."""
    told = json.loads(wizard.host.run(TIMMY, "status", "--json", timeout_s=90.0).out)
    return [line for line in told["problems"] if line.startswith(f"{wizard.name}: continuity:")]


def await_active(wizard: WizardAt, limit_s: float = 120.0) -> None:
    """Wait until the gateway runs."""
    unit = f"timmy-wizard@{wizard.name}"
    limit = time.monotonic() + limit_s
    while wizard.host.run("systemctl", "is-active", unit).out.strip() != "active":
        assert time.monotonic() < limit, wizard.host.run("journalctl", "-n", "30", "-u", unit).out
        time.sleep(1.0)


@pytest.fixture
def sealed(wizard: WizardAt) -> Iterator[str]:
    """Return the folder of continuity, which the agent can read and not write while the test lasts."""
    folder = f"/home/{wizard.name}/.timmy/continuity"
    wizard.host.sh(f"chown root {folder} {folder}/daily && chmod 0555 {folder} {folder}/daily").ok()
    yield folder
    wizard.host.sh(f"chown {wizard.name} {folder} {folder}/daily && chmod 0700 {folder} {folder}/daily").ok()
    wizard.host.run(TIMMY, "continuity", "flush", "--agent", wizard.name).ok()


def test_a_session_is_told_what_the_one_before_it_left(wizard: WizardAt) -> None:
    assert ask(wizard, "Run this command: echo the lamp is lit")["exit_code"] == 0
    facts = ("--next", "carry the lamp to the tower")
    wizard.host.run(TIMMY, "continuity", "flush", *facts, "--agent", wizard.name).ok()
    assert ask(wizard, "Run this command: echo and now")["exit_code"] == 0
    last = json.loads(wizard.host.run("grep", "-F", "and now", MODEL_LOG).ok().splitlines()[-1])
    assert "Next: carry the lamp to the tower" in last["system"]
    assert "the lamp is lit" in last["system"]
    wizard.host.run(TIMMY, "continuity", "flush", "--next", "none", "--agent", wizard.name).ok()
    assert continuity_problems(wizard) == []


def test_a_turn_that_was_killed_is_in_the_brief_of_the_next_start(wizard: WizardAt) -> None:
    word = f"piano-{time.time_ns()}"
    prompt = shlex.quote(f"Run this command: sleep 97; echo {word}")
    wizard.host.sh(f"nohup {TIMMY} ask {prompt} --agent {wizard.name} >/dev/null 2>&1 </dev/null &").ok()
    find = f"pgrep -u {wizard.name} -f -- 'hermes -p default --oneshot=.*{word}'"
    limit = time.monotonic() + 90
    while wizard.host.sh(f"pgrep -u {wizard.name} -fx 'sleep 97'").rc != 0:
        assert time.monotonic() < limit, "the turn never came to its tool"
        time.sleep(0.5)
    wizard.host.sh(f"kill -9 $({find})").ok()
    time.sleep(2.0)
    assert wizard.host.sh(f"{find}; pgrep -u {wizard.name} -fx 'sleep 97'").out == ""
    wizard.host.run("systemctl", "restart", f"timmy-wizard@{wizard.name}").ok()
    await_active(wizard)
    told = brief(wizard)
    assert word in told
    assert "cut off before its answer" in told
    assert continuity_problems(wizard) == []


def test_a_folder_that_takes_nothing_refuses_done_and_shows_in_the_status(
    wizard: WizardAt, sealed: str
) -> None:
    told = ask(wizard, "Run this command: echo unheard")
    assert (told["exit_code"], told["data"]["outcome"]) == (5, "unflushed"), told
    (problem,) = continuity_problems(wizard)
    assert sealed in problem
    assert wizard.host.run(TIMMY, "status", timeout_s=90.0).rc == 1


def test_a_gateway_is_refused_twice_and_never_kept_away(wizard: WizardAt, sealed: str) -> None:
    unit = f"timmy-wizard@{wizard.name}"
    ask(wizard, "Run this command: echo unheard again")
    wizard.host.run("systemctl", "reset-failed", unit)
    wizard.host.run("systemctl", "restart", unit, timeout_s=120.0)
    await_active(wizard)
    log = wizard.host.run("journalctl", "-n", "60", "-o", "cat", "-u", unit).ok()
    tail = log[log.rindex("start refused (1 of 2)") :]
    assert tail.index("start refused (2 of 2)") < tail.index("the gateway starts all the same")
    assert continuity_problems(wizard), "the alert must stand while the gateway runs"
    assert sealed in tail
