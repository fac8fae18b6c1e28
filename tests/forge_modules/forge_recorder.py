# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way to a forge that hands everything on and remembers what was asked, by the step that asked."""

from __future__ import annotations

import http.client
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 200
READS = ("GET", "HEAD")
# They belong to one connection and are made anew for the other.
OWN = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


@dataclass
class Recorder:
    """What was asked so far. A step's own address has its name as first part of the path."""

    url: str = ""
    asked: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def writes(self, step: str) -> list[str]:
        """Return the writes of a step, as method and path."""
        return [line for line in self.asked[step] if line.partition(" ")[0] not in READS]


@contextmanager
def recording(forge_url: str) -> Iterator[Recorder]:
    """Run a recorder in front of a forge, on a free port of loopback."""
    recorder, target = Recorder(), urlsplit(forge_url)
    opener = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            """Note the request, hand it on, and give back the answer."""
            step, slash, rest = self.path.lstrip("/").partition("/")
            recorder.asked[step].append(f"{self.command} {slash}{rest}")
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name: text for name, text in self.headers.items() if name.lower() not in OWN}
            connection = opener(target.hostname or "", target.port, timeout=TIMEOUT_S)
            try:
                path = f"{target.path.rstrip('/')}/{rest}"
                body = self.rfile.read(length) if length else None
                connection.request(self.command, path, body, {**headers, "Connection": "close"})
                answer = connection.getresponse()
                raw = answer.read()
            finally:
                connection.close()
            self.send_response_only(answer.status)
            for name, text in answer.getheaders():
                if name.lower() not in OWN:
                    # A forge sends on by a path of its own; here it begins with the step.
                    onward = name.lower() == "location" and text.startswith("/")
                    self.send_header(name, f"/{step}{text}" if onward else text)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler.handle_any)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
