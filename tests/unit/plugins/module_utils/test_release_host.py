# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole deploy on a real file system: only Hermes' interpreter and systemd are replaced."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import (
    guard,
    hermes_home,
    home_merge,
    release,
    release_files,
    release_format,
    release_guard,
    release_host,
    release_info,
    release_lock,
    release_stage,
    release_state,
    release_undo,
    wizard_units,
)

KEY = "canary-0123456789abcdef"


class Host:
    """A host in a temporary directory: two agents who are really this user, our own systemd and Hermes."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base = root
        self.running: dict[str, int] = {}
        self.well = True
        self.bad = "none"
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.secrets = {"ezra": {"API_SERVER_KEY": KEY}, "bezalel": {"API_SERVER_KEY": KEY}}
        for name in ("ezra", "bezalel"):
            (root / "home" / name / ".hermes").mkdir(parents=True)
        monkeypatch.setattr(hermes_home, "account", self.account)
        monkeypatch.setattr(hermes_home, "ask_hermes", self.ask)
        monkeypatch.setattr(wizard_units, "wait_healthy", self.health)
        monkeypatch.setattr(wizard_units, "wait_idle", self.idle)
        monkeypatch.setattr(guard, "run_argv", self.undo_step)
        self.undone: list[str] = []
        self.turns: dict[str, int] = {}
        monkeypatch.setattr(release_files, "owner", lambda _uid, _gid: {})
        monkeypatch.setattr(release_files, "owned_as", self.mode_is)
        python = root / "hermes/1.0/bin/python"
        python.parent.mkdir(parents=True)
        python.touch()

    @staticmethod
    def mode_is(path: str, _uid: int, _gid: int, mode: int) -> bool:
        return stat.S_IMODE(os.lstat(path).st_mode) == mode

    def account(self, name: str, home: str = "") -> hermes_home.Account | None:
        path = home or str(self.base / "home" / name)
        if not os.path.isdir(path):
            return None
        return hermes_home.Account(name, os.geteuid(), os.getegid(), tuple(os.getgroups()), path)

    def ask(
        self,
        who: hermes_home.Account,
        _python: str,
        _managed: str,
        request: Mapping[str, Any],
        timeout_s: float = 120,
    ) -> dict[str, Any]:
        assert timeout_s > 0
        self.asked.append(request["do"])
        if request["do"] == "prove":
            return {"problems": self.problems}
        path = Path(who.home, ".hermes/config.yaml")
        home = json.loads(path.read_text() if path.exists() else request.get("seed_text") or "{}")
        base = request["base"]
        for begun in request["pending"]:
            base = home_merge.settled(base, begun["config"], home)
        merged = home_merge.merge(request["config"], base, home, request["made"])
        if merged.changed and not request.get("dry"):
            path.write_text(json.dumps(merged.home))
        sha256 = hermes_home.look_here(hermes_home.HomePlan(who.home, {}, {}))["config_sha256"]
        config = {**vars(merged), "sha256": sha256, "problems": []}
        return {"config": config, "cron": {"record": {}, "changed": [], "edited": [], "taken": []}}

    def health(
        self, gateways: Mapping[str, Any], _timeout: float, _runner: wizard_units.Runner = wizard_units.run
    ) -> dict[str, dict[str, Any]]:
        well = self.well and self.current() != self.bad
        return {name: {"ok": well, "reason": "told so"} for name in gateways}

    def idle(self, gateways: Mapping[str, Any], _timeout: float) -> dict[str, int]:
        return {name: count for name, count in self.turns.items() if name in gateways and count}

    def undo_step(self, argv: list[str], _timeout: float = 30) -> tuple[int, str]:
        """What the guard would run, in this process: its program is there, and its arguments are enough."""
        assert argv[:3] == ["/usr/bin/python3", "-I", "-S"]
        program, step, facts = argv[3:]
        assert Path(program).parent == self.base / "lib"
        assert Path(program).is_file()
        self.undone.append(step)
        return release_undo.run(step, json.loads(facts), self.systemctl), ""

    def systemctl(self, argv: list[str]) -> tuple[int, str]:
        names = [word.split("@")[1].removesuffix(".service") for word in argv if "@" in word]
        if argv[1] == "show":
            blocks = []
            for name in names:
                state = ("enabled", "active") if name in self.running else ("disabled", "inactive")
                blocks.append(f"LoadState=loaded\nUnitFileState={state[0]}\nActiveState={state[1]}\n")
            return 0, "\n".join(blocks)
        for name in names:
            if argv[1] == "restart":
                self.running[name] = self.running.get(name, 0) + 1
            elif argv[1] == "disable":
                self.running.pop(name, None)
        return 0, ""

    def pack(self, agents: tuple[str, ...] = ("ezra", "bezalel"), **more: str) -> tuple[str, str]:
        files: dict[str, tuple[bytes, str]] = {"skills/x/SKILL.md": (b"skill\n", "0644")}
        links = {"hermes": f"{self.base}/hermes/1.0"}
        for name in agents:
            files[f"agents/{name}/home/SOUL.md"] = (b"honest\n", "0644")
            files[f"agents/{name}/managed/config.yaml"] = (b"{}\n", "0644")
            files[f"agents/{name}/seeded/config.yaml"] = (b'{"_config_version": 33}\n', "0644")
            files[f"agents/{name}/merged/config.json"] = (b'{"a": {"ours": 1}}\n', "0644")
            links[f"agents/{name}/managed/.env"] = f"{self.base}/etc/agents/{name}.env"
        files.update({path: (text.encode(), "0644") for path, text in more.items()})

        def classify(path: str) -> tuple[str, str]:
            owner = "merged" if "/merged/" in path else "managed"
            return owner, "restart" if path.endswith("managed/config.yaml") or path == "hermes" else "none"

        manifest = release_format.make_manifest(
            files, links, hermes_version="1.0", agents=list(agents), classify=classify
        )
        path = self.base / f"{manifest['hash'][:16]}.tar.gz"
        path.write_bytes(release_format.pack(manifest, files))
        return str(path), str(manifest["hash"])

    def settings(self, **more: Any) -> release_state.Settings:
        return release_state.Settings(
            root=str(self.base / "timmy"),
            hermes_root=str(self.base / "hermes"),
            config_dir=str(self.base / "etc"),
            record_dir=str(self.base / "guard"),
            lib_dir=str(self.base / "lib"),
            timer=guard.no_timer,
            **more,
        )

    def confirm(self) -> None:
        guard.confirm(str(self.base / "guard"), release_guard.GUARD_ID)

    def window_over(self) -> list[dict[str, Any]]:
        """What the guard's timer does at the end of the window."""
        return guard.undo_due(str(self.base / "guard"), guard.boot_time() + 3600, guard.boot_id())

    def deployer(
        self,
        packed: tuple[str, str],
        agents: tuple[str, ...] = ("ezra", "bezalel"),
        kept: str = "",
        **more: Any,
    ) -> release_host.Deploy:
        """A deploy of a release, not begun yet."""
        listed = [{"name": name, "home": str(self.base / "home" / name), "api_port": 8642} for name in agents]
        secrets = {name: self.secrets[name] for name in agents}
        fleet = {"schema": 1, "agents": list(agents)}
        wanted = release_state.Wanted(packed[1], listed, secrets, fleet, kept)
        return release_host.Deploy(self.settings(**more), wanted, self.systemctl)

    def deploy(
        self,
        packed: tuple[str, str],
        agents: tuple[str, ...] = ("ezra", "bezalel"),
        confirm: bool = True,
        kept: str = "",
        **more: Any,
    ) -> Any:
        result = self.deployer(packed, agents, kept, **more).run(packed[0])
        if confirm and result.armed:
            self.confirm()
        return result

    def back(self, kept: str, **more: Any) -> Any:
        """Go to a release that this host keeps."""
        return self.deploy(("", ""), kept=kept, **more)

    def soul(self, name: str = "ezra") -> str:
        return os.readlink(self.base / "home" / name / ".hermes/SOUL.md")

    def config(self, name: str = "ezra") -> Any:
        return json.loads((self.base / "home" / name / ".hermes/config.yaml").read_text())

    def current(self) -> str:
        return release.current_name(str(self.base / "timmy"))

    def picture(self) -> dict[str, tuple[int, bytes]]:
        """Every file and link of the host, except Hermes and the archives."""
        found = {}
        for place in ("timmy", "etc", "home"):
            for folder, _folders, names in os.walk(self.base / place):
                for name in names:
                    if name == release_lock.LEASE:
                        continue
                    full = os.path.join(folder, name)
                    content = os.readlink(full).encode() if os.path.islink(full) else Path(full).read_bytes()
                    found[os.path.relpath(full, self.base)] = (os.lstat(full).st_mode, content)
        return found


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def test_a_blank_host_gets_everything_and_a_second_run_finds_nothing_to_do(host: Host) -> None:
    packed = host.pack()
    result = host.deploy(packed)
    assert result.changed
    assert (result.release, result.previous) == (packed[1][:16], "")
    assert host.current() == packed[1][:16]
    assert host.soul() == f"{host.base}/timmy/current/agents/ezra/home/SOUL.md"
    assert host.config() == {"_config_version": 33, "a": {"ours": 1}}
    env = host.base / "etc/agents/ezra.env"
    assert env.read_text().splitlines()[-1] == f"API_SERVER_KEY={KEY}"
    assert stat.S_IMODE(env.stat().st_mode) == 0o640
    assert host.running == {"ezra": 1, "bezalel": 1}
    before, host.asked = host.picture(), []
    again = host.deploy(("", packed[1]))
    assert not again.changed
    assert (again.restarted, again.drift, host.asked) == ([], {}, [])
    assert host.picture() == before


