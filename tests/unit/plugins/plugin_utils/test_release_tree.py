# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overlay gives the same release everywhere, and only what decides about the agents changes it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.timmy.config.plugins.action.sidecar_release import COLLECTION
from ansible_collections.timmy.config.plugins.module_utils import release_format
from ansible_collections.timmy.config.plugins.plugin_utils import release_tree

OVERLAY = os.path.join(COLLECTION, "overlay")
ARGS: dict[str, Any] = {
    "agents": [{"name": "ezra", "host": "hermes-vps", "env": {"PLAIN": "x"}}],
    "model": {
        "provider": "ollama",
        "default": "gemma-4-31b-it",
        "base_url": "http://127.0.0.1:11434/v1",
        "context_length": 65536,
    },
    "secrets": {"ezra": {"API_SERVER_KEY": "canary-0123456789abcdef"}},
}


def build(overlay: str = OVERLAY, **more: Any) -> release_tree.Tree:
    settings: dict[str, Any] = {
        "overlay_dir": overlay,
        "package_dir": os.path.join(COLLECTION, "src", "timmy"),
        "agents": ARGS["agents"],
        "fleet": ARGS["agents"],
        "model": ARGS["model"],
        "host": "hermes-vps",
        "secrets": ARGS["secrets"],
        "hermes_version": "0.19.0",
        "release_root": "/opt/timmy",
        "hermes_root": "/opt/hermes",
        "config_dir": "/etc/timmy",
        "timezone": "UTC",
        **more,
    }
    return release_tree.build(Templar(loader=DataLoader()), **settings)


def test_the_release_does_not_depend_on_where_or_when_it_is_built(tmp_path: Path) -> None:
    copy = tmp_path / "overlay"
    shutil.copytree(OVERLAY, copy)
    for folder, _folders, names in os.walk(copy):
        for name in names:
            os.utime(os.path.join(folder, name), (1, 1))
            os.chmod(os.path.join(folder, name), 0o600)
    (copy / ".hidden").write_text("an editor's")
    (copy / "SOUL.md~").write_text("an editor's")
    one, two = build(), build(str(copy))
    assert one.manifest == two.manifest
    assert release_format.pack(one.manifest, one.files) == release_format.pack(two.manifest, two.files)


@pytest.mark.parametrize(
    "more",
    [
        {"hermes_version": "0.20.0"},
        {"model": {**ARGS["model"], "default": "another-model"}},
        {"agents": [{"name": "ezra", "host": "hermes-vps", "api_port": 8650}]},
        {"agents": [*ARGS["agents"], {"name": "bezalel", "host": "hermes-vps", "api_port": 8643}]},
    ],
)
def test_what_decides_about_the_agents_changes_the_release(more: dict[str, Any]) -> None:
    assert build(**more).manifest["hash"] != build().manifest["hash"]


def test_the_values_of_secrets_do_not_change_the_release() -> None:
    other = {"ezra": {"API_SERVER_KEY": "another-canary-0123456789"}}
    assert build(secrets=other).manifest == build().manifest


def test_reload_classes_and_modes_come_from_ownership() -> None:
    files = build().manifest["files"]
    assert files["agents/ezra/managed/config.yaml"]["reload"] == "restart"
    assert files["hermes"] == {"link": "/opt/hermes/0.19.0", "class": "managed", "reload": "restart"}
    assert files["agents/ezra/managed/.env"]["link"] == "/etc/timmy/agents/ezra.env"
    assert files["agents/ezra/home/SOUL.md"]["reload"] == "new-session"
    assert files["agents/ezra/seeded/config.yaml"]["class"] == "seeded"
    assert files["agents/ezra/merged/config.json"]["class"] == "merged"
    assert files["bin/door.sh"]["mode"] == "0755"


def test_fleet_json_says_what_the_runtime_may_know() -> None:
    fleet = build(fleet=[*ARGS["agents"], {"name": "allegro", "host": "allegro-vps"}]).fleet_json
    assert fleet["wizards"] == [
        {
            "name": "ezra",
            "display_name": "Ezra",
            "home": "/home/ezra",
            "api_port": 8642,
            "unit": "timmy-wizard@ezra.service",
        }
    ]
    assert fleet["fleet"] == [
        {"name": "ezra", "host": "hermes-vps"},
        {"name": "allegro", "host": "allegro-vps"},
    ]
    assert (fleet["schema"], fleet["host"]) == (1, "hermes-vps")
    assert "canary" not in json.dumps(fleet)


def test_an_installation_without_the_runtime_is_named(tmp_path: Path) -> None:
    with pytest.raises(release_format.ReleaseError, match="runtime package is missing"):
        release_tree.package(str(tmp_path))
