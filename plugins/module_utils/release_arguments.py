# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deploy is told: the arguments of sidecar_release, the same for its halves on controller and host."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

DEFAULT_PORT = 8642
ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "overlay_dir": {"type": "path"},
    "agents": {"type": "list", "elements": "dict", "default": []},
    "fleet": {"type": "list", "elements": "dict", "default": []},
    "model": {"type": "dict", "default": {}},
    "host": {"type": "str"},
    "timezone": {"type": "str", "default": "UTC"},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "hermes_version": {"type": "str", "default": "0.19.0"},
    "health_timeout_s": {"type": "float", "default": 90.0},
    "keep": {"type": "int", "default": 5},
    "manage_units": {"type": "bool", "default": True},
    "release_root": {"type": "path", "default": "/opt/timmy"},
    "hermes_root": {"type": "path", "default": "/opt/hermes"},
    "config_dir": {"type": "path", "default": "/etc/timmy"},
    "release": {"type": "str"},
    "window_s": {"type": "float", "default": 60.0},
    "drain_s": {"type": "float", "default": 0.0},
    "lock_wait_s": {"type": "float", "default": 300.0},
    "record_dir": {"type": "path", "default": "/var/lib/timmy-guard"},
    "probe_keys": {"type": "str", "choices": ["changed", "always", "never"], "default": "changed"},
    "probe_timeout_s": {"type": "float", "default": 5.0},
    "smoke": {"type": "raw", "default": False},
    "smoke_timeout_s": {"type": "float", "default": 120.0},
    "ask": {"type": "bool", "default": False},
    "ask_groups": {"type": "list", "elements": "str", "default": []},
    "parcel": {"type": "path"},
    "owner": {"type": "str", "default": ""},
    "wanted": {"type": "str", "default": ""},
    "fleet_json": {"type": "dict", "default": {}},
    "archive": {"type": "path"},
}


def problem_of(agents: list[dict[str, Any]], secrets: Mapping[str, Any]) -> str:
    """Why these agents cannot be the agents of one host, "" where they can; no value of a secret is shown."""
    names = [str(agent.get("name") or "") for agent in agents]
    ports = [agent.get("api_port") or DEFAULT_PORT for agent in agents]
    for name in names:
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,30}", name):
            return f"agents: {name[:40]!r} is no Unix name; use small letters, digits, _ and -"
        if names.count(name) > 1:
            return f"agents: {name} is named twice; each agent needs a name of its own"
    for name, port in zip(names, ports, strict=True):
        if ports.count(port) > 1:
            return f"agents: {name} shares port {port}; give each agent of a host an api_port of its own"
    strangers = sorted(str(name) for name in secrets if name not in names)
    return f"secrets: {', '.join(strangers)} is none of this host's agents" if strangers else ""
