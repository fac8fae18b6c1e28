# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask each endpoint, with one cheap read for each key, whether it takes the key that a release will use.

The reads run in a child process that is the agent, side by side and with one limit of time for all of them,
names included. A key travels in memory and in the request, never in an argument, a message or a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from . import hermes_home

ACCEPTED = "accepted"
# The endpoint answers without a key as well, so the read says nothing about this one.
OPEN = "open"
REFUSED = "refused"
UNREACHABLE = "unreachable"
OTHER = "other"

_MAX_BODY = 64 * 1024
_MAX_ANSWER = 256 * 1024
# Providers behind a filter refuse a library's own name with the same 403 as a wrong key.
_AGENT = "hermes-cli"
_ANTHROPIC_VERSION = "2023-06-01"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Probe:
    """One read. Its repr holds no key: it may end up in a traceback."""

    provider: str
    name: str
    api: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    # What tells this key at this endpoint from others, and cannot be read back.
    digest: str
    ca: str = ""
    verify: bool = True


@dataclass(frozen=True)
class Answer:
    """What an endpoint said: one of the words above, and a reason that holds no key."""

    verdict: str
    reason: str


def probes_of(endpoints: Sequence[Mapping[str, Any]], env: Mapping[str, str]) -> list[Probe]:
    """The reads for an agent: endpoints for which its environment has a key, each pair of both once."""
    found: dict[str, Probe] = {}
    for endpoint in endpoints:
        name = next((key for key in endpoint["keys"] if str(env.get(key) or "").strip()), "")
        if not name:
            continue
        key = str(env[name]).strip()
        url = str(env.get(endpoint["url_env"]) or endpoint["url"]).strip().rstrip("/")
        address, headers = read_of(str(endpoint["api"]), url, key)
        # Without a line end and with the name of nobody else: the digest stands in a record on the host.
        digest = hashlib.sha256(json.dumps([endpoint["api"], url, key]).encode()).hexdigest()
        found.setdefault(
            digest,
            Probe(
                str(endpoint["provider"]),
                name,
                str(endpoint["api"]),
                address,
                {**endpoint["headers"], **headers},
                digest,
                str(endpoint["ca"]),
                bool(endpoint["verify"]),
            ),
        )
    return list(found.values())


def read_of(api: str, url: str, key: str) -> tuple[str, dict[str, str]]:
    """The address and the headers of the cheapest read that only a valid key is allowed."""
    base = url.rstrip("/")
    if api == "telegram":
        return f"{base}{quote(key, safe=':')}/getMe", {}
    if api == "discord":
        return f"{base}/users/@me", {"Authorization": f"Bot {key}"}
    if api == "openrouter":
        # Its list of models is open to everybody.
        return f"{base}/key", {"Authorization": f"Bearer {key}"}
    if api == "gemini":
        return f"{base}/models?pageSize=1", {"x-goog-api-key": key}
    if api == "anthropic":
        base = base.removesuffix("/v1")
        return f"{base}/v1/models?limit=1", {"x-api-key": key, "anthropic-version": _ANTHROPIC_VERSION}
    if key.startswith("sk-kimi-") and urlsplit(base).hostname == "api.moonshot.ai":
        # Keys of the coding plan have an endpoint of their own, which Hermes takes by their beginning.
        base = "https://api.kimi.com/coding/v1"
    return f"{base}/models", {"Authorization": f"Bearer {key}"}


def judge(api: str, status: int, body: bytes) -> Answer:
    """What an HTTP answer says about the key."""
    said = f"HTTP {status}"
    if status in (401, 403):
        return Answer(REFUSED, said)
    # Two that do not use these codes for a key that they do not know.
    if api == "gemini" and status == 400 and b"API_KEY_INVALID" in body:
        return Answer(REFUSED, said)
    if api == "telegram" and status == 404 and b'"ok":false' in body.replace(b" ", b""):
        return Answer(REFUSED, said)
    if 200 <= status < 300:
        return Answer(ACCEPTED, said)
    return Answer(OTHER, said)


