# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and rendering an overlay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.timmy.config.plugins.plugin_utils import overlay

SHIPPED = str(Path(overlay.__file__).resolve().parents[2] / "overlay")
FLEET = [
    {"name": "ezra", "host": "h1"},
    {"name": "bezalel", "host": "h2"},
    {"name": "old", "host": "h3", "state": "absent"},
]
MODEL = {
    "provider": "ollama",
    "default": "gemma-4-31b-it",
    "base_url": "http://127.0.0.1:11434/v1",
    "context_length": 65536,
}


def rendered(tree: dict[str, bytes], wizard: dict[str, Any], **secrets: Any) -> dict[str, bytes]:
    """One agent's files."""
    templar = Templar(loader=DataLoader(), variables={})
    return overlay.render(
        templar, tree, overlay.ownership_of(tree), wizard, wizard["host"], FLEET, MODEL, **secrets
    )


@pytest.fixture(scope="module")
def tree() -> dict[str, bytes]:
    """The overlay of the collection."""
    return overlay.load_overlay(SHIPPED)


def test_the_same_input_gives_the_same_bytes(tree: dict[str, bytes]) -> None:
    first = rendered(tree, FLEET[0])
    assert first == rendered(dict(reversed(tree.items())), FLEET[0])
    assert set(first) == {
        "agents/ezra/home/SOUL.md",
        "agents/ezra/home/plugins/timmy_continuity/__init__.py",
        "agents/ezra/home/plugins/timmy_continuity/plugin.yaml",
        "agents/ezra/home/channel_aliases.json",
        "agents/ezra/home/skins/timmy.yaml",
        "agents/ezra/managed/config.yaml",
        "agents/ezra/merged/config.json",
        "agents/ezra/merged/cron.json",
        "agents/ezra/portfolio.json",
        "agents/ezra/seeded/config.yaml",
        "agents/ezra/seeded/memories/MEMORY.md",
        "agents/ezra/seeded/memories/USER.md",
        "agents/ezra/timmy-seeded/continuity/active.md",
        "agents/ezra/timmy/HEART.md",
        "agents/ezra/timmy/SOUL.md",
    }


def test_fellows_are_those_who_are_there(tree: dict[str, bytes]) -> None:
    soul = rendered(tree, FLEET[0])["agents/ezra/home/SOUL.md"].decode()
    assert "Your fellows are Bezalel. " in soul
    assert "{{" not in soul
    assert "{%" not in soul


def test_values_keep_their_types_and_cannot_break_the_file(tree: dict[str, bytes]) -> None:
    nasty = {**FLEET[0], "display_name": 'E": [x]\nagent: {max_turns: 1} # {{ model }}'}
    config = yaml.safe_load(rendered(tree, nasty)["agents/ezra/managed/config.yaml"])
    assert config["agent"]["max_turns"] == 60
    assert 'E": [x]' in config["agent"]["environment_hint"]
    assert "{{ model }}" in config["agent"]["environment_hint"], "a value was rendered a second time"
    assert config["model"]["context_length"] == 65536
    assert config["platforms"]["api_server"]["extra"]["port"] == 8642
    assert config["onboarding"]["profile_build"] == "off"


def test_cron_jobs_are_pinned(tree: dict[str, bytes]) -> None:
    jobs = json.loads(rendered(tree, FLEET[0])["agents/ezra/merged/cron.json"])["jobs"]
    assert {job["name"] for job in jobs} == {"morning-self-check", "weekly-memory-tidy"}
    assert {(job["provider"], job["model"]) for job in jobs} == {("ollama", "gemma-4-31b-it")}


def test_keys_open_fallbacks(tree: dict[str, bytes]) -> None:
    config = yaml.safe_load(
        rendered(tree, FLEET[0], secret_names={"OPENROUTER_API_KEY"})["agents/ezra/managed/config.yaml"]
    )
    assert config["fallback_providers"] == [{"provider": "openrouter", "model": "google/gemma-4-31b-it"}]


def test_shared_files_links_and_modes(tree: dict[str, bytes]) -> None:
    rules = overlay.ownership_of(tree)
    shared = overlay.render_shared(tree, rules)
    assert json.loads(shared["ownership.json"])["schema"] == 1
    assert not any(name.startswith("agents/") for name in shared)
    assert overlay.shared_links(tree)["bin/fleet-status.sh"] == "door.sh"
    assert overlay.modes(tree, rules)["bin/door.sh"] == "0755"


def test_hidden_files_and_leftovers_are_no_part_of_it(tmp_path: Path) -> None:
    for name in (".hidden", "a.md~", "a.md"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x", encoding="utf-8")
    assert list(overlay.load_overlay(str(tmp_path))) == ["a.md"]


def test_odd_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    with pytest.raises(overlay.OverlayError, match="is not a regular file"):
        overlay.load_overlay(str(tmp_path))
    with pytest.raises(overlay.OverlayError, match=r"x\.yaml: is not UTF-8 \(byte 1\)"):
        overlay.parse("x.yaml", b"a\xff")
    with pytest.raises(overlay.OverlayError, match=r"x\.yaml:2: broken YAML"):
        overlay.parse("x.yaml", b"a: 1\nb: \x07")


def test_two_files_for_one_destination_are_refused(tree: dict[str, bytes]) -> None:
    text = (
        tree["ownership.yml"]
        .decode()
        .replace('"agents/{agent}/timmy/HEART.md"', '"agents/{agent}/timmy/SOUL.md"')
    )
    with pytest.raises(overlay.OverlayError, match=r"both become agents/ezra/timmy/SOUL\.md"):
        rendered({**tree, "ownership.yml": text.encode()}, FLEET[0])
