# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half: an overlay gives the same release everywhere, which travels only when it has to."""

from __future__ import annotations

import io
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
from ansible_collections.timmy.config.plugins.plugin_utils import release_confirm

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

    def __init__(self, args: dict[str, Any], answers: list[dict[str, Any]], **host: bool) -> None:
        self.answers = answers
        self.pipelining = host.get("pipelining", True)
        self.tool = host.get("tool", True)
        self.calls: list[dict[str, Any]] = []
        self.sent: list[bytes] = []
        self.by_module = 0
        task = SimpleNamespace(
            args=args,
            async_val=0,
            check_mode=host.get("check", False),
            diff=False,
            action="sidecar_release",
            delegate_to=None,
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

    def _is_pipelining_enabled(self, *_args: Any, **_more: Any) -> bool:
        return self.pipelining

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.by_module += 1
        self.calls.append(dict(call["module_args"]))
        return self.answers.pop(0)

    def _low_level_execute_command(
        self, command: str, in_data: bytes | None = None, **_more: Any
    ) -> dict[str, Any]:
        self.commands.append(command)
        if in_data is not None:
            if not self.tool:
                return {"rc": 2, "stdout": "", "stderr": "can't open file: No such file or directory"}
            head, _newline, archive = in_data.partition(b"\n")
            self.calls.append(json.loads(head)["params"])
            if archive:
                self.sent.append(archive)
            return {"rc": 0, "stdout": f"a banner\n{json.dumps(self.answers.pop(0))}\n", "stderr": ""}
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _say(self, _variables: Any, line: str) -> None:
        self.said.append(line)

    def _make_tmp_path(self, *_args: Any) -> str:
        return "/remote/tmp"

    def _transfer_data(self, remote_path: str, data: bytes) -> str:
        self.sent.append(data)
        return remote_path

    def _fixup_perms2(self, *_args: Any, **_more: Any) -> None:
        """The host of this test has no permissions to mend."""

    def _early_needs_tmp_path(self) -> bool:
        return False


def run(args: dict[str, Any], *answers: dict[str, Any], **host: bool) -> tuple[Action, dict[str, Any]]:
    action = Action(args, list(answers), **host)
    return action, action.run(task_vars={"inventory_hostname": "hermes-vps"})


def test_an_unchanged_host_costs_one_visit_and_no_transfer() -> None:
    action, result = run(ARGS, {"changed": False, "need_archive": False})
    assert (len(action.calls), len(action.commands), action.sent, action.by_module) == (1, 1, [], 0)
    assert result["changed"] is False
    call = action.calls[0]
    assert len(call["wanted"]) == 64
    assert not {"overlay_dir", "model", "fleet"} & call.keys()
    assert "canary" not in action.commands[0]


@pytest.mark.parametrize("host", [{"tool": False}, {"pipelining": False}])
def test_without_the_tool_the_module_does_the_same(host: dict[str, bool]) -> None:
    answers: tuple[dict[str, Any], ...] = ({"need_archive": True, "changed": True}, {"changed": True})
    action, result = run(ARGS, *answers, **host)
    streamed, _result = run(ARGS, *answers)
    assert (action.by_module, result["changed"]) == (2, True)
    assert action.sent == streamed.sent
    assert action.calls[1]["archive"] == "/remote/tmp/release.tar.gz"
    sent = [{k: v for k, v in call.items() if v is not None and k != "owner"} for call in streamed.calls]
    told = [{k: v for k, v in call.items() if k not in {"owner", "archive"}} for call in action.calls]
    assert told == sent


def test_a_tool_that_breaks_is_not_taken_for_missing() -> None:
    action = Action(ARGS, [])
    action._low_level_execute_command = lambda *_args, **_more: {  # type: ignore[method-assign]
        "rc": 1,
        "stdout": "",
        "stderr": "Traceback:\n  boom",
    }
    result = action.run(task_vars={"inventory_hostname": "hermes-vps"})
    assert (result["failed"], action.by_module) == (True, 0)
    assert result["msg"] == "the host tool ended with 1: Traceback: boom"


def test_no_secret_comes_back_in_an_answer() -> None:
    leak = {"changed": False, "health": {"ezra": {"reason": "key canary-0123456789abcdef refused"}}}
    _action, result = run(ARGS, leak)
    assert "canary" not in json.dumps(result)


ARMED = {"changed": True, "release": "new", "previous": "old", "armed": True, "left_s": 50.0}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}

    def sleep(seconds: float) -> None:
        clock["now"] += seconds

    still = SimpleNamespace(sleep=sleep, monotonic=lambda: clock["now"])
    for module in (sidecar_release, release_confirm):
        monkeypatch.setattr(module, "time", still)


