# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of a deploy: render the overlay, hash it, and send to a host only what it lacks."""

from __future__ import annotations

import getpass
import os
import socket
import time
import uuid
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.timmy.config.plugins.module_utils import (
    overlay_problem,
    release_arguments,
    release_format,
)
from ansible_collections.timmy.config.plugins.plugin_utils import (
    overlay,
    release_confirm,
    release_parcel,
    release_tree,
    release_visit,
)

POLL_S = 2.0
# The action plugin is plugins/action/<file> below the collection's own directory.
COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible ships no types
    """One visit where nothing changed; else one more with what the host lacks, and a word that accepts it."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See the module's documentation."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        # What one visit tells is not lost when another follows.
        self._told: list[str] = []
        args, archive = self._arguments()
        groups = args.pop("ask_groups")
        if args["state"] == "present" and not args["release"]:
            answer = self._bring(args, variables, archive)
        else:
            answer = self._visit(_for_host(args), variables)
            if answer.get("due") and args["ask"]:
                answer["parcel"] = release_parcel.put(args, archive)
        if answer.pop("armed", False) and not answer.get("failed"):
            answer.update(release_confirm.confirm(self, args, answer))
        lines = [*self._told, *_lines(answer)]
        if lines:
            result.setdefault("warnings", []).extend(lines)
        for name in ("left_s", "draining", "cut", "held", "blobs", *(() if args["ask"] else ("due",))):
            answer.pop(name, None)
        result.update(answer)
        if args["ask"] and len(groups) == 2 and not answer.get("failed"):
            # As group_by does it, without a task of its own for each host.
            result.update(add_group=groups[0 if answer.get("due") else 1], parent_groups=["all"])
        return result

    def _arguments(self) -> tuple[dict[str, Any], bytes]:
        """The arguments with every default, and what a parcel holds; the same list counts on the host."""
        checked = ArgumentSpecValidator(release_arguments.ARGUMENTS).validate(dict(self._task.args))
        if checked.error_messages:
            raise AnsibleActionFail(" ".join(checked.error_messages[0].split()))
        args, archive = dict(checked.validated_parameters), b""
        if args["parcel"]:
            args, archive = _unpacked(args)
        args["owner"] = f"{getpass.getuser()}@{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"
        problem = release_arguments.problem_of(args["agents"], args["secrets"])
        if problem or not all(agent.get("name") for agent in args["fleet"]):
            raise AnsibleActionFail(problem or "fleet: must be a list of mappings that have a name")
        return args, archive

    def _bring(self, args: dict[str, Any], variables: dict[str, Any], archive: bytes) -> dict[str, Any]:
        """Ask the host, and send what it lacks; where it was asked before, that lies ready in `archive`."""
        if args["wanted"]:
            answer = self._visit(_for_host(args), variables, archive)
            if answer.get("failed") or not answer.get("need_archive"):
                return answer
        try:
            tree = self._tree(args, variables)
        except (overlay.OverlayError, overlay_problem.CheckError, release_format.ReleaseError) as error:
            raise AnsibleActionFail(str(error)) from error
        args = {**args, "wanted": tree.manifest["hash"], "fleet_json": tree.fleet_json}
        told = _for_host(args)
        answer = self._visit(told, variables)
        if answer.get("failed"):
            return answer
        known = release_format.blobs_in(str(answer.get("blobs") or ""))
        if args["ask"]:
            if answer.get("due"):
                lacking = tree.pack(known) if answer.get("need_archive") else b""
                answer["parcel"] = release_parcel.put(args, lacking)
            return answer
        if not answer.get("need_archive"):
            return answer
        answer = self._visit(told, variables, tree.pack(known))
        if known and answer.get("need_archive") and not answer.get("failed"):
            answer = self._visit(told, variables, tree.pack())
        if answer.get("need_archive") and not answer.get("failed"):
            broken = "the archive did not arrive whole; nothing was changed, run it again"
            return {**answer, "failed": True, "changed": False, "msg": broken}
        return answer

    def _say(self, variables: Mapping[str, Any], line: str) -> None:
        Display().display(f"{variables.get('inventory_hostname', 'host')}: {line}", color="cyan")

    def _visit(self, args: dict[str, Any], variables: dict[str, Any], archive: bytes = b"") -> dict[str, Any]:
        """One visit; more while another deploy holds the host, or agents are busy with a turn."""
        args = dict(args)
        begin = time.monotonic()
        patience = args["lock_wait_s"]
        drain = full = args["drain_s"]
        broken = ""
        damage: list[str] = []
        while True:
            visited = time.monotonic()
            args["drain_s"] = max(drain, 0.0)
            answer = release_visit.visit(self, args, variables, archive)
            broken = answer.pop("lock_broken", "") or broken
            # A visit that drains has mended the release before: the next one finds nothing to tell of it.
            damage = (answer.get("drift") or {}).get("release") or damage
            waited = time.monotonic() - begin
            if answer.get("failed"):
                break
            if answer.get("held"):
                if waited >= patience:
                    return {
                        "failed": True,
                        "msg": f"waited {waited:.0f} s for the deploy of {answer['held']}",
                    }
                self._say(variables, f"waiting {waited:.0f} of {patience:.0f} s for {answer['held']}")
                time.sleep(POLL_S)
            elif answer.get("draining"):
                # The release is on the host now.
                archive = b""
                drain -= time.monotonic() - visited
                left, turns = max(drain, 0), _turns(answer["draining"])
                self._say(variables, f"waiting for turns to end, {left:.0f} of {full:.0f} s left: {turns}")
            else:
                break
        if damage:
            answer.setdefault("drift", {})["release"] = damage
        if broken:
            self._told.append(f"broke the deploy lock of {broken}")
        if answer.get("cut"):
            self._told.append(f"went on after {full:.0f} s though turns still ran: {_turns(answer['cut'])}")
        self._told += answer.pop("warnings", None) or []
        return answer

    def _tree(self, args: Mapping[str, Any], variables: Mapping[str, Any]) -> release_tree.Tree:
        return release_tree.build(
            self._templar,
            overlay_dir=args["overlay_dir"] or os.path.join(COLLECTION, "overlay"),
            package_dir=os.path.join(COLLECTION, "src", "timmy"),
            agents=args["agents"],
            fleet=args["fleet"] or args["agents"],
            model=args["model"],
            host=str(args["host"] or variables.get("inventory_hostname") or "localhost"),
            secrets=args["secrets"],
            hermes_version=args["hermes_version"],
            release_root=args["release_root"],
            hermes_root=args["hermes_root"],
            config_dir=args["config_dir"],
            timezone=args["timezone"],
        )


def _unpacked(args: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The arguments that a host was asked with, and the archive for it."""
    try:
        parcel = release_parcel.take(args["parcel"])
    except release_parcel.ParcelError as error:
        raise AnsibleActionFail(str(error)) from error
    return {**args, **parcel.args}, parcel.archive


def _for_host(args: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the release itself says."""
    inside = ("overlay_dir", "fleet", "model", "host", "timezone", "parcel")
    return {name: value for name, value in args.items() if name not in inside}


def _turns(busy: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(busy.items()))


def _lines(answer: Mapping[str, Any]) -> list[str]:
    """What somebody changed, was set aside or has left; a report that only -v shows is read by nobody."""
    lines = []
    for kind, word in (("drift", "somebody changed"), ("kept", "set aside")):
        for owner, paths in (answer.get(kind) or {}).items():
            lines += [f"{word}: {owner}: {path}" for path in paths]
    if answer.get("retired"):
        lines.append(f"no longer on this host, stopped: {', '.join(answer['retired'])}")
    return lines
