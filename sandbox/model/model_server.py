# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripted model's server: its routes, its request log, its answers whole and streamed."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_chat import read_request, usage_of
from model_rules import Reply, Request, Script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLLAMA_VERSION = "0.9.0"
MAX_BODY = 32 * 1024 * 1024


class ModelServer(ThreadingHTTPServer):
    """The listening server with its script, its request log and its counters."""

    daemon_threads = True
    block_on_close = False  # a reply with a long delay must not hold up a stop

    def __init__(
        self, address: tuple[str, int], script: Script, log: Path | None, clock: Callable[[], float]
    ) -> None:
        """Bind at once; `clock` gives the time that answers carry."""
        super().__init__(address, Handler)
        self.script = script
        self.clock = clock
        self.stopping = threading.Event()
        self._log = log
        self._lock = threading.Lock()
        self._calls = 0

    def decide(self, request: Request) -> tuple[int, Reply]:
        """Return the number of this chat call and its reply; rules count, so one request at a time."""
        with self._lock:
            self._calls += 1
            return self._calls, self.script.decide(request)

    def record(self, entry: dict[str, Any]) -> None:
        """Append one line to the request log. Headers are never logged: they carry keys."""
        if self._log is None:
            return
        line = json.dumps(entry, sort_keys=True) + "\n"
        with self._lock, self._log.open("a", encoding="utf-8") as log:
            log.write(line)

    def stop(self) -> None:
        """Stop serving and wake every reply that is still waiting."""
        self.stopping.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: ModelServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Stay silent: the request log says what came."""

    def do_HEAD(self) -> None:
        """Answer the liveness question of Ollama's own clients."""
        self._send(200, b"", "text/plain")

    def do_GET(self) -> None:
        """Answer the read-only routes."""
        path = self.path.split("?", 1)[0]
        self.server.record({"method": "GET", "path": path})
        script = self.server.script
        model = {"name": script.model, "model": script.model, "size": 0, "details": self._details()}
        if path == "/":
            self._send(200, b"Ollama is running", "text/plain")
        elif path == "/v1/models":
            row = {
                "id": script.model,
                "object": "model",
                "created": int(self.server.clock()),
                "owned_by": "library",
                "context_length": script.context_length,
            }
            self._json(200, {"object": "list", "data": [row]})
        elif path in ("/api/tags", "/api/ps"):
            self._json(200, {"models": [model]})
        elif path == "/api/version":
            self._json(200, {"version": OLLAMA_VERSION})
        else:
            self._error(404, f"no such route: {path}", "not_found_error")

    def do_POST(self) -> None:
        """Answer a chat or a look at one model."""
        path = self.path.split("?", 1)[0]
        body = self._body()
        if body is None:
            return
        if path == "/v1/chat/completions":
            self._chat(body)
            return
        self.server.record({"method": "POST", "path": path})
        if path == "/api/show":
            self._show(body)
        else:
            self._error(404, f"no such route: {path}", "not_found_error")

    def _body(self) -> dict[str, Any] | None:
        """Return the JSON body; None when an error was answered."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True  # the unread body would be taken for the next request
            self._error(413, "the body is too long or has no length", "invalid_request_error")
            return None
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._error(400, "the body is not a JSON object", "invalid_request_error")
            return None
        return body

    def _details(self) -> dict[str, str]:
        family = self.server.script.model.split("-")[0]
        return {"format": "gguf", "family": family, "parameter_size": "31B", "quantization_level": "Q4_0"}

    def _show(self, body: dict[str, Any]) -> None:
        script = self.server.script
        if body.get("model", body.get("name")) != script.model:
            self._json(404, {"error": f"model '{body.get('model', body.get('name'))}' not found"})
            return
        family = self._details()["family"]
        info = {"general.architecture": family, f"{family}.context_length": script.context_length}
        self._json(
            200,
            {
                "details": self._details(),
                "model_info": info,
                "parameters": f"num_ctx {script.context_length}",
                "capabilities": ["completion", "tools"],
            },
        )

    def _chat(self, body: dict[str, Any]) -> None:
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            self.server.record({"method": "POST", "path": self.path, "status": 400})
            self._error(400, "messages must be a list that is not empty", "invalid_request_error")
            return
        if body.get("model") != self.server.script.model:
            self.server.record({"method": "POST", "path": self.path, "status": 404})
            self._error(404, f"model {body.get('model')!r} not found", "not_found_error")
            return
        request = read_request(body)
        number, reply = self.server.decide(request)
        self.server.record(
            {
                "method": "POST",
                "path": self.path,
                "call": number,
                "rule": reply.rule,
                "status": reply.status,
                "stream": bool(body.get("stream")),
                "model": body["model"],
                "messages": len(body["messages"]),
                "system": request.system,
                "last_user": request.last_user,
                "tool_result": request.tool_result,
                "tools": list(request.tools),
            }
        )
        stopped = reply.delay_s > 0 and self.server.stopping.wait(reply.delay_s)
        if stopped or reply.cut:
            self.close_connection = True
        elif reply.status != 200:
            self._error(reply.status, reply.message, "scripted_error", reply.retry_after)
        elif body.get("stream"):
            self._stream(number, body, reply)
        else:
            self._json(200, self._whole(number, body, reply))

    def _whole(self, number: int, body: dict[str, Any], reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.text}
        if reply.tool_name:
            function = {"name": reply.tool_name, "arguments": reply.tool_arguments}
            message["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": function}]
        reason = "tool_calls" if reply.tool_name else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason}
        head = self._head(number, "chat.completion")
        return {**head, "choices": [choice], "usage": usage_of(body, reply)}

    def _head(self, number: int, kind: str) -> dict[str, Any]:
        model, created = self.server.script.model, int(self.server.clock())
        return {"id": f"chatcmpl-{number}", "object": kind, "created": created, "model": model}

    def _deltas(self, number: int, reply: Reply) -> Iterator[dict[str, Any]]:
        """Yield the pieces of a streamed answer, arguments and text in more than one piece as in life."""
        yield {"role": "assistant", "content": ""}
        if reply.tool_name:
            half = len(reply.tool_arguments) // 2
            first = {"name": reply.tool_name, "arguments": reply.tool_arguments[:half]}
            rest = {"arguments": reply.tool_arguments[half:]}
            call = {"index": 0, "id": f"call_{number}", "type": "function", "function": first}
            yield {"tool_calls": [call]}
            yield {"tool_calls": [{"index": 0, "function": rest}]}
            return
        text = reply.text or ""
        half = len(text) // 2
        for piece in (text[:half], text[half:]):
            if piece:
                yield {"content": piece}

    def _stream(self, number: int, body: dict[str, Any], reply: Reply) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        head = self._head(number, "chat.completion.chunk")
        for delta in self._deltas(number, reply):
            self._event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        reason = "tool_calls" if reply.tool_name else "stop"
        self._event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        options = body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            self._event({**head, "choices": [], "usage": usage_of(body, reply)})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, data: dict[str, Any]) -> None:
        self._chunk(b"data: " + json.dumps(data).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _error(self, status: int, message: str, kind: str, retry_after: int | None = None) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._json(status, {"error": {"message": message, "type": kind, "code": status}}, headers)

    def _json(self, status: int, data: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(data).encode(), "application/json", headers or {})

    def _send(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