def test_a_release_that_is_not_here_is_asked_for_and_nothing_is_touched(host: Host) -> None:
    first, second = host.pack(), host.pack(**{"skills/y": "y"})
    host.deploy(first)
    before = host.picture()
    result = host.deploy(("", second[1]))
    assert result.need_archive
    assert host.picture() == before


def test_a_skill_restarts_nothing_and_a_managed_key_only_its_agent(host: Host) -> None:
    host.deploy(host.pack())
    changed = host.deploy(host.pack(**{"skills/x/SKILL.md": "better\n"}))
    assert changed.paths == {"managed": ["skills/x/SKILL.md"]}
    assert changed.restarted == []
    changed = host.deploy(host.pack(**{"agents/ezra/managed/config.yaml": "{a: 1}\n"}))
    assert changed.restarted == ["ezra"]


def test_a_secret_restarts_its_agent_and_goes_back_with_the_flip(host: Host) -> None:
    packed = host.pack()
    host.deploy(packed)
    host.secrets["ezra"] = {"API_SERVER_KEY": KEY, "TELEGRAM_BOT_TOKEN": "canary-token"}
    result = host.deploy(("", packed[1]), diff_mode=True, confirm=False)
    assert result.env == {"ezra": ["TELEGRAM_BOT_TOKEN"]}
    assert result.restarted == ["ezra"]
    assert "canary" not in json.dumps(result.public())
    env = host.base / "etc/agents/ezra.env"
    assert "TELEGRAM" in env.read_text()
    host.window_over()
    assert "TELEGRAM" not in env.read_text()
    assert stat.S_IMODE(env.stat().st_mode) == 0o640
    assert host.running == {"ezra": 3, "bezalel": 1}


