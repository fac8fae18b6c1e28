# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys are tried over real HTTP: what each answer means, how long it may take, and that no key gets out."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import hermes_home, release_probe

CANARY = "canary-7f3a9c0d1e2b4a5f"
# An answer that never ends, each piece of it in time.
DRIP = -1
TOKEN = f"123456:{CANARY}"


class Provider:
    """An HTTP server that answers each path with what was scripted for it, and keeps what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        # path -> (status, body); a status of 0 never answers, DRIP never comes to an end.
        self.script: dict[str, tuple[int, bytes]] = {}
        self.only_with_key = True
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.seen.append((self.path, {name.lower(): text for name, text in self.headers.items()}))
                status, body = provider.script.get(self.path, (404, b"{}"))
                bare = "authorization" not in (name.lower() for name in self.headers)
                if bare and provider.only_with_key and self.path.endswith("/models"):
                    status, body = 401, b"{}"
                if status == 0:
                    provider.stalled.wait(30)
                    return
                if status == DRIP:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                    while not provider.stalled.wait(0.2):
                        self.wfile.write(b"X-More: of it\r\n")
                    return
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere/models")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                return

        self.stalled = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.stalled.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.stop()


WHO = hermes_home.Account("ezra", os.geteuid(), os.getegid(), tuple(os.getgroups()), "/nowhere")


def endpoint(url: str, api: str = "openai", **more: Any) -> dict[str, Any]:
    known = {"provider": "lab", "api": api, "url": url, "url_env": "", "keys": ["LAB_KEY"]}
    return {**known, "headers": {}, "ca": "", "verify": True, **more}


def ask(*endpoints: dict[str, Any], key: str = CANARY, limit: float = 5, **env: str) -> list[Any]:
    values = {"LAB_KEY": key, **env}
    return release_probe.run(WHO, release_probe.probes_of(endpoints, values), values, limit)


@pytest.mark.parametrize(
    ("api", "path", "header", "key"),
    [
        ("openai", "/v1/models", ("authorization", f"Bearer {CANARY}"), CANARY),
        ("openrouter", "/v1/key", ("authorization", f"Bearer {CANARY}"), CANARY),
        ("anthropic", "/v1/models?limit=1", ("x-api-key", CANARY), CANARY),
        ("gemini", "/v1/models?pageSize=1", ("x-goog-api-key", CANARY), CANARY),
        ("discord", "/v1/users/@me", ("authorization", f"Bot {CANARY}"), CANARY),
        ("telegram", f"/v1{TOKEN}/getMe", None, TOKEN),
    ],
)
@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "accepted"), (401, "refused"), (403, "refused"), (429, "other"), (500, "other"), (302, "other")],
)
def test_each_kind_of_endpoint_gets_its_own_cheap_read(  # noqa: PLR0917 - a table
    provider: Provider,
    api: str,
    path: str,
    header: tuple[str, str] | None,
    key: str,
    status: int,
    verdict: str,
) -> None:
    provider.script[path] = (status, b"{}")
    (answer,) = ask(endpoint(f"{provider.url}/v1/", api), key=key)
    assert (answer.verdict, answer.reason) == (verdict, f"HTTP {status}")
    assert provider.seen[0][0] == path
    assert header is None or provider.seen[0][1][header[0]] == header[1]
    assert all("/elsewhere" not in seen for seen, _headers in provider.seen), "a redirect was followed"


@pytest.mark.parametrize(
    ("api", "path", "status", "body", "verdict"),
    [
        ("gemini", "/models?pageSize=1", 400, b'{"reason": "API_KEY_INVALID"}', "refused"),
        ("gemini", "/models?pageSize=1", 400, b'{"reason": "SOMETHING"}', "other"),
        ("telegram", f"{TOKEN}/getMe", 404, b'{"ok": false, "error_code": 404}', "refused"),
        ("telegram", f"{TOKEN}/getMe", 404, b"not found", "other"),
    ],
)
def test_who_refuses_in_other_words(  # noqa: PLR0917 - a table
    provider: Provider, api: str, path: str, status: int, body: bytes, verdict: str
) -> None:
    provider.script[f"/bot{path}" if api == "telegram" else path] = (status, body)
    url = f"{provider.url}/bot" if api == "telegram" else provider.url
    assert ask(endpoint(url, api), key=TOKEN)[0].verdict == verdict


def test_an_endpoint_that_answers_anybody_proves_nothing(provider: Provider) -> None:
    provider.script["/models"] = (200, b"{}")
    provider.only_with_key = False
    assert ask(endpoint(provider.url))[0].verdict == "open"
    assert len(provider.seen) == 2
    assert "authorization" not in provider.seen[1][1]


@pytest.mark.parametrize("how", [0, DRIP])
def test_a_stall_ends_with_the_limit_and_takes_no_other_answer_along(provider: Provider, how: int) -> None:
    provider.script.update({"/slow/models": (how, b""), "/models": (200, b"{}")})
    begin = time.monotonic()
    slow, fast = ask(
        endpoint(f"{provider.url}/slow", provider="slow"), endpoint(provider.url, provider="fast"), limit=1
    )
    assert time.monotonic() - begin < 8
    assert (slow.verdict, fast.verdict) == ("unreachable", "accepted")
    assert "1 s" in slow.reason or "in time" in slow.reason


def test_nobody_there_is_no_refusal(provider: Provider) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = ask(
        endpoint(f"http://127.0.0.1:{port}"),
        endpoint("http://no-such-host.invalid"),
        endpoint("ftp://127.0.0.1"),
        endpoint("http://[broken"),
    )
    assert [answer.verdict for answer in answers] == ["unreachable", "unreachable", "other", "other"]
    assert answers[0].reason == "connection refused"


def test_a_proxy_of_the_agent_is_used(provider: Provider) -> None:
    provider.script["http://models.example/v1/models"] = (401, b"{}")
    env = {"HTTP_PROXY": provider.url}
    assert ask(endpoint("http://models.example/v1"), **env)[0].verdict == "refused"


def test_which_key_at_which_address() -> None:
    listed = endpoint("https://a.example/v1", keys=["FIRST", "SECOND"], url_env="LAB_URL")
    local = endpoint("http://127.0.0.1:11434/v1", keys=["ABSENT"])
    env = {"SECOND": " two ", "LAB_URL": "https://b.example/v1/", "FIRST": " "}
    (probe,) = release_probe.probes_of([listed, local, listed], env)
    assert (probe.name, probe.url) == ("SECOND", "https://b.example/v1/models")
    assert probe.headers == {"Authorization": "Bearer two"}
    assert release_probe.probes_of([local], {}) == []


@pytest.mark.parametrize(
    ("key", "url", "wanted"),
    [
        ("sk-kimi-x", "https://api.moonshot.ai/v1", "https://api.kimi.com/coding/v1/models"),
        ("sk-x", "https://api.moonshot.ai/v1", "https://api.moonshot.ai/v1/models"),
        ("sk-kimi-x", "https://proxy.example/v1", "https://proxy.example/v1/models"),
    ],
)
def test_a_key_of_a_coding_plan_has_its_own_endpoint(key: str, url: str, wanted: str) -> None:
    assert release_probe.read_of("openai", url, key)[0] == wanted


@pytest.mark.parametrize("key", [CANARY, f"{CANARY}\nX: y", f"{CANARY}é—", f"{CANARY} {CANARY}"])
@pytest.mark.parametrize("api", ["openai", "telegram", "anthropic"])
def test_no_key_in_an_answer_a_repr_or_on_a_screen(
    provider: Provider, capfd: pytest.CaptureFixture[str], api: str, key: str
) -> None:
    probes = release_probe.probes_of([endpoint(provider.url, api)], {"LAB_KEY": key})
    answers = release_probe.run(WHO, probes, {"LAB_KEY": key}, 5)
    printed = "".join(capfd.readouterr())
    assert CANARY not in f"{answers!r} {probes!r} {printed}"
    assert answers[0].verdict in {"other", "unreachable", "refused"}


def test_no_key_in_any_argument_of_a_process(provider: Provider) -> None:
    provider.script["/slow/models"] = (0, b"")
    work = threading.Thread(target=ask, args=(endpoint(f"{provider.url}/slow"),), kwargs={"limit": 2})
    work.start()
    while not provider.seen and work.is_alive():
        time.sleep(0.05)
    arguments = b""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as handle:
                    arguments += handle.read()
            except OSError:
                continue
    work.join()
    assert provider.seen
    assert CANARY.encode() not in arguments
