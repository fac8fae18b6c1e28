# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host half of a deploy: compare a wanted release with the host, and bring the host to it.

`Deploy.run` is the whole of it. Each step can be repeated: after a kill at any point the next run sees what
is left to do, because the decision is taken from the host itself (the `current` link, the homes, one record
for each agent) and not from what an earlier run believed. From the flip on the guard holds the way back; the
caller has to confirm, over a connection that is made after it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import (
    declarations,
    guard,
    hermes_home,
    host_room,
    ownership,
    release,
    release_drift,
    release_format,
    release_guard,
    release_lock,
    release_program,
    release_proof,
    release_stage,
    release_trial,
    release_undo,
    wizard_units,
)
from .hermes_home import HomeError
from .release_files import HostFiles
from .release_format import MANIFEST, SHORT, LackingError, ReleaseError, Source, read_archive
from .release_homes import Homes
from .release_removal import Removal
from .release_state import (
    DIFF_LIMIT,
    FLEET,
    PREVIOUS,
    DeployError,
    Records,
    Result,
    Settings,
    Wanted,
    diff_of,
    read_json,
    shown,
    unlink,
    write_json,
)
from .release_units import Gateways

# A visit that waits longer than this for busy agents hands back to the controller, which says so.
DRAIN_VISIT_S = 5.0


