# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host half of a deploy: compare a wanted release with the host, and bring the host to it.

`Deploy.run` is the whole of it. Each step can be repeated: after a kill at any point the next run sees what
is left to do, because the decision is taken from the host itself (the `current` link, the homes, one record
for each agent) and not from what an earlier run believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from . import env_file, hermes_home, ownership, release, wizard_units
from .hermes_home import HomeError
from .release_format import SHORT, ReleaseError, read_archive
from .release_homes import Homes, merged_of
from .release_state import (
    STATE,
    DeployError,
    Records,
    Result,
    Settings,
    Wanted,
    diff_of,
    owned_as,
    owner,
    read,
    read_json,
    shown,
    text_of,
    unlink,
    write_json,
)

UNDO = "undo.json"
FLEET = "fleet.json"


class Deploy:
    """One run on one host."""

    def __init__(
        self, settings: Settings, wanted: Wanted, runner: wizard_units.Runner = wizard_units.run
    ) -> None:
        self.settings = settings
        self.wanted = wanted
        self.runner = runner
        self.result = Result()
        self.records = Records(settings.root)
        self.home_work = Homes(settings, self.records, self.result)
        self.names = [str(agent["name"]) for agent in wanted.agents]
        self.homes = {str(agent["name"]): str(agent.get("home") or "") for agent in wanted.agents}

    # --- the whole of it

    def run(self, archive: str = "") -> Result:
        """Bring the host to the wanted release; one that is not here is asked for if there is no archive."""
        # A strict umask of the caller must not hide a release from its readers.
        os.umask(0o022)
        if self.settings.check_mode:
            return self._predict(archive)
        with release.locked(self.settings.root):
            return self._apply(archive)

    def _apply(self, archive: str) -> Result:
        root, digest = self.settings.root, self.wanted.digest
        before = release.current_name(root)
        self.result.previous = before
        self.result.release = digest[:SHORT]
        directory = release.release_dir(root, digest)
        if release.load_manifest(directory).get("hash") != digest:
            if not archive:
                self.result.need_archive = self.result.changed = True
                return self.result
            release.stage(
                archive,
                root,
                digest,
                hermes_root=self.settings.hermes_root,
                config_dir=self.settings.config_dir,
            )
        else:
            found = [f"{one['path']}: {one['problem']}" for one in release.drift(directory)]
            self.result.add("drift", "release", found)
        manifest = release.load_manifest(directory)
        old = self._manifest_of(before)
        self._note_paths(old, manifest, directory)
        accounts = self._accounts()
        self._prove(directory, manifest, accounts)
        undo = self._undo_record(before)
        if before != self.result.release or self._files_differ():
            write_json(os.path.join(root, UNDO), undo)
        try:
            self._write_settings()
            if before != self.result.release:
                release.flip(root, self.result.release)
                self.result.changed = True
            for name in self.names:
                self.home_work.settle(name, manifest, directory, accounts[name])
            self._restart(manifest)
        except (ReleaseError, HomeError, wizard_units.UnitError, OSError) as error:
            self._give_up(undo, str(error))
        self._retire(old)
        self._finish(before)
        return self.result

    def _manifest_of(self, name: str) -> dict[str, Any]:
        return release.load_manifest(os.path.join(self.settings.root, release.RELEASES, name)) if name else {}

    def _accounts(self) -> dict[str, hermes_home.Account]:
        accounts = {}
        for name in self.names:
            account = hermes_home.account(name, self.homes[name])
            if account is None:
                raise DeployError(f"{name}: has no Unix account on this host; the role common makes it")
            accounts[name] = account
        return accounts

    # --- prove

    def _prove(
        self, directory: str, manifest: Mapping[str, Any], accounts: Mapping[str, hermes_home.Account]
    ) -> None:
        """Let Hermes itself read the staged release; a problem ends the run before anything is changed."""
        problems = []
        for name in self.names:
            if name not in manifest["agents"]:
                problems.append(f"{name}: the release holds nothing for this agent")
                continue
            fingerprint = self._proof_of(manifest, name)
            if self.records.load(name).get("proved") == fingerprint:
                continue
            found = self.home_work.ask(
                accounts[name], directory, {"do": "prove", **self._proof_request(directory, manifest, name)}
            )
            problems += [f"{name}: {line}" for line in found.get("problems", ["no answer"])]
            if not found.get("problems"):
                self.records.save(name, proved=fingerprint)
        if problems:
            raise DeployError(f"Hermes does not accept the release: {problems[0]}", problems=problems)

    def _proof_request(self, directory: str, manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
        base = os.path.join(directory, "agents", name)
        seed = f"agents/{name}/seeded/config.yaml"
        return {
            "seed": os.path.join(directory, seed) if seed in manifest["files"] else "",
            "scripts": os.path.join(base, "home", "scripts"),
            **merged_of(directory, name),
        }

    def _proof_of(self, manifest: Mapping[str, Any], name: str) -> str:
        """Everything that the proof depends on; a release that differs elsewhere needs no new one."""
        head = f"agents/{name}/"
        rooms = ("managed/", "merged/", "seeded/config.yaml", "home/scripts/")
        parts = [manifest["hermes_version"]]
        for path, entry in manifest["files"].items():
            if path.startswith(head) and path[len(head) :].startswith(rooms):
                parts.append(f"{path} {entry.get('sha256') or entry.get('link')}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    # --- settings and secrets

    def _env_path(self, name: str) -> str:
        return os.path.join(self.settings.config_dir, "agents", f"{name}.env")

    def _env_content(self, name: str) -> bytes:
        try:
            return env_file.render(self.wanted.secrets.get(name) or {})
        except env_file.EnvError as error:
            raise DeployError(f"{name}: {error}") from error

    def _fleet_content(self) -> bytes:
        return (json.dumps(self.wanted.fleet, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode(
            "utf-8"
        )

    def _files_differ(self) -> bool:
        return any(read(self._env_path(name)) != self._env_content(name) for name in self.names) or (
            read(os.path.join(self.settings.config_dir, FLEET)) != self._fleet_content()
        )

    def _write_settings(self) -> None:
        """Env files and fleet.json; they stand before the flip, so a new release never meets old ones."""
        folder = os.path.join(self.settings.config_dir, "agents")
        # Each file is for one agent's group; the folder only has to be passed through.
        os.makedirs(folder, mode=0o755, exist_ok=True)
        for name in self.names:
            path, content = self._env_path(name), self._env_content(name)
            before = read(path)
            account = hermes_home.account(name, self.homes[name])
            gid = account.gid if account else 0
            if before == content and owned_as(path, 0, gid, 0o640):
                continue
            if before is not None and before != content:
                release.write_file(f"{path}.prev", before, 0o600, **owner(0, 0))
            release.write_file(path, content, 0o640, **owner(0, gid))
            self._note_env(name, before, content)
        path, content = os.path.join(self.settings.config_dir, FLEET), self._fleet_content()
        before = read(path)
        if before != content:
            release.write_file(path, content, 0o644)
            self._note_fleet(before, content)

    def _note_env(self, name: str, before: bytes | None, content: bytes) -> None:
        self.result.changed = True
        self.result.add("env", name, env_file.changes(before, content))
        if self.settings.diff_mode:
            self.result.diff.append(
                diff_of(
                    self._env_path(name), env_file.masked(before) if before else "", env_file.masked(content)
                )
            )

    def _note_fleet(self, before: bytes | None, content: bytes) -> None:
        self.result.changed = True
        path = os.path.join(self.settings.config_dir, FLEET)
        self.result.paths.setdefault("managed", []).append(path)
        if self.settings.diff_mode:
            self.result.diff.append(diff_of(path, text_of(before), text_of(content)))

    # --- units

    def _to_restart(self, manifest: Mapping[str, Any]) -> list[str]:
        """Agents whose gateway does not run, or runs with what only a restart can replace."""
        states = wizard_units.states(self.names, self.runner)
        due = []
        for name in self.names:
            state, record = states[name], self.records.load(name)
            running = str(record.get("running") or "")
            stale = running != manifest["hash"] and (
                not running
                or ownership.reload_for(
                    self._manifest_of(running[:SHORT]).get("files", {}), manifest["files"], name
                )
                == "restart"
            )
            env_seen = record.get("env") == env_file.digest(self._env_content(name))
            if not state.enabled or not (state.active or state.activating) or stale or not env_seen:
                due.append(name)
        return due

    def _restart(self, manifest: Mapping[str, Any]) -> None:
        if not self.settings.units:
            return
        due = self._to_restart(manifest)
        if due:
            missing = [
                name for name, state in wizard_units.states(due, self.runner).items() if not state.loaded
            ]
            if missing:
                raise HomeError(
                    f"{wizard_units.unit_of(missing[0])} does not exist; the role hermes_agent makes it"
                )
            wizard_units.enable_and_restart(due, self.runner)
            self.result.changed = True
            self.result.restarted = due
        self._check_health()
        for name in self.names:
            self.records.save(name, running=manifest["hash"], env=env_file.digest(self._env_content(name)))

    def _gateways(self) -> dict[str, tuple[int, str]]:
        gateways = {}
        for agent in self.wanted.agents:
            key = (self.wanted.secrets.get(str(agent["name"])) or {}).get("API_SERVER_KEY", "")
            if key:
                gateways[str(agent["name"])] = (int(agent.get("api_port") or 8642), str(key))
        return gateways

    def _check_health(self) -> None:
        self.result.health = wizard_units.wait_healthy(self._gateways(), self.settings.health_timeout_s)
        ill = {name: answer["reason"] for name, answer in self.result.health.items() if not answer["ok"]}
        if ill:
            name, reason = next(iter(sorted(ill.items())))
            raise HomeError(
                f"{name}: the gateway is not well after {self.settings.health_timeout_s:.0f} s: {reason}"
            )

    # --- undo

    def _undo_record(self, before: str) -> dict[str, Any]:
        """How to get back, as data: whoever holds it needs no memory of this run."""
        return {
            "schema": 1,
            "from": before,
            "to": self.result.release,
            "agents": self.wanted.agents,
            "env": {name: read(self._env_path(name)) is not None for name in self.names},
            "env_changed": [
                name for name in self.names if read(self._env_path(name)) != self._env_content(name)
            ],
            "fleet": text_of(read(os.path.join(self.settings.config_dir, FLEET))),
        }

    def _give_up(self, undo: Mapping[str, Any], reason: str) -> None:
        """Go back after a failure behind the flip, then end the run with the reason."""
        if undo["from"] == undo["to"] and not undo["env_changed"]:
            # Nothing was flipped: there is no older state that would be better.
            raise DeployError(reason, rolled_back=False, **self._summary())
        try:
            self.take_back(undo)
        except (ReleaseError, HomeError, wizard_units.UnitError, OSError) as error:
            raise DeployError(
                f"{reason}; going back failed as well: {error}", rolled_back=False, **self._summary()
            ) from None
        raise DeployError(
            f"{reason}; this host is back on release {undo['from'] or '(none)'}",
            rolled_back=True,
            **self._summary(),
        )

    def _summary(self) -> dict[str, Any]:
        public = self.result.public()
        return {
            key: public[key]
            for key in ("release", "previous", "changed_paths", "restarted", "health", "drift")
        }

    def take_back(self, undo: Mapping[str, Any]) -> None:
        """Carry out an undo record: the link, env files, homes and units of the release before."""
        root = self.settings.root
        for name in undo["env_changed"]:
            path = self._env_path(name)
            previous = read(f"{path}.prev")
            account = hermes_home.account(name)
            if undo["env"][name] and previous is not None and account is not None:
                release.write_file(path, previous, 0o640, **owner(0, account.gid))
            elif not undo["env"][name]:
                unlink(path)
        fleet = os.path.join(self.settings.config_dir, FLEET)
        if undo["fleet"]:
            release.write_file(fleet, undo["fleet"].encode("utf-8"), 0o644)
        else:
            unlink(fleet)
        release.flip(root, str(undo["from"]))
        manifest = self._manifest_of(str(undo["from"]))
        # The newer release's directory answers for Hermes where the older one holds nothing.
        back = os.path.join(root, release.RELEASES, str(undo["from"] or undo["to"]))
        known = [agent for agent in undo["agents"] if agent["name"] in manifest.get("agents", [])]
        for agent in undo["agents"]:
            account = hermes_home.account(str(agent["name"]), str(agent.get("home") or ""))
            if account is None:
                continue
            if agent in known:
                self.home_work.settle(account.name, manifest, back, account)
            else:
                self.home_work.clear(account, back)
        if self.settings.units:
            wizard_units.disable(
                [str(agent["name"]) for agent in undo["agents"] if agent not in known], self.runner
            )
            names = [str(agent["name"]) for agent in known if str(agent["name"]) in self.result.restarted]
            wizard_units.enable_and_restart(names, self.runner)
            for name in names:
                self.records.save(
                    name, running=manifest["hash"], env=env_file.digest(read(self._env_path(name)) or b"")
                )
        unlink(os.path.join(root, UNDO))

    # --- leaving

    def _gone(self, old: Mapping[str, Any]) -> list[str]:
        """Agents that we have put on this host and that are not wanted here any more."""
        known = {*old.get("agents", []), *self.records.names()}
        return sorted(known - set(self.names))

    def _retire(self, old: Mapping[str, Any]) -> None:
        """An agent without a managed layer must not run: Hermes would take its absence for permission."""
        for name in self._gone(old):
            self.result.changed = True
            self.result.retired.append(name)
            if self.settings.units:
                wizard_units.disable([name], self.runner)
            account = hermes_home.account(name)
            if account is not None and os.path.isdir(account.home):
                self.home_work.clear(account, release.release_dir(self.settings.root, self.wanted.digest))
            for path in (self._env_path(name), f"{self._env_path(name)}.prev", self.records.path(name)):
                unlink(path)

    def _finish(self, before: str) -> None:
        root = self.settings.root
        unlink(os.path.join(root, UNDO))
        if before != self.result.release:
            write_json(os.path.join(root, "previous.json"), {"schema": 1, "release": before}, 0o644)
        running = {str(self.records.load(name).get("running") or "")[:SHORT] for name in self.names}
        last = str((read_json(os.path.join(root, "previous.json")) or {}).get("release", ""))
        self.result.pruned = release.prune(root, self.settings.keep, {self.result.release, last, *running})

    def absent(self) -> Result:
        """Take away what we put on this host. Homes keep everything that is not ours."""
        root = self.settings.root
        known = set(self.names) | set(self._gone({}))
        before = release.current_name(root)
        self.result.previous = before
        present = [root_part for root_part in (root, self.settings.config_dir) if os.path.lexists(root_part)]
        there = (
            before
            or release.releases(root)
            or any(os.path.lexists(self.records.path(name)) for name in known)
        )
        fleet = os.path.join(self.settings.config_dir, FLEET)
        if not present or not (there or os.path.lexists(fleet)):
            return self.result
        self.result.changed = True
        self.result.retired = sorted(known)
        if self.settings.check_mode:
            return self.result
        with release.locked(root):
            self._remove_all(sorted(known), before)
        for path in (".lock", STATE, release.RELEASES, ""):
            full = os.path.join(root, path) if path else root
            with contextlib.suppress(OSError):
                os.unlink(full) if path == ".lock" else os.rmdir(full)
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(self.settings.config_dir, "agents"))
        return self.result

    def _remove_all(self, known: list[str], before: str) -> None:
        root = self.settings.root
        if self.settings.units:
            wizard_units.disable(known, self.runner)
        for name in known:
            account = hermes_home.account(name, self.homes.get(name, ""))
            if account is not None and os.path.isdir(account.home):
                self.home_work.clear(account, os.path.join(root, release.RELEASES, before))
            for path in (self._env_path(name), f"{self._env_path(name)}.prev", self.records.path(name)):
                unlink(path)
        release.flip(root, "")
        for path in (
            os.path.join(self.settings.config_dir, FLEET),
            os.path.join(root, UNDO),
            f"{root}/previous.json",
        ):
            unlink(path)
        release.prune(root, 0, set())

    # --- prediction

    def _predict(self, archive: str) -> Result:
        """What a run would do; nothing is written. Without account or Hermes, what needs them is left out."""
        root, digest = self.settings.root, self.wanted.digest
        self.result.previous = release.current_name(root)
        self.result.release = digest[:SHORT]
        directory = release.release_dir(root, digest)
        manifest, contents = release.load_manifest(directory), {}
        if manifest.get("hash") != digest:
            if not archive:
                self.result.need_archive = self.result.changed = True
                return self.result
            manifest, stream = read_archive(
                archive, hermes_root=self.settings.hermes_root, config_dir=self.settings.config_dir
            )
            contents = dict(stream)
        old = self._manifest_of(self.result.previous)
        self._note_paths(old, manifest, directory, contents)
        self.result.changed = self.result.changed or self.result.previous != self.result.release
        for name in self.names:
            before, content = read(self._env_path(name)), self._env_content(name)
            if before != content:
                self._note_env(name, before, content)
            self.home_work.predict(name, self.homes[name], manifest, directory)
        fleet = read(os.path.join(self.settings.config_dir, FLEET))
        if fleet != self._fleet_content():
            self._note_fleet(fleet, self._fleet_content())
        if self.settings.units:
            self.result.restarted = self._to_restart(manifest)
        self.result.retired = self._gone(old)
        self.result.changed = self.result.changed or bool(self.result.restarted or self.result.retired)
        return self.result

    # --- reports

    def _note_paths(
        self,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        directory: str,
        contents: Mapping[str, bytes] | None = None,
    ) -> None:
        before, after = old.get("files", {}), new.get("files", {})
        paths = ownership.changed_paths(before, after)
        for kind, names in ownership.by_class(paths, before, after).items():
            self.result.paths.setdefault(kind, []).extend(names)
        if not self.settings.diff_mode:
            return
        here = os.path.join(self.settings.root, release.RELEASES, self.result.previous)
        for path in paths:
            was = shown(before.get(path), os.path.join(here, path), None)
            now = shown(after.get(path), os.path.join(directory, path), (contents or {}).get(path))
            self.result.diff.append(diff_of(path, was, now))


def from_parameters(
    params: Mapping[str, Any], check_mode: bool, diff_mode: bool
) -> tuple[bool, dict[str, Any]]:
    """Whether a run failed, and its answer, for the module's own parameters."""
    settings = Settings(
        root=params["release_root"],
        hermes_root=params["hermes_root"],
        config_dir=params["config_dir"],
        keep=params["keep"],
        health_timeout_s=params["health_timeout_s"],
        units=params["manage_units"],
        check_mode=check_mode,
        diff_mode=diff_mode,
    )
    agents = [dict(agent) for agent in params["agents"]]
    secrets = {
        str(agent["name"]): {
            str(key): str(value)
            for key, value in {
                **(agent.get("env") or {}),
                **(params["secrets"].get(agent["name"]) or {}),
            }.items()
        }
        for agent in agents
    }
    deploy = Deploy(settings, Wanted(params["wanted"], agents, secrets, params["fleet_json"]))
    try:
        if params["state"] == "absent":
            return False, deploy.absent().public()
        if not params["wanted"]:
            return True, {"msg": "no release was named; this module is run through its action plugin"}
        return False, deploy.run(params["archive"] or "").public()
    except DeployError as error:
        return True, {"msg": str(error), **error.details}
    except (ReleaseError, HomeError, wizard_units.UnitError) as error:
        return True, {"msg": str(error)}
    except OSError as error:
        return True, {"msg": f"{error.filename or settings.root}: {error.strerror}"}
