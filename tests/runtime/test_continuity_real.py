# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Continuity with the real Hermes: its hook and plugin, turns that end, turns that are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import real_host

from timmy import headless, hermes
from timmy.continuity import check
from timmy.continuity.flush import flush_continuity
from timmy.continuity.place import Place
from timmy.continuity.threads import Said
from timmy.hermes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from timmy.context import Context

ANSWER = [{"match": {}, "reply": {"text": "It is done.\nDecision: new hinges\nNext: paint the door"}}]
HANG = [{"match": {}, "reply": {"text": "late", "delay_s": 300}}]


class Agent:
    """An agent with a deployed release, whose Hermes can be run on a model."""

    def __init__(self, host: real_host.Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host, self.home, self._patch = host, host.home, monkeypatch
        (self.home / "work").mkdir()
        # the release does not stand where releases stand on hosts
        host.rewrite("config.yaml", "/opt/timmy/current/bin/timmy", f"{host.where.root}/current/bin/timmy")
        host.rewrite("config.yaml", "api_max_retries: 3", "api_max_retries: 1")

    def request(self, url: str, prompt: str) -> hermes.Request:
        """Return a run on the model at this address, with the release deployed for it."""
        self._patch.setitem(real_host.MODEL, "base_url", f"{url}/v1")
        self.host.deploy()
        return hermes.Request(
            binary=self.host.current() / "hermes/bin/hermes",
            work_dir=self.home / "work",
            home=self.home,
            managed_dir=self.host.current() / "agents/ezra/managed",
            prompt=prompt,
            timeout_s=90.0,
        )


@pytest.fixture
def agent(tmp_path: Path, hermes_binary: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """Return an agent whose home holds nothing yet."""
    return Agent(real_host.Host(tmp_path, hermes_binary, monkeypatch), monkeypatch)


def systems(model: Any) -> list[str]:
    """Return what the model was told of itself, call by call, in calls that an agent made."""
    return [row["system"] for row in model.chats() if row["tools"]]


def test_every_turn_is_flushed_and_the_next_session_begins_with_the_brief(
    agent: Agent, serve_model: Callable[..., Any], context: Context
) -> None:
    model = serve_model(ANSWER)
    request = agent.request(model.url, "mend the door")
    # not through headless: nobody but Hermes' own hook and plugin flushes here
    assert hermes.run(request, context.monotonic).ok
    (thread,) = Place(agent.home).read().threads
    assert (thread.task, thread.decisions, thread.next_step) == (
        "mend the door",
        ("new hinges",),
        "paint the door",
    )
    assert check.look(agent.home, time.time()).problem == ""
    flush_continuity(agent.home, time.time(), Said(blockers=("no paint in the shed",)))
    assert hermes.run(replace(request, prompt="and now?"), context.monotonic).ok
    first, last = systems(model)[0], systems(model)[-1]
    for word in ("new hinges", "Next: paint the door", "Blocker: no paint in the shed", '"mend the door"'):
        assert word in last, word
        assert word not in first, word
    assert "Nothing is recorded yet." in first


def test_a_kill_in_the_middle_of_a_turn_loses_nothing(
    agent: Agent, serve_model: Callable[..., Any], context: Context
) -> None:
    model = serve_model(HANG)
    request = agent.request(model.url, "carry the piano upstairs")

    def kill() -> None:
        limit = time.monotonic() + 60
        while not model.chats() and time.monotonic() < limit:
            time.sleep(0.2)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    mine = f"HOME={agent.home}\0".encode() in (entry / "environ").read_bytes()
                except OSError:
                    continue
                if mine and b"--oneshot=" in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    result = hermes.run(request, context.monotonic)
    killer.join(10)
    assert (result.outcome, result.exit_code) == (Outcome.INTERRUPTED, -9)
    allowed, _verdict, _line = check.may_start(agent.home, time.time(), {})
    assert allowed
    (thread,) = Place(agent.home).read().threads
    assert (thread.task, thread.interrupted) == ("carry the piano upstairs", True)
    after = serve_model(ANSWER)
    request = agent.request(after.url, "go on")
    assert hermes.run(request, context.monotonic).ok
    told = systems(after)[0]
    assert 'Asked: "carry the piano upstairs"' in told
    assert "cut off before its answer" in told


def test_a_run_whose_flush_fails_is_not_done(agent: Agent, serve_model: Callable[..., Any]) -> None:
    request = agent.request(serve_model(ANSWER).url, "mend the door")
    folder = Place(agent.home).folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a file in the place of the folder")
    result = headless.run(request)
    assert result.outcome is Outcome.UNFLUSHED, result
    assert not result.ok
    assert "not in continuity" in result.reason
    assert result.text.startswith("It is done.")
    assert check.look(agent.home, time.time()).problem
    folder.unlink()
    result = headless.run(request)
    assert result.ok, result
    assert {thread.task for thread in Place(agent.home).read().threads} == {"mend the door"}
    assert len(Place(agent.home).read().threads) == 2, "the session of the failed flush came in late"


def test_what_is_about_to_be_forgotten_is_flushed_first(
    agent: Agent, serve_model: Callable[..., Any], context: Context, hermes_python: Path
) -> None:
    """Hermes' own loader and manager, called as its compression calls them."""
    request = agent.request(serve_model(ANSWER).url, "mend the door")
    assert hermes.run(request, context.monotonic).ok
    shutil.rmtree(Place(agent.home).folder)
    code = (
        "from agent.memory_manager import MemoryManager\n"
        "from plugins.memory import load_memory_provider\n"
        "provider = load_memory_provider('timmy_continuity')\n"
        "assert provider.is_available() and provider.get_tool_schemas() == []\n"
        "manager = MemoryManager()\n"
        "manager.add_provider(provider)\n"
        f"home = {str(agent.home / '.hermes')!r}\n"
        "manager.initialize_all(session_id='s', platform='cli', hermes_home=home)\n"
        "print(manager.on_pre_compress([]))\n"
    )
    environment = {**os.environ, "HOME": str(agent.home), "HERMES_HOME": str(agent.home / ".hermes")}
    done = subprocess.run(
        [hermes_python, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Next: paint the door" in done.stdout, done.stderr
    assert Place(agent.home).read().threads


def test_an_agent_without_an_answer_of_continuity_still_begins(agent: Agent, tmp_path: Path) -> None:
    """The plugin's own words where the command fails, with Hermes' class in its place."""
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "__init__.py").touch()
    (tmp_path / "agent" / "memory_provider.py").write_text("class MemoryProvider:\n    pass\n")
    plugin = Path(agent.host.overlay, "plugins/timmy_continuity/__init__.py")
    code = (
        "import importlib.util, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        f"spec = importlib.util.spec_from_file_location('p', {str(plugin)!r})\n"
        "p = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(p)\n"
        "provider = p.Continuity()\n"
        "provider.initialize('s', hermes_home='/nowhere/.hermes')\n"
        "for argv in ('/bin/false', '/nowhere/timmy'):\n"
        "    p.command = lambda: argv\n"
        "    print(provider.is_available(), provider.system_prompt_block())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines() == [
        "True Continuity could not be read: ",
        "False Continuity did not answer; what earlier sessions left is unknown.",
    ]
