# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All trials of a run, side by side over the hosts, and what they come to."""

from __future__ import annotations

import json
import os
import statistics
import threading
import time
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from arena import ROOT
from trials import FIRST, MANY, ONCE, POWER, Outcome, Runner, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from arena import FaultHost

RESULTS = ROOT / "build" / "faults.jsonl"


def planned(count: int) -> list[Trial]:
    """The trials of a run, the kinds mixed, those that are tried once first: they take longest."""
    once = [Trial(kind, 1) for kind in (FIRST, POWER)]
    return once + [Trial(kind, number) for number in range(1, count + 1) for kind in MANY]


class Campaign:
    """Each host has one thread, which takes the next trial when it is done with one."""

    def __init__(self, runner: Runner, trials: Iterable[Trial], full: bool) -> None:
        self.runner = runner
        self.form = "full" if full else "short"
        self.began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.futures: dict[Trial, Future[Outcome]] = {trial: Future() for trial in trials}
        self.waiting: SimpleQueue[Trial] = SimpleQueue()
        for trial in self.futures:
            self.waiting.put(trial)
        self.writing = threading.Lock()
        self.threads = [
            threading.Thread(target=self._work, args=(host,), name=host.name) for host in runner.arena.hosts
        ]
        for thread in self.threads:
            thread.start()

    def _work(self, host: FaultHost) -> None:
        while True:
            try:
                trial = self.waiting.get_nowait()
            except Empty:
                return
            outcome = self.runner.run(trial, host)
            self._write(outcome)
            self.futures[trial].set_result(outcome)

    def _write(self, outcome: Outcome) -> None:
        row = {"at": self.began, "form": self.form, "load": os.getloadavg()[0], **outcome.row()}
        with self.writing, RESULTS.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row, sort_keys=True) + "\n")

    def stop(self) -> None:
        """Take what waits off the list and let the hosts finish what they are at."""
        while not self.waiting.empty():
            try:
                trial = self.waiting.get_nowait()
            except Empty:
                break
            self.futures[trial].cancel()
        for thread in self.threads:
            thread.join()

    def summary(self) -> list[str]:
        """One line for each kind."""
        done = [one.result() for one in self.futures.values() if one.done() and not one.cancelled()]
        lines = []
        for kind in (*MANY, *ONCE):
            mine = [one for one in done if one.kind == kind]
            times = [one.seconds for one in mine if one.seconds is not None]
            if not mine:
                continue
            well = sum(not one.problems for one in mine)
            figures = (
                f"median {statistics.median(times):.1f} s, max {max(times):.1f} s" if times else "never back"
            )
            lines.append(f"{kind:<14} {well} of {len(mine)} ok, from flip to back and well: {figures}")
        return lines
