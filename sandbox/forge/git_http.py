# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""git over HTTP, by the host's own ``git http-backend``.

A push by somebody without the right gets as far as the pre-receive hook, as it does in Gitea.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from . import auth, permissions, router
from .errors import ApiError
from .git import BASE_ENV
from .web import NOTHING, Request, Response

if TYPE_CHECKING:
    import io

    from .server import Handler

ROUTES = re.compile(
    r"/([^/]+)/([^/]+?)(?:\.git)?/(HEAD|info/refs|objects/.+|git-upload-pack|git-receive-pack)"
)
ASK = {"WWW-Authenticate": 'Basic realm="Gitea"'}
ARCHIVED = (
    "This repo is archived. You can view files and clone it, but cannot push or open issues/pull-requests."
)


def wanted(path: str) -> bool:
    """Say whether a path is git's."""
    return ROUTES.fullmatch(path) is not None


def _text(handler: Handler, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    for _chunk in handler.body_chunks():
        pass
    body = f"{text}\n".encode() if text else NOTHING
    handler._send(Response(status, body, headers or {}, "text/plain; charset=utf-8"))


def _authorize(handler: Handler, owner: str, name: str, push: bool) -> Request | None:
    r = Request(handler.forge, "GET", f"/repos/{owner}/{name}", {}, handler.headers, b"", "http")
    try:
        auth.identify(r)
        auth.check_account(r)
        router.find_repo(r, owner, name)
    except ApiError as error:
        if error.status in {301, 307}:
            there = error.headers["Location"].rpartition("/repos/")[2]
            rest = handler.path.split("/", 3)[3]
            _text(handler, error.status, "", {"Location": f"/{there}/{rest}"})
        elif (error.status in {403, 404} and r.doer is None) or error.status == 401:
            _text(handler, 401, "Unauthorized", ASK)
        else:
            _text(handler, error.status, error.message or "")
        return None
    if push and r.doer is None:
        _text(handler, 401, "Unauthorized", ASK)
        return None
    if push and r.repo["archived"]:
        _text(handler, 403, ARCHIVED)
        return None
    if not push and r.access.of(permissions.CODE) < permissions.READ:
        _text(handler, 404, "Repository not found")
        return None
    held = r.scopes
    level = "write:repository" if push else "read:repository"
    if held is not None and not {"all", "write:repository", level} & set(held):
        _text(handler, 403, "token has not the scope for this")
        return None
    return r


def _environment(handler: Handler, r: Request, rest: str, query: str) -> dict[str, str]:
    forge = handler.forge
    settings = {
        "http.receivepack": "true",
        "core.hooksPath": str(forge.hooks_dir),
        "receive.autogc": "false",
        "gc.auto": "0",
        "receive.advertisePushOptions": "true",
        "uploadpack.allowAnySHA1InWant": "true",
    }
    found = BASE_ENV | {
        "GIT_PROJECT_ROOT": str(r.git.path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{rest}",
        "REQUEST_METHOD": handler.command,
        "QUERY_STRING": query,
        "CONTENT_TYPE": handler.headers.get("Content-Type") or "",
        "REMOTE_USER": "" if r.doer is None else str(r.doer["name"]),
        "REMOTE_ADDR": str(handler.client_address[0]),
        "GIT_CONFIG_COUNT": str(len(settings)),
        "FORGE_PYTHON": sys.executable,
        "FORGE_PACKAGE": str(Path(__file__).resolve().parent.parent),
        "FORGE_STATE": str(forge.state),
        "FORGE_REPO": str(r.repo["id"]),
        "FORGE_USER": str(r.user_id),
    }
    for at, (key, value) in enumerate(settings.items()):
        found[f"GIT_CONFIG_KEY_{at}"], found[f"GIT_CONFIG_VALUE_{at}"] = key, value
    for header, name in (("Content-Encoding", "HTTP_CONTENT_ENCODING"), ("Git-Protocol", "GIT_PROTOCOL")):
        if handler.headers.get(header):
            found[name] = str(handler.headers[header])
    return found


def _read_headers(stream: Any) -> tuple[int, list[tuple[str, str]]]:
    status, headers = 200, []
    for raw in iter(stream.readline, b""):
        line = raw.decode("latin-1").strip()
        if not line:
            break
        name, _colon, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers.append((name, value.strip()))
    return status, headers


def serve(handler: Handler, path: str, query: str) -> None:
    """Hand one request to http-backend and its answer back, without holding either in memory."""
    match = ROUTES.fullmatch(path)
    if match is None:
        return
    owner, name, rest = (urllib.parse.unquote(part) for part in match.groups())
    service = urllib.parse.parse_qs(query).get("service", [""])[0]
    push = "git-receive-pack" in {rest, service}
    r = _authorize(handler, owner, name, push)
    if r is None:
        return
    env = _environment(handler, r, rest, query)
    with subprocess.Popen(
        ["git", "http-backend"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=handler.forge.keep,
    ) as child:
        assert child.stdin is not None  # noqa: S101 - for the type checker; it is a pipe
        answer = cast("io.BufferedReader", child.stdout)
        chunks = handler.body_chunks()
        with contextlib.suppress(BrokenPipeError):
            for chunk in chunks:
                child.stdin.write(chunk)
        for _unwanted in chunks:  # git may refuse early; what is left of the body is not the next request
            pass
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        status, headers = _read_headers(answer)
        handler.send_response(status)
        for key, value in headers:
            handler.send_header(key, value)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while data := answer.read1(1 << 16):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        handler.wfile.write(b"0\r\n\r\n")
    if push:
        handler.forge.store.ring(handler.forge.pushes)
