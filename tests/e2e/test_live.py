# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploys while the agent lives: edits seen as it runs, turns waited for, two controllers at once."""

from __future__ import annotations

import getpass
import json
import os
import re
import secrets
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import releases
import runs
from releases import FULL, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet import Fleet

OTHER_MODEL = "e2e-other-model"
WAITING = re.compile(r"waiting for turns to end, (\d+) of (\d+) s left: (\w+) 1$")
HELD = re.compile(r"waiting (\d+) of (\d+) s for (\S+@\S+ \d+ [0-9a-f]{8}): ")


@pytest.fixture(scope="module")
def trial(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Take one wizard, and bring its host back in the end."""
    one = Trial(fleet.wizards[-1], tmp_path_factory.mktemp("live"))
    yield one
    runs.playbook("playbooks/sidecar.yml", "--limit", one.host.name, inventories=runs.own_inventories()).ok()


def ask(trial: Trial, prompt: str, timeout_s: float = 150.0) -> str:
    """Let the agent take a turn; what it answers."""
    body = {"model": "hermes", "messages": [{"role": "user", "content": prompt}]}
    answer = trial.wizard.api("POST", "/v1/chat/completions", body, timeout_s=timeout_s)
    return str(answer["choices"][0]["message"]["content"])


def change_what_restarts(trial: Trial) -> None:
    """Change a managed key, so that the gateway has to start afresh."""
    path = trial.overlay / "config.yaml"
    text, count = re.subn(
        r"max_turns: (\d+)", lambda found: f"max_turns: {int(found[1]) + 1}", path.read_text(encoding="utf-8")
    )
    assert count == 1
    path.write_text(text, encoding="utf-8")


# Run as the agent: what it said last, with a word in it, as Hermes keeps it beyond a restart.
SAID = """
import sqlite3, sys
kept = sqlite3.connect("file:" + sys.argv[1] + "/.hermes/state.db?mode=ro", uri=True)
wanted = "select content from messages where role = 'assistant' and content like ?"
print(kept.execute(wanted, ("%" + sys.argv[2] + "%",)).fetchall())
"""


class Turn:
    """A turn under way: the agent's terminal tool works until it is told to end, or for four minutes."""

    def __init__(self, trial: Trial) -> None:
        """Begin it, and come back when the tool is at work."""
        self.trial, self.work = trial, f"{trial.home}/work"
        self.word = f"ended-whole-{secrets.token_hex(4)}"
        trial.host.sh(f"rm -f {self.work}/e2e-begun {self.work}/e2e-end").ok()
        script = "touch e2e-begun\nfor i in $(seq 480); do [ -e e2e-end ] && break; sleep 0.5; done\n"
        trial.host.write(f"{self.work}/e2e-turn.sh", f"{script}date +{self.word}-%s\n")
        begun = trial.wizard.api("POST", "/v1/runs", {"input": "Run this command: sh e2e-turn.sh"})
        assert begun["status"] == "started", begun
        seen = f"for i in $(seq 200); do [ -e {self.work}/e2e-begun ] && exit 0; sleep 0.5; done; exit 1"
        assert trial.host.sh(seen, timeout_s=120).rc == 0, "the turn did not begin"

    def let_end(self) -> None:
        """Let the tool come to its end."""
        self.trial.host.run("touch", f"{self.work}/e2e-end", user=self.trial.wizard.name).ok()

    def ended(self) -> float:
        """Return when its tool had ended, 0 where the agent never came to say so."""
        self.trial.host.sh(f"rm -f {self.work}/e2e-begun {self.work}/e2e-end {self.work}/e2e-turn.sh")
        argv = ("/usr/bin/python3", "-c", SAID, self.trial.home, self.word)
        told = self.trial.host.run(*argv, user=self.trial.wizard.name).ok()
        found = re.search(rf"{self.word}-(\d+)", told)
        return float(found[1]) if found else 0.0


class Watched:
    """A deploy whose output is read as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Begin to read."""
        self.process = process
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(line.rstrip("\n") for line in iter(stream.readline, ""))

    def saw(self, pattern: re.Pattern[str], limit_s: float = 150.0) -> re.Match[str]:
        """Wait for a line; its match."""
        limit = time.monotonic() + limit_s
        while True:
            for line in list(self.lines):
                if found := pattern.search(line):
                    return found
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.text}"
            assert time.monotonic() < limit, f"no line like {pattern.pattern}:\n{self.text}"
            time.sleep(0.5)

    @property
    def text(self) -> str:
        """Return what was printed so far."""
        return "\n".join(self.lines)[-6000:]

    def end(self, limit_s: float = 400.0) -> str:
        """Wait for its end; its output."""
        self.process.wait(limit_s)
        self._thread.join(10)
        assert self.process.returncode == 0, self.text
        return self.text

    def kill(self) -> None:
        """Kill -9 the controller with all that it started here; its workers have sessions of their own."""
        environment = Path(f"/proc/{self.process.pid}/environ").read_bytes().split(b"\0")
        mark = next(one for one in environment if one.startswith(f"{releases.RUN}=".encode()))
        while pids := [pid for pid in _everybody() if mark in _environment(pid)]:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.1)
        self.process.wait(10)


def _everybody() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


