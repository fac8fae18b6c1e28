# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to the forge, against real servers on loopback: where the token goes, what ends a wait."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils.gitea_client import GiteaClient
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import (
    BadTokenError,
    ForgeError,
    InvalidError,
    LostError,
    MovedError,
    UnreachableError,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_retry import Patience
from ansible_collections.timmy.config.plugins.module_utils.gitea_transport import (
    Credentials,
    Limits,
    Transport,
)
from ansible_collections.timmy.config.plugins.module_utils.gitea_url import parse_base

TOKEN = "feedfacefeedfacefeedfacefeedfacefeedface"
Answers = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """An HTTP server on loopback that answers as a function says; it remembers requests and connections."""

    def __init__(self, answers: Answers, context: ssl.SSLContext | None = None) -> None:
        self.seen: list[tuple[str, str, str | None]] = []
        self.connections = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def answer(self) -> None:
                outer.seen.append((self.command, self.path, self.headers.get("Authorization")))
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answers(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

            def log_message(self, *_args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def serving(answers: Answers, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(answers, context)
    server.thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.server.server_close()
        server.thread.join()


def say(handler: Any, status: int, body: Any = None, **headers: str) -> None:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    handler.send_response(status)
    told = {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}
    for name, value in told.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(raw)


def transport(url: str, token: str = TOKEN, **more: Any) -> Transport:
    return Transport(parse_base(url), Credentials(token), **more)


# --- one connection


def test_requests_of_many_threads_share_one_connection() -> None:
    with serving(lambda handler: say(handler, 200, {"path": handler.path})) as server:
        sender = transport(server.url)
        wrong = []

        def ask(share: int) -> None:
            for number in range(25):
                path = f"/x/{share}/{number}"
                if sender.send("GET", path).data("GET", path) != {"path": "/api/v1" + path}:
                    wrong.append(path)

        threads = [threading.Thread(target=ask, args=(share,)) for share in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert (server.connections, sender.connections, sender.requests) == (1, 1, 200)
        sender.close()


def test_a_connection_that_the_forge_has_closed_is_opened_again_before_anything_is_sent() -> None:
    def answers(handler: Any) -> None:
        say(handler, 200, {})
        handler.close_connection = True

    with serving(answers) as server:
        sender = transport(server.url)
        for _each in range(3):
            sender.send("POST", "/x", {})
            time.sleep(0.05)
        assert len(server.seen) == 3
        assert sender.connections == 3
        sender.close()


def test_close_said_in_the_answer_is_kept() -> None:
    with serving(lambda handler: say(handler, 200, {"a": "b" * 100_000}, Connection="close")) as server:
        sender = transport(server.url)
        assert len(sender.send("GET", "/x").body) > 100_000
        sender.send("GET", "/x")
        assert sender.connections == 2
        sender.close()


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_get_is_sent_on_within_the_origin_only(status: int) -> None:
    with serving(lambda handler: say(handler, 200, {})) as other:

        def answers(handler: Any) -> None:
            places = {
                "/api/v1/near": "/api/v1/here?a=1",
                "/api/v1/far": f"{other.url}/api/v1/here",
                "/api/v1/name": f"http://localhost:{handler.server.server_address[1]}/api/v1/here",
                "/api/v1/user": f"http://who@127.0.0.1:{handler.server.server_address[1]}/x",
                "/api/v1/tls": f"https://127.0.0.1:{handler.server.server_address[1]}/x",
                "/api/v1/round": "/api/v1/round",
            }
            place = places.get(handler.path)
            say(handler, status, None, Location=place) if place else say(handler, 200, {})

        with serving(answers) as server:
            sender = transport(server.url)
            assert sender.send("GET", "/near").status == 200
            assert server.seen[-1] == ("GET", "/api/v1/here?a=1", f"token {TOKEN}")
            for path in ("/far", "/name", "/user", "/tls", "/round"):
                with pytest.raises(MovedError, match="moved to "):
                    sender.send("GET", path)
            before = len(server.seen)
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                with pytest.raises(MovedError) as caught:
                    sender.send(method, "/near", {})
                assert caught.value.location == "/api/v1/here?a=1"
            assert [seen[0] for seen in server.seen[before:]] == ["POST", "PUT", "PATCH", "DELETE"]
            sender.close()
        assert other.seen == []


# --- limits


def drip(handler: Any, head: bytes, seconds: float) -> None:
    """Send a byte every 20 ms: each wait of a reader is short, the sum is not."""
    handler.close_connection = True
    for byte in head + b"x" * int(seconds / 0.02):
        try:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.02)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"]
)
def test_a_server_that_sends_a_byte_now_and_then_is_left_at_the_deadline(head: bytes) -> None:
    with serving(lambda handler: drip(handler, head, 20)) as server:
        sender = transport(server.url, limits=Limits(request_s=0.3))
        began = time.monotonic()
        with pytest.raises(LostError, match="within the time limit") as caught:
            sender.send("GET", "/x")
        assert caught.value.timed_out
        assert time.monotonic() - began < 8


def test_git_work_is_given_longer() -> None:
    def answers(handler: Any) -> None:
        time.sleep(0.4)
        say(handler, 200, {})

    with serving(answers) as server:
        sender = transport(server.url, limits=Limits(request_s=0.1, slow_s=20))
        assert sender.send("POST", "/x", {}, slow=True).status == 200
        sender.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_answer_that_is_too_big_is_refused(chunked: bool) -> None:
    def answers(handler: Any) -> None:
        if not chunked:
            say(handler, 200, b"x" * 5000)
            return
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for _each in range(5):
            handler.wfile.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    with serving(answers) as server:
        sender = transport(server.url, limits=Limits(body=2000))
        with pytest.raises(LostError, match="more than 2000 bytes"):
            sender.send("GET", "/x")
        with pytest.raises(LostError):
            sender.send("GET", "/x")
        sender.close()


def test_a_huge_error_page_is_cut_and_the_client_goes_on() -> None:
    page = b"<html><style>p{}</style><body><p>Bad\x1b[31m <b>Gateway</b></p>" + b"y" * 3_000_000

    def answers(handler: Any) -> None:
        if handler.path.endswith("bad"):
            with contextlib.suppress(OSError):
                say(handler, 502, page, Content_Type="text/html")
        else:
            say(handler, 200, {})

    with serving(answers) as server:
        sender = transport(server.url)
        with pytest.raises(ForgeError) as caught:
            sender.send("GET", "/bad")
        assert str(caught.value).startswith("GET /bad: 502 Bad [31m Gateway yyy")
        assert len(str(caught.value)) < 400
        assert sender.send("GET", "/good").status == 200
        sender.close()


# --- secrets


@pytest.mark.parametrize(
    ("credentials", "secrets"),
    [
        (Credentials(token=TOKEN), [TOKEN]),
        (Credentials(user="bob", password="correct horse"), ["correct horse", "Ym9iOmNvcnJlY3QgaG9yc2U="]),
    ],
)
def test_no_text_holds_what_proves_who_we_are(credentials: Credentials, secrets: list[str]) -> None:
    def answers(handler: Any) -> None:
        said = handler.headers["Authorization"]
        say(handler, 401, {"message": f"no such {said} {secrets[0]}"}, Location=f"/{secrets[0]}")

    with serving(answers) as server:
        sender = Transport(parse_base(server.url), credentials)
        with pytest.raises(BadTokenError) as caught:
            sender.send("GET", "/x")
        texts = [str(caught.value), repr(caught.value), repr(sender), repr(credentials), repr(sender.secrets)]
        assert "no such" in texts[0]
        assert not [text for text in texts for secret in secrets if secret in text]
        sender.close()


def test_a_place_to_go_to_is_said_without_the_token() -> None:
    with serving(lambda handler: say(handler, 301, None, Location=f"/x?token={TOKEN}")) as server:
        sender = transport(server.url)
        with pytest.raises(MovedError, match=r"moved to /x\?token=<secret>") as caught:
            sender.send("POST", "/x", {})
        assert TOKEN not in caught.value.location
        sender.close()


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key and a certificate for localhost that no system trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    place = tmp_path_factory.mktemp("tls")
    key, cert = place / "key.pem", place / "cert.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *kind, "-keyout", str(key), "-out", str(cert), *names]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return key, cert


def test_certificates_are_verified_by_authority_and_name(certificate: tuple[Path, Path]) -> None:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with serving(lambda handler: say(handler, 200, {"login": "bot"}), context) as server:
        naps: list[float] = []
        named, numbered = f"https://localhost:{server.port}", f"https://127.0.0.1:{server.port}"
        for url, ca_file in ((named, None), (numbered, str(cert))):
            with GiteaClient(url, TOKEN, ca_file=ca_file, sleep=naps.append) as forge:
                with pytest.raises(UnreachableError, match="certificate verify failed") as caught:
                    forge.whoami()
                assert caught.value.permanent
        assert server.seen == []
        assert naps == []
        with GiteaClient(named, TOKEN, ca_file=str(cert)) as forge:
            assert [forge.whoami().login for _each in range(5)] == ["bot"] * 5
            assert forge.transport.connections == 1
        with GiteaClient(numbered, TOKEN, verify=False) as forge:
            assert forge.whoami().login == "bot"


# --- small things


def test_headers_that_a_forge_needs() -> None:
    seen: dict[str, str] = {}

    def answers(handler: Any) -> None:
        seen.update(handler.headers)
        say(handler, 200, {})

    with serving(answers) as server:
        sender = transport(server.url, sudo="bob")
        sender.send("PATCH", "/x", {"a": "ü"})
        sender.close()
    assert seen["Host"] == f"127.0.0.1:{server.port}"
    assert seen["Accept"] == seen["Content-Type"] == "application/json"
    assert (seen["Authorization"], seen["Sudo"]) == (f"token {TOKEN}", "bob")


def test_a_port_that_speaks_no_http_is_said_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            sock, _address = listener.accept()
            sock.recv(100)
            sock.sendall(b"SSH-2.0-OpenSSH\r\n")
            sock.close()

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            GiteaClient(url, TOKEN, patience=Patience(attempts=1)) as forge,
            pytest.raises(LostError, match="SSH-2"),
        ):
            forge.whoami()
        thread.join()


def test_a_wrong_method_is_not_said_twice() -> None:
    with serving(lambda handler: say(handler, 422, {"message": "[Title]: Required"})) as server:
        sender = transport(server.url)
        with pytest.raises(InvalidError, match=r"^POST /x: 422 \[Title\]: Required$"):
            sender.send("POST", "/x", {})
        sender.close()
