# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trials on a live fleet: every wizard of the inventory becomes one case of the tests that take `wizard`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fleet

if TYPE_CHECKING:
    from fleet import Fleet


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests their wizards and hosts; a fleet that cannot be read fails here, it is never skipped."""
    if "wizard" in metafunc.fixturenames:
        wizards = fleet.current().wizards
        metafunc.parametrize("wizard", wizards, ids=[one.name for one in wizards])
    if "host" in metafunc.fixturenames:
        hosts = fleet.current().hosts
        metafunc.parametrize("host", hosts, ids=[one.name for one in hosts])


@pytest.fixture(scope="session", name="fleet")
def the_fleet() -> Fleet:
    """Return the fleet under trial."""
    return fleet.current()
