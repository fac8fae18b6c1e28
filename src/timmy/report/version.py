# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`timmy version`: of the command itself, and of the release and the Hermes that are live here."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from timmy import __version__, settings
from timmy.answer import Answer
from timmy.args import Parser
from timmy.errors import NotConfigured
from timmy.report import release

if TYPE_CHECKING:
    from pathlib import Path

    from timmy.context import Context


def command(args: list[str], _context: Context, fleet_file: Path = settings.FLEET_FILE) -> Answer:
    """Run the verb. A host that is not set up yet still learns the version of the command."""
    Parser("version", "The version of timmy, of the live release and of its Hermes.").parse_args(args)
    live = None
    with suppress(NotConfigured):
        live = release.read(settings.load(fleet_file).release_root)
    data = {
        "version": __version__,
        "release": live.id if live else None,
        "hermes_version": live.hermes_version if live else None,
    }
    lines = [f"timmy {__version__}"]
    if live and live.id:
        lines.append(f"release {live.id}, Hermes {live.hermes_version or 'unknown'}")
    return Answer(data, tuple(lines))
