# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deploy tries the keys and one real run before it flips, and changes nothing where either fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.timmy.config.plugins.action import sidecar_release
from ansible_collections.timmy.config.plugins.plugin_utils import release_tree

from timmy.core import (
    guard,
    hermes_home,
    release,
    release_files,
    release_format,
    release_guard,
    release_host,
    release_state,
    release_trial,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "canary-5d2e8b1f0a9c4471"
MODEL_NAME = "gemma-4-31b-it"
VERSION = "0.19.0"


class Host:
    """A host in a temporary directory, with this user as its only agent and the real Hermes; no units."""

    def __init__(self, base: Path, binary: Path) -> None:
        self.base = base
        (base / "hermes").mkdir()
        (base / "hermes" / VERSION).symlink_to(binary.parent.parent)
        self.home = base / "home"
        (self.home / ".hermes").mkdir(parents=True)
        groups = tuple(os.getgroups())
        self.who = hermes_home.Account("ezra", os.geteuid(), os.getegid(), groups, str(self.home))
        self.env = {"API_SERVER_KEY": "0123456789abcdef"}
        self.overlay = Path(sidecar_release.COLLECTION) / "overlay"

    def build(self, url: str) -> Any:
        return release_tree.build(
            Templar(loader=DataLoader()),
            overlay_dir=str(self.overlay),
            package_dir=os.path.join(sidecar_release.COLLECTION, "src", "timmy"),
            agents=[{"name": "ezra", "host": "hermes-vps", "home": str(self.home)}],
            fleet=[{"name": "ezra", "host": "hermes-vps"}],
            model={
                "provider": "ollama",
                "default": MODEL_NAME,
                "base_url": f"{url}/v1",
                "context_length": 65536,
            },
            host="hermes-vps",
            secrets={"ezra": self.env},
            hermes_version=VERSION,
            release_root=str(self.base / "timmy"),
            hermes_root=str(self.base / "hermes"),
            config_dir=str(self.base / "etc"),
            timezone="UTC",
        )

    def deploy(self, url: str, kept: str = "", **more: Any) -> release_state.Result:
        tree = self.build(url)
        archive = self.base / "release.tar.gz"
        archive.write_bytes(release_format.pack(tree.manifest, tree.files))
        settings = release_state.Settings(
            root=str(self.base / "timmy"),
            hermes_root=str(self.base / "hermes"),
            config_dir=str(self.base / "etc"),
            record_dir=str(self.base / "guard"),
            lib_dir=str(self.base / "lib"),
            timer=guard.no_timer,
            units=False,
            probe_timeout_s=3,
            **more,
        )
        agents = [{"name": "ezra", "home": str(self.home)}]
        wanted = release_state.Wanted(
            "" if kept else tree.manifest["hash"], agents, {"ezra": self.env}, tree.fleet_json, kept
        )
        result = release_host.Deploy(settings, wanted).run(str(archive))
        if result.armed:
            guard.confirm(str(self.base / "guard"), release_guard.GUARD_ID)
        return result

    def current(self) -> str:
        return release.current_name(str(self.base / "timmy"))

    def texts(self) -> str:
        """Every file of ours on this host, but the env file, which is where keys belong."""
        places = [
            path for place in ("timmy", "etc", "home", "guard") for path in (self.base / place).rglob("*")
        ]
        files = [
            path for path in places if path.is_file() and not path.is_symlink() and path.name != "ezra.env"
        ]
        return "\n".join(path.read_bytes().decode("utf-8", "replace") for path in files)


@pytest.fixture
def host(tmp_path: Path, hermes_binary: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, hermes_binary)
    monkeypatch.setattr(hermes_home, "account", lambda _name, _home="": made.who)
    monkeypatch.setattr(release_files, "owner", lambda _uid, _gid: {})
    monkeypatch.setattr(release_files, "owned_as", lambda *_all: True)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return made


class Router:
    """The provider of a fallback slot, on loopback: it knows one key."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[str] = []
        self.heard: list[str] = []
        router = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                router.asked.append(f"{self.path} {self.headers.get('Authorization')}")
                self.send_response(router.status)
                self.end_headers()

            def do_POST(self) -> None:
                router.heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8"))
                self.send_response(401)
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def router(host: Host) -> Iterator[Router]:
    made = Router()
    host.env.update(OPENROUTER_API_KEY=CANARY, OPENROUTER_BASE_URL=made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_the_deploy_with_one_line(host: Host, router: Router, status: int) -> None:
    router.status = status
    with pytest.raises(release_state.DeployError) as caught:
        host.deploy(NOWHERE)
    line = str(caught.value)
    assert line.startswith(f"ezra: openrouter refuses the key OPENROUTER_API_KEY (HTTP {status}); ")
    assert "\n" not in line
    assert router.asked == [f"/api/v1/key Bearer {CANARY}"]
    assert host.current() == ""
    assert not (host.base / "etc").exists()
    assert not list((host.home / ".hermes").iterdir())
    assert CANARY not in f"{line} {caught.value.details!r} {host.texts()}"


def test_a_key_is_asked_for_once_and_again_when_it_or_its_endpoint_changes(
    host: Host, router: Router
) -> None:
    first = host.deploy(NOWHERE)
    assert first.probes == {"ezra": {"openrouter OPENROUTER_API_KEY": "accepted"}}
    assert first.warnings == []
    again = host.deploy("http://127.0.0.1:99")
    assert (again.probes, again.armed, len(router.asked)) == ({}, True, 1)
    assert host.deploy("http://127.0.0.1:98", probe_keys="always").probes == first.probes
    assert len(router.asked) == 2
    host.env["OPENROUTER_API_KEY"] = f"{CANARY}-next"
    router.status = 401
    assert host.deploy("http://127.0.0.1:97", probe_keys="never").probes == {}
    host.env["OPENROUTER_API_KEY"] = f"{CANARY}-third"
    with pytest.raises(release_state.DeployError, match="refuses the key"):
        host.deploy("http://127.0.0.1:97")
    before = len(router.asked)
    back = host.deploy(NOWHERE, kept=again.release)
    assert (back.release, back.probes, len(router.asked)) == (again.release, {}, before)
    assert CANARY not in host.texts() + json.dumps(back.public())


@pytest.mark.parametrize("how", ["an error", "nobody there"])
def test_a_provider_that_does_not_say_is_a_warning(host: Host, router: Router, how: str) -> None:
    router.status = 500
    if how == "nobody there":
        host.env["OPENROUTER_BASE_URL"] = NOWHERE
    result = host.deploy(NOWHERE)
    (line,) = result.warnings
    assert line.startswith("ezra: openrouter did not say whether it takes OPENROUTER_API_KEY: ")
    assert host.current() == result.release
    assert CANARY not in line


def test_a_local_model_without_a_key_is_not_asked(host: Host) -> None:
    result = host.deploy(NOWHERE)
    assert (result.probes, result.warnings) == ({}, [])


def leftovers(host: Host) -> list[str]:
    return [path.name for path in (host.base / "tmp").iterdir()]


def test_a_smoke_run_answers_from_the_staged_release(host: Host, serve_model: Callable[..., Any]) -> None:
    model = serve_model([{"match": {}, "reply": {"text": "ready"}}])
    result = host.deploy(model.url, smoke=release_trial.prompt_of(True))
    answer = result.smoke["ezra"]
    assert (answer["ok"], answer["outcome"], answer["reason"]) == (True, "success", "completed")
    assert answer["total_tokens"] > 0
    (chat,) = model.chats()
    assert host.current() == result.release
    assert release_trial.PROMPT in json.dumps(chat)
    assert not (host.home / ".hermes/state.db").exists(), "the run worked in the agent's own home"
    assert leftovers(host) == []
    host.env["EXTRA_NOTE"] = "x"
    host.deploy(model.url, smoke="Say anything.")
    assert len(model.chats()) == 2
    assert host.deploy(model.url, smoke="Say anything.").smoke == {}, "nothing to flip, nothing to try"


def nothing_changed(host: Host) -> None:
    assert host.current() == ""
    assert not (host.base / "etc").exists()
    assert not list((host.home / ".hermes").iterdir())
    assert leftovers(host) == []


def test_a_smoke_run_that_is_late_stops_before_anything_changed(
    host: Host, serve_model: Callable[..., Any]
) -> None:
    model = serve_model([{"match": {}, "reply": {"text": "late", "delay_s": 120}}])
    word = "ezra: the smoke run ended as timeout: .*limit 15 s.*; nothing was changed"
    with pytest.raises(release_state.DeployError, match=word):
        host.deploy(model.url, smoke="Say ready.", smoke_timeout_s=15)
    assert model.requests()
    nothing_changed(host)


def test_a_smoke_run_that_fails_had_the_soul_of_the_release(
    host: Host, router: Router, tmp_path: Path
) -> None:
    """The model refuses: Hermes itself ends with 0 then, and only its usage file tells."""
    overlay = tmp_path / "overlay"
    shutil.copytree(host.overlay, overlay)
    config = overlay / "config.yaml"
    config.write_text(config.read_text().replace("api_max_retries: 3", "api_max_retries: 1"))
    (overlay / "SOUL.md").write_text((overlay / "SOUL.md").read_text() + "\nA line of this release alone.\n")
    host.overlay = overlay
    with pytest.raises(release_state.DeployError, match="ezra: the smoke run ended as failed: ") as caught:
        host.deploy(router.url.removesuffix("/api/v1"), smoke="Say ready.")
    assert any("A line of this release alone." in heard for heard in router.heard)
    assert CANARY not in f"{caught.value} {caught.value.details!r}"
    nothing_changed(host)


@pytest.mark.parametrize(
    ("given", "prompt"),
    [
        (False, ""),
        ("false", ""),
        ("no", ""),
        ("", ""),
        (None, ""),
        (True, release_trial.PROMPT),
        ("True", release_trial.PROMPT),
        ("yes", release_trial.PROMPT),
        (" Say hello. ", "Say hello."),
    ],
)
def test_what_the_switch_means(given: Any, prompt: str) -> None:
    assert release_trial.prompt_of(given) == prompt


# Each line of stdin makes a Hermes that runs on read its configuration once more.
READER = """
import sys
from hermes_cli.config import load_config
for _line in sys.stdin:
    print(load_config()["agent"]["max_turns"], flush=True)
"""


def test_a_running_hermes_sees_an_edit_of_the_same_length(
    host: Host, hermes_python: Path, tmp_path: Path
) -> None:
    """It caches managed files by time and size, so a release gives each file a time of its own."""
    overlay = tmp_path / "overlay"
    shutil.copytree(host.overlay, overlay)
    host.overlay = overlay
    host.deploy(NOWHERE)
    managed = host.base / "timmy/current/agents/ezra/managed"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(host.home),
        "HERMES_HOME": str(host.home / ".hermes"),
        "HERMES_MANAGED_DIR": str(managed),
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
    }
    running = subprocess.Popen(
        [hermes_python, "-c", READER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert running.stdin is not None
    assert running.stdout is not None

    def turns() -> str:
        running.stdin.write("\n")  # type: ignore[union-attr]
        running.stdin.flush()  # type: ignore[union-attr]
        return running.stdout.readline().strip()  # type: ignore[union-attr]

    try:
        assert turns() == "60"
        before = (managed / "config.yaml").stat()
        config = overlay / "config.yaml"
        config.write_text(config.read_text().replace("max_turns: 60", "max_turns: 61"))
        host.deploy(NOWHERE)
        after = (managed / "config.yaml").stat()
        assert (after.st_size, turns()) == (before.st_size, "61")
        # The other way round: where the time stays, the edit stays unseen, and this test would show it.
        os.chmod(managed.resolve() / "config.yaml", 0o644)
        (managed / "config.yaml").write_text(
            (managed / "config.yaml").read_text().replace("max_turns: 61", "max_turns: 62")
        )
        os.utime(managed / "config.yaml", ns=(after.st_atime_ns, after.st_mtime_ns))
        assert turns() == "61"
    finally:
        running.kill()
        running.communicate()
