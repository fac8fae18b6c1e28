# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pocket forge's connections when git refuses early, and its worker while a push is being received.

Also what the tests say of a git that hangs.
"""

from __future__ import annotations

import base64
import http.client
import socket
import threading
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import forge_git
import pytest
from forge import repos
from forge_box import Box
from forge_wire import Actor, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = 1 << 20  # far more than a pipe holds
PATIENCE_S = 60


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Return a forge for all tests of this file."""
    made = Box(tmp_path_factory.mktemp("forge") / "state")
    made.create()
    made.start()
    yield made
    made.stop()


def test_a_body_that_git_refuses_to_read_is_not_taken_for_the_next_request(box: Box) -> None:
    where = box.repo("refused").removeprefix("/repos")
    parts = urllib.parse.urlsplit(box.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    secret = base64.b64encode(f"{box.admin.name}:{box.admin.token}".encode()).decode()
    headers = {"Authorization": f"Basic {secret}", "Content-Type": "text/plain"}
    try:
        connection.request("POST", f"{where}.git/git-receive-pack", b"x\n" * (BODY // 2), headers)
        refused = connection.getresponse()
        refused.read()
        assert refused.status == 415
        own = connection.sock
        connection.request("GET", "/api/healthz")
        healthy = connection.getresponse()
        healthy.read()
        assert healthy.status == 200
        assert own is not None
        assert connection.sock is own, "the answer has to come on the same connection"
    finally:
        connection.close()


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(box: Box) -> None:
    parts = urllib.parse.urlsplit(box.url)
    head = f"POST /api/v1/nothing HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 2\r\n"
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE_S / 6) as link:
        link.sendall(f"{head}Expect: 100-continue\r\nConnection: close\r\n\r\n".encode())
        with link.makefile("rb") as answer:
            assert answer.readline().split()[1] == b"100"
            assert answer.readline() == b"\r\n"
            link.sendall(b"{}")
            assert answer.readline().split()[1] == b"404"


def test_the_size_of_a_repository_is_read_while_a_push_makes_and_removes_folders(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(bytes(4096))
    stop = threading.Event()

    def push() -> None:
        while not stop.is_set():
            folder = tmp_path / "tmp_objdir-incoming-x" / "pack"
            folder.mkdir(parents=True)
            (folder / "one").touch()
            (folder / "one").unlink()
            folder.rmdir()
            folder.parent.rmdir()

    thread = threading.Thread(target=push)
    thread.start()
    try:
        assert {repos.size_of(tmp_path) for _turn in range(2000)} == {4}
    finally:
        stop.set()
        thread.join()


def test_a_git_that_hangs_is_killed_and_said_where_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forge_git, "TIMEOUT_S", 3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/a/b.git"
        with pytest.raises(AssertionError, match="git ls-remote had not ended after 3 s") as raised:
            forge_git.Clone(tmp_path, url, Actor(Wire(url))).git("ls-remote", url)
    assert f"git -C {tmp_path} ls-remote" in str(raised.value)
