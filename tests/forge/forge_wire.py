# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain HTTP to a forge: what was sent and what came back, with nothing decided in between."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Watcher = Callable[[str, str, "Answer"], None]

TIMEOUT_S = 120


@dataclass(frozen=True)
class Answer:
    """One answer: its status, its headers with lower-case names, its bytes."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """Return the decoded body; None for an empty one."""
        return json.loads(self.raw) if self.raw else None

    @property
    def message(self) -> str:
        """Return what the forge says of a refusal, or nothing."""
        if "json" not in self.headers.get("content-type", ""):
            return self.raw.decode("utf-8", "replace")
        return str(self.json.get("message") or "") if isinstance(self.json, dict) else ""

    def __str__(self) -> str:
        """Return a short form for a failed assertion."""
        return f"{self.status} {self.raw[:300].decode('utf-8', 'replace')}"


@dataclass
class Wire:
    """The way to one forge. `watch` sees every answer to an API call with method and path."""

    url: str
    watch: Watcher | None = field(default=None, repr=False)
    _parts: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Take the address apart once."""
        self._parts = urlsplit(self.url)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request on its own connection; `path` begins after /api/v1, or with `//` at the root."""
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            raw = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        api = not path.startswith("//")
        target = self._parts.path.rstrip("/") + (f"/api/v1{path}" if api else path[1:])
        secure = self._parts.scheme == "https"
        opener = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = opener(self._parts.hostname, self._parts.port, timeout=TIMEOUT_S)
        try:
            connection.request(method, target, raw, {**sent, "Connection": "close"})
            got = connection.getresponse()
            found: dict[str, str] = {}
            for name, text in got.getheaders():
                found[name.lower()] = f"{found[name.lower()]}, {text}" if name.lower() in found else text
            answer = Answer(got.status, found, got.read())
        finally:
            connection.close()
        if self.watch and api:
            self.watch(method, path.partition("?")[0], answer)
        return answer


@dataclass(frozen=True)
class Actor:
    """Somebody who asks: an account with a token, or nobody at all."""

    wire: Wire
    login: str = ""
    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """Send a request under this actor's token."""
        headers = {
            **({"Authorization": f"token {self.token}"} if self.token else {}),
            **more.pop("headers", {}),
        }
        return self.wire.send(method, path, body, headers=headers, **more)

    def by_password(self, method: str, path: str, body: Any = None, *, password: str | None = None) -> Answer:
        """Send a request under name and password."""
        secret = self.password if password is None else password
        return self.wire.send(method, path, body, headers=basic(self.login, secret))

    def get(self, path: str) -> Answer:
        """Read."""
        return self.send("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        """Create."""
        return self.send("POST", path, body)

    def put(self, path: str, body: Any = None) -> Answer:
        """Set."""
        return self.send("PUT", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        """Change."""
        return self.send("PATCH", path, body)

    def delete(self, path: str, body: Any = None) -> Answer:
        """Remove."""
        return self.send("DELETE", path, body)

    def must(self, method: str, path: str, body: Any = None) -> Any:
        """Send what has to succeed for the test to make sense, and return the decoded answer."""
        answer = self.send(method, path, body)
        assert 200 <= answer.status < 300, f"{method} {path} as {self.login}: {answer}"
        return answer.json if "json" in answer.headers.get("content-type", "") else None


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of a Basic login."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
