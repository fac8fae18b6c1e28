# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of every run: a good fleet passes, and each bad input gives one line that names its fix."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.utils.display import Display
from ansible_collections.timmy.config.plugins.action import fleet_check

TOKEN = "CANARY-4711:never-shown"
FLEET: dict[str, Any] = {
    "wizards": [
        {"name": "bezalel", "host": "bezal"},
        {"name": "ezra", "host": "hermes-vps"},
        {"name": "allegro", "host": "allegro-vps"},
    ],
    "hosts": ["bezal", "hermes-vps", "allegro-vps", "gitea-forge"],
    "model": {
        "provider": "ollama",
        "default": "gemma-4-31b-it",
        "base_url": "http://127.0.0.1:11434/v1",
        "context_length": 65536,
    },
    "fleet_secret": "0123456789abcdef" * 4,
    "secrets": {"ezra": {"TELEGRAM_BOT_TOKEN": TOKEN}},
}


@pytest.fixture
def args(tmp_path: Path) -> dict[str, Any]:
    """A good fleet with an overlay of its own that a test may spoil."""
    shutil.copytree(fleet_check.DEFAULT_OVERLAY, tmp_path / "overlay")
    return {**copy.deepcopy(FLEET), "overlay_dir": str(tmp_path / "overlay")}


def run(args: dict[str, Any]) -> dict[str, Any]:
    """Run the action as Ansible would, with no connection at all."""
    task = SimpleNamespace(
        args=args,
        async_val=0,
        check_mode=False,
        diff=False,
        action="timmy.config.fleet_check",
        delegate_to=None,
    )
    loader = DataLoader()
    play_context = SimpleNamespace(check_mode=False)
    action = fleet_check.ActionModule(
        task=task,
        connection=SimpleNamespace(
            _shell=SimpleNamespace(tmpdir=None)
        ),  # anything more would be a call to a host
        play_context=play_context,
        loader=loader,
        templar=Templar(loader=loader, variables={"timmy_model": "not for templates"}),
        shared_loader_obj=None,
    )
    result: dict[str, Any] = action.run(task_vars={})
    return result


