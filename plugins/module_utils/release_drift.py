# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody changed on this host though it is ours: found here for every reader of it. Reads only.

The judgements are those of a deploy itself: `release.drift` for files, `hermes_home.look` for links and jobs,
`home_merge` for keys. This module adds who owns a path now, since when, and what differs in one line.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from . import adoption, env_file, hermes_home, release
from .hermes_home import HomeError
from .release_format import mtime_of
from .release_homes import Homes, merged_of
from .release_state import Records, Result, Settings, env_path, read

CONFIG = ".hermes/config.yaml"
JOBS = ".hermes/cron/jobs.json"
FLEET = "fleet.json"
ENV_MODE = 0o640


@dataclass(frozen=True)
class Finding:
    """One path or key of ours that is not as we left it. `since` is None where nobody can tell."""

    path: str
    kind: str  # file, link, key, job, env, settings, current, home
    problem: str
    detail: str
    owner_class: str = "managed"
    agent: str = ""
    held_by: str = ""
    since: float | None = None
    # What is needed to settle it: release path, name in the home, key, job.
    at: dict[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """As it is reported."""
        told = asdict(self)
        del told["at"]
        return {key: value for key, value in told.items() if key != "agent" or value}


@dataclass(frozen=True)
class Stand:
    """What stands at a path, without following a link; `kind` is "" where nothing does."""

    kind: str = ""
    uid: int = -1
    mtime: float | None = None
    ctime: float | None = None
    size: int = 0
    target: str = ""

    @property
    def held_by(self) -> str:
        """The Unix user who owns it, "" where nothing is there."""
        if self.uid < 0:
            return ""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


def stand(path: str) -> Stand:
    """What stands at a path. Of what is gone, the folder's time says when at the latest."""
    try:
        status = os.lstat(path)
    except OSError:
        try:
            return Stand(mtime=os.lstat(os.path.dirname(path)).st_mtime)
        except OSError:
            return Stand()
    kinds = {stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFDIR: "directory"}
    kind = kinds.get(stat.S_IFMT(status.st_mode), "special file")
    target = os.readlink(path) if kind == "link" else ""
    return Stand(kind, status.st_uid, status.st_mtime, status.st_ctime, status.st_size, target)


def find(settings: Settings, homes: Mapping[str, str] | None = None) -> list[Finding]:
    """All drift of this host; `homes` names the home of an agent where its account does not."""
    root = settings.root
    records = Records(root)
    current = release.current_name(root)
    directory = os.path.join(root, release.RELEASES, current)
    if not current or not os.path.isdir(directory):
        return [_no_current(root)] if records.names() else []
    manifest = release.load_manifest(directory)
    found = _in_release(directory, manifest)
    for name in manifest.get("agents", []):
        account = hermes_home.account(name, (homes or {}).get(name, ""))
        found += _env(settings, name, records.load(name), account)
        if account is None or not os.path.isdir(account.home):
            where = account.home if account else f"/home/{name}"
            told = "no account or no home"
            found.append(Finding(where, "home", told, f"{name} has {told} on this host", agent=name))
            continue
        try:
            found += _in_home(settings, records, manifest, directory, account)
        except HomeError as error:
            found.append(
                Finding(account.home, "home", "cannot be looked at", str(error), "merged", agent=name)
            )
    return found + _fleet(settings, records)


def _no_current(root: str) -> Finding:
    path = os.path.join(root, release.CURRENT)
    seen = stand(path)
    told = (
        f"leads to {seen.target}, which is no release here" if seen.kind == "link" else "leads to no release"
    )
    problem = "edited" if seen.kind else "missing"
    return Finding(path, "current", problem, told, held_by=seen.held_by, since=seen.mtime)


# --- the release


def _in_release(directory: str, manifest: Mapping[str, Any]) -> list[Finding]:
    found = []
    for one in release.drift(directory):
        path, problem = one["path"], one["problem"]
        full = os.path.join(directory, path)
        entry = (manifest.get("files") or {}).get(path) or {}
        seen = stand(full)
        found.append(
            Finding(
                full,
                "file",
                problem,
                release_detail(problem, entry, seen),
                str(entry.get("class", "managed")),
                held_by=seen.held_by,
                since=changed_at(entry, seen),
                at={"path": path},
            )
        )
    return found


def release_detail(problem: str, entry: Mapping[str, Any], seen: Stand) -> str:
    """One line on a file or link of the release; its content is named by its hash."""
    if problem == "edited" and "sha256" in entry:
        return (
            f"{seen.size} bytes of another content than sha256 {entry['sha256'][:16]} ({entry['size']} bytes)"
        )
    if problem.startswith("mode ") and "mode" in entry:
        return f"{problem}, the release has {entry['mode']}"
    if "link" in entry:
        return f"{_stands(seen)}, the release has a link to {entry['link']}"
    return problem


def changed_at(entry: Mapping[str, Any], seen: Stand) -> float | None:
    """When a release file was changed: its own time is a made one, so an unchanged one tells nothing."""
    if "sha256" in entry and seen.mtime == mtime_of(entry["sha256"]):
        return seen.ctime
    return seen.mtime


def _stands(seen: Stand) -> str:
    if not seen.kind:
        return "is gone"
    if seen.kind == "link":
        return f"leads to {seen.target}"
    return f"is a {seen.kind} of {seen.size} bytes" if seen.kind == "file" else f"is a {seen.kind}"


# --- a home


def _in_home(
    settings: Settings,
    records: Records,
    manifest: Mapping[str, Any],
    directory: str,
    who: hermes_home.Account,
) -> list[Finding]:
    record = records.load(who.name)
    plan = hermes_home.plan_for(manifest, who.name, who.home, settings.root, record)
    seen = hermes_home.look(who, plan)
    names = [*seen["link"], *seen["keep"], *seen["drift"]]
    stands = hermes_home.as_agent(
        who, lambda: {name: asdict(stand(os.path.join(who.home, name))) for name in (*names, CONFIG, JOBS)}
    )
    stood = {name: Stand(**facts) for name, facts in stands.items()}
    head = f"{settings.root}/{release.CURRENT}/"
    paths = {name: plan.links[name].removeprefix(head) for name in names}
    classes = {
        name: str((manifest["files"].get(path) or {}).get("class", "managed")) for name, path in paths.items()
    }
    found = [
        Finding(
            os.path.join(who.home, name),
            "link",
            "link edited" if stood[name].kind else "link missing",
            f"{_stands(stood[name])}, ours leads to {plan.links[name]}",
            classes[name],
            who.name,
            stood[name].held_by,
            stood[name].mtime,
            {"name": name, "target": plan.links[name], "path": paths[name]},
        )
        for name in names
    ]
    answer = _merged(settings, records, directory, who, seen)
    if answer["config"].get("problems"):
        one = Stand() if not stood[CONFIG].kind else stood[CONFIG]
        found.append(_key_finding(who, one, {"path": []}, "unreadable", answer["config"]["problems"][0]))
    keys, jobs = answer["config"].get("findings") or [], answer["cron"].get("findings") or []
    found += [_key_finding(who, stood[CONFIG], key, key["problem"], key_detail(key)) for key in keys]
    return found + [_job_finding(who, stood[JOBS], job) for job in jobs]


def _merged(
    settings: Settings,
    records: Records,
    directory: str,
    who: hermes_home.Account,
    seen: Mapping[str, Any],
) -> dict[str, Any]:
    """What Hermes' interpreter says of keys and jobs; it is only asked where a file is not as we left it."""
    record = records.load(who.name)
    settled = record.get("config_sha256") == seen["config_sha256"] and not record.get("edited")
    if settled and not seen["cron_edits"]:
        return {"config": {}, "cron": {}}
    request = {"do": "apply", "dry": True, **merged_of(directory, who.name), **adoption.last_applied(record)}
    answer = Homes(settings, records, Result()).ask(who, directory, request)
    if "findings" not in answer["config"] and not answer["config"].get("problems"):
        answer["config"]["findings"] = [
            {"path": [one], "problem": "edited"} for one in answer["config"]["edited"]
        ]
    return answer


def key_detail(key: Mapping[str, Any]) -> str:
    """One line on a key; what might be a secret was masked before it came here."""
    return f"is {key['theirs']}, ours is {key['ours']}" if "ours" in key else "is not what we set"


def _key_finding(
    who: hermes_home.Account, seen: Stand, key: Mapping[str, Any], problem: str, detail: str
) -> Finding:
    name = ".".join(str(part) for part in key["path"])
    path = os.path.join(who.home, CONFIG) + (f"#{name}" if name else "")
    at = {"key": list(key["path"]), "line": key.get("line", "")}
    return Finding(path, "key", problem, detail, "merged", who.name, seen.held_by, seen.mtime, at)


def job_detail(job: Mapping[str, Any]) -> str:
    """One line on a cron job."""
    if job["problem"] == "removed":
        return "the job is gone"
    parts = [
        f"{key} is {both['theirs']}, ours is {both['ours']}" for key, both in sorted(job["fields"].items())
    ]
    return "; ".join(parts)


def _job_finding(who: hermes_home.Account, seen: Stand, job: Mapping[str, Any]) -> Finding:
    path = os.path.join(who.home, JOBS) + f"#{job['name']}"
    at = {"job": job["name"], "fields": sorted(job["fields"])}
    return Finding(
        path, "job", job["problem"], job_detail(job), "merged", who.name, seen.held_by, seen.mtime, at
    )


# --- settings


def remember(settings: Settings, names: list[str]) -> None:
    """Note the settings that a deploy has just written, by hash, so that a later edit can be told by name."""
    records = Records(settings.root)
    fleet = read(os.path.join(settings.config_dir, FLEET))
    for name in names:
        content = read(env_path(settings, name))
        if content is not None and fleet is not None:
            known = {"fleet": _sha256(fleet), "env": _hashes(content)}
            records.save(name, settings=known)


def forget(records: Records, name: str) -> None:
    """Drop what was noted of an agent's settings, after somebody put older files back."""
    if records.load(name).get("settings"):
        records.save(name, settings={})


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _hashes(content: bytes) -> dict[str, str]:
    """A hash for each value; only root can read where they are kept, as it is with the values themselves."""
    pairs = {}
    for name in env_file.names(content):
        lines = [line for line in content.splitlines() if line.startswith(f"{name}=".encode())]
        pairs[name] = _sha256(b"\n".join(lines))
    return pairs


def env_problem(
    record: Mapping[str, Any], content: bytes | None, mode: int, owned: bool
) -> tuple[str, str] | None:
    """What is wrong with an env file, and one line that holds names only; None where nothing is."""
    known = record.get("settings") or {}
    digest = str(record.get("env") or "")
    if content is None:
        return ("missing", "is gone") if digest or known else None
    if known:
        now, then = _hashes(content), known.get("env") or {}
        names = sorted(name for name in {*now, *then} if now.get(name) != then.get(name))
        if names:
            return "edited", f"differs in {', '.join(names)}"
    elif digest and digest != env_file.digest(content):
        return (
            "edited",
            f"differs from what was deployed; it names {', '.join(env_file.names(content)) or 'nothing'}",
        )
    if mode != ENV_MODE:
        return f"mode {mode:04o}", f"mode {mode:04o}, ours is {ENV_MODE:04o}"
    return None if owned else ("owner", "belongs to another owner or group than root and its agent")


def _env(
    settings: Settings, name: str, record: Mapping[str, Any], account: hermes_home.Account | None
) -> list[Finding]:
    path = env_path(settings, name)
    seen, mode, owned = stand(path), 0, True
    content = None
    if seen.kind == "file":
        content, status = read(path), os.lstat(path)
        mode = stat.S_IMODE(status.st_mode)
        # Only root can have given it to root; a test or a trial as somebody else says nothing on owners.
        if os.geteuid() == 0 and account is not None:
            owned = (status.st_uid, status.st_gid) == (0, account.gid)
    elif seen.kind:
        return [_env_finding(path, name, seen, "edited", f"{_stands(seen)}, ours is a file")]
    problem = env_problem(record, content, mode, owned)
    return [_env_finding(path, name, seen, *problem)] if problem else []


def _env_finding(path: str, name: str, seen: Stand, problem: str, detail: str) -> Finding:
    since = seen.ctime if problem.startswith(("mode", "owner")) else seen.mtime
    return Finding(path, "env", problem, detail, "managed", name, seen.held_by, since)


def _fleet(settings: Settings, records: Records) -> list[Finding]:
    known = {(records.load(name).get("settings") or {}).get("fleet") for name in records.names()} - {None}
    if not known:
        return []
    path = os.path.join(settings.config_dir, FLEET)
    content, seen = read(path), stand(path)
    if content is not None and _sha256(content) in known:
        return []
    problem = "edited" if content is not None else "missing"
    told = f"{_stands(seen)}, not as it was deployed" if problem == "edited" else "is gone"
    return [Finding(path, "settings", problem, told, held_by=seen.held_by, since=seen.mtime)]
