# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""hermes_config and hermes_cron as a play calls them, beside releases, with the real Hermes."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.timmy.config.plugins.module_utils import hermes_home as in_collection
from ansible_collections.timmy.config.plugins.modules import hermes_config, hermes_cron
from real_host import JOB, Host

from timmy.core import declarations, release, release_lock, release_state, release_undo

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS: dict[str, Any] = {"browser": {"headed": True}, "tts": {"piper": {"voice": "de_DE-thorsten"}}}
NAMES = ["browser.headed", "tts.piper.voice"]
MINE: dict[str, Any] = {
    "name": "tidy",
    "schedule": "5 6 * * *",
    "prompt": "Tidy up.",
    "model": "gemma-4-31b-it",
    "provider": "ollama",
}
# As the module hands it on.
FULL = {**MINE, "deliver": "local", "enabled": True}


class Play:
    """The modules on a host, called with their arguments as Ansible hands them over."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = host
        self.monkeypatch = monkeypatch
        self.config_path = host.home / ".hermes/config.yaml"
        self.text = ""

    def run(self, module: Any, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        out = io.StringIO()
        where = self.host.where
        given = {
            "agent": "ezra",
            "release_root": where.root,
            "record_dir": where.record_dir,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            "_ansible_remote_tmp": "/tmp",
            "lock_wait_s": 0,
            **arguments,
        }
        with self.monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            with patch_module_args(given), pytest.raises(SystemExit):
                module.main()
        self.text = out.getvalue()
        return dict(json.loads(self.text))

    def config(self, wanted: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
        """Foretell, do, and do again: what is foretold is done, and the second run changes nothing."""
        return self._thrice(hermes_config, {"config": wanted}, more)

    def cron(self, jobs: list[dict[str, Any]] | None, **more: Any) -> dict[str, Any]:
        """As config, for jobs."""
        return self._thrice(hermes_cron, {"jobs": jobs}, more)

    def _thrice(self, module: Any, wanted: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        arguments = {key: value for key, value in {**wanted, **more}.items() if value is not None}
        before = self.tree()
        foretold = self.run(module, check=True, **arguments)
        assert self.tree() == before
        done = self.run(module, **arguments)
        assert done == foretold
        if not done.get("failed"):
            after = self.tree()
            again = self.run(module, **{**arguments, "restore": []})
            assert (again["changed"], again["changes"]) == (False, [])
            assert self.tree() == after
        return done

    def tree(self) -> dict[str, bytes]:
        """What a module may change: the home's files and our records."""
        files = [self.config_path, self.host.home / ".hermes/cron/jobs.json"]
        files += sorted(Path(self.host.where.root, "state").rglob("*.json"))
        return {str(path): path.read_bytes() for path in files if path.exists()}

    def records(self) -> list[str]:
        return declarations.Declarations(self.host.where.root, "ezra").records.names()

    def data(self) -> dict[str, Any]:
        return dict(yaml.safe_load(self.config_path.read_text()))

    def get(self, key: str) -> Any:
        """What Hermes itself says."""
        home = str(self.host.home)
        environment = {**os.environ, "HOME": home, "HERMES_HOME": f"{home}/.hermes"}
        environment["HERMES_MANAGED_DIR"] = f"{self.host.where.root}/current/agents/ezra/managed"
        argv = [str(self.host.binary), "config", "get", key, "--json"]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None


@pytest.fixture
def host(tmp_path: Path, hermes_binary: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path, hermes_binary, monkeypatch)
    monkeypatch.setattr(in_collection, "account", made.account)
    made.deploy()
    return made


@pytest.fixture
def play(host: Host, monkeypatch: pytest.MonkeyPatch) -> Play:
    return Play(host, monkeypatch)


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


LIMIT: dict[str, Any] = {"browser": {"command_timeout": 31, "headed": True}}


def declare_in_overlay(host: Host) -> None:
    host.rewrite("home-config.yaml", "browser:\n", "browser:\n  command_timeout: 32\n")


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
    assert play.config({"browser": {"headed": True}})["changes"] == []
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


# --- kills and two at once

RUN = """
import json, os, signal, sys
from ansible_collections.timmy.config.plugins.module_utils import declarations, hermes_declare, hermes_home
from ansible_collections.timmy.config.plugins.module_utils import release_homes
from ansible_collections.timmy.config.plugins.module_utils.release_state import Settings
call = json.loads(sys.argv[1])
groups = tuple(os.getgroups())
hermes_home.account = lambda name, home="": hermes_home.Account(
    name, os.geteuid(), os.getegid(), groups, call["home"])
def die(*_arguments, **_more):
    os.kill(os.getpid(), signal.SIGKILL)
if call["die"] == "asked":
    release_homes.Homes.ask = die
if call["die"] == "answered":
    declarations.Declarations.keep = die
settings = Settings(root=call["root"], record_dir=call["record_dir"])
wish = hermes_declare.Wish(**call["wish"])
print(json.dumps(hermes_declare.declare(settings, wish)))
"""


