# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a headless run is judged: the truth table, the usage file, and programs that behave as Hermes may."""

from __future__ import annotations

import json
import os
import pwd
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timmy import agents, ask, hermes
from timmy.errors import LaunchError, NoPermission, UsageError
from timmy.hermes import Outcome

GOOD = {
    "completed": True,
    "failed": False,
    "total_tokens": 10,
    "estimated_cost_usd": 0.25,
    "cost_status": "exact",
}


def usage(**changes: Any) -> hermes.Usage:
    """Return the usage of a good run with changes."""
    return hermes.parse_usage(json.dumps({**GOOD, **changes}).encode())


TABLE = [
    (0, usage(), False, Outcome.SUCCESS),
    (0, usage(failed=True, failure="HTTP 401"), False, Outcome.FAILED),
    (0, usage(completed=False), False, Outcome.INCOMPLETE),
    (0, usage(completed=False, failed=True), False, Outcome.FAILED),
    (0, usage(completed=None, failed=None), False, Outcome.FAILED),
    (0, "no usage file", False, Outcome.PROTOCOL),
    (0, "the usage file is broken", False, Outcome.PROTOCOL),
    (1, usage(), False, Outcome.PROTOCOL),
    (1, usage(failed=True), False, Outcome.FAILED),
    (2, "no usage file", False, Outcome.PROTOCOL),
    (0, usage(), True, Outcome.TIMEOUT),
    (-9, "no usage file", True, Outcome.TIMEOUT),
    (130, usage(completed=None, failed=None), False, Outcome.INTERRUPTED),
    (143, "no usage file", False, Outcome.INTERRUPTED),
    (-15, "no usage file", False, Outcome.INTERRUPTED),
    (-9, "no usage file", False, Outcome.INTERRUPTED),
]


@pytest.mark.parametrize(("code", "found", "timed_out", "outcome"), TABLE)
def test_the_truth_table(code: int, found: hermes.Usage | str, timed_out: bool, outcome: Outcome) -> None:
    judged, reason = hermes.judge(code, found, timed_out=timed_out)
    assert judged is outcome
    assert reason


@given(
    code=st.integers(-20, 255),
    done=st.none() | st.booleans(),
    bad=st.none() | st.booleans(),
    late=st.booleans(),
)
def test_success_is_exactly_one_cell(code: int, done: bool | None, bad: bool | None, late: bool) -> None:
    judged, _reason = hermes.judge(code, usage(completed=done, failed=bad), timed_out=late)
    assert (judged is Outcome.SUCCESS) == (code == 0 and done is True and bad is False and not late)


def test_each_outcome_has_its_exit_code_and_only_success_is_0() -> None:
    assert set(ask.EXIT_CODES) == set(Outcome)
    assert len(set(ask.EXIT_CODES.values())) == len(Outcome)
    assert [outcome for outcome, code in ask.EXIT_CODES.items() if code == 0] == [Outcome.SUCCESS]


def test_what_nobody_measured_is_unknown_and_not_zero() -> None:
    local = usage(estimated_cost_usd=0.0, cost_status="unknown", total_tokens=None)
    assert (local.cost_usd, local.total_tokens) == (None, None)
    assert (usage().cost_usd, usage().total_tokens) == (0.25, 10)
    assert usage(total_tokens=True).total_tokens is None


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(str).map(str.encode)
)
def test_no_usage_file_can_break_the_reader(raw: bytes) -> None:
    try:
        hermes.parse_usage(raw)
    except ValueError:
        return


def program(tmp_path: Path, body: str) -> hermes.Request:
    """Return a run of a shell script in the place of Hermes; $usage is where the usage file belongs."""
    (tmp_path / "work").mkdir(exist_ok=True)
    binary = tmp_path / "hermes"
    binary.write_text(f"#!/bin/sh\nusage=$5\n{body}\n", encoding="utf-8")
    binary.chmod(0o755)
    return hermes.Request(binary, tmp_path / "work", tmp_path, None, "go", 20.0, stop_after=(0.5, 0.5))


def run(request: hermes.Request) -> hermes.Result:
    """Run it."""
    return hermes.run(request, time.monotonic)


WRITE = f"echo '{json.dumps(GOOD)}' >$usage"


def test_a_good_run_gives_its_text_and_its_usage(tmp_path: Path) -> None:
    result = run(program(tmp_path, f"echo answer; {WRITE}"))
    assert (result.ok, result.text, result.exit_code) == (True, "answer", 0)
    assert result.usage is not None
    assert result.usage.cost_usd == 0.25


