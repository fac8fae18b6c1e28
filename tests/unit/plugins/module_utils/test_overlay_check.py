# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of an overlay over plain data."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import (
    agent_portfolio,
    overlay_channels,
    overlay_check,
    overlay_cron,
    overlay_documents,
    overlay_doors,
    overlay_portfolios,
    overlay_problem,
    overlay_rules,
    wizard_defaults,
)

OWNERSHIP: dict[str, Any] = {
    "schema": 1,
    "paths": [
        {"path": "SOUL.md", "class": "managed", "to": "agents/{agent}/home/SOUL.md", "reload": "new-session"},
        {"path": "skills/**", "class": "managed", "to": "{path}", "reload": "none", "template": False},
        {"path": "memories/*.md", "class": "seeded", "to": "agents/{agent}/seeded/{path}", "reload": "none"},
    ],
    "runtime": ["memories/**", "state.db*"],
}
MODEL = {
    "provider": "ollama",
    "default": "gemma-4-31b-it",
    "base_url": "http://127.0.0.1:11434/v1",
    "context_length": 65536,
}
SLOT = {"provider": "ollama", "model": "gemma-4-31b-it"}
PORTFOLIOS: dict[str, Any] = {
    "schema": 1,
    "capabilities": {"delegate": "start sub-agents", "start-work": "take an issue"},
    "providers": {
        "cloud": {"builtin": True, "key_env": "CLOUD_API_KEY"},
        "lab": {"base_url": "https://lab.example/v1", "key_env": "LAB_KEY", "context_length": 131072},
    },
    "classes": {
        "steward": {
            "description": "keeps the house",
            "critical": False,
            "slots": {
                "primary": SLOT,
                "fallback1": {"provider": "cloud", "model": "big"},
                "fallback2": {"provider": "lab", "model": "odd"},
                "terminal": SLOT,
            },
            "degraded": {"fallback1": [], "fallback2": ["delegate"], "terminal": ["delegate", "start-work"]},
        }
    },
}
WIZARD = wizard_defaults.complete_wizard({"name": "ezra", "host": "h"})


@pytest.mark.parametrize(
    ("path", "glob", "hit"),
    [
        ("a/b.md", "a/*.md", True),
        ("a/c/b.md", "a/*.md", False),
        ("a/c/b.md", "a/**", True),
        ("state.db-wal", "state.db*", True),
        ("x/state.db", "state.db*", False),
        ("axb", "a?b", True),
        ("a/b", "a?b", False),
        ("a+b", "a+b", True),
        ("aab", "a+b", False),
    ],
)
def test_globs(path: str, glob: str, hit: bool) -> None:
    assert overlay_rules.matches(path, glob) is hit


def test_every_file_has_exactly_one_rule() -> None:
    assert overlay_rules.rule_for(OWNERSHIP, "skills/a/b/SKILL.md")["path"] == "skills/**"
    with pytest.raises(overlay_problem.CheckError, match=r"no rule covers x\.txt"):
        overlay_rules.rule_for(OWNERSHIP, "x.txt")
    doubled = {**OWNERSHIP, "paths": [*OWNERSHIP["paths"], {**OWNERSHIP["paths"][0], "path": "*.md"}]}
    with pytest.raises(overlay_problem.CheckError, match=r"covered by 2 rules \(SOUL\.md and \*\.md\)"):
        overlay_rules.rule_for(doubled, "SOUL.md")


@pytest.mark.parametrize(
    ("number", "key", "value", "expected"),
    [
        (0, "class", "runtime", "list home paths of Hermes under runtime:"),
        (0, "reload", "later", "'later' is no reload class"),
        (0, "to", "/etc/passwd", "must stay inside the release"),
        (0, "to", "a/../../b", "must stay inside the release"),
        (0, "to", "agents/{agnet}/x", "must stay inside the release"),
        (0, "to", [], "must be one destination or a list"),
        (1, "template", True, "is shared by all agents, so set template: false"),
        (1, "mode", "4755", "without setuid"),
        (1, "owner", "x", "no such key here"),
    ],
)
def test_ownership_mistakes_are_named(number: int, key: str, value: Any, expected: str) -> None:
    ownership = copy.deepcopy(OWNERSHIP)
    assert overlay_rules.check_ownership_shape(ownership) == []
    ownership["paths"][number][key] = value
    assert [expected in str(problem) for problem in overlay_rules.check_ownership_shape(ownership)] == [True]