def edit(name: str, old: str, new: str) -> Callable[[dict[str, Any]], None]:
    """A spoiler that replaces text in one overlay file; it fails where the text is no longer there."""

    def spoil(args: dict[str, Any]) -> None:
        path = Path(args["overlay_dir"]) / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def write(name: str, text: str) -> Callable[[dict[str, Any]], None]:
    """A spoiler that writes one overlay file."""

    def spoil(args: dict[str, Any]) -> None:
        path = Path(args["overlay_dir"]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return spoil


def put(value: Any, *keys: Any) -> Callable[[dict[str, Any]], None]:
    """A spoiler that sets one value of the arguments."""

    def spoil(args: dict[str, Any]) -> None:
        place = args
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return spoil


def test_a_good_fleet_passes_and_names_its_agents(args: dict[str, Any]) -> None:
    result = run(args)
    assert not result.get("failed"), result["msg"]
    assert result["agents"] == ["bezalel", "ezra", "allegro"]
    assert result["changed"] is False


def test_the_shipped_overlay_is_the_default(args: dict[str, Any]) -> None:
    del args["overlay_dir"]
    assert not run(args).get("failed")


def test_an_absent_wizard_needs_no_port_of_its_own(args: dict[str, Any]) -> None:
    args["wizards"].append({"name": "old", "host": "bezal", "state": "absent"})
    result = run(args)
    assert result["agents"] == ["bezalel", "ezra", "allegro"]


def test_a_key_brings_its_slot_to_life(args: dict[str, Any]) -> None:
    args["wizards"][0]["role_class"] = "sentinel"
    args["secrets"]["bezalel"] = {"ANTHROPIC_API_KEY": "a-key", "GROQ_API_KEY": "g-key"}
    assert not run(args).get("failed")


WIZARD = ("wizards", 1)
BAD: list[tuple[str, Callable[[dict[str, Any]], None], str]] = [
    # the fleet as data
    (
        "wizards are no list",
        put({"ezra": {}}, "wizards"),
        "timmy_wizards: must be a list of wizards, not a mapping",
    ),
    ("no wizards", put([], "wizards"), "timmy_wizards: is empty; name at least one wizard"),
    ("no Unix name", put("Bezalel!", "wizards", 0, "name"), "name: is no Unix name; use lower-case letters"),
    ("a name with a slash", put("../x", "wizards", 0, "name"), "is no Unix name"),
    ("a reserved name", put("root", "wizards", 0, "name"), "'root' is a user of the system or of Hermes"),
    ("Hermes' own name", put("default", "wizards", 0, "name"), "choose another name"),
    ("a name twice", put("bezalel", *WIZARD, "name"), "'bezalel' is already timmy_wizards[0]"),
    (
        "a misspelt key",
        put("scribe", *WIZARD, "role_clas"),
        "role_clas: no such key here; did you mean role_class?",
    ),
    (
        "an unknown host",
        put("hermes-vpz", *WIZARD, "host"),
        "no host of the inventory; did you mean hermes-vps?",
    ),
    ("a shared port", put("bezal", *WIZARD, "host"), "8642 on bezal is taken by bezalel"),
    (
        "a low port",
        put(80, *WIZARD, "api_port"),
        "api_port: is 80; an agent without root listens on 1024 to 65535",
    ),
    ("a port as text", put("8642", *WIZARD, "api_port"), "api_port: must be a whole number, not text"),
    ("no size", put("2 GB", *WIZARD, "memory_max"), "'2 GB' is no size; use digits and M, G or T"),
    ("too little memory", put("64M", *WIZARD, "memory_max"), "64M is too small for a gateway"),
    ("an unknown state", put("gone", *WIZARD, "state"), "'gone' is unknown; use present or absent"),
    ("an unknown class", put("stewart", *WIZARD, "role_class"), "did you mean steward?"),
    (
        "a secret in env",
        put({"X_API_KEY": TOKEN}, *WIZARD, "env"),
        "env.X_API_KEY: looks like a secret; move it to",
    ),
    ("a variable of the unit", put({"HERMES_HOME": "/x"}, *WIZARD, "env"), "belongs to the unit"),
    ("an open door", put({"TELEGRAM_ALLOW_ALL_USERS": "true"}, *WIZARD, "env"), "would let anybody command"),
    (
        "a number in env",
        put({"LIMIT": 5}, *WIZARD, "env"),
        "env.LIMIT: must be text, not a whole number; quote it",
    ),
    # secrets
    (
        "no fleet secret",
        put("", "fleet_secret"),
        "timmy_fleet_secret: is missing; run playbooks/vault_init.yml",
    ),
    (
        "a short fleet secret",
        put("abc", "fleet_secret"),
        "is shorter than 32 characters; run playbooks/vault_init.yml",
    ),
    (
        "one bot for two",
        put({"TELEGRAM_BOT_TOKEN": TOKEN}, "secrets", "allegro"),
        "agents allegro and ezra have the same TELEGRAM_BOT_TOKEN; make one bot for each agent",
    ),
    (
        "an agent that is none",
        put({}, "secrets", "esra"),
        "esra: is no agent of timmy_wizards; did you mean ezra?",
    ),
    ("a forge token", put({"GITEA_TOKEN": TOKEN}, "secrets", "ezra"), "is a forge token; agents hold none"),
    (
        "a human's token",
        put({"OTHER_TOKEN": f"ghp_{TOKEN}"}, "secrets", "ezra"),
        "stands for a person; make a bot",
    ),
    ("a weak API key", put({"API_SERVER_KEY": "short"}, "secrets", "ezra"), "shorter than 16 characters"),
    ("two lines", put({"SOME_KEY": f"{TOKEN}\nX=1"}, "secrets", "ezra"), "holds a line break"),
    ("secrets are no mapping", put([TOKEN], "secrets"), "must map agents to their variables, not a list"),
    # the model
    (
        "a small context",
        put(32768, "model", "context_length"),
        "is 32768; Hermes starts no agent below 64000",
    ),
    ("no endpoint", put("localhost:11434", "model", "base_url"), "is no endpoint; give it as http://"),
    ("a password in the URL", put("http://u:p@h/v1", "model", "base_url"), "base_url: holds a password"),
    ("the model as a name", put("gemma-4-31b-it", "model"), "timmy_model: must be a mapping"),
    # broken files
    (
        "broken YAML",
        edit("config.yaml", "  max_turns: 60", "  max_turns: 60\n bad"),
        "overlay/config.yaml:",
    ),
    (
        "a key twice",
        edit("config.yaml", "timezone: UTC", "timezone: UTC\ntimezone: CET"),
        "is given twice; keep one",
    ),
    (
        "broken JSON",
        write("channel_directory.json", '{"schema": 1,}'),
        "overlay/channel_directory.json:1:14: broken",
    ),
    (
        "an unknown variable",
        edit("SOUL.md", "{{ host }}", "{{ hots }}"),
        "overlay/SOUL.md: 'hots' is undefined",
    ),
    (
        "the operator's variables are not for templates",
        edit("config.yaml", '"{{ wizard.primary.model }}"', '"{{ timmy_model }}"'),
        "overlay/config.yaml: model.default: 'timmy_model' is undefined",
    ),
    ("a file without owner", write("notes.txt", "x"), "no rule covers notes.txt; add one under paths:"),
    (
        "an unknown owner class",
        edit("ownership.yml", "class: seeded", "class: seedet"),
        "'seedet' is no owner class",
    ),
    # Hermes' configuration
    (
        "a misspelt leaf",
        edit("config.yaml", "max_turns:", "max_turn:"),
        "overlay/config.yaml: agent.max_turn: Hermes 0.19.0 has no such key; did you mean agent.max_turns?",
    ),
    (
        "a mistyped leaf",
        edit("config.yaml", "max_turns: 60", "max_turns: lots"),
        "agent.max_turns: must be a whole number, not text ('lots')",
    ),
    (
        "a section as text",
        edit("config.yaml", 'lsp:\n  enabled: false\n  install_strategy: "off"', "lsp: loud"),
        "lsp: must be a mapping",
    ),
    (
        "a small context for one endpoint",
        edit(
            "fallback-portfolios.yaml",
            "providers:\n",
            "providers:\n  ollama: {base_url: 'http://127.0.0.1/v1', context_length: 8192}\n",
        ),
        "context_length: is 8192; Hermes starts no agent below 64000",
    ),
    ("bare off", edit("config.yaml", 'profile_build: "off"', "profile_build: off"), 'must be quoted, "off"'),
    (
        "a key of the home file",
        edit("config.yaml", "skills:\n", "skills:\n  external_dirs: [/x]\n"),
        "skills.external_dirs: Hermes 0.19.0 reads this only from the home file; move it to home-config.yaml",
    ),
    ("an open API", edit("config.yaml", "host: 127.0.0.1", "host: 0.0.0.0"), "extra.host: must be 127.0.0.1"),
    # agents' own files
    (
        "an unknown slot provider",
        edit("fallback-portfolios.yaml", "{provider: groq,", "{provider: grog,"),
        "did you mean groq?",
    ),
    (
        "a critical agent without keys",
        put("sentinel", *WIZARD, "role_class"),
        "agent ezra is critical but its slot fallback1 (anthropic) has no key",
    ),
    (
        "a playbook for nobody",
        edit("playbooks/bug-fixer.yaml", "role_class: forger", "role_class: forgr"),
        "'forgr' is not in fallback-portfolios.yaml; did you mean forger?",
    ),
    ("an unknown toolset", edit("playbooks/bug-fixer.yaml", "search,", "serch,"), "did you mean search?"),
    ("a one-shot job", edit("cron/weekly-memory-tidy.yaml", '"40 4 * * 0"', "30m"), "'30m' does not repeat"),
    (
        "an unpinned job",
        edit("cron/weekly-memory-tidy.yaml", "model:", "#"),
        "model: is missing; an unpinned job",
    ),
    (
        "a skin's typo",
        edit("skins/timmy.yaml", "banner_border", "baner_border"),
        "did you mean banner_border?",
    ),
    (
        "a soul without floor",
        edit("SOUL.md", "## The floor", "## Notes"),
        "has no heading with the word 'floor'",
    ),
    ("a memory too long", write("memories/USER.md", "x" * 1400), "has 1400 characters, the limit is 1375"),
    (
        "a skill without a head",
        write("skills/fleet/x/SKILL.md", "hello"),
        "must begin with a block between two ---",
    ),
    (
        "a door twice",
        edit("bin/doors.txt", "fleet-status.py ", "fleet-status.sh "),
        "fleet-status.sh is given twice",
    ),
]


@pytest.mark.parametrize(("spoil", "expected"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_gives_one_line_that_names_the_fix(
    args: dict[str, Any], spoil: Callable[[dict[str, Any]], None], expected: str
) -> None:
    spoil(args)
    result = run(args)
    assert result["failed"]
    assert "\n" not in result["msg"]
    assert expected in result["msg"]
    assert "more; -v lists them" not in result["msg"], "one mistake gave more than one line"
    assert TOKEN not in str(result)
    assert result["changed"] is False
    assert "problems" not in result


def test_a_broken_yaml_file_is_named_with_line_and_column(args: dict[str, Any]) -> None:
    write("cron/morning-self-check.yaml", "name: x\nschedule: [1, 2\nprompt: y\n")(args)
    assert run(args)["msg"].startswith("overlay/cron/morning-self-check.yaml:3:7: broken YAML: ")


def test_a_missing_overlay_is_named(args: dict[str, Any], tmp_path: Path) -> None:
    args["overlay_dir"] = str(tmp_path / "nowhere")
    assert run(args)["msg"] == (
        f"{tmp_path}/nowhere: no such directory; set timmy_overlay_dir to the directory of the overlay"
    )


def test_more_problems_are_counted_and_listed_only_when_asked(
    args: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    args["wizards"][0]["api_port"] = 1
    args["wizards"][1]["memory_max"] = "lots"
    result = run(args)
    assert result["msg"].endswith("(and 1 more; -v lists them)")
    assert "problems" not in result
    monkeypatch.setattr(Display(), "verbosity", 1)
    assert len(run(args)["problems"]) == 2


def test_critical_agents_do_not_share_both_first_slots(args: dict[str, Any]) -> None:
    """On two hosts the local primary is not shared; on one host it is."""
    keys = {"ANTHROPIC_API_KEY": "a", "GROQ_API_KEY": "g"}
    args["secrets"] = {"bezalel": keys, "ezra": keys}
    for number in (0, 1):
        args["wizards"][number]["role_class"] = "sentinel"
    assert not run(args).get("failed")
    args["wizards"][1].update(host="bezal", api_port=8643)
    assert "critical agents bezalel and ezra share primary and first fallback" in run(args)["msg"]