def test_a_refused_release_changes_nothing_that_is_active(host: Host) -> None:
    host.deploy(host.pack())
    before = {path: value for path, value in host.picture().items() if not path.startswith("timmy/releases")}
    host.problems = ["config.yaml: agent.max_turn: no such key"]
    with pytest.raises(release_state.DeployError, match=r"ezra: config.yaml: agent\.max_turn") as caught:
        host.deploy(host.pack(**{"agents/ezra/managed/config.yaml": "{a: 2}\n"}))
    # The other agent's proof is the old one: nothing of it has changed.
    assert caught.value.details["problems"] == ["ezra: config.yaml: agent.max_turn: no such key"]
    after = {path: value for path, value in host.picture().items() if not path.startswith("timmy/releases")}
    assert after == before


def test_an_unhealthy_gateway_sends_the_host_back(host: Host) -> None:
    first = host.pack()
    host.deploy(first)
    before = host.picture()
    host.secrets["ezra"] = {"API_SERVER_KEY": KEY, "NEW": "value"}
    second = host.pack(
        **{"agents/ezra/managed/config.yaml": "{a: 2}\n", "agents/ezra/merged/config.json": '{"b": 2}'}
    )
    host.bad = second[1][:16]
    with pytest.raises(release_state.DeployError, match=r"told so; this host is back on release") as caught:
        host.deploy(second)
    assert caught.value.details["rolled_back"] is True
    after = host.picture()
    for path in ("etc/agents/ezra.env", "etc/fleet.json", "home/ezra/.hermes/config.yaml"):
        assert after[path] == before[path], path
    assert host.current() == first[1][:16]
    assert host.running == {"ezra": 3, "bezalel": 1}
    assert not _again(host, first).changed