def start(play: Play, die: str = "", **wish: Any) -> subprocess.Popen[str]:
    where = play.host.where
    call = {"home": str(play.host.home), "root": where.root, "record_dir": where.record_dir, "die": die}
    call["wish"] = {"agent": "ezra", **wish}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", RUN, json.dumps(call)]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("die", ["asked", "answered"])
def test_a_kill_at_either_side_of_the_write(play: Play, die: str) -> None:
    other = {"browser": {"headed": True}, "tts": {"piper": {"voice": "another"}}}
    play.config(KEYS)
    for kind, more in (("config", {"config": other}), ("cron", {"jobs": [FULL]})):
        process = start(play, die, kind=kind, name="default", **more)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    if die == "answered":
        assert play.data()["tts"]["piper"]["voice"] == "another"
        assert "tidy" in play.host.jobs()
    # Whether the next run still wants it or not, what the killed one made is known as ours.
    assert play.run(hermes_config, config=KEYS)["edited"] == []
    assert play.get("tts.piper.voice") == "de_DE-thorsten"
    assert not play.run(hermes_cron, jobs=[]).get("failed")
    assert set(play.host.jobs()) == {JOB, "weekly-memory-tidy"}
    assert play.records() == ["config.default"]
    assert not play.run(hermes_config, config=KEYS)["changed"]
    assert play.host.found() == {}


def test_kills_at_any_moment(play: Play) -> None:
    chance = random.Random(4)  # noqa: S311 - moments, not secrets
    voices = ["a", "b"]
    for turn in range(8):
        wanted = {"tts": {"piper": {"voice": voices[turn % 2]}}, "web": {"extract_char_limit": 9000 + turn}}
        process = start(play, kind="config", name="default", config=wanted)
        time.sleep(chance.uniform(0.1, 1.6))
        process.kill()
        process.communicate(timeout=30)
        left = play.data()
        assert left["code_execution"] == {"mode": "project"}
    last = {"tts": {"piper": {"voice": "last"}}}
    done = play.run(hermes_config, config=last)
    assert (done.get("failed"), done["edited"]) == (None, [])
    assert play.data()["tts"] == {"piper": {"voice": "last"}}
    assert "web" not in play.data()
    play.config(None, state="absent")
    assert "tts" not in play.data()
    assert not [path for path in (play.host.home / ".hermes").iterdir() if path.name.endswith(".timmy~")]


def test_two_at_once_on_one_home(play: Play) -> None:
    wishes = [
        {"kind": "config", "name": "one", "config": {"tts": {"piper": {"voice": "x"}}}},
        {"kind": "config", "name": "two", "config": {"web": {"extract_char_limit": 9000}}},
        {"kind": "cron", "name": "three", "jobs": [FULL]},
    ]
    running = [start(play, **wish) for wish in wishes]
    for process in running:
        answer = json.loads(process.communicate(timeout=120)[0])
        assert answer["changed"], answer
    assert (play.data()["tts"], play.data()["web"]) == (
        {"piper": {"voice": "x"}},
        {"extract_char_limit": 9000},
    )
    assert "tidy" in play.host.jobs()
    assert play.records() == ["config.one", "config.two", "cron.three"]


def test_a_deploy_that_is_under_way_is_waited_for(play: Play) -> None:
    root = play.host.where.root
    with release_lock.locked(root, "controller"):
        done = play.run(hermes_config, config=KEYS)
        assert "controller: at work on this host; waited 0 s" in done["msg"]
    ready, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with release_lock.locked(root, "controller"):
            ready.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    ready.wait(30)
    threading.Timer(1.0, leave.set).start()
    assert play.run(hermes_config, config=KEYS, lock_wait_s=60)["changes"] == NAMES
    holder.join()
    declare_in_overlay(play.host)
    play.host.deploy(confirm=False)
    assert "not confirmed yet" in play.run(hermes_config, config=KEYS)["msg"]


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


# --- jobs


