# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Continuity of an agent's sessions: what was decided, what is open, and what comes next, kept beside Hermes.

The files stand in ~/.timmy/continuity. Hermes' session store is what they are made from and measured
against; how files survive kills is the business of the shared core.
"""

from __future__ import annotations