def _again(host: Host, packed: tuple[str, str]) -> Any:
    host.secrets["ezra"] = {"API_SERVER_KEY": KEY}
    return host.deploy(("", packed[1]))


def test_the_first_install_is_reversible_too(host: Host) -> None:
    (host.base / "home/ezra/.hermes/config.yaml").write_text('{"mine": 1}')
    host.well = False
    with pytest.raises(release_state.DeployError, match=r"back on release \(none\)"):
        host.deploy(host.pack())
    assert host.current() == ""
    assert host.running == {}
    assert not (host.base / "home/ezra/.hermes/SOUL.md").is_symlink()
    assert host.config() == {"mine": 1}
    assert not (host.base / "etc/agents/ezra.env").exists()
    host.well = True
    assert host.deploy(host.pack()).changed


def test_an_agent_that_left_is_stopped_and_its_home_keeps_the_rest(host: Host) -> None:
    host.deploy(host.pack())
    (host.base / "home/bezalel/.hermes/state.db").write_text("theirs")
    result = host.deploy(host.pack(("ezra",)), agents=("ezra",))
    assert result.retired == ["bezalel"]
    assert "bezalel" not in host.running
    home = host.base / "home/bezalel/.hermes"
    assert sorted(path.name for path in home.iterdir()) == ["config.yaml", "state.db"]
    assert host.config("bezalel") == {"_config_version": 33}
    assert not (host.base / "etc/agents/bezalel.env").exists()
    assert not host.deploy(host.pack(("ezra",)), agents=("ezra",)).changed


def test_absent_takes_our_things_and_nothing_else(host: Host) -> None:
    (host.base / "home/ezra/.hermes/config.yaml").write_text('{"mine": 1}')
    foreign = host.base / "timmy/notes.txt"
    host.deploy(host.pack())
    host.deploy(host.pack(**{"skills/y": "y"}))
    foreign.write_text("keep")
    listed = [{"name": "ezra"}, {"name": "bezalel"}]
    wanted = release_state.Wanted("", listed, {}, {})
    assert release_host.Deploy(host.settings(), wanted, host.systemctl).absent().changed
    assert host.running == {}
    assert host.config() == {"mine": 1}
    left = host.picture()
    assert {path for path in left if not path.startswith("home/")} == {"timmy/notes.txt"}
    assert not [path for path, (mode, _content) in left.items() if stat.S_ISLNK(mode)]
    assert not release_host.Deploy(host.settings(), wanted, host.systemctl).absent().changed


