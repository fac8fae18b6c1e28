# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wizard is when the operator's list does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WIZARD_DEFAULTS: Mapping[str, Any] = {
    "state": "present",
    "role_class": "steward",
    "api_port": 8642,
    "memory_max": "2G",
}


def complete_wizard(wizard: Mapping[str, Any]) -> dict[str, Any]:
    """A wizard with every default filled in, as templates see it."""
    full = {**WIZARD_DEFAULTS, **wizard}
    name = str(full["name"])
    full["display_name"] = full.get("display_name") or name.replace("-", " ").replace("_", " ").title()
    full["env"] = dict(full.get("env") or {})
    full["home"] = f"/home/{name}"
    return full