def test_the_life_of_declared_jobs(play: Play) -> None:
    play.host.hermes("cron", "create", "every 2h", "theirs", "--name", "theirs")
    theirs = play.host.jobs()["theirs"]
    done = play.cron([MINE])
    assert done["changes"] == ["tidy: created"]
    assert 'tidy.prompt: "Tidy up."' in done["diff"]["after"]
    made = play.host.jobs()["tidy"]
    assert (made["model"], made["provider"], made["deliver"]) == ("gemma-4-31b-it", "ollama", "local")
    assert play.cron([{**MINE, "schedule": "9 6 * * *"}])["changes"] == ["tidy: schedule"]
    assert play.host.jobs()["tidy"]["id"] == made["id"]
    assert play.cron([{**MINE, "schedule": "9 6 * * *", "enabled": False}])["changes"] == ["tidy: enabled"]
    play.host.hermes("cron", "edit", "tidy", "--prompt", "My own words.")
    done = play.cron([MINE])
    assert (done["changes"], done["edited"]) == (["tidy: enabled, schedule"], ["tidy: prompt"])
    assert play.host.jobs()["tidy"]["prompt"] == "My own words."
    assert play.cron([MINE], restore=["tidy"])["changes"] == ["tidy: prompt"]
    play.host.drop_job("tidy")
    assert play.cron([MINE])["changes"] == ["tidy: created"]
    result = play.host.deploy()
    assert (result.changed, play.host.found()) == (False, {})
    assert play.cron(None, state="absent")["changes"] == ["tidy: removed"]
    assert play.host.jobs()["theirs"] == theirs
    assert play.records() == []


REFUSED_JOBS: list[tuple[list[dict[str, Any]], str]] = [
    ([{**MINE, "model": None}], "cron tidy: model: is missing; an unpinned job stops running"),
    ([{**MINE, "provider": None}], "cron tidy: provider: is missing"),
    ([MINE, MINE], "cron tidy: is declared twice"),
    ([{**MINE, "name": "Tidy up"}], "cron 'Tidy up': is no name for a job"),
    ([{**MINE, "name": JOB}], "the release declares a job of this name; change overlay/cron"),
    ([{**MINE, "name": "first"}], "cron first: belongs to the declaration other; change it there"),
    (
        [{**MINE, "name": "theirs"}],
        "a job of this name .* is there that no play made; give yours another",
    ),
    ([{**MINE, "schedule": "30m"}], "schedule: '30m' does not repeat"),
    ([{**MINE, "provider": "nobody"}], "provider: no provider 'nobody'"),
    ([{**MINE, "enabled_toolsets": ["termnal"]}], "no toolset 'termnal'; did you mean terminal"),
    ([{**MINE, "skills": ["nothing"]}], "skills: the agent has no skill 'nothing'"),
    ([{**MINE, "deliver": "telegramm"}], "no place 'telegramm'"),
    ([{**MINE, "workdir": "/no/such"}], "workdir does not exist"),
    ([{**MINE, "no_agent": True}], "script: is missing"),
    ([{**MINE, "script": "no.sh"}], "its script no.sh is not among the agent's scripts"),
    ([{**MINE, "prompt": "Run hermes gateway restart."}], "cron tidy: "),
]


def test_jobs_that_would_not_run_or_are_somebody_elses(play: Play) -> None:
    play.run(hermes_cron, jobs=[{**MINE, "name": "first"}], declaration="other")
    play.host.hermes("cron", "create", "every 2h", "theirs", "--name", "Theirs")
    before = play.tree()
    for jobs, word in REFUSED_JOBS:
        done = play.run(hermes_cron, jobs=jobs)
        assert done["failed"]
        assert re.search(word, done["msg"]), done["msg"]
        assert play.run(hermes_cron, check=True, jobs=jobs)["msg"] == done["msg"]
    assert play.tree() == before


def test_a_job_without_an_agent_needs_no_model(play: Play) -> None:
    scripts = play.host.home / ".hermes/scripts"
    scripts.mkdir(exist_ok=True)
    (scripts / "count.sh").write_text("echo 1\n")
    job = {"name": "count", "schedule": "every 6h", "no_agent": True, "script": "count.sh"}
    assert play.cron([job])["changes"] == ["count: created"]


def test_a_release_that_declares_the_job_takes_it_over_and_gives_it_back(play: Play) -> None:
    play.cron([MINE])
    made = play.host.jobs()["tidy"]["id"]
    text = (play.host.overlay / f"cron/{JOB}.yaml").read_text()
    (play.host.overlay / "cron/tidy.yaml").write_text(text.replace(f"name: {JOB}", "name: tidy"))
    play.host.deploy()
    job = play.host.jobs()["tidy"]
    assert (job["id"], "Check yourself" in job["prompt"]) == (made, True)
    assert "release declares a job of this name" in play.run(hermes_cron, jobs=[MINE])["msg"]
    assert play.run(hermes_cron, jobs=[], check=True)["changes"] == []
    (play.host.overlay / "cron/tidy.yaml").unlink()
    play.host.deploy()
    assert play.host.jobs()["tidy"]["prompt"] == "Tidy up."
    assert not play.run(hermes_cron, jobs=[MINE])["changed"]
    assert play.host.found() == {}
