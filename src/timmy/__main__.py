# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m timmy`: the same door as the launcher `timmy`."""

from __future__ import annotations

import sys

from timmy.cli import main

sys.exit(main(sys.argv[1:]))
