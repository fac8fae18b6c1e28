# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One verb's command line: argparse, with its errors in our tree instead of its own exit."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from timmy.errors import HelpAsked, UsageError

if TYPE_CHECKING:
    from typing import Any


class Parser(argparse.ArgumentParser):
    """A parser that raises and never exits. Every verb gets --json from here."""

    def __init__(self, verb: str, description: str, epilog: str = "") -> None:
        """Name the verb as the user types it."""
        super().__init__(
            prog=f"timmy {verb}",
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--json", action="store_true", help="answer as JSON")

    def print_help(self, file: Any = None) -> NoReturn:  # noqa: ARG002 - the base class calls it so
        """Raise the help text instead of printing it and exiting."""
        raise HelpAsked(self.format_help())

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting."""
        raise UsageError(message, f"see {self.prog} --help")
