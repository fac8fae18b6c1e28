# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One trial: a host that is well, a fault, and how long until the host is well again with nobody's help."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Semaphore
from typing import Any

import mistakes
from arena import CURRENT, ROOT, SILENT, Arena, Controller, FaultHost, Watch, docker

GATEWAY, RUNTIME, SSHD, CONTROLLER = "gateway", "configuration", "sshd", "controller"
POWER, FIRST = "power-cut", "first-install"
# The kinds that are tried many times, and those that are tried once.
MANY = (GATEWAY, RUNTIME, SSHD, CONTROLLER)
ONCE = (POWER, FIRST)
# The limit of the issue: from the flip until the host is back and well.
LIMIT_S = 75.0
FLIP_LIMIT_S = 400.0
POWER_PAUSE_S = 4.0
RELEASE_ID = "sidecar-release"
SSHD_WAYS = (
    ("no-address", "common-ssh", "/etc/ssh/sshd_config.d/10-timmy.conf"),
    ("no-users", "common-ssh", "/etc/ssh/sshd_config.d/10-timmy.conf"),
    ("no-packets", "common-firewall", "/etc/nftables.d/timmy.nft"),
)


@dataclass(frozen=True)
class Trial:
    """Kind and number of a trial."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.number:02d}"


@dataclass(frozen=True)
class Windows:
    """What may be shortened; None is what the roles have by default. All in seconds."""

    window_s: float | None = None
    health_s: float | None = None
    stall_s: float = 0.0
    limit_s: float = LIMIT_S

    def variables(self) -> dict[str, Any]:
        """The variables of the roles."""
        named = {
            "sidecar_window_s": self.window_s,
            "sidecar_health_timeout_s": self.health_s,
            "common_guard_window_s": self.window_s,
        }
        return {name: value for name, value in named.items() if value is not None}


@dataclass
class Outcome:
    """What a trial showed; problems is empty when all was as it has to be."""

    trial: str
    kind: str
    host: str = ""
    way: str = ""
    seconds: float | None = None
    link_s: float | None = None
    exit_code: int | None = None
    why: str = ""
    said: str = ""
    problems: list[str] = field(default_factory=list)
    log: str = ""

    def row(self) -> dict[str, Any]:
        """As one line of build/faults.jsonl."""
        return {"ok": not self.problems, **asdict(self)}


class Turn:
    """A place among those that work; given up at the flip, since what comes then is mostly waiting."""

    def __init__(self, places: Semaphore) -> None:
        self.places = places
        self.mine = places.acquire()

    def over(self) -> None:
        """Give it up; once is enough."""
        if self.mine:
            self.mine = False
            self.places.release()


class Runner:
    """Runs trials on one fleet; `busy` bounds how many controllers work at once before their flip."""

    def __init__(self, arena: Arena, windows: Windows, at_once: int) -> None:
        self.arena = arena
        self.windows = windows
        self.busy = Semaphore(at_once)
        self.logs = arena.place / "runs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.projects = {way: mistakes.mistaken_project(arena, way) for way, _id, _path in SSHD_WAYS}

    def run(self, trial: Trial, host: FaultHost) -> Outcome:
        """Carry out a trial and bring the host back to known good when it is not."""
        outcome = Outcome(str(trial), trial.kind, host.name)
        outcome.log = str((self.logs / f"{trial}.log").relative_to(ROOT))
        baseline = ""
        try:
            baseline = host.current()
            if trouble := host.trouble():
                outcome.problems.append(f"before the trial: {trouble}")
            else:
                self._carry_out(trial, host, baseline, outcome)
        except Exception as error:  # one trial that breaks must not take the others with it
            outcome.problems.append(f"{type(error).__name__}: {error}")
        self._restore(trial, host, baseline, outcome)
        return outcome

    # --- the kinds

    def _carry_out(self, trial: Trial, host: FaultHost, baseline: str, outcome: Outcome) -> None:
        if trial.kind == SSHD:
            self._sshd(trial, host, baseline, outcome)
        elif trial.kind == FIRST:
            self._first(trial, host, outcome)
        else:
            self._release(trial, host, baseline, outcome)

    def _release(self, trial: Trial, host: FaultHost, baseline: str, outcome: Outcome) -> None:
        """A release that is bad, or good and left alone."""
        variables = self._release_variables(trial, host)
        with ExitStack() as stack:
            turn = stack.enter_context(self._turn())
            watch = stack.enter_context(self._watch(host, RELEASE_ID, CURRENT, baseline))
            controller = self._controller(trial, host, "sidecar.yml", variables, ROOT)
            try:
                flip = self._flip(watch, controller, turn)
                if trial.kind == CONTROLLER:
                    time.sleep(self.windows.stall_s)
                    outcome.way = f"{controller.kill()} processes killed"
                elif trial.kind == POWER:
                    self._cut_power(host, controller)
                    # It may be back before anybody can look: then only the way back is there to be seen.
                    watch = stack.enter_context(
                        self._watch(host, RELEASE_ID, CURRENT, baseline, flipped=flip)
                    )
                self._back(watch, flip, outcome)
                if trial.kind not in (CONTROLLER, POWER):
                    self._ended_red(controller, outcome)
            finally:
                controller.kill()

    def _release_variables(self, trial: Trial, host: FaultHost) -> dict[str, Any]:
        variables: dict[str, Any] = {"timmy_overlay_dir": str(mistakes.overlay(self.arena, str(trial)))}
        if trial.kind in (GATEWAY, FIRST):
            mistakes.bad_hermes(host)
            variables["sidecar_hermes_version"] = mistakes.BAD_HERMES
        elif trial.kind == RUNTIME:
            variables["timmy_wizards"] = [
                {"name": one.wizard, "host": one.name}
                | ({"api_port": mistakes.TAKEN_PORT} if one.name == host.name else {})
                for one in self.arena.hosts
            ]
        return variables

    def _first(self, trial: Trial, host: FaultHost, outcome: Outcome) -> None:
        """The first release of a host is bad: the host has none again, and nothing runs."""
        away = self._controller(trial, host, "sidecar.yml", {"sidecar_state": "absent"}, ROOT, "-away")
        assert away.wait(300) == 0, away.told()[-2000:]
        self._release(trial, host, "none", outcome)
        left = host.sh("ls -A /etc/timmy/agents /opt/timmy/releases 2>/dev/null | grep -v : || true")
        outcome.way = f"left behind: {' '.join(left.split()) or 'nothing'}"

    def _sshd(self, trial: Trial, host: FaultHost, baseline: str, outcome: Outcome) -> None:
        """A change of the role common after which no login works; the controller finds its own way out."""
        outcome.way, guard_id, path = SSHD_WAYS[(trial.number - 1) % len(SSHD_WAYS)]
        before = host.sh(f"sha256sum {shlex.quote(path)} | cut -d' ' -f1")
        with self._turn() as turn, self._watch(host, guard_id, path, before) as watch:
            project = self.projects[outcome.way]
            controller = self._controller(trial, host, "site.yml", {}, project, "", "--tags", "common")
            try:
                flip = self._flip(watch, controller, turn)
                self._back(watch, flip, outcome)
                while outcome.seconds is not None and not host.lets_in():
                    if time.time() - flip > self.windows.limit_s:
                        outcome.problems.append("no login over SSH though sshd greets")
                        break
                    time.sleep(0.5)
                if outcome.seconds is not None:
                    outcome.seconds = round(max(outcome.seconds, time.time() - flip), 2)
                self._ended_red(controller, outcome)
            finally:
                controller.kill()
        if host.current() != baseline:
            outcome.problems.append("the release has changed")

    # --- parts of a trial

    def _controller(
        self, trial: Trial, host: FaultHost, play: str, variables: dict[str, Any], root: Path, *more: str
    ) -> Controller:
        suffix, *argv = more or ("",)
        told = json.dumps({**self.windows.variables(), **variables})
        playbook = str(root / "playbooks" / play)
        log = self.logs / f"{trial}{suffix}.log"
        return Controller(
            self.arena, log, "--limit", host.name, "--extra-vars", told, *argv, playbook, root=root
        )

    @contextmanager
    def _turn(self) -> Iterator[Turn]:
        turn = Turn(self.busy)
        try:
            yield turn
        finally:
            turn.over()

    @contextmanager
    def _watch(
        self, host: FaultHost, guard_id: str, path: str, before: str, *, flipped: float = 0.0
    ) -> Iterator[Watch]:
        since = flipped or time.time()
        request = {"guard_id": guard_id, "path": path, "before": before, "since": since}
        watch = Watch(host, {**request, "flipped": bool(flipped)})
        try:
            first = watch.next(30)
            assert first["event"] == "ready", f"no watch on {host.name}: {first}"
            assert flipped or first["state"] == before, f"not as expected before the trial: {first}"
            yield watch
        finally:
            watch.close()

    def _flip(self, watch: Watch, controller: Controller, turn: Turn) -> float:
        """The moment of the flip."""
        seen = self._next(watch, controller, FLIP_LIMIT_S)
        turn.over()
        if seen["event"] != "flip":
            raise AssertionError(f"no flip: {seen.get('why')}; {controller.told()[-1500:]}")
        return float(seen["moment"])

    def _next(self, watch: Watch, controller: Controller, limit_s: float) -> dict[str, Any]:
        """The next event; a run that ends before anything was flipped has nothing more to show."""
        limit = time.time() + limit_s
        while time.time() < limit:
            seen = watch.next(1.0)
            if seen["event"] != SILENT or controller.process.poll() is not None:
                return seen if seen["event"] != SILENT else watch.next(1.0)
        return {"event": SILENT, "why": f"nothing within {limit_s:g} s"}

    def _back(self, watch: Watch, flip: float, outcome: Outcome) -> None:
        seen = watch.next(300)
        if seen["event"] != "back":
            outcome.problems.append(f"not back: {seen.get('why')}")
            return
        outcome.seconds = round(seen["moment"] - flip, 2)
        outcome.link_s = round(seen["linked"] - flip, 2)
        outcome.why = str(seen["why"])
        if seen["phase"] != "undone" or not seen["clean"]:
            outcome.problems.append(f"the guard settled it as {seen['phase']}, clean: {seen['clean']}")
        if outcome.seconds > self.windows.limit_s:
            outcome.problems.append(f"back after {outcome.seconds} s")

    def _ended_red(self, controller: Controller, outcome: Outcome) -> None:
        """The run ends with an exit code that is not 0, and its last line has the reason."""
        outcome.exit_code = controller.wait(300)
        outcome.said = controller.told().strip().splitlines()[-1]
        if outcome.exit_code == 0:
            outcome.problems.append("the run ended with 0 though the host went back")
        known = ("not confirmed", "back on release", "undone", "did not answer")
        if not outcome.said.startswith("timmy: NOT as declared") or not any(
            word in outcome.said for word in known
        ):
            outcome.problems.append(f"the last line does not give the reason: {outcome.said}")

    def _cut_power(self, host: FaultHost, controller: Controller) -> None:
        """Take the power inside the window, and give it back two seconds later."""
        # Nobody may confirm before the cut; and a deploy that sees systemd die first would go back by itself.
        controller.kill()
        time.sleep(POWER_PAUSE_S)
        for verb, pause_s in (("kill", 2.0), ("start", 0.0)):
            done = docker(verb, host.container)
            assert done.returncode == 0, done.stderr
            time.sleep(pause_s)

    def _restore(self, trial: Trial, host: FaultHost, baseline: str, outcome: Outcome) -> None:
        """Known good again: the host has to be so by itself, but the next trial must not pay if it is not."""
        if trial.kind != FIRST:
            trouble = host.trouble() or ("" if host.current() == baseline else "on another release")
            if not trouble:
                return
            outcome.problems.append(f"after the trial: {trouble}")
        again = self._controller(trial, host, "sidecar.yml", {}, ROOT, "-restore")
        if again.wait(600) != 0:
            outcome.problems.append(f"cannot be restored: {again.told()[-800:]}")
