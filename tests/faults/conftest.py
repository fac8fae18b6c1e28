# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault trials: what they are given, the fleet that some of them need, and the lines that they end with.

All that can be set is here, as options of pytest: `make faults ARGS='--trials 3'`. Only tests that ask for
`campaign` start a fleet; the others in this folder run without one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import arena
from campaign import Campaign, planned
from trials import Runner, Trial, Windows

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Form:
    """What the short and the full form differ in; None leaves a window as the roles have it."""

    trials: int
    hosts: int
    window_s: float | None
    health_s: float | None


SHORT = Form(trials=1, hosts=4, window_s=25, health_s=12)
FULL = Form(trials=20, hosts=6, window_s=None, health_s=None)
CAMPAIGN = pytest.StashKey[Campaign]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Everything that a run of the trials can be told."""
    group = parser.getgroup("faults", "trials of the way back")
    group.addoption(
        "--full", action="store_true", help="full form: 20 trials of a kind, windows as by default"
    )
    group.addoption("--trials", type=int, help="trials of each kind (1, full: 20)")
    group.addoption("--hosts", type=int, help="hosts side by side (4, full: 6)")
    group.addoption(
        "--window", type=float, help="seconds that a change may stay unconfirmed (25, full: the roles')"
    )
    group.addoption(
        "--health", type=float, help="seconds a gateway may take to be well (12, full: the roles')"
    )
    group.addoption(
        "--stall", type=float, default=0.0, help="seconds between a flip and the kill of its controller"
    )
    group.addoption(
        "--at-once", type=int, default=2, help="controllers that work side by side before their flip"
    )
    group.addoption("--fleet", default="faults", help="name of the fleet: its files are in build/NAME")
    group.addoption("--keep-fleet", action="store_true", help="leave the fleet standing for the next run")


def form(config: pytest.Config) -> Form:
    """The form that was asked for, with what was set by hand."""
    usual = FULL if config.getoption("--full") else SHORT

    def given(name: str, default: float | None) -> float | None:
        value: float | None = config.getoption(name)
        return default if value is None else value

    return Form(
        trials=int(given("--trials", usual.trials) or 0),
        hosts=int(given("--hosts", usual.hosts) or 1),
        window_s=given("--window", usual.window_s),
        health_s=given("--health", usual.health_s),
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each trial."""
    if "trial" in metafunc.fixturenames:
        metafunc.parametrize("trial", planned(form(metafunc.config).trials), ids=str)


@pytest.fixture(scope="session")
def campaign(request: pytest.FixtureRequest) -> Iterator[Campaign]:
    """Set up the fleet and begin with all trials that were selected; the tests wait for theirs."""
    config = request.config
    wanted = form(config)
    name = str(config.getoption("--fleet"))
    cases = [
        item.callspec.params
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    ]
    trials = [trial for params in cases if isinstance(trial := params.get("trial"), Trial)]
    windows = Windows(wanted.window_s, wanted.health_s, float(config.getoption("--stall")))
    fleet = arena.bring_up(name, wanted.hosts)
    runner = Runner(fleet, windows, int(config.getoption("--at-once")))
    running = Campaign(runner, trials, full=bool(config.getoption("--full")))
    config.stash[CAMPAIGN] = running
    yield running
    running.stop()
    if not config.getoption("--keep-fleet"):
        arena.take_down(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A line for each kind."""
    running = config.stash.get(CAMPAIGN, None)
    if running is not None:
        terminalreporter.section(f"way back, {running.form} form")
        for line in running.summary():
            terminalreporter.write_line(line)
