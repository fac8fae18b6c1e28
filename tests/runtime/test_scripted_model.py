# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripted model. The contract part also runs against a real server: MODEL_URL and MODEL_NAME."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import model_script
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL_DIR = Path(__file__).resolve().parents[2] / "sandbox" / "model"
NAME = os.environ.get("MODEL_NAME", "gemma-4-31b-it")
TERMINAL = {
    "type": "function",
    "function": {
        "name": "terminal",
        "description": "Run a shell command",
        "parameters": {
            "type": "object",
            "properties": {"command": {"type": "string"}},
            "required": ["command"],
        },
    },
}


def ask(url: str, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of one request."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


def user(text: str, **more: Any) -> dict[str, Any]:
    """Return a chat request with one message."""
    return {"model": NAME, "messages": [{"role": "user", "content": text}], **more}


def chat(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Return status and answer of a chat that is not streamed."""
    status, _headers, raw = ask(url, "POST", "/v1/chat/completions", body)
    return status, json.loads(raw)


def events(raw: bytes) -> list[Any]:
    """Return the events of a stream, which must end as the protocol says."""
    found = [line[6:] for line in raw.decode().splitlines() if line.startswith("data: ")]
    assert found.pop() == "[DONE]"
    return [json.loads(line) for line in found]


@pytest.fixture
def url(serve_model: Callable[..., Any]) -> str:
    """Return the server that the contract is checked against."""
    return os.environ.get("MODEL_URL") or str(serve_model().url)


class TestContract:
    """Holds for the scripted model and for the servers in whose place it stands."""

    def test_lists_its_model_the_openai_way(self, url: str) -> None:
        status, _headers, raw = ask(url, "GET", "/v1/models")
        assert status == 200
        assert NAME in [row["id"] for row in json.loads(raw)["data"]]

    def test_lists_its_model_the_ollama_way(self, url: str) -> None:
        status, _headers, raw = ask(url, "GET", "/api/tags")
        assert status == 200
        assert NAME in [row["name"] for row in json.loads(raw)["models"]]

    def test_tells_its_version_and_its_running_models(self, url: str) -> None:
        assert json.loads(ask(url, "GET", "/api/version")[2])["version"]
        assert isinstance(json.loads(ask(url, "GET", "/api/ps")[2])["models"], list)

    def test_shows_the_context_length_under_the_name_of_the_architecture(self, url: str) -> None:
        status, _headers, raw = ask(url, "POST", "/api/show", {"model": NAME})
        info = json.loads(raw)["model_info"]
        assert status == 200
        assert info[f"{info['general.architecture']}.context_length"] >= 64000
        assert "tools" in json.loads(raw)["capabilities"]

    def test_does_not_know_other_models(self, url: str) -> None:
        assert ask(url, "POST", "/api/show", {"model": "no-such-model"})[0] == 404
        assert chat(url, {**user("hello"), "model": "no-such-model"})[0] == 404

    def test_answers_with_text_and_counts_tokens(self, url: str) -> None:
        status, answer = chat(url, user("Say one word."))
        usage = answer["usage"]
        assert status == 200
        assert answer["choices"][0]["message"]["content"]
        assert answer["choices"][0]["finish_reason"] == "stop"
        assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]
        assert usage["prompt_tokens"] > 0

    def test_streams_the_same_kind_of_answer(self, url: str) -> None:
        body = user("Say one word.", stream=True, stream_options={"include_usage": True})
        status, headers, raw = ask(url, "POST", "/v1/chat/completions", body)
        found = events(raw)
        assert status == 200
        assert headers["Content-Type"].startswith("text/event-stream")
        pieces = [row["choices"][0]["delta"].get("content") or "" for row in found if row["choices"]]
        assert "".join(pieces)
        assert [row["choices"][0]["finish_reason"] for row in found if row["choices"]][-1] == "stop"
        assert found[-1]["usage"]["total_tokens"] > 0

    def test_calls_a_tool_when_asked_to_run_something(self, url: str) -> None:
        status, answer = chat(url, user("Run this command: git --version", tools=[TERMINAL]))
        choice = answer["choices"][0]
        (call,) = choice["message"]["tool_calls"]
        assert status == 200
        assert choice["finish_reason"] == "tool_calls"
        assert call["id"]
        assert call["function"]["name"] == "terminal"
        assert "git --version" in json.loads(call["function"]["arguments"])["command"]

    def test_streams_a_tool_call_whose_pieces_join_to_json(self, url: str) -> None:
        body = user("Run this command: git --version", tools=[TERMINAL], stream=True)
        found = events(ask(url, "POST", "/v1/chat/completions", body)[2])
        deltas = [row["choices"][0]["delta"] for row in found if row["choices"]]
        calls = [call["function"] for delta in deltas for call in delta.get("tool_calls") or ()]
        assert "".join(call.get("name") or "" for call in calls) == "terminal"
        assert (
            "git --version" in json.loads("".join(call.get("arguments") or "" for call in calls))["command"]
        )

    def test_refuses_what_is_no_chat(self, url: str) -> None:
        assert 400 <= chat(url, {"model": NAME, "messages": []})[0] < 500
        assert 400 <= ask(url, "POST", "/v1/chat/completions", ["no object"])[0] < 500


TOOL_DONE = {"role": "tool", "tool_call_id": "call_1", "content": "it is 42"}
RULES = [
    ({"match": {"contains": "blue"}, "reply": {"text": "sky"}}, "what is blue", "sky"),
    ({"match": {"regex": "say (\\w+)"}, "reply": {"text": "@{1}!"}}, "say hello", "hello!"),
    ({"match": {"nth": 2}, "reply": {"text": "second"}}, "anything", "The script has no rule for this."),
    ({"match": {"after_tool": True}, "reply": {"text": "x"}}, "x", "The script has no rule for this."),
    ({"match": {"tool": "terminal"}, "reply": {"text": "x"}}, "x", "The script has no rule for this."),
]


@pytest.mark.parametrize(
    ("rule", "prompt", "wanted"), RULES, ids=["contains", "regex", "nth", "tool", "offered"]
)
def test_a_rule_answers_only_what_it_matches(
    serve_model: Callable[..., Any], rule: dict[str, Any], prompt: str, wanted: str
) -> None:
    answer = chat(serve_model([rule]).url, user(prompt))[1]
    assert answer["choices"][0]["message"]["content"] == wanted


def test_nth_counts_what_the_rest_of_the_rule_matches(serve_model: Callable[..., Any]) -> None:
    model = serve_model(
        [
            {"match": {"contains": "a", "nth": 1}, "reply": {"status": 429, "retry_after": 7}},
            {"match": {}, "reply": {"text": "fine"}},
        ]
    )
    assert chat(model.url, user("b"))[0] == 200
    status, headers, _raw = ask(model.url, "POST", "/v1/chat/completions", user("a"))
    assert (status, headers["Retry-After"]) == (429, "7")
    assert chat(model.url, user("a"))[0] == 200
    assert [row["status"] for row in model.chats()] == [200, 429, 200]


def test_the_result_of_a_tool_can_be_told(serve_model: Callable[..., Any]) -> None:
    url = serve_model([{"match": {"after_tool": True}, "reply": {"text": "It said: @{tool_result}"}}]).url
    body = user("go")
    body["messages"].append(TOOL_DONE)
    assert chat(url, body)[1]["choices"][0]["message"]["content"] == "It said: it is 42"


def test_a_connection_can_be_cut(serve_model: Callable[..., Any]) -> None:
    url = serve_model([{"match": {}, "reply": {"cut": True}}]).url
    with pytest.raises(http.client.RemoteDisconnected):
        chat(url, user("go"))


def test_a_delay_is_waited_out(serve_model: Callable[..., Any]) -> None:
    url = serve_model([{"match": {}, "reply": {"text": "late", "delay_s": 0.3}}]).url
    started = time.monotonic()
    assert chat(url, user("go"))[0] == 200
    assert time.monotonic() - started >= 0.3


def test_no_key_reaches_the_log(serve_model: Callable[..., Any]) -> None:
    model = serve_model()
    parts = urllib.parse.urlsplit(model.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    connection.request("GET", "/v1/models", headers={"Authorization": "Bearer canary-key"})
    connection.getresponse().read()
    connection.close()
    assert model.requests() == [{"method": "GET", "path": "/v1/models"}]
    assert "canary" not in model.log.read_text(encoding="utf-8")


BROKEN = {
    "not JSON": ("{", "not JSON"),
    "no list": ('{"schema": 1, "model": "m", "context_length": 1, "rules": {}}', "rules has the wrong type"),
    "other schema": ('{"schema": 9, "model": "m", "context_length": 1, "rules": []}', "schema 9 is unknown"),
    "missing key": ('{"schema": 1, "rules": []}', "missing context_length, model"),
}
BROKEN_RULES = {
    "no reply": ({"match": {}}, "reply is missing"),
    "empty reply": ({"reply": {}}, "exactly one of"),
    "two replies": ({"reply": {"text": "a", "status": 500}}, "exactly one of"),
    "unknown key": ({"reply": {"txt": "a"}}, "unknown key 'txt'"),
    "bad regex": ({"match": {"regex": "("}, "reply": {"text": "a"}}, "regex does not compile"),
    "no such group": ({"match": {"regex": "a"}, "reply": {"text": "@{1}"}}, "regex has 0 groups"),
    "wrong type": ({"match": {"nth": True}, "reply": {"text": "a"}}, "nth has the wrong type"),
    "half a call": ({"reply": {"tool_call": {"name": "terminal"}}}, "needs name and arguments"),
    "no error": ({"reply": {"status": 200}}, "status must be an error"),
}


@pytest.mark.parametrize(("text", "told"), BROKEN.values(), ids=BROKEN)
def test_a_broken_script_is_named(text: str, told: str) -> None:
    with pytest.raises(model_script.ScriptError, match=told):
        model_script.parse("my.json", text)


@pytest.mark.parametrize(("rule", "told"), BROKEN_RULES.values(), ids=BROKEN_RULES)
def test_a_broken_rule_is_named(rule: dict[str, Any], told: str) -> None:
    good = {"reply": {"text": "a"}}
    whole = {"schema": 1, "model": "m", "context_length": 1, "rules": [good, {"name": "mine", **rule}]}
    with pytest.raises(model_script.ScriptError) as caught:
        model_script.parse("my.json", json.dumps(whole))
    assert "my.json: rule 2 (mine): " in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_as_a_program_it_starts_serves_and_stops_at_a_signal() -> None:
    program = [sys.executable, str(MODEL_DIR / "scripted_model.py"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().split()[-1]
        assert ask(url, "GET", "/")[2] == b"Ollama is running"
        running.terminate()
        assert running.wait(10) == 0


def test_as_a_program_it_names_a_broken_script_and_exits_with_2(tmp_path: Path) -> None:
    script = tmp_path / "s.json"
    script.write_text('{"schema": 1, "model": "m", "context_length": 1, "rules": [{}]}', encoding="utf-8")
    program = [sys.executable, str(MODEL_DIR / "scripted_model.py"), "--script", str(script)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"scripted_model.py: {script}: rule 1: reply is missing"]
