# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiver of hooks on loopback: what a forge delivered, and whether its signature is right."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ARRIVE_S = 60


@dataclass(frozen=True)
class Delivery:
    """One POST of the forge, with lower-case header names."""

    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """Return the payload."""
        return json.loads(self.raw)

    @property
    def event(self) -> str:
        """Return the fine event name."""
        return self.headers.get("x-gitea-event-type", "")

    def signed_with(self, secret: str) -> bool:
        """Return whether both signatures are the ones that this secret makes."""
        right = hmac.new(secret.encode(), self.raw, hashlib.sha256).hexdigest()
        own, hub = self.headers.get("x-gitea-signature", ""), self.headers.get("x-hub-signature-256", "")
        return hmac.compare_digest(own, right) and hmac.compare_digest(hub, f"sha256={right}")


@dataclass
class Receiver:
    """What came in so far; `status` is what the receiver answers."""

    url: str = ""
    status: int = 200
    seen: list[Delivery] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def add(self, delivery: Delivery) -> None:
        """Take one in."""
        with self._news:
            self.seen.append(delivery)
            self._news.notify_all()

    def wait(self, good: Callable[[list[Delivery]], bool], seconds: float = ARRIVE_S) -> list[Delivery]:
        """Wait until what has come in is good, and return it either way."""
        with self._news:
            self._news.wait_for(lambda: good(self.seen), seconds)
            return list(self.seen)

    def settle(self, seconds: float = 3.0) -> list[Delivery]:
        """Wait a while and return all that has come in; for what must not happen."""
        time.sleep(seconds)
        with self._news:
            return list(self.seen)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port of loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Keep the delivery and answer."""
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            receiver.add(Delivery({name.lower(): text for name, text in self.headers.items()}, raw))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/in"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
