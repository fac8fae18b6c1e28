# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deliveries of the pocket forge: signed, once, and never again after a kill."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from forge_box import Box

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "the secret of this hook"


class Receiver(ThreadingHTTPServer):
    """Keeps what comes in, and answers with ``status`` after ``pause`` seconds."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.pause = 0.0

    @property
    def url(self) -> str:
        """Return where to deliver to."""
        return f"http://127.0.0.1:{self.server_address[1]}/in"

    def wait(self, count: int, seconds: float = 30.0) -> list[tuple[dict[str, str], bytes]]:
        """Return what came, once it is so many."""
        end = time.monotonic() + seconds
        while len(self.got) < count and time.monotonic() < end:
            time.sleep(0.1)
        return list(self.got)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        # Before it is told, since who waits for it may then want another answer for the next one.
        status = server.status
        server.got.append((dict(self.headers.items()), body))
        time.sleep(server.pause)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Return a listening receiver."""
    made = Receiver()
    threading.Thread(target=made.serve_forever, args=(0.1,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """Return a forge of the test's own."""
    made = Box(tmp_path / "forge")
    made.create()
    made.start()
    yield made
    made.stop()


def hook(box: Box, repo: str, url: str, events: list[str], **config: str) -> None:
    """Add an active hook."""
    body = {"type": "gitea", "active": True, "events": events}
    box.must("POST", f"{repo}/hooks", body | {"config": {"url": url, "content_type": "json", **config}})


def states(box: Box) -> list[tuple[str, str]]:
    """Return state and event type of each delivery as the forge wrote it down."""
    with sqlite3.connect(box.state / "forge.sqlite3") as db:
        return list(db.execute("select state, event_type from delivery order by id"))


def test_deliveries_are_signed_over_their_bytes(box: Box, receiver: Receiver) -> None:
    repo = box.repo()
    hook(box, repo, receiver.url, ["issues"], secret=SECRET)
    box.must("POST", f"{repo}/issues", {"title": "täglich"})
    headers, body = receiver.wait(1)[0]
    made = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Gitea-Signature"] == made
    assert headers["X-Hub-Signature-256"] == f"sha256={made}"
    assert headers["X-Hub-Signature"] == f"sha1={hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()}"
    assert (headers["X-Gitea-Event"], headers["X-Gitea-Event-Type"]) == ("issues", "issues")
    payload = json.loads(body)
    assert (payload["action"], payload["issue"]["title"]) == ("opened", "täglich")
    assert payload["issue"]["url"].startswith(box.url)


def test_a_form_is_signed_over_its_payload_field(box: Box, receiver: Receiver) -> None:
    repo = box.repo()
    hook(box, repo, receiver.url, ["issues"], secret=SECRET, content_type="form")
    box.must("POST", f"{repo}/issues", {"title": "t"})
    headers, body = receiver.wait(1)[0]
    text = urllib.parse.parse_qs(body.decode())["payload"][0]
    assert (
        headers["X-Gitea-Signature"] == hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    )


def test_without_a_secret_the_signature_is_empty(box: Box, receiver: Receiver) -> None:
    repo = box.repo()
    hook(box, repo, receiver.url, ["issues"])
    box.must("POST", f"{repo}/issues", {"title": "t"})
    headers, _body = receiver.wait(1)[0]
    assert (headers["X-Gitea-Signature"], headers["X-Hub-Signature-256"]) == ("", "sha256=")


def test_a_refused_delivery_is_not_tried_again(box: Box, receiver: Receiver) -> None:
    repo = box.repo()
    hook(box, repo, receiver.url, ["issues"])
    receiver.status = 500
    box.must("POST", f"{repo}/issues", {"title": "one"})
    receiver.wait(1)
    receiver.status = 200
    box.must("POST", f"{repo}/issues", {"title": "two"})
    receiver.wait(2)
    time.sleep(1.0)
    titles = [json.loads(body)["issue"]["title"] for _headers, body in receiver.got]
    assert titles == ["one", "two"]
    assert [state for state, _kind in states(box)] == ["failed", "delivered"]


def test_creation_with_extras_is_four_deliveries(box: Box, receiver: Receiver) -> None:
    repo = box.repo()
    label = box.must("POST", f"{repo}/labels", {"name": "bug", "color": "#ffffff"})["id"]
    milestone = box.must("POST", f"{repo}/milestones", {"title": "m"})["id"]
    hook(box, repo, receiver.url, ["issues"])
    body = {"title": "t", "labels": [label], "assignees": ["boss"], "milestone": milestone}
    box.must("POST", f"{repo}/issues", body)
    kinds = [headers["X-Gitea-Event-Type"] for headers, _body in receiver.wait(4)]
    assert sorted(kinds) == ["issue_assign", "issue_label", "issue_milestone", "issues"]


def test_pushes_and_merges_are_told_with_their_commits(box: Box, receiver: Receiver) -> None:
    repo = box.repo()
    hook(box, repo, receiver.url, ["push", "pull_request"])
    head = box.branch(repo, "topic", "a.txt")
    number = box.pull(repo, "topic")
    assert box.merge(repo, number).status == 200
    got = receiver.wait(4)
    by_kind: dict[str, list[Any]] = {}
    for headers, body in got:
        by_kind.setdefault(headers["X-Gitea-Event-Type"], []).append(json.loads(body))
    assert [row["action"] for row in by_kind["pull_request"]] == ["opened", "closed"]
    assert by_kind["pull_request"][1]["pull_request"]["merged"] is True
    refs = {row["ref"]: row for row in by_kind["push"]}
    assert refs["refs/heads/topic"]["after"] == head
    assert refs["refs/heads/topic"]["commits"][0]["added"] == ["a.txt"]
    assert refs["refs/heads/main"]["total_commits"] == 2


def test_a_kill_doubles_no_delivery_and_loses_none_that_waited(box: Box, receiver: Receiver) -> None:
    repo = box.repo()
    hook(box, repo, receiver.url, ["issues"])
    receiver.pause = 2.0
    for number in range(3):
        box.must("POST", f"{repo}/issues", {"title": str(number)})
    receiver.wait(1)
    box.kill()
    receiver.pause = 0.0
    box.start()
    receiver.wait(3)
    time.sleep(0.5)
    titles = [json.loads(body)["issue"]["title"] for _headers, body in receiver.got]
    assert titles == ["0", "1", "2"]
    assert [state for state, _kind in states(box)] == ["failed", "delivered", "delivered"]