@contextmanager
def other_model(trial: Trial, port: int) -> Iterator[None]:
    """Serve a second model on the host, which answers every question with its own name."""
    script = {"schema": 1, "model": "gemma-4-31b-it", "context_length": 65536}
    rules = [{"name": "any", "match": {}, "reply": {"text": OTHER_MODEL}}]
    trial.host.write("/run/e2e-model.json", json.dumps({**script, "rules": rules}))
    server = ("/usr/bin/python3", "-E", "-s", "-B", "/opt/sandbox/scripted_model.py")
    options = ("--listen", f"127.0.0.1:{port}", "--script", "/run/e2e-model.json")
    nobody = ("--property=DynamicUser=yes", "--property=RuntimeMaxSec=600")
    trial.host.run("systemd-run", "--unit=e2e-model", "--collect", *nobody, *server, *options).ok()
    try:
        yield
    finally:
        trial.host.run("systemctl", "stop", "e2e-model")
        trial.host.run("rm", "-f", "/run/e2e-model.json")


def test_an_edit_of_equal_length_is_seen_without_a_restart(trial: Trial) -> None:
    """Hermes caches its managed file by time and size; the size stays, so the time has to tell."""
    rule = 'path: config.yaml, class: managed, to: "agents/{agent}/managed/config.yaml", reload: '
    trial.edit("ownership.yml", f"{rule}restart", f"{rule}next-turn")
    trial.deploy()
    managed = f"/opt/timmy/current/agents/{trial.wizard.name}/managed/config.yaml"
    pid, before = trial.pid(), trial.host.run("stat", "-L", "-c", "%s", managed).ok()
    assert OTHER_MODEL not in ask(trial, "Who are you?")
    with other_model(trial, 11435):
        trial.variables["timmy_model"] = {"base_url": "http://127.0.0.1:11435/v1"}
        fact = trial.deploy()
        try:
            assert f"agents/{trial.wizard.name}/managed/config.yaml" in fact["changed_paths"]["managed"]
            assert trial.host.run("stat", "-L", "-c", "%s", managed).ok() == before, "the length is another"
            assert ask(trial, "And who are you now?") == OTHER_MODEL
            assert (fact["restarted"], trial.pid()) == ([], pid)
        finally:
            del trial.variables["timmy_model"]
            trial.deploy()
            trial.edit("ownership.yml", f"{rule}next-turn", f"{rule}restart")


def started_at(trial: Trial) -> float:
    """Return when the gateway was started, which a restart does after the stop."""
    shown = f"systemctl show -p ActiveEnterTimestamp --value {trial.wizard.unit}"
    return float(trial.host.sh(f'date -d "$({shown})" +%s').ok())


def test_a_turn_is_waited_for_and_a_second_controller_waits_as_well(trial: Trial) -> None:
    turn, pid = Turn(trial), trial.pid()
    change_what_restarts(trial)
    first = Watched(trial.start("-e", "sidecar_drain_s=200"))
    left, whole, name = first.saw(WAITING).groups()
    assert (int(left) < int(whole), whole, name) == (True, "200", trial.wizard.name)
    second = Watched(trial.start("-e", "sidecar_drain_s=200"))
    assert second.saw(HELD)[3].startswith(f"{getpass.getuser()}@")
    assert trial.pid() == pid
    turn.let_end()
    first.end()
    assert 0 < turn.ended() <= started_at(trial)
    assert trial.pid() != pid
    assert "though turns still ran" not in first.text
    second.end()
    assert trial.answer()["changed"] is False


def test_when_the_limit_has_passed_the_deploy_says_so_and_goes_on(trial: Trial) -> None:
    """The rest is Hermes' own drain, which this turn does not use up unless the trial is the full one."""
    turn, pid = Turn(trial), trial.pid()
    change_what_restarts(trial)
    run = Watched(trial.start("-e", "sidecar_drain_s=6"))
    assert run.saw(WAITING)[2] == "6"
    going = f"systemctl show -p ActiveState --value {trial.wizard.unit} | grep -q deactivating"
    stopping = f"for i in $(seq 120); do {going} && exit 0; sleep 0.5; done; exit 1"
    assert trial.host.sh(stopping, timeout_s=90).rc == 0, "the deploy did not go on"
    if not FULL:
        turn.let_end()
    told = " ".join(run.end().split())
    assert f"went on after 6 s though turns still ran: {trial.wizard.name} 1" in told
    assert trial.answer()["restarted"] == [trial.wizard.name]
    assert trial.pid() != pid
    assert bool(turn.ended()) is not FULL, "Hermes' own drain is 30 s"


def test_the_lock_of_a_dead_controller_is_broken_with_a_reason(trial: Trial) -> None:
    turn = Turn(trial)
    change_what_restarts(trial)
    dead = Watched(trial.start("-e", "sidecar_drain_s=200"))
    dead.saw(WAITING)
    dead.kill()
    heir = Watched(trial.start("-e", "sidecar_drain_s=200"))
    owner = heir.saw(HELD)[3]
    # Its last visit to the host ends by itself; only then is it nothing but expected.
    heir.saw(re.compile("expected back within"))
    assert owner.startswith(f"{getpass.getuser()}@")
    turn.let_end()
    told = " ".join(heir.end().split())
    why = r"was expected back \d+ s ago|its process on this host is gone"
    reason = rf"{re.escape(owner)}, last here \d+ s ago: ({why})"
    assert re.search(rf"broke the deploy lock of {reason}", told), told
    journal = trial.host.run("journalctl", "--no-pager", "-o", "cat", "--since", "-10min").ok()
    assert re.search(rf"timmy: broke the deploy lock of {reason}", journal)
    assert turn.ended() > 0
    assert trial.answer()["restarted"] == [trial.wizard.name]