def test_a_managed_file_cannot_be_the_runtimes_too() -> None:
    ownership = {**OWNERSHIP, "runtime": ["SOUL*"]}
    problems = overlay_check.check_overlay({"SOUL.md": b"# floor\n"}, {"ownership.yml": ownership})
    assert any("which runtime: SOUL* gives to Hermes" in str(problem) for problem in problems)


@pytest.mark.parametrize(
    ("runtime", "owner"),
    [
        (["plugins/**"], "plugins/**"),
        (["plugins/**", "!plugins/ours/*"], ""),
        (["!plugins/ours/*", "plugins/**"], "plugins/**"),
        (["plugins/**", "!plugins/other/*"], "plugins/**"),
        (["plugins/**", "!plugins/ours/*", "plugins/ours/x.py"], "plugins/ours/x.py"),
        ([], ""),
    ],
)
def test_an_exception_takes_a_path_back_from_the_runtime(runtime: list[str], owner: str) -> None:
    assert overlay_rules.runtime_glob("plugins/ours/x.py", runtime) == owner


def test_plugins_of_the_overlay_are_known_by_their_folder() -> None:
    tree = {"plugins/one/__init__.py": b"", "plugins/one/x.py": b"", "plugins/a/b/__init__.py": b""}
    assert overlay_rules.plugin_names(tree) == ["one"]


@pytest.mark.parametrize(
    "schedule", ["15 6 * * *", "*/5 0-6,22 1 1-12/2 7", "every 2h", "every 30m", "every 1d", "0 9 * * 1-5"]
)
def test_repeating_schedules_pass(schedule: str) -> None:
    assert overlay_cron.schedule_problem(schedule) == ""


@pytest.mark.parametrize(
    "schedule",
    [
        *("30m", "2026-01-01T00:00", "", "every", "every 0m", "a b c d e", "* * * *", "0 9 * * MON"),
        *("60 * * * *", "* 24 * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *"),
    ],
)
def test_other_schedules_are_refused(schedule: str) -> None:
    assert "use five fields" in overlay_cron.schedule_problem(schedule)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\n§\ntwo\n", None),
        ("one\n§\n\n§\ntwo", "entry 2: is empty"),
        ("one \n§\ntwo", "entry 1: has blank space around it"),
        ("one § two", "entry 1: holds a § inside a line"),
        ("", "entry 1: is empty"),
        ("x" * 2201, "has 2201 characters, the limit is 2200"),
    ],
)
def test_memory(text: str, expected: str | None) -> None:
    problems = overlay_documents.check_memory("memories/MEMORY.md", text)
    assert len(problems) == (0 if expected is None else 1)
    assert all(str(expected) in str(problem) for problem in problems)


def test_channels_without_an_id_are_left_out() -> None:
    directory = {
        "schema": 1,
        "channels": [
            {"name": "ops", "platform": "telegram", "id": "-100", "purpose": "x"},
            {"name": "mine", "platform": "telegram", "id": "7", "purpose": "x", "agents": ["ezra"]},
            {"name": "later", "platform": "matrix", "id": None, "purpose": "x"},
        ],
    }
    assert overlay_channels.check_channels(directory) == []
    assert overlay_channels.channel_aliases(directory, "ezra") == {"telegram": {"-100": "ops", "7": "mine"}}
    assert overlay_channels.channel_aliases(directory, "other") == {"telegram": {"-100": "ops"}}
    directory["channels"][1]["id"] = "-100"  # type: ignore[index]
    assert "channels[1].id: is already used by channels[0]" in str(
        overlay_channels.check_channels(directory)[0]
    )