def test_drift_is_reported_and_kept_while_what_is_gone_is_repaired(host: Host) -> None:
    packed = host.pack()
    host.deploy(packed)
    for name in ("ezra", "bezalel"):
        (host.base / "home" / name / ".hermes/SOUL.md").unlink()
    (host.base / "home/ezra/.hermes/SOUL.md").write_text("mine")
    (host.base / "home/ezra/.hermes/config.yaml").write_text('{"a": {"ours": 7, "theirs": 2}}')
    result = host.deploy(("", packed[1]))
    assert result.linked == {"bezalel": [".hermes/SOUL.md"]}
    wanted = {"ezra": [".hermes/SOUL.md: no longer our link", "a.ours: edited"]}
    assert result.drift == wanted
    assert host.config() == {"a": {"ours": 7, "theirs": 2}}
    again = host.deploy(("", packed[1]))
    assert not again.changed
    assert again.drift == wanted
    seen = release_info.info(host.settings())["drift"]
    assert {one["problem"] for one in seen} == {"edited", "link edited"}
    assert [one["path"].partition("#")[2] for one in seen if one["kind"] == "key"] == ["a.ours"]


def test_a_dropped_link_goes_and_one_that_somebody_made_his_own_is_kept_and_told(host: Host) -> None:
    skins = {f"agents/ezra/home/skins/{name}.yaml": name for name in ("gone", "mine")}
    host.deploy(host.pack(**skins))
    home = host.base / "home/ezra/.hermes/skins"
    (home / "mine.yaml").unlink()
    (home / "mine.yaml").write_text("theirs")
    packed = host.pack()
    foretold = host.deploy(packed, check_mode=True)
    result = host.deploy(packed)
    assert result.linked == foretold.linked == {"ezra": [".hermes/skins/gone.yaml"]}
    told = [".hermes/skins/mine.yaml: dropped by the overlay, and no longer our link"]
    assert result.drift == foretold.drift == {"ezra": told}
    assert [path.name for path in home.iterdir()] == ["mine.yaml"]
    assert (home / "mine.yaml").read_text() == "theirs"
    assert host.deploy(("", packed[1])).drift == {}


@pytest.mark.parametrize("blank", [True, False])
def test_check_mode_says_what_a_run_would_do_and_does_nothing(host: Host, blank: bool) -> None:
    if not blank:
        host.deploy(host.pack())
    changes = {
        "skills/x/SKILL.md": "better\n",
        "agents/ezra/managed/config.yaml": "{b: 1}\n",
        "agents/ezra/merged/config.json": '{"a": {"ours": 2}, "_config_version": 33}\n',
        "agents/ezra/home/skins/x.yaml": "x",
    }
    packed = host.pack(**changes)
    (host.base / "home/ezra/.hermes/skins").mkdir()
    (host.base / "home/ezra/.hermes/skins/x.yaml").write_text("somebody else's")
    before, units = host.picture(), dict(host.running)
    predicted = host.deploy(packed, check_mode=True, diff_mode=True)
    assert (host.picture(), host.running) == (before, units)
    real = host.deploy(packed, diff_mode=True)
    for name in ("changed", "release", "previous", "paths", "env", "linked", "seeded", "kept", "merged"):
        assert getattr(predicted, name) == getattr(real, name), name
    for name in ("drift", "restarted", "retired", "pruned", "diff"):
        assert getattr(predicted, name) == getattr(real, name), name
    assert KEY not in json.dumps(predicted.public())
    settled = host.deploy(("", packed[1]), check_mode=True)
    assert not settled.changed


def test_check_mode_on_a_host_without_accounts(host: Host) -> None:
    shutil.rmtree(host.base / "home")
    result = host.deploy(host.pack(), check_mode=True)
    assert result.changed
    assert result.linked["ezra"] == [".hermes/SOUL.md"]


