# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half: an overlay gives the same release everywhere, which travels only when it has to."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.timmy.config.plugins.action import sidecar_release
from ansible_collections.timmy.config.plugins.module_utils import release_format

OVERLAY = os.path.join(sidecar_release.COLLECTION, "overlay")
ARGS: dict[str, Any] = {
    "overlay_dir": OVERLAY,
    "agents": [{"name": "ezra", "host": "hermes-vps", "env": {"PLAIN": "x"}}],
    "model": {
        "provider": "ollama",
        "default": "gemma-4-31b-it",
        "base_url": "http://127.0.0.1:11434/v1",
        "context_length": 65536,
    },
    "secrets": {"ezra": {"API_SERVER_KEY": "canary-0123456789abcdef"}},
}


class Action(sidecar_release.ActionModule):
    """The action with a host that answers from a list and keeps what it was sent."""

    def __init__(self, args: dict[str, Any], answers: list[dict[str, Any]]) -> None:
        self.answers = answers
        self.calls: list[dict[str, Any]] = []
        self.sent: list[tuple[str, bytes]] = []
        task = SimpleNamespace(
            args=args, async_val=0, check_mode=False, diff=False, action="sidecar_release", delegate_to=None
        )
        shell = SimpleNamespace(join_path=os.path.join, tmpdir="/remote/tmp")
        loader = DataLoader()
        self.resets = 0
        self.said: list[str] = []
        self.commands: list[str] = []
        self.replies: list[dict[str, Any] | Exception] = []
        super().__init__(
            task=task,
            connection=SimpleNamespace(_shell=shell, reset=self._count_reset),
            play_context=SimpleNamespace(check_mode=False),
            loader=loader,
            templar=Templar(loader=loader),
            shared_loader_obj=None,
        )

    def _count_reset(self) -> None:
        self.resets += 1

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.calls.append(dict(call["module_args"]))
        return self.answers.pop(0)

    def _low_level_execute_command(self, command: str, **_more: Any) -> dict[str, Any]:
        self.commands.append(command)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _say(self, _variables: Any, line: str) -> None:
        self.said.append(line)

    def _make_tmp_path(self, *_args: Any) -> str:
        return "/remote/tmp"

    def _transfer_data(self, remote_path: str, data: bytes) -> str:
        self.sent.append((remote_path, data))
        return remote_path

    def _fixup_perms2(self, *_args: Any, **_more: Any) -> None:
        """The host of this test has no permissions to mend."""

    def _early_needs_tmp_path(self) -> bool:
        return False


def run(args: dict[str, Any], *answers: dict[str, Any]) -> tuple[Action, dict[str, Any]]:
    action = Action(args, list(answers))
    return action, action.run(task_vars={"inventory_hostname": "hermes-vps"})


def test_an_unchanged_host_costs_one_module_run_and_no_transfer() -> None:
    action, result = run(ARGS, {"changed": False, "need_archive": False})
    assert (len(action.calls), action.sent) == (1, [])
    assert result["changed"] is False
    call = action.calls[0]
    assert len(call["wanted"]) == 64
    assert "archive" not in call
    assert not {"overlay_dir", "model", "fleet"} & call.keys()


ARMED = {"changed": True, "release": "new", "previous": "old", "armed": True, "left_s": 50.0}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}

    def sleep(seconds: float) -> None:
        clock["now"] += seconds

    monkeypatch.setattr(sidecar_release, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: clock["now"]))


def confirmed_by(*replies: dict[str, Any] | Exception, **answer: Any) -> tuple[Action, dict[str, Any]]:
    action = Action(ARGS, [{**ARMED, **answer}])
    action.replies = list(replies)
    return action, action.run(task_vars={"inventory_hostname": "hermes-vps"})


def test_a_flip_is_confirmed_over_a_new_connection() -> None:
    action, result = confirmed_by({"rc": 0})
    assert (action.resets, len(action.calls)) == (1, 1)
    assert action.commands[0].endswith("guard.py --dir /var/lib/timmy-guard confirm sidecar-release")
    assert (result["confirmed"], result["changed"]) == (True, True)
    assert not {"armed", "left_s", "failed"} & result.keys()


def listed(**more: Any) -> dict[str, Any]:
    return {
        "rc": 0,
        "stdout": json.dumps({"id": "sidecar-release", "clean": True, "why": "too late", **more}),
    }


def test_a_connection_that_comes_back_in_time_is_good_enough() -> None:
    action, result = confirmed_by(AnsibleConnectionFailure("refused"), {"rc": 0})
    assert (action.resets, result["confirmed"]) == (2, True)


@pytest.mark.parametrize(
    ("state", "clean", "part", "back"),
    [
        ("undone", True, "this host is back on release old", True),
        ("undone", False, "failed in part", False),
        ("unknown", True, "how it ended is unknown", False),
    ],
)
def test_an_unconfirmed_flip_fails_with_the_reason(state: str, clean: bool, part: str, back: bool) -> None:
    _action, result = confirmed_by(
        {"rc": 1, "stderr": "guard: too late"}, listed(state="undoing"), listed(state=state, clean=clean)
    )
    assert (result["failed"], result["rolled_back"]) == (True, back)
    assert "release new was not confirmed: too late" in result["msg"]
    assert part in result["msg"]


def test_no_new_connection_within_the_window_is_a_failure_with_its_reason() -> None:
    refused: list[dict[str, Any] | Exception] = [AnsibleConnectionFailure("Connection refused")] * 5
    _action, result = confirmed_by(*refused, listed(state="undone", why=""), left_s=4.0)
    assert "no new connection to this host within the window (Connection refused)" in result["msg"]
    assert result["failed"]


