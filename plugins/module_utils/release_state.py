# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deploy is given, what it reports, and what it keeps on record about each agent."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import guard, release

STATE = "state"
FLEET = "fleet.json"
PREVIOUS = "previous.json"
DIFF_LIMIT = 64 * 1024


class DeployError(Exception):
    """The deploy stopped; `details` says what had been done and whether it was taken back."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


@dataclass
class Settings:
    """Where things are on a host, and how long to wait."""

    root: str = "/opt/timmy"
    hermes_root: str = "/opt/hermes"
    config_dir: str = "/etc/timmy"
    record_dir: str = guard.RECORD_DIR
    lib_dir: str = "/usr/local/lib/timmy"
    keep: int = 5
    young_s: float = 600
    health_timeout_s: float = 90
    window_s: float = 60
    drain_s: float = 0
    ask_timeout_s: float = 120
    # Which keys to try at their endpoints before a flip: changed, always, never.
    probe_keys: str = "changed"
    probe_timeout_s: float = 5
    # The prompt of the run before a flip; none without one.
    smoke: str = ""
    smoke_timeout_s: float = 120
    units: bool = True
    owner: str = ""
    timer: guard.Timer = guard.systemd_timer
    check_mode: bool = False
    diff_mode: bool = False


@dataclass
class Wanted:
    """What the controller asks for.

    With `kept` it is a release that this host still has, by its short name or "previous"; env files and
    fleet.json then stay as they are.
    """

    digest: str
    agents: list[dict[str, Any]]
    secrets: Mapping[str, Mapping[str, str]]
    fleet: Mapping[str, Any]
    kept: str = ""


@dataclass
class Result:
    """What is reported. Lists are per agent where a name alone would not do."""

    changed: bool = False
    need_archive: bool = False
    # Contents that are on the host already, as release_format.blobs_of says it.
    blobs: str = ""
    due: bool = False
    held: str = ""
    lock_broken: str = ""
    draining: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    armed: bool = False
    left_s: float = 0.0
    release: str = ""
    previous: str = ""
    paths: dict[str, list[str]] = field(default_factory=dict)
    env: dict[str, list[str]] = field(default_factory=dict)
    linked: dict[str, list[str]] = field(default_factory=dict)
    seeded: dict[str, list[str]] = field(default_factory=dict)
    kept: dict[str, list[str]] = field(default_factory=dict)
    merged: dict[str, list[str]] = field(default_factory=dict)
    drift: dict[str, list[str]] = field(default_factory=dict)
    restarted: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    health: dict[str, dict[str, Any]] = field(default_factory=dict)
    probes: dict[str, dict[str, str]] = field(default_factory=dict)
    smoke: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)

    def add(self, what: str, agent: str, items: list[str]) -> None:
        """Note items of one kind for an agent; an empty list leaves no trace."""
        if items:
            getattr(self, what).setdefault(agent, []).extend(items)

    def public(self) -> dict[str, Any]:
        """As the module returns it."""
        answer = dict(vars(self))
        answer["changed_paths"] = answer.pop("paths")
        answer["env_changed"] = answer.pop("env")
        return answer


class Records:
    """One file per agent, which only root can read: what we last did to it."""

    def __init__(self, root: str, folder: str = STATE) -> None:
        self.folder = os.path.join(root, folder)

    def path(self, name: str) -> str:
        """Where the record of an agent lives."""
        return os.path.join(self.folder, f"{name}.json")

    def names(self) -> list[str]:
        """All agents that we are on record for."""
        try:
            return sorted(name[:-5] for name in os.listdir(self.folder) if name.endswith(".json"))
        except OSError:
            return []

    def load(self, name: str) -> dict[str, Any]:
        """What was last applied to an agent; {} where nothing is known."""
        data = read_json(self.path(name))
        return data if isinstance(data, dict) else {}

    def save(self, name: str, **values: Any) -> None:
        """Keep some facts about an agent beside those that are there."""
        known = self.load(name)
        record = {"schema": 1, **known, **values}
        if record != known:
            write_json(self.path(name), record)

    def forget(self, name: str) -> None:
        """Drop the record of an agent."""
        unlink(self.path(name))


def env_path(settings: Settings, name: str) -> str:
    """Where the env file of an agent lives."""
    return os.path.join(settings.config_dir, "agents", f"{name}.env")


def write_json(path: str, data: Any, mode: int = 0o600) -> None:
    """Replace a JSON file as a whole."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    release.write_file(path, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode("utf-8"), mode)


def read(path: str) -> bytes | None:
    """The content of a file, None where there is none."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def read_json(path: str) -> Any:
    """The data in a JSON file, None where there is none that can be read."""
    try:
        with open(path, "rb") as handle:
            return json.loads(handle.read())
    except (FileNotFoundError, ValueError):
        return None


def unlink(path: str) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def text_of(content: bytes | None) -> str:
    """Bytes for people."""
    return content.decode("utf-8", "replace") if content else ""


def owner(uid: int, gid: int) -> dict[str, int]:
    """Owner arguments, where this process may set them at all."""
    return {"uid": uid, "gid": gid} if os.geteuid() == 0 else {}


def owned_as(path: str, uid: int, gid: int, mode: int) -> bool:
    """Whether a file has this owner and mode."""
    status = os.lstat(path)
    owned = (status.st_uid, status.st_gid) == (uid, gid) or os.geteuid() != 0
    return owned and status.st_mode & 0o7777 == mode


def fingerprint(data: Any) -> str:
    """A hash of plain data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def shown(entry: Mapping[str, Any] | None, path: str, content: bytes | None) -> str:
    """A file or link as a diff shows it."""
    if entry is None:
        return ""
    if "link" in entry:
        return f"-> {entry['link']}\n"
    content = read(path) if content is None else content
    if content is None or len(content) > DIFF_LIMIT or b"\0" in content:
        return f"({entry['size']} bytes, sha256 {entry['sha256'][:16]})\n"
    return content.decode("utf-8", "replace")


def diff_of(path: str, before: str, after: str) -> dict[str, str]:
    """One entry of Ansible's diff."""
    return {"before_header": path, "after_header": path, "before": before, "after": after}