def test_without_an_account_a_real_run_names_the_role_that_makes_it(host: Host) -> None:
    shutil.rmtree(host.base / "home" / "ezra")
    with pytest.raises(release_state.DeployError, match="ezra: has no Unix account"):
        host.deploy(host.pack())
    assert host.current() == ""


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (release_stage, "stage"),
        (hermes_home, "ask_hermes"),
        (release_files.HostFiles, "write"),
        (release, "flip"),
        (hermes_home, "look"),
        (hermes_home, "settle"),
        (wizard_units, "enable_and_restart"),
        (wizard_units, "wait_healthy"),
        (release, "prune"),
    ],
)
def test_a_run_that_was_killed_is_finished_by_the_next(
    host: Host, monkeypatch: pytest.MonkeyPatch, place: Any, name: str
) -> None:
    """Killed before a step that changes the host: the next run ends where an undisturbed one would."""
    first = host.pack()
    host.deploy(first)
    changes = {
        "agents/ezra/managed/config.yaml": "{a: 2}\n",
        "agents/ezra/merged/config.json": '{"b": 2}',
        "agents/ezra/home/skins/x.yaml": "x",
    }
    second = host.pack(**changes)
    with monkeypatch.context() as patch:
        patch.setattr(place, name, _killed)
        with pytest.raises(KeyboardInterrupt):
            host.deploy(second)
    # A flip that was armed is first taken back by the guard; until then the next run has to wait.
    held = host.deploy(second)
    if held.held:
        assert "not confirmed yet" in held.held
        assert [record["clean"] for record in host.window_over()] == [True]
        assert host.current() == first[1][:16]
        assert host.config() == {"_config_version": 33, "a": {"ours": 1}}
        assert not host.deploy(("", first[1])).changed
        host.deploy(second)
    assert host.current() == second[1][:16]
    assert host.config() == {"_config_version": 33, "b": 2}
    assert host.running["bezalel"] == 1
    settled = host.deploy(("", second[1]))
    assert not settled.changed
    assert settled.drift == {}


def _killed(*_args: Any, **_more: Any) -> None:
    raise KeyboardInterrupt


def test_old_releases_go_and_the_running_one_and_the_one_before_stay(host: Host) -> None:
    for number in range(6):
        host.deploy(host.pack(**{"skills/x/SKILL.md": f"{number}\n"}), keep=1, young_s=0)
    shown = release_info.info(host.settings())
    assert len(shown["releases"]) <= 4
    assert shown["current"] == host.current()
    assert shown["previous"] in {one["release"] for one in shown["releases"]}
    assert shown["drift"] == []


def test_a_value_that_an_env_file_cannot_hold_stops_before_anything_changes(host: Host) -> None:
    host.secrets["ezra"] = {"TOKEN": "canary'quote"}
    with pytest.raises(release_state.DeployError, match="ezra: TOKEN") as caught:
        host.deploy(host.pack())
    assert "canary" not in str(caught.value)
    assert host.current() == ""


def test_a_release_of_the_last_minutes_is_not_pruned(host: Host) -> None:
    for number in range(4):
        host.deploy(host.pack(**{"skills/x/SKILL.md": f"{number}\n"}), keep=0)
    assert len(release_info.info(host.settings())["releases"]) == 4


def test_an_unconfirmed_flip_goes_back_by_itself(host: Host) -> None:
    first = host.pack()
    host.deploy(first)
    before = host.picture()
    second = host.pack(
        **{"agents/ezra/managed/config.yaml": "{a: 2}\n", "agents/ezra/merged/config.json": '{"b": 2}'}
    )
    result = host.deploy(second, confirm=False)
    assert (result.armed, result.left_s > 20) == (True, True)
    assert host.current() == second[1][:16]
    host.window_over()
    assert host.undone == ["homes", "units"]
    assert host.current() == first[1][:16]
    after = host.picture()
    assert {
        path: after[path] for path in before if "/state/" not in path and not path.startswith("timmy/state")
    } == {path: before[path] for path in before if not path.startswith("timmy/state")}
    assert host.running == {"ezra": 3, "bezalel": 1}


def test_a_restart_of_the_host_inside_the_window_goes_back_without_waiting_for_units(host: Host) -> None:
    host.deploy(host.pack())
    host.deploy(host.pack(**{"agents/ezra/managed/config.yaml": "{a: 2}\n"}), confirm=False)
    guard.undo_due(str(host.base / "guard"), guard.boot_time(), "another boot", everything=True)
    assert host.undone == ["homes"]
    assert host.running["ezra"] == 2
    # Nobody knows what it runs with now, so the same release restarts it again.
    assert host.deploy(host.pack(**{"agents/ezra/managed/config.yaml": "{a: 2}\n"})).restarted == ["ezra"]