def test_exit_code_0_alone_proves_nothing(tmp_path: Path) -> None:
    result = run(program(tmp_path, "echo all is done"))
    assert (result.outcome, result.usage) == (Outcome.PROTOCOL, None)


@pytest.mark.parametrize(
    "body",
    [
        "ln -s /etc/passwd $usage",
        "mkfifo $usage",
        "ln -s /dev/zero $usage",
        "head -c 100000 /dev/zero >$usage",
        "mkdir $usage",
    ],
)
def test_a_usage_file_that_is_none_is_not_read(tmp_path: Path, body: str) -> None:
    result = run(program(tmp_path, body))
    assert (result.outcome, result.usage) == (Outcome.PROTOCOL, None)
    assert "root:" not in result.reason


def test_the_deadline_is_judged_before_a_usage_file(tmp_path: Path) -> None:
    result = run(replace(program(tmp_path, f"{WRITE}; sleep 60"), timeout_s=0.5))
    assert result.outcome is Outcome.TIMEOUT
    assert result.duration_s < 10


def test_secrets_are_masked_in_everything_that_is_told(tmp_path: Path) -> None:
    request = program(tmp_path, f"echo it is canary-secret; echo canary-secret >&2; {WRITE}")
    result = run(replace(request, secrets=("canary-secret",)))
    assert "canary" not in repr(result)
    assert result.text == "it is [masked]"


def test_a_long_prompt_and_a_brief_travel_as_a_file(tmp_path: Path) -> None:
    body = f'printf "%s" "$3" >{tmp_path}/argument; cat $(dirname $usage)/brief.md; {WRITE}'
    long = "x" * 5000
    assert run(replace(program(tmp_path, body), prompt=long)).text == long
    assert len((tmp_path / "argument").read_text()) < 300
    assert run(replace(program(tmp_path, body), prompt="", brief="do it")).text == "do it"


def test_toolsets_are_named_on_the_command_line_and_nothing_else_is(tmp_path: Path) -> None:
    request = program(tmp_path, f'shift 5; printf "%s " "$@"; {WRITE}')
    assert run(replace(request, toolsets=("file", "web_search"))).text == "-t file,web_search"
    assert run(request).text == ""
    for name in ("", "-x", "a,b", "--yolo", "A", "a b"):
        with pytest.raises(UsageError, match="no name of a toolset"):
            run(replace(request, toolsets=("file", name)))


def test_the_beginning_of_stderr_is_kept_beside_its_end(tmp_path: Path) -> None:
    result = run(program(tmp_path, f"echo first >&2; head -c 3000000 /dev/zero >&2; echo last >&2; {WRITE}"))
    assert result.stderr_head.startswith("first")
    assert result.stderr_tail.endswith("last\n")
    assert max(len(result.stderr_head), len(result.stderr_tail)) <= hermes.STDERR_TAIL


@pytest.mark.parametrize(
    ("prompt", "brief"),
    [("", None), (" \n", None), ("", " "), ("a", "b"), ("a\0b", None), ("", "x" * 1048577)],
)
def test_what_hermes_would_misread_is_refused(tmp_path: Path, prompt: str, brief: str | None) -> None:
    with pytest.raises(UsageError):
        run(replace(program(tmp_path, f"touch {tmp_path}/started"), prompt=prompt, brief=brief))
    assert not (tmp_path / "started").exists()


def test_no_program_is_an_error_and_no_outcome(tmp_path: Path) -> None:
    with pytest.raises(LaunchError):
        run(replace(program(tmp_path, ""), binary=tmp_path / "absent"))


def test_who_may_run_whose_hermes() -> None:
    agent = pwd.getpwnam("nobody")
    assert agents.identity_for(agent.pw_uid, agent) is None
    became = agents.identity_for(0, agent)
    assert became is not None
    assert (became.uid, became.gid) == (agent.pw_uid, agent.pw_gid)
    assert 0 not in became.groups
    with pytest.raises(NoPermission, match="only root and nobody"):
        agents.identity_for(agent.pw_uid + 1, agent)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_root_lets_the_agent_read_its_brief_and_write_its_usage(tmp_path: Path) -> None:
    agent = pwd.getpwnam("nobody")
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/") and folder != Path("/tmp"):
            folder.chmod(0o755)
    request = program(tmp_path, f"cat $(dirname $usage)/brief.md; id -un; {WRITE}")
    result = run(replace(request, prompt="", brief="secret brief", identity=agents.identity_for(0, agent)))
    assert (result.outcome, result.text) == (Outcome.SUCCESS, "secret briefnobody"), result