def confirmed_by(*replies: dict[str, Any] | Exception, **answer: Any) -> tuple[Action, dict[str, Any]]:
    action = Action(ARGS, [{**ARMED, **answer}])
    action.replies = list(replies)
    return action, action.run(task_vars={"inventory_hostname": "hermes-vps"})


def test_a_flip_is_confirmed_over_a_new_connection() -> None:
    action, result = confirmed_by({"rc": 0})
    assert (action.resets, len(action.calls)) == (1, 1)
    assert action.commands[1].endswith(".pyz guard --dir /var/lib/timmy-guard confirm sidecar-release")
    assert (result["confirmed"], result["changed"]) == (True, True)
    assert not {"armed", "left_s", "failed"} & result.keys()


def test_without_the_tool_the_guard_itself_is_told() -> None:
    gone = {"rc": 2, "stderr": "can't open file: [Errno 2] No such file or directory"}
    action, result = confirmed_by(gone, {"rc": 0})
    assert action.commands[2].endswith("guard.py --dir /var/lib/timmy-guard confirm sidecar-release")
    assert result["confirmed"]


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
    assert (len(action.commands), result["msg"]) == (1, "ill")


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


def test_what_one_visit_tells_is_not_lost_when_another_follows() -> None:
    broken = "ann@desk 7 x: its process on this host is gone"
    _action, result = run(
        ARGS, {"need_archive": True, "lock_broken": broken, "warnings": ["first"]}, {"changed": True}
    )
    assert result["warnings"] == [f"broke the deploy lock of {broken}", "first"]


@pytest.mark.parametrize(("due", "group"), [(True, "due"), (False, "settled"), (None, "")])
def test_an_asked_host_is_sorted_by_what_it_says(due: bool | None, group: str) -> None:
    said = {"failed": True, "msg": "ill"} if due is None else {"due": due}
    _action, result = run({**ARGS, "ask": True, "ask_groups": ["due", "settled"]}, {"changed": False, **said})
    assert result.get("add_group", "") == group
    assert result.get("parent_groups", []) == (["all"] if group else [])
    _action, result = run({**ARGS, "ask": True}, {"changed": False, **said})
    assert "add_group" not in result


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
    assert action.calls[0]["wanted"] == ""
    assert action.calls[0]["release"] == "previous"


def unpacked(data: bytes, **more: Any) -> tuple[dict[str, Any], dict[str, bytes]]:
    manifest, contents = release_format.read_archive(
        io.BytesIO(data), hermes_root="/opt/hermes", config_dir="/etc/timmy", **more
    )
    return manifest, dict(contents)


def test_a_host_that_asks_gets_the_archive_and_the_same_arguments() -> None:
    action, result = run(ARGS, {"need_archive": True, "changed": True}, {"changed": True, "release": "x"})
    first, second = action.calls
    assert second == first
    assert result["release"] == "x"
    manifest, files = unpacked(action.sent[0])
    assert manifest["hash"] == first["wanted"]
    assert manifest["agents"] == ["ezra"]
    assert not any(b"canary" in content for content in files.values())
    assert {"lib/timmy/__init__.py", "lib/timmy/core/release.py", "agents/ezra/managed/config.yaml"} <= set(
        files
    )
    assert b"class" in files["lib/timmy/core/release_host.py"]
    assert json.loads(files["agents/ezra/merged/cron.json"])["jobs"]


def test_only_what_a_host_lacks_travels_and_all_of_it_where_it_was_wrong() -> None:
    action, _result = run(ARGS, {"need_archive": True, "changed": True}, {"changed": True})
    manifest, files = unpacked(action.sent[0])
    heart = "agents/ezra/timmy/HEART.md"
    lacking = {**manifest, "files": {k: v for k, v in manifest["files"].items() if k != heart}}
    needs = {"need_archive": True, "changed": True, "blobs": release_format.blobs_of(lacking)}
    action, result = run(ARGS, needs, {"need_archive": True, "changed": True}, {"changed": True})
    assert [len(action.calls), len(action.sent)] == [3, 2]
    by_hash = {manifest["files"][path]["sha256"]: content for path, content in files.items()}
    del by_hash[manifest["files"][heart]["sha256"]]
    assert unpacked(action.sent[0], elsewhere=by_hash.get)[1] == files
    assert unpacked(action.sent[1])[1] == files
    assert len(action.sent[0]) < len(action.sent[1]) / 3
    assert not {"blobs", "need_archive"} & {key for key, value in result.items() if value}