def ask(probe: Probe, timeout_s: float) -> Answer:
    """The answer to one read; nothing that goes wrong on the way is an exception."""
    try:
        opener = _opener(probe)
        answer = judge(probe.api, *_read(opener, probe.url, probe.headers, timeout_s))
        if answer.verdict == ACCEPTED and probe.api == "openai":
            bare = {name: text for name, text in probe.headers.items() if name != "Authorization"}
            status, _body = _read(opener, probe.url, bare, timeout_s)
            if 200 <= status < 300:
                return Answer(OPEN, "it answers without a key as well")
        return answer
    except (ssl.SSLError, urllib.error.URLError, OSError) as error:
        return Answer(UNREACHABLE, _reason(error))
    except Exception as error:
        # Its text may hold the header or the address, and with them the key.
        return Answer(OTHER, f"it could not be asked ({type(error).__name__})")


class _Stay(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(self, *_args: Any) -> None:
        return None


def _opener(probe: Probe) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=probe.ca or None)
    if not probe.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(_Stay, urllib.request.HTTPSHandler(context=context))


def _read(
    opener: urllib.request.OpenerDirector, url: str, headers: Mapping[str, str], timeout_s: float
) -> tuple[int, bytes]:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("no address of the web")
    named = {"User-Agent": _AGENT, "Accept": "application/json", **headers}
    request = urllib.request.Request(url, headers=named)  # noqa: S310 - its scheme was looked at above
    try:
        with opener.open(request, timeout=timeout_s) as answer:
            return int(answer.status), answer.read(_MAX_BODY)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code), error.read(_MAX_BODY)


def _reason(error: OSError) -> str:
    """Why nobody answered, in words that hold nothing of the request."""
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({inner.verify_message})"
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, OSError) and inner.strerror:
        return str(inner.strerror).lower()
    return type(inner).__name__


def run(
    who: hermes_home.Account, probes: Sequence[Probe], env: Mapping[str, str], timeout_s: float
) -> list[Answer]:
    """One answer for each probe within the limit; what did not answer by then is unreachable."""
    if not probes:
        return []
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with contextlib.suppress(BaseException):
            hermes_home.become(who)
            _use_network_of(env)
            _ask_all(probes, timeout_s, writer)
        os._exit(0)
    os.close(writer)
    try:
        lines = _collect(reader, timeout_s)
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    late = Answer(UNREACHABLE, f"no answer within {timeout_s:.0f} s")
    return [lines.get(number, late) for number in range(len(probes))]


def _use_network_of(env: Mapping[str, str]) -> None:
    """Reach the endpoints in the way in which the agent will: through its proxies, with its certificates."""
    for name in _PROXIES:
        for form in (name, name.lower()):
            os.environ.pop(form, None)
            if form in env:
                os.environ[form] = str(env[form])


def _ask_all(probes: Sequence[Probe], timeout_s: float, writer: int) -> None:
    """In the child: a thread for each probe, a line for each answer, of which a pipe tears none apart."""

    def work(number: int, probe: Probe) -> None:
        answer = ask(probe, timeout_s)
        line = json.dumps([number, answer.verdict, answer.reason[:200]]) + "\n"
        with contextlib.suppress(OSError):
            os.write(writer, line.encode("utf-8"))

    threads = [
        threading.Thread(target=work, args=(number, probe), daemon=True)
        for number, probe in enumerate(probes)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _collect(reader: int, timeout_s: float) -> dict[int, Answer]:
    """The answers that came in time. A name that is being looked up has no limit of its own."""
    limit = time.monotonic() + timeout_s
    data = b""
    while len(data) < _MAX_ANSWER:
        ready, _out, _err = select.select([reader], [], [], max(0.0, limit - time.monotonic()))
        chunk = os.read(reader, 65536) if ready else b""
        if not chunk:
            break
        data += chunk
    answers = {}
    for line in data.split(b"\n")[:-1]:
        number, verdict, reason = json.loads(line)
        answers[int(number)] = Answer(str(verdict), str(reason))
    return answers
