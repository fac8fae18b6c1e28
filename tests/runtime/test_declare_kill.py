# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declarations that are killed, that come two at a time, or while a deploy is under way."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.modules import hermes_config, hermes_cron
from declare_play import FULL, KEYS, NAMES, Play, declare_in_overlay, make
from real_host import JOB

from timmy.core import release_lock


@pytest.fixture
def play(tmp_path: Path, hermes_binary: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    return make(tmp_path, hermes_binary, monkeypatch)


RUN = """
import json, os, signal, sys
from ansible_collections.timmy.config.plugins.module_utils import declarations, hermes_declare, hermes_home
from ansible_collections.timmy.config.plugins.module_utils import release_homes
from ansible_collections.timmy.config.plugins.module_utils.release_state import Settings
call = json.loads(sys.argv[1])
groups = tuple(os.getgroups())
hermes_home.account = lambda name, home="": hermes_home.Account(
    name, os.geteuid(), os.getegid(), groups, call["home"])
def die(*_arguments, **_more):
    os.kill(os.getpid(), signal.SIGKILL)
if call["die"] == "asked":
    release_homes.Homes.ask = die
if call["die"] == "answered":
    declarations.Declarations.keep = die
settings = Settings(root=call["root"], record_dir=call["record_dir"])
wish = hermes_declare.Wish(**call["wish"])
print(json.dumps(hermes_declare.declare(settings, wish)))
"""


def start(play: Play, die: str = "", **wish: Any) -> subprocess.Popen[str]:
    where = play.host.where
    call = {"home": str(play.host.home), "root": where.root, "record_dir": where.record_dir, "die": die}
    call["wish"] = {"agent": "ezra", **wish}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", RUN, json.dumps(call)]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("die", ["asked", "answered"])
def test_a_kill_at_either_side_of_the_write(play: Play, die: str) -> None:
    other = {"browser": {"headed": True}, "tts": {"piper": {"voice": "another"}}}
    play.config(KEYS)
    for kind, more in (("config", {"config": other}), ("cron", {"jobs": [FULL]})):
        process = start(play, die, kind=kind, name="default", **more)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    if die == "answered":
        assert play.data()["tts"]["piper"]["voice"] == "another"
        assert "tidy" in play.host.jobs()
    # Whether the next run still wants it or not, what the killed one made is known as ours.
    assert play.run(hermes_config, config=KEYS)["edited"] == []
    assert play.get("tts.piper.voice") == "de_DE-thorsten"
    assert not play.run(hermes_cron, jobs=[]).get("failed")
    assert set(play.host.jobs()) == {JOB, "weekly-memory-tidy"}
    assert play.records() == ["config.default"]
    assert not play.run(hermes_config, config=KEYS)["changed"]
    assert play.host.found() == {}


def test_kills_at_any_moment(play: Play) -> None:
    chance = random.Random(4)  # noqa: S311 - moments, not secrets
    voices = ["a", "b"]
    for turn in range(8):
        wanted = {"tts": {"piper": {"voice": voices[turn % 2]}}, "web": {"extract_char_limit": 9000 + turn}}
        process = start(play, kind="config", name="default", config=wanted)
        time.sleep(chance.uniform(0.1, 1.6))
        process.kill()
        process.communicate(timeout=30)
        left = play.data()
        assert left["code_execution"] == {"mode": "project"}
    last = {"tts": {"piper": {"voice": "last"}}}
    done = play.run(hermes_config, config=last)
    assert (done.get("failed"), done["edited"]) == (None, [])
    assert play.data()["tts"] == {"piper": {"voice": "last"}}
    assert "web" not in play.data()
    play.config(None, state="absent")
    assert "tts" not in play.data()
    assert not [path for path in (play.host.home / ".hermes").iterdir() if path.name.endswith(".timmy~")]


def test_two_at_once_on_one_home(play: Play) -> None:
    wishes = [
        {"kind": "config", "name": "one", "config": {"tts": {"piper": {"voice": "x"}}}},
        {"kind": "config", "name": "two", "config": {"web": {"extract_char_limit": 9000}}},
        {"kind": "cron", "name": "three", "jobs": [FULL]},
    ]
    running = [start(play, **wish) for wish in wishes]
    for process in running:
        answer = json.loads(process.communicate(timeout=120)[0])
        assert answer["changed"], answer
    assert (play.data()["tts"], play.data()["web"]) == (
        {"piper": {"voice": "x"}},
        {"extract_char_limit": 9000},
    )
    assert "tidy" in play.host.jobs()
    assert play.records() == ["config.one", "config.two", "cron.three"]


def test_a_deploy_that_is_under_way_is_waited_for(play: Play) -> None:
    root = play.host.where.root
    with release_lock.locked(root, "controller"):
        done = play.run(hermes_config, config=KEYS)
        assert "controller: at work on this host; waited 0 s" in done["msg"]
    ready, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with release_lock.locked(root, "controller"):
            ready.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    ready.wait(30)
    threading.Timer(1.0, leave.set).start()
    assert play.run(hermes_config, config=KEYS, lock_wait_s=60)["changes"] == NAMES
    holder.join()
    declare_in_overlay(play.host)
    play.host.deploy(confirm=False)
    assert "not confirmed yet" in play.run(hermes_config, config=KEYS)["msg"]