def test_an_archive_that_never_arrives_whole_is_a_failure() -> None:
    needs = {"need_archive": True, "changed": True}
    _action, result = run(ARGS, needs, needs)
    assert (result["failed"], result["changed"]) == (True, False)
    assert "did not arrive whole" in result["msg"]


def test_who_was_asked_before_is_sent_its_parcel_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    needs = {"need_archive": True, "changed": False, "due": True, "release": "x"}
    asking, asked = run({**ARGS, "ask": True, "keep": 7, "ask_groups": ["due", "settled"]}, dict(needs))
    assert (asked["due"], asking.sent, asking.calls[0]["ask"]) == (True, [], True)
    parcel = {"parcel": asked["parcel"], "secrets": ARGS["secrets"]}
    # No value of a secret lies in a file of the controller, only what the host needs beside them.
    assert b"canary" not in Path(asked["parcel"]).read_bytes()
    action, result = run(parcel, {"changed": True})
    assert [len(action.calls), len(action.sent)] == [1, 1]
    told, before = action.calls[0], asking.calls[0]
    assert {name for name in told if told[name] != before.get(name)} == {"ask", "owner"}
    assert (told["keep"], told["secrets"]) == (7, ARGS["secrets"])
    assert told["wanted"] == unpacked(action.sent[0])[0]["hash"]
    assert result["changed"]


def test_a_parcel_brings_the_overlay_of_the_question_also_where_it_has_to_be_packed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    needs = {"need_archive": True, "changed": False, "due": True}
    _asking, asked = run({**ARGS, "ask": True}, dict(needs))
    parcel = {"parcel": asked["parcel"], "secrets": ARGS["secrets"]}
    # What the host had when it was asked is gone meanwhile: the parcel is too small for it now.
    action, result = run(parcel, dict(needs), dict(needs), {"changed": True})
    assert len(action.calls) == 3
    assert unpacked(action.sent[-1])[0]["hash"] == action.calls[0]["wanted"]
    assert result["changed"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_parcel_without_an_archive_is_work_all_the_same(
    state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    _asking, asked = run({**ARGS, "ask": True, "state": state}, {"changed": False, "due": True})
    action, result = run({"parcel": asked["parcel"], "secrets": ARGS["secrets"]}, {"changed": True})
    assert (action.sent, action.calls[0]["state"], len(action.calls)) == ([], state, 1)
    assert result["changed"]


def test_nothing_is_packed_where_nothing_is_to_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    _asking, asked = run({**ARGS, "ask": True}, {"changed": False, "due": False})
    assert "parcel" not in asked
    assert not list(tmp_path.iterdir())


def test_a_parcel_of_another_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path / "ours"))
    (tmp_path / "ours").mkdir()
    (tmp_path / "parcel-x").write_text("{}\n")
    (tmp_path / "ours" / "parcel-y").write_text("torn")
    for path, word in (
        (tmp_path / "parcel-x", "is not of this run"),
        (tmp_path / "ours" / "parcel-y", "cannot be read any more"),
        (tmp_path / "ours" / "parcel-z", "cannot be read any more"),
    ):
        with pytest.raises(AnsibleActionFail, match=word):
            run({"parcel": str(path)}, {"changed": False})


def test_a_failed_first_run_sends_nothing() -> None:
    action, result = run(ARGS, {"failed": True, "need_archive": True, "msg": "no"})
    assert (result["failed"], action.sent) == (True, [])


def test_absent_needs_no_overlay() -> None:
    action, result = run({"state": "absent", "overlay_dir": "/nowhere"}, {"changed": True})
    assert result["changed"]
    assert len(action.calls) == 1


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"overlay_dir": "/nowhere"}, "no such directory"),
        ({"agents": "ezra"}, "agents"),
        ({"keep": "many"}, "keep"),
        ({"agnets": []}, "agnets"),
        ({"agents": [{"host": "x"}]}, "is no Unix name"),
        ({"agents": [{"name": "../etc"}]}, "'../etc' is no Unix name"),
        ({"agents": [{"name": "ezra"}, {"name": "ezra", "api_port": 1}]}, "named twice"),
        ({"agents": [{"name": "ezra"}, {"name": "moses"}]}, "shares port 8642"),
        ({"secrets": {"moses": {"KEY": "canary"}}}, "moses is none of this host's agents"),
        ({"fleet": [{"host": "x"}]}, "fleet: must be a list of mappings that have a name"),
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