def test_a_confirmation_whose_answer_was_lost_counts() -> None:
    _action, result = confirmed_by({"rc": 1, "stderr": "nothing armed"}, listed(state="confirmed"))
    assert result["confirmed"]
    assert "failed" not in result


def test_a_failed_deploy_is_not_confirmed() -> None:
    action, result = confirmed_by(failed=True, msg="ill")
    assert (action.commands, result["msg"]) == ([], "ill")


def test_a_host_that_is_held_is_waited_for_and_said() -> None:
    held = {"held": "ann@desk 7 x: at work on this host", "changed": False}
    broken = "ann@desk 7 x: its process on this host is gone"
    action, result = run(ARGS, held, held, {"changed": False, "lock_broken": broken})
    assert [len(action.calls), len(action.said)] == [3, 2]
    assert "for ann@desk 7 x: at work" in action.said[0]
    assert result["warnings"] == [f"broke the deploy lock of {broken}"]
    assert len({call["owner"] for call in action.calls}) == 1
    _action, result = run({**ARGS, "lock_wait_s": 3}, held, held, held)
    assert result["failed"]
    assert "ann@desk" in result["msg"]


def test_busy_agents_are_said_and_get_no_more_than_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = {"draining": {"ezra": 2}, "changed": False}
    ticks = iter(range(0, 1000, 3))
    clock = SimpleNamespace(sleep=lambda _seconds: None, monotonic=lambda: float(next(ticks)))
    monkeypatch.setattr(sidecar_release, "time", clock)
    action, result = run({**ARGS, "drain_s": 10}, busy, busy, {"changed": False, "cut": {"ezra": 1}})
    assert result["warnings"] == ["went on after 10 s though turns still ran: ezra 1"]
    assert "cut" not in result
    assert [call["drain_s"] for call in action.calls] == sorted(
        (call["drain_s"] for call in action.calls), reverse=True
    )
    assert action.calls[0]["drain_s"] == 10
    assert action.calls[-1]["drain_s"] < 6
    assert "ezra 2" in action.said[0]
    assert "draining" not in result


def test_going_back_renders_no_overlay() -> None:
    action, _result = run({"release": "previous", "overlay_dir": "/nowhere"}, {"changed": False})
    assert "wanted" not in action.calls[0]
    assert action.calls[0]["release"] == "previous"


def test_a_host_that_asks_gets_the_archive_and_the_same_arguments(tmp_path: Path) -> None:
    action, result = run(ARGS, {"need_archive": True, "changed": True}, {"changed": True, "release": "x"})
    first, second = action.calls
    assert second == {**first, "archive": "/remote/tmp/release.tar.gz"}
    assert result["release"] == "x"
    archive = tmp_path / "a"
    archive.write_bytes(action.sent[0][1])
    manifest, contents = release_format.read_archive(
        str(archive), hermes_root="/opt/hermes", config_dir="/etc/timmy"
    )
    files = dict(contents)
    assert manifest["hash"] == first["wanted"]
    assert manifest["agents"] == ["ezra"]
    assert not any(b"canary" in content for content in files.values())
    assert {"lib/timmy/__init__.py", "lib/timmy/core/release.py", "agents/ezra/managed/config.yaml"} <= set(
        files
    )
    assert b"class" in files["lib/timmy/core/release_host.py"]
    assert json.loads(files["agents/ezra/merged/cron.json"])["jobs"]


def test_a_failed_first_run_sends_nothing() -> None:
    action, result = run(ARGS, {"failed": True, "need_archive": True, "msg": "no"})
    assert (result["failed"], action.sent) == (True, [])


def test_absent_needs_no_overlay() -> None:
    action, result = run({"state": "absent", "overlay_dir": "/nowhere"}, {"changed": True})
    assert result["changed"]
    assert len(action.calls) == 1


def build(overlay: str = OVERLAY, **more: Any) -> sidecar_release.Tree:
    settings: dict[str, Any] = {
        "overlay_dir": overlay,
        "package_dir": os.path.join(sidecar_release.COLLECTION, "src", "timmy"),
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
    return sidecar_release.build(Templar(loader=DataLoader()), **settings)


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


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"overlay_dir": "/nowhere"}, "no such directory"),
        ({"agents": "ezra"}, "must be a list"),
        ({"agents": [{"host": "x"}]}, "that have a name"),
        ({"agents": [{"name": "../etc"}]}, r"\.\."),
    ],
)
def test_bad_input_is_one_line_before_any_host_is_asked(args: dict[str, Any], word: str) -> None:
    with pytest.raises(AnsibleActionFail, match=word) as caught:
        run({**ARGS, **args})
    assert "\n" not in str(caught.value)


def test_broken_yaml_names_file_and_place(tmp_path: Path) -> None:
    shutil.copytree(OVERLAY, tmp_path / "overlay")
    (tmp_path / "overlay/config.yaml").write_text("agent: [\n")
    with pytest.raises(AnsibleActionFail, match=r"config\.yaml:\d+:\d+: broken YAML"):
        run({**ARGS, "overlay_dir": str(tmp_path / "overlay")})


def test_an_installation_without_the_runtime_is_named(tmp_path: Path) -> None:
    with pytest.raises(release_format.ReleaseError, match="runtime package is missing"):
        sidecar_release.package(str(tmp_path))
