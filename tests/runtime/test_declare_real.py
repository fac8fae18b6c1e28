# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""hermes_config and hermes_cron beside releases, with the real Hermes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.modules import hermes_config
from declare_play import KEYS, LIMIT, MINE, NAMES, Play, declare_in_overlay, make
from real_host import Host

from timmy.core import declarations, release, release_state, release_undo


@pytest.fixture
def play(tmp_path: Path, hermes_binary: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    return make(tmp_path, hermes_binary, monkeypatch)


# --- keys


def test_the_life_of_declared_keys(play: Play) -> None:
    path = play.config_path
    path.write_text(path.read_text() + "# a word of mine\nweb:\n  backend: '' # as it was\n")
    play.host.deploy()
    first = path.read_bytes()
    done = play.config(KEYS)
    assert (done["changed"], done["changes"]) == (True, NAMES)
    assert done["diff"]["before"] == ""
    assert done["diff"]["after"] == 'browser.headed: true\ntts.piper.voice: "de_DE-thorsten"\n'
    assert [play.get(name) for name in NAMES] == [True, "de_DE-thorsten"]
    assert {"# a word of mine", "  backend: '' # as it was"} <= {*path.read_text().splitlines()}
    record = Path(play.host.where.root, "state/declared/ezra/config.default.json")
    assert (record.stat().st_mode & 0o777, record.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    # A deploy has nothing to do with it, and does not even have to ask Hermes.
    wanted = play.host.current().name
    assert not ask(play.host).due
    assert play.host.found() == {}
    after = play.host.deploy()
    assert (after.changed, after.release, after.drift) == (False, wanted, {})
    # The release's own keys of the same section stand as before.
    assert play.config({"browser": {"headed": True}})["changes"] == ["tts.piper.voice"]
    assert "tts" not in play.data()
    assert play.data()["browser"] == {
        "allow_private_urls": False,
        "allow_unsafe_evaluate": False,
        "headed": True,
    }
    assert play.config(None, state="absent")["changes"] == ["browser.headed"]
    assert path.read_bytes() == first
    assert not Path(play.host.where.root, "state/declared").exists()
    assert play.host.found() == {}


def ask(host: Host) -> release_state.Result:
    """What the controller asks first: the host has to say that nothing is to be done, without Hermes."""
    deploy = host.ask()
    deploy.home_work.ask = _never  # type: ignore[method-assign]
    return deploy.ask()


def _never(*_arguments: Any) -> dict[str, Any]:
    raise AssertionError("Hermes was asked")


def test_what_hermes_and_people_write_meanwhile_survives(play: Play) -> None:
    play.config(KEYS)
    play.host.hermes("config", "set", "web.extract_char_limit", "9000")
    play.host.hermes("config", "set", "tts.piper.voice", "theirs")
    done = play.config({**KEYS, "browser": {"headed": True, "engine": "auto"}})
    assert (done["changes"], done["edited"]) == (["browser.engine"], ["tts.piper.voice"])
    assert play.data()["tts"]["piper"]["voice"] == "theirs"
    assert play.data()["web"]["extract_char_limit"] == 9000
    done = play.config(KEYS, restore=["tts.piper.voice"])
    assert (done["changes"], done["edited"]) == (["browser.engine", "tts.piper.voice"], [])
    assert 'tts.piper.voice: "theirs"' in done["diff"]["before"]
    assert play.get("tts.piper.voice") == "de_DE-thorsten"
    play.host.hermes("config", "set", "tts.piper.voice", "theirs")
    done = play.run(hermes_config, state="absent")
    assert (done["changes"], done["edited"]) == (["browser.headed"], ["tts.piper.voice"])
    assert play.get("tts.piper.voice") == "theirs"
    assert play.records() == []


def test_a_key_that_had_another_value_first(play: Play) -> None:
    play.host.hermes("config", "set", "tts.piper.voice", "theirs")
    done = play.config(KEYS)
    assert (done["changes"], done["taken"]) == (NAMES, ["tts.piper.voice"])


REFUSED: list[tuple[Any, str]] = [
    ({"code_execution": {"mode": "strict"}}, "release declares it; change overlay/home-config.yaml and"),
    ({"code_execution": "strict"}, "code_execution: the release declares it"),
    ({"agent": {"max_turns": 9}}, "agent.max_turns: the release fixes it .* change overlay/config.yaml"),
    ({"toolsets": []}, "toolsets: the release fixes it"),
    ({"approvals": None}, "approvals: the release fixes it"),
    ({"tts": {"piper": {"voice": "x"}}}, "tts.piper.voice: belongs to the declaration first; change it"),
    ({"tts": None}, "tts: belongs to the declaration first"),
    ({"browser": {"heded": True}}, "no such key; did you mean browser.headed"),
    ({"browser": {"engine": 5}}, "browser.engine: must be text, not a whole number"),
    ({"browser": {"dialog_policy": "maybe"}}, "means nothing to Hermes; use one of must_respond"),
    ({"model": {"max_tokenz": 1}}, "model.max_tokenz: Hermes drops this key unread"),
    ({"mcp_servers": {"x": {"url": "http://a", "command": "b"}}}, "a command or a url"),
    ({"auxiliary": {"vision": {"provider": "nobody"}}}, "no provider 'nobody'"),
]


def test_what_would_not_hold_is_refused_with_its_place(play: Play) -> None:
    play.run(hermes_config, config={"tts": {"piper": {"voice": "a"}}}, declaration="first")
    before = play.tree()
    for wanted, word in REFUSED:
        done = play.run(hermes_config, config=wanted, declaration="second")
        assert done["failed"]
        assert done["msg"] == done["problems"][0]
        assert "\n" not in done["msg"]
        assert re.search(word, done["msg"]), done["msg"]
        assert play.run(hermes_config, check=True, config=wanted, declaration="second")["msg"] == done["msg"]
    assert play.tree() == before


def test_a_key_may_complete_a_section_that_the_release_has(play: Play) -> None:
    assert play.config({"model": {"max_tokens": 4096}})["changes"] == ["model.max_tokens"]
    assert play.get("model.max_tokens") == 4096
    assert play.host.deploy().drift == {}


def test_a_broken_home_file_is_left_alone(play: Play) -> None:
    play.config_path.write_text("a: [\n")
    done = play.run(hermes_config, config=KEYS)
    assert done["failed"]
    assert "config.yaml" in done["msg"]
    assert play.config_path.read_text() == "a: [\n"
    assert play.records() == []


# --- beside releases


def test_a_release_that_declares_the_key_wins_and_gives_it_back(play: Play) -> None:
    play.config(LIMIT)
    before = (play.host.overlay / "home-config.yaml").read_text()
    older = play.host.current().name
    declare_in_overlay(play.host)
    result = play.host.deploy()
    assert result.merged["ezra"] == ["config.yaml: browser.command_timeout"]
    assert play.get("browser.command_timeout") == 32
    assert play.host.found() == {}
    refused = play.run(hermes_config, config=LIMIT)
    assert "browser.command_timeout: the release declares it" in refused["msg"]
    newer = play.host.current().name
    # Back by an undo, forward again, and back by an overlay without the key: it stands as declared each time.
    release.flip(play.host.where.root, older)
    agents = [{"name": "ezra", "home": str(play.host.home)}]
    release_undo.Undo(release_undo.facts_of(play.host.where, older, newer, agents)).homes()
    assert play.get("browser.command_timeout") == 31
    assert not play.run(hermes_config, config=LIMIT)["changed"]
    play.host.deploy()
    assert play.get("browser.command_timeout") == 32
    (play.host.overlay / "home-config.yaml").write_text(before)
    play.host.deploy()
    assert play.get("browser.command_timeout") == 31
    assert not play.run(hermes_config, config=LIMIT)["changed"]
    assert play.host.found() == {}
    assert not play.host.deploy().changed
    # A declaration that drops the key takes nothing away from the release that has it.
    declare_in_overlay(play.host)
    play.host.deploy()
    done = play.config({"browser": {"headed": True}})
    assert (done["changes"], done["edited"]) == ([], [])
    assert play.config(None, state="absent")["changes"] == ["browser.headed"]
    assert play.get("browser.command_timeout") == 32


def test_a_release_that_fixes_the_key_in_the_managed_layer(play: Play) -> None:
    play.config(KEYS)
    play.host.rewrite("config.yaml", "", "tts:\n  piper:\n    voice: managed\n")
    play.host.deploy()
    assert play.get("tts.piper.voice") == "managed"
    assert "the release fixes it" in play.run(hermes_config, config=KEYS)["msg"]
    assert play.config({"browser": {"headed": True}})["changes"] == ["tts.piper.voice"]


def test_absent_takes_keys_jobs_and_records_along(play: Play) -> None:
    play.config(KEYS, declaration="one")
    play.cron([MINE], declaration="two")
    play.host.ask().absent()
    assert not Path(play.host.where.root, "state").exists()
    text = play.config_path.read_text()
    assert "headed" not in text
    assert "thorsten" not in text
    assert play.host.jobs() == {}


def test_what_was_declared_for_a_user_who_is_gone_is_forgotten(play: Play) -> None:
    orphan = declarations.Declarations(play.host.where.root, "nobody-here")
    wanted = {"config": KEYS, "jobs": []}
    orphan.begin("config", "x", wanted, "")
    known = play.host.account
    play.monkeypatch.setattr(
        "timmy.core.hermes_home.account", lambda name, home="": known(name, home) if name == "ezra" else None
    )
    assert play.host.ask().ask().due
    assert play.host.deploy().retired == ["nobody-here"]
    assert not Path(play.host.where.root, "state/declared").exists()
    assert not play.host.ask().ask().due


def test_an_agent_without_a_release(tmp_path: Path, play: Play) -> None:
    root = str(tmp_path / "elsewhere")
    done = play.run(hermes_config, config=KEYS, release_root=root)
    assert "deploy it first, or name a hermes_python" in done["msg"]
    foretold = play.run(hermes_config, check=True, config=KEYS, release_root=root)
    assert (foretold["changes"], len(foretold["warnings"])) == (NAMES, 1)
    python = str(play.host.binary.parent / "python")
    done = play.run(hermes_config, config=KEYS, release_root=root, hermes_python=python)
    assert done["changes"] == NAMES
    gone = play.run(hermes_config, state="absent", release_root=root, hermes_python=python)
    assert gone["changes"] == NAMES


# --- what must not be seen

CANARY = "canary-0451-feeding-the-birds"


HOSTILE: list[tuple[Any, bool]] = [
    ({"mcp_servers": {"x": {"command": "/bin/x", "env": {"PLAIN": CANARY}}}}, False),
    ({"mcp_servers": {"x": {"url": f"http://me:{CANARY}@h/", "headers": {"A": "short"}}}}, False),
    ({"mcp_servers": {"x": {"command": "/bin/x", "args": ["--to", CANARY]}}}, False),
    ({"mcp_servers": {"x": {"command": "/bin/x", "env": CANARY}}}, True),
    ({"browser": {"headed": CANARY}}, True),
    ({"model": {"api_key": CANARY}}, True),
    ({"x\n\x1b[31m": CANARY}, True),
]


def test_a_secret_is_in_no_output(play: Play) -> None:
    for wanted, fails in HOSTILE:
        for check in (True, False):
            done = play.run(hermes_config, check=check, config=wanted)
            assert bool(done.get("failed")) is fails, done
            assert "canary" not in play.text
            assert "short" not in play.text
            assert done.get("msg", "").isprintable()
        if not fails:
            text = play.config_path.read_text()
            after = {"mcp_servers": {"x": {"command": "/bin/y", "env": {"PLAIN": "new"}}}}
            play.run(hermes_config, config=after)
            assert "canary" not in play.text
            assert play.config_path.read_text() != text
    play.run(hermes_config, state="absent")
    assert "canary" not in play.text
    assert play.host.deploy().drift == {}
