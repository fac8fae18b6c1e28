# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole release of one host, made on the controller: rendered overlay, runtime, and manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.timmy.config.plugins.module_utils import (
    overlay_rules,
    release_format,
    wizard_defaults,
)
from ansible_collections.timmy.config.plugins.plugin_utils import overlay

UNIT = "timmy-wizard@{name}.service"


class Tree:
    """A release in memory."""

    def __init__(
        self, manifest: dict[str, Any], files: dict[str, tuple[bytes, str]], fleet_json: dict[str, Any]
    ) -> None:
        self.manifest = manifest
        self.files = files
        self.fleet_json = fleet_json

    @property
    def short(self) -> str:
        """The name of its directory on a host."""
        return str(self.manifest["hash"])[: release_format.SHORT]

    def pack(self, known: frozenset[str] = frozenset()) -> bytes:
        """The archive of it, without the contents that a host has."""
        return release_format.pack(self.manifest, self.files, known)


def build(
    templar: Any,
    *,
    overlay_dir: str,
    package_dir: str,
    agents: list[dict[str, Any]],
    fleet: list[dict[str, Any]],
    model: Mapping[str, Any],
    host: str,
    secrets: Mapping[str, Mapping[str, str]],
    hermes_version: str,
    release_root: str,
    hermes_root: str,
    config_dir: str,
    timezone: str,
) -> Tree:
    """Everything that goes into the release of one host, and its manifest."""
    source = overlay.load_overlay(overlay_dir)
    rules = overlay.ownership_of(source)
    classes = _classes(source, rules, [str(agent["name"]) for agent in agents])
    contents = overlay.render_shared(source, rules)
    modes = overlay.modes(source, rules)
    links = {**overlay.shared_links(source), "hermes": f"{hermes_root}/{hermes_version}"}
    for agent in agents:
        name = str(agent["name"])
        known = {**(agent.get("env") or {}), **(secrets.get(name) or {})}
        contents.update(
            overlay.render(templar, source, rules, agent, host, fleet, model, secret_names=frozenset(known))
        )
        modes.update(overlay.modes(source, rules, name))
        links[f"agents/{name}/managed/.env"] = f"{config_dir}/agents/{name}.env"
    for path, content in package(package_dir).items():
        contents[f"lib/timmy/{path}"] = content
    files = {path: (content, modes.get(path, "0644")) for path, content in contents.items()}
    manifest = release_format.make_manifest(
        files,
        links,
        hermes_version=hermes_version,
        agents=[str(agent["name"]) for agent in agents],
        classify=lambda path: classes.get(path, ("managed", "restart" if path == "hermes" else "none")),
    )
    release_format.check_manifest(manifest, hermes_root=hermes_root, config_dir=config_dir)
    return Tree(manifest, files, _fleet_json(agents, fleet, host, release_root, timezone))


def _classes(
    source: Mapping[str, bytes], rules: Mapping[str, Any], names: list[str]
) -> dict[str, tuple[str, str]]:
    """Owner and reload class of each destination."""
    classes = {}
    for path in source:
        rule = overlay_rules.rule_for(rules, path)
        for target in overlay_rules.targets(rule):
            for name in names if "{agent}" in target else [""]:
                destination = overlay_rules.expand_target(target, path, name)
                classes[destination] = (str(rule["class"]), str(rule.get("reload", "none")))
    return classes


def package(directory: str) -> dict[str, bytes]:
    """The runtime's source files; the shared core is reached through file links and copied as content."""
    found: dict[str, bytes] = {}
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or name.endswith((".pyc", "~")):
                continue
            full = os.path.join(root, name)
            with open(full, "rb") as handle:
                found[os.path.relpath(full, directory).replace(os.sep, "/")] = handle.read()
    if "__init__.py" not in found:
        raise release_format.ReleaseError(
            f"{directory}: the runtime package is missing; install the collection as a whole"
        )
    return found


def _fleet_json(
    agents: list[dict[str, Any]], fleet: list[dict[str, Any]], host: str, release_root: str, timezone: str
) -> dict[str, Any]:
    """What the runtime on a host may know about the fleet."""
    here = [wizard_defaults.complete_wizard(agent) for agent in agents]
    return {
        "schema": 1,
        "host": host,
        "timezone": timezone,
        "release_root": release_root,
        "wizards": [
            {
                "name": str(wizard["name"]),
                "display_name": str(wizard["display_name"]),
                "home": str(wizard["home"]),
                "api_port": int(wizard["api_port"]),
                "unit": UNIT.format(name=wizard["name"]),
            }
            for wizard in here
        ],
        "fleet": [{"name": str(other["name"]), "host": str(other.get("host", ""))} for other in fleet],
    }
