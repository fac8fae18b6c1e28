# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deploys while the agent lives: edits seen as it runs, turns waited for, two controllers at once."""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
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


class Turn:
    """A turn under way: the agent's terminal tool works until it is told to end, or for four minutes."""

    def __init__(self, trial: Trial) -> None:
        """Begin it, and come back when the tool is at work."""
        self.trial, self.work = trial, f"{trial.home}/work"
        self.answer = ""
        trial.host.sh(f"rm -f {self.work}/e2e-begun {self.work}/e2e-end").ok()
        script = "touch e2e-begun\nfor i in $(seq 480); do [ -e e2e-end ] && break; sleep 0.5; done\n"
        trial.host.write(f"{self.work}/e2e-turn.sh", f"{script}date +ended-whole-%s\n")
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()
        seen = f"for i in $(seq 200); do [ -e {self.work}/e2e-begun ] && exit 0; sleep 0.5; done; exit 1"
        assert trial.host.sh(seen, timeout_s=120).rc == 0, "the turn did not begin"

    def _take(self) -> None:
        try:
            self.answer = self._run()
        except (AssertionError, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            self.answer = f"cut: {error}"

    def _run(self) -> str:
        """Start a run and look at it, close to the gateway, until it is over; one that was cut is unknown."""
        wizard = self.trial.wizard
        run = wizard.api("POST", "/v1/runs", {"input": "Run this command: sh e2e-turn.sh"})["run_id"]
        key = f"$(sed -n 's/^API_SERVER_KEY=//p' /etc/timmy/agents/{wizard.name}.env | tr -d \"'\\\"\")"
        look = f"curl -s -H @/run/e2e-header http://127.0.0.1:{wizard.api_port}/v1/runs/{run}"
        script = f"""umask 077; echo "Authorization: Bearer {key}" >/run/e2e-header
            for i in $(seq 1200); do
              seen=$({look})
              case "$seen" in *'"started"'*|*'"queued"'*|*'"running"'*) sleep 0.2 ;; *) break ;; esac
            done
            rm -f /run/e2e-header; echo "$seen" """
        return wizard.host.sh(script, timeout_s=400).ok()

    def let_end(self) -> None:
        """Let the tool come to its end."""
        self.trial.host.run("touch", f"{self.work}/e2e-end", user=self.trial.wizard.name).ok()

    def end(self) -> float:
        """Return when the tool had ended, once the agent has told so."""
        self._thread.join(290)
        self.trial.host.sh(f"rm -f {self.work}/e2e-begun {self.work}/e2e-end {self.work}/e2e-turn.sh")
        found = re.search(r"ended-whole-(\d+)", self.answer)
        assert found, f"the turn did not end whole: {self.answer}"
        return float(found[1])


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
        """Kill -9 the controller with all that it started here."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


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
            trial.edit("ownership.yml", f"{rule}next-turn", f"{rule}restart")
            trial.deploy()


def stopped_at(trial: Trial) -> float:
    """Return when the unit was last told to start, which a restart does after the stop."""
    shown = f"systemctl show -p ActiveEnterTimestamp --value {trial.wizard.unit}"
    return float(trial.host.sh(f'date -d "$({shown})" +%s').ok())


def test_a_turn_is_waited_for_and_a_second_controller_waits_as_well(trial: Trial) -> None:
    trial.deploy()
    turn, pid = Turn(trial), trial.pid()
    trial.edit("config.yaml", "max_turns: 60", "max_turns: 61")
    first = Watched(trial.start("-e", "sidecar_drain_s=200"))
    left, whole, name = first.saw(WAITING).groups()
    assert (int(left) < int(whole), whole, name) == (True, "200", trial.wizard.name)
    second = Watched(trial.start("-e", "sidecar_drain_s=200"))
    assert second.saw(HELD)[3].startswith(f"{getpass.getuser()}@")
    assert trial.pid() == pid
    turn.let_end()
    first.end()
    assert turn.end() <= stopped_at(trial)
    assert trial.pid() != pid
    assert "though turns still ran" not in first.text
    second.end()
    assert trial.answer()["changed"] is False


def test_when_the_limit_has_passed_the_deploy_says_so_and_goes_on(trial: Trial) -> None:
    """The rest is Hermes' own drain, which this turn does not use up unless the trial is the full one."""
    trial.deploy()
    turn, pid = Turn(trial), trial.pid()
    trial.edit("config.yaml", "max_turns: 61", "max_turns: 62")
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
    if FULL:
        turn.let_end()
        with pytest.raises(AssertionError, match="did not end whole"):
            turn.end()
    else:
        turn.end()


def test_the_lock_of_a_dead_controller_is_broken_with_a_reason(trial: Trial) -> None:
    trial.deploy()
    turn = Turn(trial)
    trial.edit("config.yaml", "max_turns: 62", "max_turns: 63")
    dead = Watched(trial.start("-e", "sidecar_drain_s=200"))
    dead.saw(WAITING)
    dead.kill()
    heir = Watched(trial.start("-e", "sidecar_drain_s=200"))
    owner = heir.saw(HELD)[3]
    assert owner.startswith(f"{getpass.getuser()}@")
    turn.let_end()
    told = " ".join(heir.end().split())
    why = r"was expected back \d+ s ago|its process on this host is gone"
    reason = rf"{re.escape(owner)}, last here \d+ s ago: ({why})"
    assert re.search(rf"broke the deploy lock of {reason}", told), told
    journal = trial.host.run("journalctl", "--no-pager", "-o", "cat", "--since", "-10min").ok()
    assert re.search(rf"timmy: broke the deploy lock of {reason}", journal)
    turn.end()
    assert trial.answer()["restarted"] == [trial.wizard.name]
