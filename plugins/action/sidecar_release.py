# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller half of a deploy: render the overlay, hash it, and send it only to a host that lacks it."""

from __future__ import annotations

import getpass
import json
import os
import shlex
import socket
import time
import uuid
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.timmy.config.plugins.module_utils import (
    guard,
    overlay_problem,
    overlay_rules,
    release_format,
    wizard_defaults,
)
from ansible_collections.timmy.config.plugins.plugin_utils import overlay

MODULE = "timmy.config.sidecar_release"
GUARD_ID = "sidecar-release"
GUARD = "/usr/bin/python3 -I /usr/local/lib/timmy/guard.py"
POLL_S = 2.0
# How long the host may need to go back once its window is over.
UNDO_S = 90.0
UNIT = "timmy-wizard@{name}.service"
# The action plugin is plugins/action/<file> below the collection's own directory.
COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible ships no types
    """One module run where nothing changed; else two, one transfer, and a word over a new connection."""

    _requires_connection = True
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """See the module's documentation."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        args = dict(self._task.args)
        args["owner"] = f"{getpass.getuser()}@{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex[:8]}"
        tree = None
        if args.get("state", "present") == "present" and not args.get("release"):
            try:
                tree = self._tree(args, variables)
            except (overlay.OverlayError, overlay_problem.CheckError, release_format.ReleaseError) as error:
                raise AnsibleActionFail(str(error)) from error
            args.update(wanted=tree.manifest["hash"], fleet_json=tree.fleet_json)
            # The host needs none of these: what they say is in the release.
            for name in ("overlay_dir", "fleet", "model", "host", "timezone"):
                args.pop(name, None)
        answer = self._visit(args, variables)
        if tree is not None and answer.get("need_archive") and not answer.get("failed"):
            answer = self._send(tree, args, variables)
        if answer.pop("armed", False) and not answer.get("failed"):
            answer.update(self._confirm(args, answer))
        for name in ("left_s", "draining", "cut", "held"):
            answer.pop(name, None)
        result.update(answer)
        return result

    def _say(self, variables: Mapping[str, Any], line: str) -> None:
        Display().display(f"{variables.get('inventory_hostname', 'host')}: {line}", color="cyan")

    def _visit(self, args: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """One module run; more while another deploy holds the host, or agents are busy with a turn."""
        args = dict(args)
        begin = time.monotonic()
        patience = float(args.get("lock_wait_s", 300))
        drain = full = float(args.get("drain_s", 0))
        broken = ""
        damage: list[str] = []
        while True:
            visited = time.monotonic()
            args["drain_s"] = max(drain, 0.0)
            answer = dict(self._execute_module(module_name=MODULE, module_args=args, task_vars=variables))
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
                drain -= time.monotonic() - visited
                left, turns = max(drain, 0), _turns(answer["draining"])
                self._say(variables, f"waiting for turns to end, {left:.0f} of {full:.0f} s left: {turns}")
            else:
                break
        if damage:
            answer.setdefault("drift", {})["release"] = damage
        if broken:
            answer.setdefault("warnings", []).append(f"broke the deploy lock of {broken}")
        if answer.get("cut"):
            told = f"went on after {full:.0f} s though turns still ran: {_turns(answer['cut'])}"
            answer.setdefault("warnings", []).append(told)
        return answer

    def _send(self, tree: Tree, args: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        self._make_tmp_path()
        target = self._connection._shell.join_path(self._connection._shell.tmpdir, "release.tar.gz")
        self._transfer_data(target, release_format.pack(tree.manifest, tree.files))
        self._fixup_perms2((self._connection._shell.tmpdir, target))
        return self._visit({**args, "archive": target}, variables)

    # --- confirm

    def _confirm(self, args: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
        """Accept the flip over a connection that is younger than it; else tell how the guard ended it."""
        limit = time.monotonic() + float(answer.get("left_s") or 0)
        program = f"{GUARD} --dir {shlex.quote(str(args.get('record_dir') or guard.RECORD_DIR))}"
        reason = self._ask_guard(f"{program} confirm {GUARD_ID}", limit)
        if reason is None:
            return {"confirmed": True}
        state = self._outcome(f"{program} list", limit + UNDO_S)
        if state.get("state") == guard.CONFIRMED:
            # The confirmation arrived, only its answer did not.
            return {"confirmed": True}
        back = answer.get("previous") or "(none)"
        ending = {
            guard.UNDONE: f"this host is back on release {back}"
            if state.get("clean")
            else f"going back to release {back} failed in part, see the journal of the host",
        }.get(str(state.get("state")), "how it ended is unknown, the host does not answer")
        why = state.get("why") or reason
        return {
            "failed": True,
            "confirmed": False,
            "rolled_back": state.get("state") == guard.UNDONE and bool(state.get("clean")),
            "msg": f"release {answer.get('release')} was not confirmed: {why}; {ending}",
        }

    def _ask_guard(self, command: str, limit: float) -> str | None:
        """Run the guard over new connections until one answers; None when it agreed, else its reason."""
        reason = "no new connection to this host within the window"
        while True:
            try:
                self._new_connection()
                answer = self._low_level_execute_command(command, sudoable=True)
            except AnsibleConnectionFailure as error:
                reason = f"{reason.partition(' (')[0]} ({' '.join(str(error).split())[:200]})"
            else:
                if answer["rc"] == 0:
                    return None
                return " ".join(str(answer.get("stderr") or answer.get("stdout") or "").split())
            if time.monotonic() >= limit:
                return reason
            time.sleep(1)

    def _new_connection(self) -> None:
        reset = getattr(self._connection, "reset", None)
        if reset is not None:
            reset()

    def _outcome(self, command: str, limit: float) -> dict[str, Any]:
        """How the guard settled the flip, {} where nobody could say in time."""
        state: dict[str, Any] = {}
        while True:
            try:
                answer = self._low_level_execute_command(command, sudoable=True)
                for line in str(answer.get("stdout") or "").splitlines():
                    if line.startswith("{") and json.loads(line).get("id") == GUARD_ID:
                        state = dict(json.loads(line))
                if state and state["state"] not in {guard.ARMED, guard.UNDOING}:
                    return state
            except (AnsibleConnectionFailure, ValueError):
                state = {}
            if time.monotonic() >= limit:
                return state
            time.sleep(POLL_S)

    def _tree(self, args: Mapping[str, Any], variables: Mapping[str, Any]) -> Tree:
        agents, fleet = _mappings(args, "agents"), _mappings(args, "fleet")
        return build(
            self._templar,
            overlay_dir=str(args.get("overlay_dir") or os.path.join(COLLECTION, "overlay")),
            package_dir=os.path.join(COLLECTION, "src", "timmy"),
            agents=agents,
            fleet=fleet or agents,
            model=args.get("model") or {},
            host=str(args.get("host") or variables.get("inventory_hostname") or "localhost"),
            secrets=args.get("secrets") or {},
            hermes_version=str(args.get("hermes_version") or "0.19.0"),
            release_root=str(args.get("release_root") or "/opt/timmy"),
            hermes_root=str(args.get("hermes_root") or "/opt/hermes"),
            config_dir=str(args.get("config_dir") or "/etc/timmy"),
            timezone=str(args.get("timezone") or "UTC"),
        )


class Tree:
    """A release in memory."""

    def __init__(
        self, manifest: dict[str, Any], files: dict[str, tuple[bytes, str]], fleet_json: dict[str, Any]
    ) -> None:
        self.manifest = manifest
        self.files = files
        self.fleet_json = fleet_json


def _turns(busy: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(busy.items()))


def _mappings(args: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = args.get(name) or []
    if not isinstance(value, list) or not all(
        isinstance(item, Mapping) and item.get("name") for item in value
    ):
        raise AnsibleActionFail(f"{name}: must be a list of mappings that have a name")
    return [dict(item) for item in value]


def build(
    templar: Any,
    *,
    overlay_dir: str,
    package_dir: str,
    agents: list[dict[str, Any]],
    fleet: list[dict[str, Any]],
    model: Mapping[str, Any],
    host: str,
    secrets: Mapping[str, Mapping[str, str]],
    hermes_version: str,
    release_root: str,
    hermes_root: str,
    config_dir: str,
    timezone: str,
) -> Tree:
    """Everything that goes into the release of one host, and its manifest."""
    source = overlay.load_overlay(overlay_dir)
    rules = overlay.ownership_of(source)
    classes = _classes(source, rules, [str(agent["name"]) for agent in agents])
    contents = overlay.render_shared(source, rules)
    modes = overlay.modes(source, rules)
    links = {**overlay.shared_links(source), "hermes": f"{hermes_root}/{hermes_version}"}
    for agent in agents:
        name = str(agent["name"])
        known = {**(agent.get("env") or {}), **(secrets.get(name) or {})}
        contents.update(
            overlay.render(templar, source, rules, agent, host, fleet, model, secret_names=frozenset(known))
        )
        modes.update(overlay.modes(source, rules, name))
        links[f"agents/{name}/managed/.env"] = f"{config_dir}/agents/{name}.env"
    for path, content in package(package_dir).items():
        contents[f"lib/timmy/{path}"] = content
    files = {path: (content, modes.get(path, "0644")) for path, content in contents.items()}
    manifest = release_format.make_manifest(
        files,
        links,
        hermes_version=hermes_version,
        agents=[str(agent["name"]) for agent in agents],
        classify=lambda path: classes.get(path, ("managed", "restart" if path == "hermes" else "none")),
    )
    release_format.check_manifest(manifest, hermes_root=hermes_root, config_dir=config_dir)
    return Tree(manifest, files, _fleet_json(agents, fleet, host, release_root, timezone))


def _classes(
    source: Mapping[str, bytes], rules: Mapping[str, Any], names: list[str]
) -> dict[str, tuple[str, str]]:
    """Owner and reload class of each destination."""
    classes = {}
    for path in source:
        rule = overlay_rules.rule_for(rules, path)
        for target in overlay_rules.targets(rule):
            for name in names if "{agent}" in target else [""]:
                destination = overlay_rules.expand_target(target, path, name)
                classes[destination] = (str(rule["class"]), str(rule.get("reload", "none")))
    return classes


def package(directory: str) -> dict[str, bytes]:
    """The runtime's source files; the shared core is reached through file links and copied as content."""
    found: dict[str, bytes] = {}
    for root, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or name.endswith((".pyc", "~")):
                continue
            full = os.path.join(root, name)
            with open(full, "rb") as handle:
                found[os.path.relpath(full, directory).replace(os.sep, "/")] = handle.read()
    if "__init__.py" not in found:
        raise release_format.ReleaseError(
            f"{directory}: the runtime package is missing; install the collection as a whole"
        )
    return found


def _fleet_json(
    agents: list[dict[str, Any]], fleet: list[dict[str, Any]], host: str, release_root: str, timezone: str
) -> dict[str, Any]:
    """What the runtime on a host may know about the fleet."""
    here = [wizard_defaults.complete_wizard(agent) for agent in agents]
    return {
        "schema": 1,
        "host": host,
        "timezone": timezone,
        "release_root": release_root,
        "wizards": [
            {
                "name": str(wizard["name"]),
                "display_name": str(wizard["display_name"]),
                "home": str(wizard["home"]),
                "api_port": int(wizard["api_port"]),
                "unit": UNIT.format(name=wizard["name"]),
            }
            for wizard in here
        ],
        "fleet": [{"name": str(other["name"]), "host": str(other.get("host", ""))} for other in fleet],
    }