class AfterFlipError(Exception):
    """Something went wrong behind the flip; one line."""


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
        self.files = HostFiles(settings, wanted, self.result)
        self.window_s = settings.window_s
        self._set_agents(wanted.agents)

    def _set_agents(self, agents: list[dict[str, Any]]) -> None:
        self.agents = agents
        self.names = [str(agent["name"]) for agent in agents]
        self.homes = {str(agent["name"]): str(agent.get("home") or "") for agent in agents}
        self.gateways = Gateways(self.settings, self.records, agents, self.files.env_content, self.runner)

    # --- the whole of it

    def run(self, archive: Source = "") -> Result:
        """Bring the host to the wanted release; one that is not here is asked for if there is no archive."""
        # A strict umask of the caller must not hide a release from its readers.
        os.umask(0o022)
        if self.settings.check_mode:
            self._resolve_kept()
            return self._predict(archive)
        root = self.settings.root
        try:
            with release_lock.locked(root, self.settings.owner, self._guarded()) as lock:
                self.result.lock_broken = lock.broken
                self._leave_tool()
                self._resolve_kept()
                self._apply(archive)
                if self.result.draining:
                    lock.expect(release_lock.EXPECTED, release_lock.DRAIN_LEASE_S)
                elif self.result.need_archive:
                    lock.expect(release_lock.EXPECTED)
                elif self.result.armed:
                    lock.expect(release_lock.CONFIRMING)
        except release_lock.HeldError as error:
            self.result.held = str(error)
        except AfterFlipError as error:
            self._give_up(str(error))
        return self.result

    def ask(self) -> Result:
        """Only whether there is anything to do here, and what somebody changed; nothing is written."""
        self.settings = replace(self.settings, check_mode=True, diff_mode=False)
        self.home_work.settings = self.files.settings = self.settings
        self._resolve_kept()
        result = self._predict("")
        result.due = result.changed or self._guarded() in release_lock.PENDING
        result.changed = False
        if not result.due and self.settings.units:
            result.health = self.gateways.answers()
            result.due = not all(answer["ok"] for answer in result.health.values())
        return result

    def _guarded(self) -> str:
        return str(release_guard.state(self.settings)["state"])

    def _leave_tool(self) -> None:
        """The next visit needs no module; where the guard is not, nothing else of ours may be."""
        if os.path.exists(os.path.join(self.settings.lib_dir, release_guard.GUARD_PROGRAM)):
            release_program.install(self.settings.lib_dir)

    def _resolve_kept(self) -> None:
        """Find the release that is asked for by name, and who it is for."""
        kept = self.wanted.kept
        if not kept:
            return
        root = self.settings.root
        if kept == "previous":
            kept = str((read_json(os.path.join(root, PREVIOUS)) or {}).get("release") or "")
            if not kept:
                raise DeployError("no release before this one is on record here")
        there = release.releases(root)
        found = [
            manifest
            for name, manifest in there
            if re.fullmatch(r"[0-9a-f]{4,64}", kept) and name.startswith(kept[:SHORT])
        ]
        if len(found) != 1 or not str(found[0]["hash"]).startswith(kept):
            listed = ", ".join(name for name, _manifest in there) or "none"
            raise DeployError(f"release {kept} is not kept on this host; kept are: {listed}")
        self.wanted.digest = str(found[0]["hash"])
        damage = release.drift(release.release_dir(root, self.wanted.digest))
        if damage:
            raise DeployError(f"release {kept} is damaged here: {damage[0]['path']}: {damage[0]['problem']}")
        fleet = json.loads(self.files.fleet_content() or b"{}")
        known = {str(agent["name"]): agent for agent in [*fleet.get("wizards", []), *self.wanted.agents]}
        self._set_agents([dict(known.get(name) or {"name": name}) for name in found[0]["agents"]])

    def _apply(self, archive: Source) -> None:
        root, digest = self.settings.root, self.wanted.digest
        before = release.current_name(root)
        self.result.previous = before
        self.result.release = digest[:SHORT]
        directory = release.release_dir(root, digest)
        here, damage = self._damage(directory)
        if damage or not here:
            if not archive:
                # What is damaged cannot be taken from the host itself.
                self._need_archive("" if damage else before)
                return
            try:
                release_stage.stage(
                    archive,
                    root,
                    digest,
                    hermes_root=self.settings.hermes_root,
                    config_dir=self.settings.config_dir,
                )
            except LackingError:
                # The active release is not what the controller took it for; now all of it has to travel.
                self._need_archive("")
                return
        manifest = release.load_manifest(directory)
        if damage:
            # On record, so that a visit which finds it mended knows of the restart too.
            self.gateways.forget_running(self._note_mended(damage, manifest))
        old = self._manifest_of(before)
        self._note_paths(old, manifest, directory)
        accounts = self._accounts()
        proofs = release_proof.Proof(self.records, self.home_work).prove(directory, manifest, accounts)
        due = self.gateways.due(manifest) if self.settings.units else []
        gone = self._gone(old)
        flips = before != self.result.release or self.files.differ(self.names) or bool(gone)
        if flips:
            trial = release_trial.Trial(self.settings, self.wanted, self.records, self.result)
            trial.run(directory, manifest, accounts, proofs)
        if self._drain([*due, *gone]):
            return
        if flips:
            self._check_room(accounts)
            self._arm(before, gone, due)
        try:
            self._change(manifest, directory, accounts, before, flips)
            if self.settings.units:
                self._restart(manifest, flips, due)
            self._retire(gone)
            self._finish(before)
        except (ReleaseError, HomeError, wizard_units.UnitError, guard.GuardError, OSError) as error:
            if flips:
                raise AfterFlipError(str(error)) from error
            # Nothing was flipped: there is no older state that would be better.
            raise DeployError(str(error), rolled_back=False, **self._summary()) from error
        if flips:
            self.result.armed = True
            self.result.left_s = release_guard.state(self.settings)["left_s"]

    def _damage(self, directory: str) -> tuple[bool, list[str]]:
        """Whether the release is here, and which of its paths are not as its manifest says."""
        if not os.path.isdir(directory):
            return False, []
        found = release.drift(directory)
        if not found and release.load_manifest(directory).get("hash") != self.wanted.digest:
            found = [{"path": MANIFEST, "problem": "of another release"}]
        self.result.add("drift", "release", [f"{one['path']}: {one['problem']}" for one in found])
        return True, [one["path"] for one in found]

    def _note_mended(self, damage: list[str], manifest: Mapping[str, Any]) -> list[str]:
        """Report what is mended; the agents whose gateway may run with what was damaged."""
        files = manifest["files"]
        left = {path: entry for path, entry in files.items() if path not in damage}
        for kind, names in ownership.by_class(ownership.changed_paths(left, files), left, files).items():
            self.result.paths.setdefault(kind, []).extend(names)
        self.result.changed = True
        # Without a good manifest nobody can tell what else was damaged.
        return [
            name
            for name in self.names
            if MANIFEST in damage or ownership.reload_for(left, files, name) == "restart"
        ]

    def _need_archive(self, active: str) -> Result:
        """Ask for the release; what the active one holds need not travel."""
        self.result.need_archive = self.result.changed = True
        self.result.blobs = release_format.blobs_of(self._manifest_of(active))
        return self.result

    def _drain(self, names: list[str]) -> bool:
        """Give turns that run a chance to end; whether the controller has to come back for that."""
        if not self.settings.units or not names:
            return False
        patience = min(max(self.settings.drain_s, 0.0), DRAIN_VISIT_S)
        busy = self.gateways.busy(names, patience)
        if patience < self.settings.drain_s:
            self.result.draining = busy
        else:
            # With the last of its patience used up, the deploy goes on; the units' own drain is left.
            self.result.cut = busy
        return bool(self.result.draining)

    def _check_room(self, accounts: Mapping[str, hermes_home.Account]) -> None:
        """The way back writes as well, and there is no way back without room for it."""
        settings = self.settings
        homes = [account.home for account in accounts.values()]
        for place in (settings.root, settings.config_dir, settings.record_dir, settings.lib_dir, *homes):
            host_room.check(place)

    def _arm(self, before: str, gone: list[str], due: list[str]) -> None:
        """From here on the host goes back by itself unless somebody confirms."""
        stop_s, start_s = wizard_units.limits(due, self.runner) if due else (0.0, 0.0)
        window = release_guard.window_of(self.settings.window_s, stop_s, start_s)
        agents = [*self.agents, *({"name": name} for name in gone)]
        files = [
            *(self.files.env_path(str(agent["name"])) for agent in agents),
            os.path.join(self.settings.config_dir, FLEET),
            os.path.join(self.settings.root, PREVIOUS),
        ]
        facts = release_undo.facts_of(self.settings, before, self.result.release, agents)
        self.home_work.settings = self.settings = replace(self.settings, ask_timeout_s=release_undo.ASK_S)
        release_guard.arm(self.settings, facts, files, window)
        self.window_s = window

    def _change(
        self,
        manifest: Mapping[str, Any],
        directory: str,
        accounts: Mapping[str, hermes_home.Account],
        before: str,
        flips: bool,
    ) -> None:
        """Settings, link and homes. A deploy that stalled past its window is refused each step."""
        with self._step(flips):
            self.files.write(self.homes)
            if not self.wanted.kept:
                release_drift.remember(self.settings, self.names)
            if before != self.result.release:
                release.flip(self.settings.root, self.result.release)
                self.result.changed = True
        for name in self.names:
            with self._step(flips):
                self.home_work.settle(name, manifest, directory, accounts[name])

    def _step(self, flips: bool) -> contextlib.AbstractContextManager[None]:
        if not flips:
            return contextlib.nullcontext()
        return guard.while_armed(self.settings.record_dir, release_guard.GUARD_ID)

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

    # --- units

    def _restart(self, manifest: Mapping[str, Any], flips: bool, due: list[str]) -> None:
        if due:
            if flips and not self._still_armed():
                raise HomeError("the window was over before the gateways were restarted")
            self.gateways.restart(due)
            self.result.changed = True
            self.result.restarted = due
        limit = self.settings.health_timeout_s
        if flips:
            left = float(release_guard.state(self.settings)["left_s"])
            limit = release_guard.health_limit(left, self.window_s, limit)
        self.result.health = self.gateways.well(manifest, limit)

    def _still_armed(self) -> bool:
        return guard.still_armed(
            self.settings.record_dir, release_guard.GUARD_ID, guard.boot_time(), guard.boot_id()
        )

    # --- undo

    def _give_up(self, reason: str) -> None:
        """Go back after a failure behind the flip, then end the run with the reason."""
        record_dir = self.settings.record_dir
        try:
            record = guard.undo_now(record_dir, release_guard.GUARD_ID, f"the deploy failed: {reason}")
        except guard.GuardError:
            # The window was over and the guard was faster.
            record = guard.last_outcome(record_dir, release_guard.GUARD_ID) or {}
        failed = [step for step in record.get("steps", []) if not step["ok"]]
        words = "; ".join(str(step["detail"]) for step in failed)
        if record.get("phase") != guard.UNDONE or any(not _of_units(step) for step in failed):
            words = words or "the guard has no record of it"
            raise DeployError(
                f"{reason}; going back failed as well: {words}", rolled_back=False, **self._summary()
            )
        back = f"this host is back on release {release.current_name(self.settings.root) or '(none)'}"
        if words:
            back += f", and there too: {words}"
        raise DeployError(f"{reason}; {back}", rolled_back=True, **self._summary())

    def _summary(self) -> dict[str, Any]:
        public = self.result.public()
        return {
            key: public[key]
            for key in ("release", "previous", "changed_paths", "restarted", "health", "drift")
        }

    # --- leaving

    def _gone(self, old: Mapping[str, Any]) -> list[str]:
        """Agents that we have put on this host and that are not wanted here any more."""
        root = self.settings.root
        # What was declared for a user who is gone is nobody's; of one who stays it is for the plays to say.
        orphans = [name for name in declarations.agents(root) if hermes_home.account(name) is None]
        known = {*old.get("agents", []), *self.records.names(), *orphans}
        return sorted(known - set(self.names))

    def _retire(self, gone: list[str]) -> None:
        """An agent without a managed layer must not run: Hermes would take its absence for permission."""
        for name in gone:
            self.result.changed = True
            self.result.retired.append(name)
            if self.settings.units:
                wizard_units.disable([name], self.runner)
            with self._step(True):
                account = hermes_home.account(name)
                if account is not None and os.path.isdir(account.home):
                    self.home_work.clear(account, release.release_dir(self.settings.root, self.wanted.digest))
                if account is None:
                    declarations.Declarations(self.settings.root, name).forget()
                self.records.forget(name)
                if not self.wanted.kept:
                    # Who goes back by hand may want to come forward again, with the secrets as they are.
                    unlink(self.files.env_path(name))

    def _finish(self, before: str) -> None:
        root = self.settings.root
        if before != self.result.release:
            with self._step(True):
                write_json(os.path.join(root, PREVIOUS), {"schema": 1, "release": before}, 0o644)
        self.result.pruned = release.prune(root, self.settings.keep, self._protected(), self.settings.young_s)

    def _protected(self) -> set[str]:
        """Releases that a prune leaves: in use, wanted, or the one to go back to."""
        running = {str(self.records.load(name).get("running") or "")[:SHORT] for name in self.names}
        # The one before is the last good one: what is current now was not confirmed by anybody yet.
        last = self.result.previous
        if last == self.result.release:
            last = str((read_json(os.path.join(self.settings.root, PREVIOUS)) or {}).get("release", ""))
        return {self.result.release, last, *running}

    def absent(self) -> Result:
        """Take away what deploys put on this host."""
        removal = Removal(self.settings, self.records, self.home_work, self.result, self.runner)
        return removal.run(self.homes)

    # --- prediction

    def _predict(self, archive: Source) -> Result:
        """What a run would do; nothing is written. Without account or Hermes, what needs them is left out."""
        root, digest = self.settings.root, self.wanted.digest
        self.result.previous = release.current_name(root)
        self.result.release = digest[:SHORT]
        directory = release.release_dir(root, digest)
        here, damage = self._damage(directory)
        manifest, contents = release.load_manifest(directory), {}
        if damage or not here:
            if not archive:
                return self._need_archive("" if damage else self.result.previous)
            manifest, stream = read_archive(
                archive,
                hermes_root=self.settings.hermes_root,
                config_dir=self.settings.config_dir,
                elsewhere=release_stage.contents_of(
                    os.path.join(root, release.RELEASES, self.result.previous)
                ),
            )
            # All of it is read, since all of it is checked; what nobody looks at again is not kept.
            contents = {
                path: data for path, data in stream if len(data) <= DIFF_LIMIT or path.startswith("agents/")
            }
        torn = self._note_mended(damage, manifest) if damage else []
        old = self._manifest_of(self.result.previous)
        self._note_paths(old, manifest, directory, contents)
        self.result.changed = self.result.changed or self.result.previous != self.result.release
        self.files.predict(self.homes)
        for name in self.names:
            self.home_work.predict(name, self.homes[name], manifest, directory, contents)
        if self.settings.units:
            due = self.gateways.due(manifest)
            self.result.restarted = [name for name in self.names if name in due or name in torn]
        self.result.retired = self._gone(old)
        for name in self.result.retired:
            self.home_work.predict_clear(name, manifest, directory)
        self.result.pruned = release.spare(root, self.settings.keep, self._protected(), self.settings.young_s)
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


def _of_units(step: Mapping[str, Any]) -> bool:
    """Whether a step of an undo only restarted and asked the units."""
    return step["do"] == "run" and f" {release_undo.UNITS} " in str(step["what"])
