# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration leaves by name and type, against the key file of the pinned Hermes."""

from __future__ import annotations

import copy
import json
import os
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import config_schema as schema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(schema.__file__))))
KEY_FILE = os.path.join(ROOT, "roles", "hermes_agent", "files", "config-keys-0.19.0.json")
GOOD: dict[str, Any] = {
    "model": {"provider": "ollama", "default": "m", "context_length": 65536},
    "providers": {"ollama": {"base_url": "http://127.0.0.1:1/v1", "key_env": "A_KEY", "models": {"m": {}}}},
    "fallback_providers": [{"provider": "openrouter", "model": "x"}],
    "agent": {"max_turns": 60, "verify_on_stop": False},
    "compression": {"threshold": 1},
    "cron": {"max_parallel_jobs": None},
    "hooks_auto_accept": True,
    "hooks": {"pre_tool_call": [{"command": "/x", "timeout": 5}]},
    "platforms": {"api_server": {"enabled": True, "extra": {"host": "127.0.0.1", "port": 8642}}},
    "plugins": {"enabled": []},
    "quick_commands": {"x": {"type": "exec", "command": "date"}},
    "auxiliary": {"vision": {"provider": "auto", "extra_body": {"a": 1}}},
}


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    """The key file that ships with the role."""
    with open(KEY_FILE, encoding="utf-8") as handle:
        found: dict[str, Any] = json.load(handle)
    return found


def test_a_good_configuration_passes(keys: dict[str, Any]) -> None:
    assert schema.check_config("config.yaml", GOOD, keys) == []


BAD: list[tuple[str, Any, str]] = [
    ("agent.max_turn", 5, "agent.max_turn: Hermes 0.19.0 has no such key; did you mean agent.max_turns?"),
    ("agnt.max_turns", 5, "agnt.max_turns: Hermes 0.19.0 has no such key; did you mean agent.max_turns?"),
    ("max_turns", 5, "did you mean agent.max_turns?"),
    ("agent.max_turns", "lots", "agent.max_turns: must be a whole number, not text ('lots')"),
    ("agent.max_turns", True, "must be a whole number, not true or false"),
    ("agent.max_turns", None, "must be a whole number, not empty"),
    ("agent", "text", "agent: must be a mapping with keys such as api_max_retries, not text"),
    ("compression.threshold", "0.5", "must be a number, not text"),
    ("display.skin", False, "must be text, not true or false (quote words such as on, off, yes and no)"),
    ("approvals.deny", "rm *", "must be a list, not text"),
    ("approvals.deny", [1], "approvals.deny[0]: must be text, not a whole number"),
    ("approvals.mode", "of", "'of' means nothing to Hermes; use one of smart, manual, off"),
    ("onboarding.profile_build", False, 'must be quoted, "off"'),
    ("_config_version", 12, "must be 33, the version of Hermes 0.19.0"),
    ("model", "gemma", "model: must be a mapping with provider and default, not text"),
    ("model.provder", "x", "did you mean provider?"),
    ("model.context_length", 63999, "model.context_length: is 63999; Hermes starts no agent below 64000"),
    ("model.context_length", "65536", "model.context_length: must be a whole number, not text"),
    ("model.provider", "olama", "no provider 'olama'; did you mean ollama?"),
    ("model.api_key", "sk-1", "holds a key in the clear"),
    ("providers.ollama.context_length", 4096, "providers.ollama.context_length: is 4096"),
    ("providers.ollama.models.m.context_length", 4096, "providers.ollama.models.m.context_length: is 4096"),
    ("providers.ollama.baseurl", "x", "Hermes drops this key unread; did you mean base_url?"),
    ("providers.ollama.key_env", "sk-abc", "never a key itself"),
    ("auxiliary.compression.context_length", 4096, "is 4096"),
    ("fallback_providers", {"provider": "x"}, "must be a list, not a mapping"),
    ("fallback_providers", [{"provider": "x"}], "fallback_providers[0].model: is missing"),
    ("platforms.telegram.token", "1:x", "platforms.telegram.token: is a secret"),
    ("platforms.api_server.extra.host", "0.0.0.0", "must be 127.0.0.1"),  # noqa: S104 - refused, that is the test
    ("platforms.api_server.extra.port", "8642", "must be a whole number"),
    ("platforms.api_server.enable", True, "did you mean enabled?"),
    ("hooks.pre_tool_cal", [], "Hermes never fires this event; did you mean pre_tool_call?"),
    ("hooks.pre_tool_call", {"command": "x"}, "must be a list"),
    ("terminal.env_passthrough", ["X"], "reads this only from the home file; move it to home-config.yaml"),
    ("mcp_servers", {"x": {"command": "y"}}, "reads this only from the home file"),
    ("browser.headed", True, "reads this only from the home file"),
]


def spoiled(name: str, value: Any) -> dict[str, Any]:
    """The good configuration with one leaf set."""
    config = copy.deepcopy(GOOD)
    place = config
    *sections, last = name.split(".")
    for section in sections:
        place = place.setdefault(section, {})
    place[last] = value
    return config


@pytest.mark.parametrize(("name", "value", "expected"), BAD, ids=[f"{row[0]}={row[1]}" for row in BAD])
def test_what_hermes_takes_in_silence_is_refused(
    keys: dict[str, Any], name: str, value: Any, expected: str
) -> None:
    problems = schema.check_config("config.yaml", spoiled(name, value), keys)
    if name == "model.context_length" and isinstance(value, str):
        problems = problems[:1]
    assert len(problems) == 1, [str(problem) for problem in problems]
    assert expected in str(problems[0])
    assert str(problems[0]).startswith("config.yaml: ")


def test_the_home_file_holds_only_what_must_be_there(keys: dict[str, Any]) -> None:
    good = {"skills": {"external_dirs": ["/x"]}, "mcp_servers": {"x": {"command": "y"}}}
    assert schema.check_config("home-config.yaml", good, keys, layer="home") == []
    problems = schema.check_config("home-config.yaml", {"agent": {"max_turns": 5}}, keys, layer="home")
    assert "move it to config.yaml" in str(problems[0])
    both = {"mcp_servers": {"x": {"command": "y", "url": "z"}}}
    assert "one of the two" in str(schema.check_config("home-config.yaml", both, keys, layer="home")[0])


def test_flatten_keeps_free_maps_whole(keys: dict[str, Any]) -> None:
    names = [name for name, _value in schema.flatten(GOOD, keys)]
    assert "quick_commands" in names
    assert "auxiliary.vision.extra_body" in names
    assert "agent.max_turns" in names


def test_no_model_at_all_is_refused(keys: dict[str, Any]) -> None:
    assert "model: is missing" in str(schema.check_config("config.yaml", {}, keys)[0])
