# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Hermes, run by timmy.hermes against the scripted model: each way to end is judged right."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from timmy import hermes
from timmy.hermes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from timmy.context import Context

CONFIG = """_config_version: 33
model: {{provider: ollama, default: gemma-4-31b-it, base_url: "{url}/v1", context_length: 65536}}
security: {{tirith_enabled: false, allow_lazy_installs: false}}
agent: {{api_max_retries: 1}}
"""


@pytest.fixture
def request_to(hermes_binary: Path, tmp_path: Path) -> Callable[..., hermes.Request]:
    """Return a function that makes a run in a fresh home, on the model at this address."""

    def make(url: str, prompt: str = "prove it", timeout_s: float = 90.0) -> hermes.Request:
        home, work = tmp_path / "home", tmp_path / "work"
        (home / ".hermes").mkdir(parents=True)
        work.mkdir()
        (home / ".hermes" / "config.yaml").write_text(CONFIG.format(url=url), encoding="utf-8")
        return hermes.Request(hermes_binary, work, home, None, prompt, timeout_s)

    return make


def failing(status: int) -> list[dict[str, Any]]:
    """Return a script that answers every chat with this error."""
    return [{"match": {}, "reply": {"status": status, "message": "not today"}}]


def processes_with(text: str) -> list[int]:
    """Return the live processes whose command line or environment holds this text."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if text in (entry / "cmdline").read_text() + (entry / "environ").read_text():
                found.append(int(entry.name))
        except (OSError, UnicodeDecodeError):
            continue
    return found


def test_a_run_with_one_tool_call_is_a_success(
    serve_model: Callable[..., Any],
    request_to: Callable[..., hermes.Request],
    context: Context,
    tmp_path: Path,
) -> None:
    model = serve_model()
    result = hermes.run(request_to(model.url), context.monotonic)
    assert (result.outcome, result.exit_code) == (Outcome.SUCCESS, 0), result
    assert (tmp_path / "work" / "proof.txt").read_text() == "proof"
    assert result.usage is not None
    assert result.usage.api_calls == 2
    assert (result.usage.total_tokens or 0) > 0
    assert result.usage.cost_usd is None, "nobody knows what a local model costs"
    assert [row["rule"] for row in model.chats() if row["tools"]] == [
        "prove that tools work",
        "report the result of a tool",
    ]
    assert "git version" in result.text


def test_a_brief_and_a_prompt_that_starts_with_a_dash_reach_the_model(
    serve_model: Callable[..., Any], request_to: Callable[..., hermes.Request], context: Context
) -> None:
    model = serve_model([{"match": {}, "reply": {"text": "read"}}])
    request = request_to(model.url, prompt="--help is what I ask about")
    assert hermes.run(request, context.monotonic).ok
    assert model.chats()[0]["last_user"].startswith("--help is what I ask about")
    assert hermes.run(replace(request, prompt="", brief="Do this.\n" * 9000), context.monotonic).ok
    told = [row["last_user"] for row in model.chats()][-1]
    assert "brief.md" in told
    assert len(told) < 500


@pytest.mark.parametrize("status", [401, 429, 500])
def test_an_error_of_the_model_is_a_failure_though_hermes_exits_with_0(
    serve_model: Callable[..., Any],
    request_to: Callable[..., hermes.Request],
    context: Context,
    status: int,
) -> None:
    result = hermes.run(request_to(serve_model(failing(status)).url), context.monotonic)
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 0), result
    assert not result.ok


def test_nobody_listening_is_a_failure_though_hermes_exits_with_0(
    request_to: Callable[..., hermes.Request], context: Context
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        result = hermes.run(request_to(f"http://127.0.0.1:{port}"), context.monotonic)
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 0), result


def test_the_turn_limit_is_incomplete_though_hermes_exits_with_0(
    serve_model: Callable[..., Any], request_to: Callable[..., hermes.Request], context: Context
) -> None:
    # a different command each time: Hermes breaks a loop of equal calls by itself
    rules = [
        {
            "match": {"tool": "terminal", "nth": number},
            "reply": {"tool_call": {"name": "terminal", "arguments": {"command": f"echo {number}"}}},
        }
        for number in range(1, 120)
    ]
    rules.append({"match": {}, "reply": {"text": "out of turns"}})
    result = hermes.run(request_to(serve_model(rules).url, timeout_s=200.0), context.monotonic)
    assert (result.outcome, result.exit_code) == (Outcome.INCOMPLETE, 0), result


def test_a_model_that_hangs_meets_the_deadline_and_nothing_stays(
    serve_model: Callable[..., Any],
    request_to: Callable[..., hermes.Request],
    context: Context,
    tmp_path: Path,
) -> None:
    # Hermes refuses setsid and nohup by their names; a program can leave its session without either
    quiet = "stdin=-3, stdout=-3, stderr=-3, start_new_session=True"
    code = f'import subprocess as s; print("daemon", s.Popen(["sleep", "987"], {quiet}).pid)'
    daemon = f"python3 -c '{code}'"
    rules = [
        {
            "match": {"tool": "terminal", "nth": 1},
            "reply": {"tool_call": {"name": "terminal", "arguments": {"command": daemon}}},
        },
        {"match": {}, "reply": {"text": "late", "delay_s": 300}},
    ]
    model = serve_model(rules)
    request = replace(request_to(model.url, timeout_s=12.0), stop_after=(3.0, 2.0))
    result = hermes.run(request, context.monotonic)
    assert result.outcome is Outcome.TIMEOUT, result
    assert result.duration_s < 25
    started = re.search(r"daemon (\d+)", " ".join(row["tool_result"] for row in model.chats()))
    assert started, model.chats()
    assert not Path("/proc", started[1]).exists(), "a daemon that left its session outlived the run"
    assert processes_with(str(tmp_path)) == []


def test_a_run_that_is_terminated_is_no_success(
    serve_model: Callable[..., Any],
    request_to: Callable[..., hermes.Request],
    context: Context,
    tmp_path: Path,
) -> None:
    model = serve_model([{"match": {}, "reply": {"text": "late", "delay_s": 300}}])

    def terminate() -> None:
        limit = time.monotonic() + 30
        while not model.chats() and time.monotonic() < limit:
            time.sleep(0.1)
        for pid in processes_with("--oneshot="):
            if str(tmp_path) in Path(f"/proc/{pid}/environ").read_text():
                os.kill(pid, signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()
    result = hermes.run(request_to(model.url, timeout_s=60.0), context.monotonic)
    assert result.outcome in (Outcome.INTERRUPTED, Outcome.PROTOCOL), result
    assert result.duration_s < 45
    assert result.usage is None or not result.usage.completed


def test_the_usage_file_is_what_timmy_reads(hermes_binary: Path) -> None:
    """Pin the names: Hermes' own source must still write the keys that parse_usage reads."""
    (package,) = (hermes_binary.parent.parent / "lib").glob("python3*/site-packages")
    source = "".join(path.read_text() for path in (package / "hermes_cli").glob("oneshot*.py"))
    for key in (
        "completed",
        "failed",
        "failure",
        "api_calls",
        "total_tokens",
        "estimated_cost_usd",
        "cost_status",
    ):
        assert json.dumps(key) in source, key
