# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settling drift: put our version back, or accept what stands. One path or key at a time, on request only."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import adoption, env_file, guard, hermes_home, release
from .hermes_home import HomeError
from .release_drift import Finding
from .release_format import mtime_of
from .release_homes import Homes, merged_of
from .release_state import Records, Result, Settings, env_path, owner, read, read_json

NEXT_DEPLOY = "the next deploy of this host writes it again"


@dataclass(frozen=True)
class Settled:
    """Whether it was done, and one line on what was done or why not."""

    done: bool
    line: str


class Settler:
    """Restores and adopts on one host. The caller holds the deploy lock."""

    def __init__(self, settings: Settings, homes: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.records = Records(settings.root)
        self.homes = homes or {}
        self.directory = os.path.join(settings.root, release.RELEASES, release.current_name(settings.root))
        self.manifest = release.load_manifest(self.directory)

    def restore(self, finding: Finding) -> Settled:
        """Put our version back."""
        steps = {
            "file": self._restore_file,
            "link": self._restore_link,
            "key": self._restore_key,
            "job": self._restore_job,
            "env": self._restore_env,
        }
        if finding.kind in steps:
            return steps[finding.kind](finding)
        return Settled(False, f"{finding.path}: {_by_deploy(finding.kind)}")

    def adopt(self, finding: Finding) -> Settled:
        """Accept what stands there, and say what the overlay would have to declare."""
        steps = {"link": self._adopt_link, "key": self._adopt_key, "job": self._adopt_job}
        if finding.kind in steps:
            return steps[finding.kind](finding)
        return Settled(False, f"{finding.path}: {self._not_adopted(finding)}")

    def _account(self, name: str) -> hermes_home.Account:
        account = hermes_home.account(name, self.homes.get(name, ""))
        if account is None:
            raise HomeError(f"{name}: has no Unix account on this host")
        return account

    def _ask(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        work = Homes(self.settings, self.records, Result())
        answer = work.ask(self._account(name), self.directory, {"do": "apply", **request})
        if answer["config"]["problems"]:
            raise HomeError(f"{name}: {answer['config']['problems'][0]}")
        return answer

    def _source(self, path: str) -> str:
        found = adoption.overlay_source(read_json(os.path.join(self.directory, "ownership.json")), path)
        return f"overlay/{found}" if found else "the overlay"

    # --- the release

    def _restore_file(self, finding: Finding) -> Settled:
        path = str(finding.at["path"])
        entry = (self.manifest.get("files") or {}).get(path)
        if entry is None:
            told = "the manifest itself is damaged; the next deploy of this release puts it right"
            return Settled(False, f"{finding.path}: {told}")
        if "link" in entry:
            _relink(finding.path, str(entry["link"]))
            return Settled(True, f"{finding.path}: leads to {entry['link']} again")
        content, source = self._good_copy(entry)
        if content is None:
            told = "no copy of it is left on this host; the next deploy has to send its release again"
            return Settled(False, f"{finding.path}: {told}")
        if os.path.isdir(finding.path) and not os.path.islink(finding.path):
            return Settled(False, f"{finding.path}: a directory stands in its place; move it away first")
        os.makedirs(os.path.dirname(finding.path), mode=0o755, exist_ok=True)
        release.write_file(finding.path, content, int(entry["mode"], 8), **owner(0, 0))
        # A release file's time comes from its content: Hermes would take it for another file otherwise.
        when = mtime_of(entry["sha256"])
        os.utime(finding.path, (when, when))
        return Settled(True, f"{finding.path}: restored from {source}")

    def _good_copy(self, entry: Mapping[str, Any]) -> tuple[bytes | None, str]:
        """The content with the wanted hash, from any release that is kept here."""
        for name, manifest in release.releases(self.settings.root):
            for path, other in manifest["files"].items():
                if other.get("sha256") != entry["sha256"]:
                    continue
                full = os.path.join(self.settings.root, release.RELEASES, name, path)
                content = _regular(full)
                if content is not None and hashlib.sha256(content).hexdigest() == entry["sha256"]:
                    return content, full
        return None, ""

    def _not_adopted(self, finding: Finding) -> str:
        if finding.kind == "file":
            where = self._source(str(finding.at["path"]))
            return f"a release is what its hash says, so it cannot be accepted; change {where} and deploy"
        if finding.kind == "env":
            return (
                "an env file comes from the vault; set the value in timmy_wizard_secrets or the wizard's env"
            )
        return _by_deploy(finding.kind)

    # --- links

    def _restore_link(self, finding: Finding) -> Settled:
        who, name = self._account(finding.agent), str(finding.at["name"])
        # Not on record as ours in this plan, so what stands there is set aside instead of reported.
        plan = hermes_home.HomePlan(who.home, {name: str(finding.at["target"])}, {})
        done = hermes_home.settle(who, plan, self.directory)
        record = self.records.load(who.name)
        self.records.save(
            who.name,
            links={**(record.get("links") or {}), **plan.links},
            adopted=adoption.without(record, link=name),
        )
        kept = f"; what stood there is now {done['kept'][0].rpartition(' -> ')[2]}" if done["kept"] else ""
        return Settled(bool(done["linked"]), f"{finding.path}: leads to our file again{kept}")

    def _adopt_link(self, finding: Finding) -> Settled:
        record = self.records.load(finding.agent)
        name, path = str(finding.at["name"]), str(finding.at["path"])
        self.records.save(finding.agent, adopted=adoption.with_link(record, self.manifest, name, path))
        where = self._source(path)
        say = f"remove {where}" if finding.problem == "link missing" else f"take {finding.path} into {where}"
        return Settled(True, f"{finding.path}: accepted; for the next release, {say}")

    # --- keys

    def _restore_key(self, finding: Finding) -> Settled:
        key = list(finding.at["key"])
        wanted = merged_of(self.directory, finding.agent)
        declared = adoption.value_at(wanted["config"], key)
        if not key or declared is adoption.NOT_DECLARED:
            told = "mend it by hand" if not key else "the overlay does not declare it any more"
            return Settled(False, f"{finding.path}: {told}")
        record = self.records.load(finding.agent)
        only = adoption.nested(key, declared)
        past: dict[str, Any] = {"base": {}, "pending": [], "made": record.get("made") or [], "cron": {}}
        config = self._ask(finding.agent, {"config": only, "jobs": [], "restore": [key], **past})["config"]
        self.records.save(
            finding.agent,
            config=adoption.with_value(record.get("config") or {}, key, declared),
            made=config["made"],
            # Other keys may differ still, so the next deploy looks at the file again.
            config_sha256="",
            edited=_less(record, ".".join(key)),
            adopted=adoption.without(record, key=key),
        )
        return Settled(True, f"{finding.path}: is as declared again; {_seen(self.manifest, finding.agent)}")

    def _adopt_key(self, finding: Finding) -> Settled:
        key = list(finding.at["key"])
        config = merged_of(self.directory, finding.agent)["config"]
        declared = adoption.value_at(config, key)
        if not key or declared is adoption.NOT_DECLARED:
            return Settled(False, f"{finding.path}: nothing that could be accepted")
        record = self.records.load(finding.agent)
        self.records.save(
            finding.agent,
            edited=_less(record, ".".join(key)),
            adopted=adoption.with_key(record, key, declared),
        )
        where = self._source(f"agents/{finding.agent}/merged/config.json")
        name, line = ".".join(key), str(finding.at["line"])
        if finding.problem == "deleted":
            say = f"remove {name} from {where}"
        elif line:
            say = f"put into {where}: {line}"
        else:
            say = f"set {name} in {where}; its value is not shown, as it may be a secret"
        return Settled(True, f"{finding.path}: accepted; for the next release, {say}")

    # --- cron jobs

    def _declared_job(self, finding: Finding) -> dict[str, Any] | None:
        jobs = merged_of(self.directory, finding.agent)["jobs"]
        return next((job for job in jobs if job.get("name") == finding.at["job"]), None)

    def _restore_job(self, finding: Finding) -> Settled:
        name, job = str(finding.at["job"]), self._declared_job(finding)
        if job is None:
            return Settled(False, f"{finding.path}: the overlay does not declare it any more")
        record = self.records.load(finding.agent)
        cron = dict(record.get("cron") or {})
        # Without what we stored before, each declared field counts as ours to set.
        past: dict[str, Any] = {"cron": {name: {"id": (cron.get(name) or {}).get("id"), "stored": {}}}}
        request = {"config": {}, "base": {}, "jobs": [job], **past}
        cron.update(self._ask(finding.agent, request)["cron"]["record"])
        self.records.save(
            finding.agent,
            cron=cron,
            edited=_less_job(record, name),
            adopted=adoption.without(record, job=name),
        )
        return Settled(True, f"{finding.path}: is as declared again")

    def _adopt_job(self, finding: Finding) -> Settled:
        name, job = str(finding.at["job"]), self._declared_job(finding)
        record = self.records.load(finding.agent)
        cron = dict(record.get("cron") or {})
        where = self._source(f"agents/{finding.agent}/merged/cron.json")
        if job is None:
            cron.pop(name, None)
            self.records.save(finding.agent, cron=cron, edited=_less_job(record, name))
            return Settled(True, f"{finding.path}: accepted; the overlay does not declare it any more")
        if finding.problem == "removed":
            cron.pop(name, None)
            adopted = adoption.with_job_gone(record, name, job)
            self.records.save(finding.agent, cron=cron, edited=_less_job(record, name), adopted=adopted)
            say = f"remove the job {name} from {where}"
        else:
            fields = list(finding.at["fields"])
            cron[name] = adoption.job_fields_accepted(cron[name], fields)
            self.records.save(finding.agent, cron=cron, edited=_less_job(record, name))
            say = f"change in the job {name} of {where}: {finding.detail}"
        return Settled(True, f"{finding.path}: accepted; for the next release, {say}")

    # --- env files

    def _restore_env(self, finding: Finding) -> Settled:
        path, name = env_path(self.settings, finding.agent), finding.agent
        account, digest = self._account(name), str(self.records.load(name).get("env") or "")
        content = _regular(path)
        if content is not None and digest and env_file.digest(content) == digest:
            release.write_file(path, content, 0o640, **owner(0, account.gid))
            return Settled(True, f"{path}: of root and its agent again, and of nobody else")
        return Settled(False, f"{path}: its values are in the vault only; {NEXT_DEPLOY}")


def _by_deploy(kind: str) -> str:
    words = {
        "settings": f"it is made from the inventory; {NEXT_DEPLOY}",
        "current": "which release was meant is for a deploy or a rollback to say; run one of them",
        "home": "mend the account or the home first; the next deploy does the rest",
    }
    return words.get(kind, NEXT_DEPLOY)


def _less(record: Mapping[str, Any], key: str) -> list[str]:
    return [one for one in record.get("edited") or [] if one != f"{key}: edited"]


def _less_job(record: Mapping[str, Any], name: str) -> list[str]:
    heads = (f"cron {name}: ", f"cron {name}:")
    return [one for one in record.get("edited") or [] if not one.startswith(heads)]


def _seen(manifest: Mapping[str, Any], agent: str) -> str:
    entry = (manifest.get("files") or {}).get(f"agents/{agent}/merged/config.json") or {}
    words = {
        "next-turn": "its gateway sees it at the next turn",
        "new-session": "its gateway sees it in new sessions",
        "restart": "its gateway sees it after a restart",
    }
    return words.get(str(entry.get("reload")), "nothing has to be restarted")


def _regular(path: str) -> bytes | None:
    try:
        return read(path) if stat.S_ISREG(os.lstat(path).st_mode) else None
    except OSError:
        return None


def _relink(full: str, target: str) -> None:
    os.makedirs(os.path.dirname(full), mode=0o755, exist_ok=True)
    guard.set_link(full, target)
