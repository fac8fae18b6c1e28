"""For every test: the paths, and on request a running forge and what the tests of forges find on it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

ROOT = Path(__file__).resolve().parent.parent

for place in (
    ROOT / "src",
    ROOT / "build" / "collections",
    ROOT / "sandbox" / "model",
    ROOT / "sandbox",
    ROOT / "tests" / "forge",
):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forge_description import Description
    from forge_servers import Forge
    from forge_world import World

# Imported where they are used: most tests have nothing to do with a forge.
# ruff: noqa: PLC0415


@pytest.fixture(scope="session")
def forge() -> Iterator[Forge]:
    """Return the forge to test: FORGE_URL, a server from FORGE_BINARY, or the pocket forge."""
    from forge_servers import running_forge

    with running_forge() as running:
        yield running


@pytest.fixture(scope="session")
def description(forge: Forge) -> Description | None:
    """Return the API description that answers are held to, if there is one."""
    from forge_description import description_of
    from forge_wire import Wire

    return description_of(Wire(forge.url))


@pytest.fixture(scope="session")
def world(
    forge: Forge, description: Description | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Return the organisation with its accounts."""
    from forge_wire import Wire
    from forge_world import make_world, remove_world

    wire = Wire(forge.url, description.judge if description else None)
    made = make_world(forge, wire, tmp_path_factory.mktemp("clones"))
    yield made
    if forge.kind == "remote":
        remove_world(made)
