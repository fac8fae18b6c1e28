# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer for the forge's client that breaks in the ways that networks, proxies and servers break.

It speaks HTTP over a real socket. Behind it stands a small forge in memory that knows what took effect, so
that a test can count. What is to go wrong is told for each request beforehand; the rest goes well.
"""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

API = "/api/v1"
PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1>" + "x" * 9000 + "</body></html>"


# Status, body and headers of an answer.
Done = tuple[int, Any, dict[str, str]]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    data: Any


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request.

    `effect` says whether the request does its work first; `late_s` lets it do so only after a stall.
    `kind` is answer, cut, html, reset, or stall; `says` is the body instead of the usual one.
    """

    kind: str
    effect: bool = False
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    reason: str = "it broke"
    late_s: float = 0.0
    effect_late: bool = False
    says: Any = None


@dataclass
class Memory:
    """Issues, comments, pulls, labels and attachments of one repository."""

    page_size: int = 50
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    merges: int = 0
    file: bytes = b""
    lock: threading.RLock = field(default_factory=threading.RLock)
    now: Callable[[], float] = time.time
    count: int = 0

    def stamp(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now()))

    def open(self, data: dict[str, Any], pull: bool = False) -> dict[str, Any]:
        with self.lock:
            self.count += 1
            row = {
                "id": 1000 + self.count,
                "number": self.count,
                "title": data.get("title", ""),
                "body": data.get("body", ""),
                "state": "open",
                "labels": [],
                "assignees": None,
                "pull_request": {} if pull else None,
                "created_at": self.stamp(),
                "updated_at": self.stamp(),
            }
            if pull:
                row |= {"head": {"ref": data["head"], "sha": "a" * 40}, "base": {"ref": data["base"]}}
                row |= {"mergeable": True, "merged": False}
            self.issues[self.count] = row
            return row

    def change(self, number: int, **fields: Any) -> dict[str, Any]:
        with self.lock:
            row = self.issues[number]
            row.update(fields, updated_at=self.stamp())
            return row

    def remove(self, number: int) -> None:
        with self.lock:
            del self.issues[number]

    def list(self, asked: Asked, pulls: bool) -> Done:
        """A page, newest first by offset, as the forge has it."""
        state = asked.query.get("state", "open")
        size = min(self.page_size, int(asked.query.get("limit", "30")) or self.page_size)
        page = int(asked.query.get("page", "1"))
        with self.lock:
            rows = [
                row
                for row in reversed(self.issues.values())
                if (row["pull_request"] is not None) == pulls and state in ("all", row["state"])
            ]
            rows = [dict(row) for row in rows[(page - 1) * size : page * size]]
            total = sum(
                (row["pull_request"] is not None) == pulls and state in ("all", row["state"])
                for row in self.issues.values()
            )
        last = max(1, -(-total // size))
        headers = {"X-Total-Count": str(total)}
        here = f"http://elsewhere.test{asked.path}"
        if page < last:
            headers["Link"] = f'<{here}?page={page + 1}>; rel="next",<{here}?page={last}>; rel="last"'
        elif last > 1:
            headers["Link"] = f'<{here}?page=1>; rel="first",<{here}?page={page - 1}>; rel="prev"'
        return 200, rows, headers

    def answer(self, asked: Asked) -> Done:
        """Do what is asked, and return status, body and headers."""
        parts = asked.path.removeprefix(f"{API}/repos/o/r/").split("/")
        with self.lock:
            done = self._read(asked, parts) if asked.method == "GET" else self._write(asked, parts)
        return done or (404, {"message": "not found"}, {})

    def _read(self, asked: Asked, parts: list[str]) -> Done | None:
        match parts:
            case ["issues" | "pulls" as what]:
                return self.list(asked, what == "pulls")
            case ["issues" | "pulls", number] if int(number) in self.issues:
                return 200, self.issues[int(number)], {}
            case ["", "attachments", _uuid]:
                return 200, self.file, {"Content-Type": "application/octet-stream"}
            case ["issues", _number, "dependencies"]:
                return 200, None, {}
        rows = self._rows(parts)
        return None if rows is None else (200, list(rows), {"X-Total-Count": str(len(rows))})

    def _rows(self, parts: list[str]) -> list[dict[str, Any]] | None:
        match parts:
            case ["labels"]:
                return self.labels
            case ["issues", _number, "comments"]:
                return self.comments
            case ["releases", _number, "assets"]:
                return self.attachments
        return None

    def _write(self, asked: Asked, parts: list[str]) -> Done | None:
        match asked.method, parts:
            case "POST", ["issues" | "pulls" as what]:
                return 201, self.open(asked.data, what == "pulls"), {}
            case "POST", ["pulls", number, "merge"]:
                return self._merge(self.issues[int(number)])
            case "POST", ["pulls", number, "update"]:
                row = self.issues[int(number)]
                row.update(head={**row["head"], "sha": "b" * 40}, merge_base=row["base"]["sha"])
                return 200, b"", {}
            case "PATCH", ["issues" | "pulls", number]:
                return 201, self.change(int(number), **asked.data), {}
            case "DELETE", ["issues", number] if int(number) in self.issues:
                self.remove(int(number))
                return 204, None, {}
        rows = self._rows(parts) if asked.method == "POST" else None
        return None if rows is None else self._add(rows, asked)

    def _add(self, rows: list[dict[str, Any]], asked: Asked) -> Done:
        sent = asked.data
        told = sent if isinstance(sent, dict) else {"name": asked.query["name"], "size": len(sent)}
        rows.append({"id": len(rows) + 1, **told})
        return 201, rows[-1], {}

    def _merge(self, row: dict[str, Any]) -> Done:
        if row["merged"]:
            return 405, {"message": "The PR is already merged"}, {}
        self.merges += 1
        row.update(merged=True, state="closed", merge_commit_sha="c" * 40)
        return 200, b"", {}


class Peer:
    """The server. `faults` are used up in order by the requests that `breaks` picks; `seen` are all."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self.faults: list[Fault] = []
        self.breaks: Callable[[Asked], bool] = lambda asked: asked.method != "GET"
        self.before: Callable[[Asked], object] = id
        self.seen: list[Asked] = []
        self.connections = 0
        self.date_skew_s = 0.0
        self.busy = 0
        self._lock = threading.Lock()
        peer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                peer.serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def settle(self, others: int = 0) -> None:
        """Wait until no request is being worked on but so many: a stalled one may still take effect."""
        while self.busy > others:
            time.sleep(0.001)

    def serve(self, sock: socket.socket) -> None:
        """One connection, request after request."""
        self.connections += 1
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = sock.makefile("rb")
        try:
            while (asked := read_request(stream)) is not None:
                with self._lock:
                    self.busy += 1
                try:
                    going_on = self._one(sock, asked)
                finally:
                    with self._lock:
                        self.busy -= 1
                if not going_on:
                    return
        except OSError:
            return
        finally:
            stream.close()
            sock.close()

    def _one(self, sock: socket.socket, asked: Asked) -> bool:
        """Answer one request, or break; return whether the connection goes on."""
        with self._lock:
            self.seen.append(asked)
            fault = self.faults.pop(0) if self.faults and self.breaks(asked) else None
        self.before(asked)
        if fault is None:
            status, data, headers = self.memory.answer(asked)
            sock.sendall(self._reply(status, data, headers))
            return True
        if fault.effect:
            done = self.memory.answer(asked)
        if fault.late_s:
            time.sleep(fault.late_s)
        if fault.effect_late:
            done = self.memory.answer(asked)
        if fault.kind == "reset":
            # With no time to linger, the close that follows is a reset.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if fault.kind == "html":
            sock.sendall(self._reply(fault.status, fault.says or PAGE, {"Content-Type": "text/html"}))
            return True
        if fault.kind == "cut":
            whole = self._reply(201, done[1], {})
            sock.sendall(whole[:-20])
            return False
        if fault.kind == "stall":
            status, data, headers = done
            sock.sendall(self._reply(status, data, headers))
            return False
        said = {"message": fault.reason} if fault.says is None else fault.says
        sock.sendall(self._reply(fault.status, said, fault.headers))
        return True

    def _reply(self, status: int, data: Any, headers: dict[str, str]) -> bytes:
        body = body_of(data)
        told = {
            "Content-Type": "application/json",
            "Date": formatdate(time.time() + self.date_skew_s, usegmt=True),
            **headers,
            "Content-Length": str(len(body)),
        }
        lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in told.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def body_of(data: Any) -> bytes:
    """Return what goes over the wire for data: bytes and texts as they are, the rest as JSON."""
    if isinstance(data, bytes):
        return data
    return b"" if data is None else data.encode() if isinstance(data, str) else json.dumps(data).encode()


def read_request(stream: Any) -> Asked | None:
    """Read one request, None at the end of the connection."""
    first = stream.readline()
    if not first:
        return None
    method, target, _version = first.decode().split()
    headers = {}
    while (line := stream.readline().decode().strip()) != "":
        name, _colon, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    spoken = "json" in headers.get("content-type", "")
    data = (json.loads(body) if spoken else body) if body else None
    return Asked(method, parts.path, dict(parse_qsl(parts.query)), headers, data)