def test_an_agent_that_left_comes_back_with_the_release_before(host: Host) -> None:
    host.deploy(host.pack())
    before = host.picture()
    result = host.deploy(host.pack(("ezra",)), agents=("ezra",), confirm=False)
    assert result.retired == ["bezalel"]
    host.window_over()
    after = host.picture()
    for path in (
        "etc/agents/bezalel.env",
        "home/bezalel/.hermes/SOUL.md",
        "home/bezalel/.hermes/config.yaml",
    ):
        assert after[path] == before[path], path
    assert "bezalel" in host.running


def test_a_second_deploy_waits_until_the_first_is_confirmed(host: Host) -> None:
    host.deploy(host.pack(), confirm=False, owner="one")
    other = host.pack(**{"skills/y": "y"})
    assert "one: its release is not confirmed yet" in host.deploy(other, owner="two").held
    host.confirm()
    assert host.deploy(other, owner="two").changed


def test_busy_agents_are_waited_for_before_the_window(host: Host) -> None:
    host.deploy(host.pack())
    host.turns = {"ezra": 2}
    packed = host.pack(**{"agents/ezra/managed/config.yaml": "{a: 2}\n"})
    waits = host.deploy(packed, drain_s=60, owner="one")
    assert (waits.draining, waits.armed) == ({"ezra": 2}, False)
    assert host.current() != packed[1][:16]
    assert "one: expected back" in host.deploy(packed, owner="two").held
    # The controller used up its patience: the deploy goes on, turns or not.
    goes_on = host.deploy(packed, drain_s=1, owner="one")
    assert (goes_on.restarted, goes_on.cut) == (["ezra"], {"ezra": 2})


def test_agents_that_do_not_restart_are_not_waited_for(host: Host) -> None:
    host.deploy(host.pack())
    host.turns = {"ezra": 2}
    assert host.deploy(host.pack(**{"skills/y": "y"}), drain_s=60).changed


def test_back_to_a_kept_release_and_forward_again(host: Host) -> None:
    first, second = host.pack(), host.pack(**{"agents/ezra/merged/config.json": '{"b": 2}'})
    host.deploy(first)
    host.deploy(second)
    env = (host.base / "etc/agents/ezra.env").read_bytes()
    host.asked = []
    result = host.back("previous")
    assert (result.release, host.current()) == (first[1][:16], first[1][:16])
    assert host.config() == {"_config_version": 33, "a": {"ours": 1}}
    assert "prove" not in host.asked
    assert (host.base / "etc/agents/ezra.env").read_bytes() == env
    assert host.back("previous").release == second[1][:16]
    assert host.back(first[1][:6]).release == first[1][:16]
    assert not host.back(first[1][:16]).changed


@pytest.mark.parametrize("wanted", ["previous", "abcdef", "../../etc", ""])
def test_a_release_that_is_not_kept_is_refused(host: Host, wanted: str) -> None:
    packed = host.pack()
    host.deploy(packed)
    with pytest.raises(release_state.DeployError, match=r"on record|is not kept on this host"):
        host.back(wanted or packed[1][:3])
    assert host.current() == packed[1][:16]


def test_a_damaged_release_is_not_gone_back_to(host: Host) -> None:
    first = host.pack()
    host.deploy(first)
    host.deploy(host.pack(**{"skills/y": "y"}))
    (host.base / "timmy/releases" / first[1][:16] / "skills/x/SKILL.md").write_text("edited")
    with pytest.raises(release_state.DeployError, match="is damaged here"):
        host.back("previous")


def test_going_back_can_itself_be_taken_back(host: Host) -> None:
    host.deploy(host.pack())
    second = host.pack(**{"agents/ezra/managed/config.yaml": "{a: 2}\n"})
    host.deploy(second)
    assert host.back("previous", confirm=False).armed
    host.window_over()
    assert host.current() == second[1][:16]