def test_only_slots_with_a_key_are_used() -> None:
    assert overlay_portfolios.check_portfolios(PORTFOLIOS, fleet_provider="ollama") == []
    bare = agent_portfolio.portfolio_of(PORTFOLIOS, WIZARD, MODEL, ())
    assert bare["fallbacks"] == []
    assert bare["primary"] == {**SLOT, "context_length": 65536}
    assert list(bare["providers"]) == ["ollama"]
    full = agent_portfolio.portfolio_of(PORTFOLIOS, WIZARD, MODEL, {"CLOUD_API_KEY", "LAB_KEY"})
    assert [link["provider"] for link in full["fallbacks"]] == ["cloud", "lab"]
    assert full["providers"]["lab"] == {
        "base_url": "https://lab.example/v1",
        "default_model": "odd",
        "key_env": "LAB_KEY",
        "context_length": 131072,
    }
    assert "cloud" not in full["providers"], "Hermes knows this one by name"


def test_a_primary_without_its_key_is_refused() -> None:
    portfolios = copy.deepcopy(PORTFOLIOS)
    portfolios["classes"]["steward"]["slots"]["primary"] = {"provider": "lab", "model": "odd"}
    with pytest.raises(overlay_problem.CheckError, match="agent ezra: its primary slot needs LAB_KEY"):
        agent_portfolio.portfolio_of(portfolios, WIZARD, MODEL, ())


def test_the_terminal_slot_is_on_the_agents_own_host() -> None:
    with pytest.raises(overlay_problem.CheckError, match="its terminal slot is ollama, not on its host"):
        agent_portfolio.portfolio_of(
            PORTFOLIOS, WIZARD, {**MODEL, "base_url": "http://10.0.0.5:11434/v1"}, ()
        )


def test_one_agents_slots_stand_over_its_class() -> None:
    portfolios = {
        **PORTFOLIOS,
        "agents": {"ezra": {"slots": {"fallback1": {"provider": "lab", "model": "own"}}}},
    }
    assert overlay_portfolios.check_portfolios(portfolios, fleet_provider="ollama") == []
    found = agent_portfolio.portfolio_of(portfolios, WIZARD, MODEL, {"LAB_KEY"})
    assert found["fallbacks"] == [{"provider": "lab", "model": "own"}, {"provider": "lab", "model": "odd"}]


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (("classes", "steward", "degraded", "terminal"), ["start-work"], "gives delegate back"),
        (("classes", "steward", "degraded", "fallback1"), ["delegat"], "did you mean delegate?"),
        (("classes", "steward", "slots", "fallback1", "provider"), "claud", "did you mean cloud?"),
        (("providers", "lab", "key_env"), "sk-123", "never a key itself"),
        (("providers", "lab", "context_length"), 4096, "is 4096; Hermes starts no agent below 64000"),
        (("providers", "lab"), {"key_env": "LAB_KEY"}, "base_url: is missing"),
        (("providers", "cloud"), {"builtin": True}, "key_env: is missing"),
    ],
)
def test_portfolio_mistakes_are_named(keys: tuple[str, ...], value: Any, expected: str) -> None:
    portfolios = copy.deepcopy(PORTFOLIOS)
    portfolios["classes"]["steward"]["slots"] = copy.deepcopy(portfolios["classes"]["steward"]["slots"])
    place = portfolios
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    assert any(
        expected in str(problem)
        for problem in overlay_portfolios.check_portfolios(portfolios, fleet_provider="ollama")
    )


def test_hermes_own_provider_names_are_respected() -> None:
    problems = overlay_portfolios.check_portfolios(
        PORTFOLIOS, providers={"lab": ["LAB_KEY"], "clouds": []}, fleet_provider="ollama"
    )
    assert [str(problem).split(": ", 2)[2] for problem in problems] == [
        "Hermes knows no provider cloud; did you mean clouds?",
        "lab is Hermes' own name for another endpoint; choose another name",
    ]


def test_doors() -> None:
    assert overlay_doors.parse_doors("# table\na.sh  status\nb.py report daily # late\n\n") == {
        "a.sh": ["status"],
        "b.py": ["report", "daily"],
    }
    for bad in ("a.sh", "../a.sh status", "a.sh $(id)", "a.sh status;id", "a.sh x\na.sh y"):
        with pytest.raises(overlay_problem.CheckError, match="line"):
            overlay_doors.parse_doors(bad)
