# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 with kept-alive connections, one thread each: the API below /api/v1, health, and git."""

from __future__ import annotations

import html
import json
import socket
import sys
import traceback
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from . import attachments, git_http, misc, router
from .errors import ABSENT, ApiError
from .web import NOTHING, Request, Response

if TYPE_CHECKING:
    from .state import Forge

WARNING = (
    "token and access_token API authentication is deprecated and will be removed in gitea 1.23. Please use "
    "AuthorizationHeaderToken instead. Existing queries will continue to work but without authorization."
)


def refuse(r: Request, error: ApiError) -> Response:
    """Return the answer that an error stands for."""
    if error.status in {301, 307}:
        answer = Response(error.status, headers=dict(error.headers))
        if r.method == "GET":
            word = "Moved Permanently" if error.status == 301 else "Temporary Redirect"
            answer.body = f'<a href="{html.escape(error.headers["Location"])}">{word}</a>.\n\n'.encode()
            answer.content_type = "text/html; charset=utf-8"
        return answer
    if error.body is not None:
        return Response(error.status, error.body)
    if error.message is None:
        return Response(error.status, headers=dict(error.headers))
    shown = error.message if error.status != 500 or r.site_admin else ""
    body: dict[str, Any] = {"message": shown}
    if error.url:
        body["url"] = f"{r.forge.root_url}/api/swagger"
    if error.errors is not ABSENT:
        body["errors"] = error.errors
    return Response(error.status, body, dict(error.headers))


def answer_api(r: Request) -> Response:
    """Answer a request below /api/v1; nothing that goes wrong ends the connection."""
    try:
        found = router.dispatch(r)
    except ApiError as error:
        found = refuse(r, error)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        found = refuse(r, ApiError(500, f"{type(error).__name__}: {error}"))
    if r.way == "query":
        found.headers["X-Gitea-Warning"] = WARNING
    return found


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "pocket-forge"
    sys_version = ""
    wbufsize = -1  # header and body leave in one packet
    timeout = 600
    forge: Forge

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Stay quiet: paths can carry tokens."""

    def setup(self) -> None:
        """Send small answers at once."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle_expect_100(self) -> bool:
        """Ask for the body at once: answers are buffered, and the client waits for this one."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def body_chunks(self) -> Any:
        """Yield the body as it comes, by length or in chunks."""
        if (self.headers.get("Transfer-Encoding") or "").lower() == "chunked":
            while True:
                size = int(self.rfile.readline(100).split(b";")[0].strip() or b"0", 16)
                if size == 0:
                    while self.rfile.readline(8192).strip():
                        pass
                    return
                yield self.rfile.read(size)
                self.rfile.readline(8)
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0:
            data = self.rfile.read(min(left, 1 << 16))
            if not data:
                raise ConnectionError("the client hung up in the middle of a body")
            left -= len(data)
            yield data

    def _serve(self) -> None:
        target = urllib.parse.urlsplit(self.path)
        path = "/" + target.path.lstrip("/")
        while "//" in path:
            path = path.replace("//", "/")
        if path == "/api/healthz":
            self._drain()
            self._send(misc.health(self.forge))
        elif path.startswith("/api/v1/"):
            raw = b"".join(self.body_chunks())
            proto = self.headers.get("X-Forwarded-Proto") or "http"
            query = urllib.parse.parse_qs(target.query, keep_blank_values=True)
            rest = path.removeprefix("/api/v1").rstrip("/") or "/"
            self._send(answer_api(Request(self.forge, self.command, rest, query, self.headers, raw, proto)))
        elif self.command == "GET" and attachments.wanted(path):
            self._drain()
            self._send(self._attachment(path))
        elif git_http.wanted(path):
            git_http.serve(self, path, target.query)
        else:
            self._drain()
            self._missing(path)

    def _attachment(self, path: str) -> Response:
        r = Request(self.forge, self.command, path, {}, self.headers, b"", "http")
        try:
            return attachments.download(r)
        except ApiError as error:
            return Response(error.status, b"Not found.\n", content_type=attachments.TEXT)

    def _missing(self, path: str) -> None:
        if path.startswith("/api/") or "text/html" not in (self.headers.get("Accept") or ""):
            self._send(Response(404, b"Not found.\n", content_type="text/plain;charset=utf-8"))
            return
        page = '<!DOCTYPE html>\n<html lang="en-US">\n<head>\n\t<title>Page Not Found</title>\n</head>\n'
        page += "</html>\n"
        self._send(Response(404, page.encode(), content_type="text/html; charset=utf-8"))

    def _drain(self) -> None:
        for _chunk in self.body_chunks():
            pass

    def _send(self, found: Response) -> None:
        if found.body is NOTHING:
            data = b""
        elif isinstance(found.body, bytes):
            data = found.body
        else:
            data = json.dumps(found.body, ensure_ascii=False, separators=(",", ":")).encode(
                "utf-8", "replace"
            )
        self.send_response(found.status)
        for name, value in found.headers.items():
            for part in value.split(", ") if name == "Allow" else [value]:  # one header per method
                self.send_header(name, part)
        if data:
            self.send_header("Content-Type", found.content_type)
        if found.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and found.status != 204:
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _serve  # noqa: N815 - http.server's names


class Server(ThreadingHTTPServer):
    """The listening socket."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], forge: Forge) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, type("BoundHandler", (Handler,), {"forge": forge}))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about clients that hang up; anything else is worth a trace."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
