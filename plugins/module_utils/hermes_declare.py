# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declare keys or cron jobs for one agent's home: the half of hermes_config and hermes_cron that does it.

The merge, Hermes' own interpreter and the lock are those of a release. What the release or another play has
is refused with the place to change it: which value wins is never a question of who ran last.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from . import adoption, declarations, guard, hermes_home, home_merge, release, release_guard, release_lock
from .declarations import CONFIG, CRON, NOTHING, Declarations
from .hermes_home import HomeError
from .release_format import ReleaseError
from .release_homes import Homes, merged_of
from .release_state import Records, Result, Settings, read_json

_AGENT = re.compile(r"[a-z][a-z0-9_-]{0,30}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_JOB = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_POLL_S = 0.5
# Shorter texts are words such as off; to hide them everywhere would hide everything.
_HIDDEN_MIN = 6
# Fields of a job that are names of something, however long.
_PLAIN = frozenset({"name", "schedule", "model", "provider", "deliver"})
OVERLAY = {CONFIG: "merged/config.json", CRON: "merged/cron.json"}
MANAGED = "managed/config.yaml"


class DeclareError(Exception):
    """Nothing was changed; `problems` holds every line, the text is the first."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems[0])
        self.problems = list(problems)


@dataclass(frozen=True)
class Wish:
    """What a play declares for one agent: all of the declaration `name`, {} or [] for nothing."""

    kind: str
    agent: str
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    jobs: Sequence[Mapping[str, Any]] = ()
    restore: Sequence[str] = ()
    home: str = ""
    hermes_python: str = ""
    lock_wait_s: float = 60.0

    def plain(self) -> dict[str, Any]:
        """In the form of a release's merged state."""
        jobs = [{key: value for key, value in job.items() if value is not None} for job in self.jobs]
        return {"config": dict(self.config), "jobs": jobs}


def problems_of(wish: Wish) -> list[str]:
    """What is wrong with a wish whatever the host is like."""
    found = []
    if not _AGENT.fullmatch(wish.agent):
        found.append(f"agent: {wish.agent[:40]!r} is no Unix name; use small letters, digits, _ and -")
    if not _NAME.fullmatch(wish.name):
        found.append(f"declaration: {wish.name[:40]!r} is no name; use small letters, digits, _ and -")
    names = [str(job.get("name") or "") for job in wish.jobs]
    for name in sorted(set(names)):
        if not _JOB.fullmatch(name):
            found.append(f"cron {name[:40]!r}: is no name for a job; use small letters, digits and hyphens")
        elif names.count(name) > 1:
            found.append(f"cron {name}: is declared twice; give each job a name of its own")
    known = names if wish.kind == CRON else [home_merge.dotted(path) for path in _paths(wish)]
    found += [f"restore: {one[:80]!r} is not declared here" for one in wish.restore if one not in known]
    return found


def _paths(wish: Wish) -> list[home_merge.Path]:
    return [path for path, _value in home_merge.leaves(wish.config)]


class Host:
    """Where a wish is to come true."""

    def __init__(self, settings: Settings, wish: Wish) -> None:
        self.settings = settings
        self.wish = wish
        self.records = Records(settings.root)
        self.homes = Homes(settings, self.records, Result())
        self.own = Declarations(settings.root, wish.agent)
        self.directory = ""

    # --- who holds what

    def look(self) -> bool:
        """Find the current release; whether it knows the agent."""
        current = release.current_name(self.settings.root)
        self.directory = os.path.join(self.settings.root, release.RELEASES, current)
        return bool(current) and self.wish.agent in release.load_manifest(self.directory).get("agents", [])

    def refused(self) -> list[str]:
        """One line for each key or job that somebody else has, with the place to change it."""
        wanted, lines = self.wish.plain(), []
        keys, names = declarations.held_by(merged_of(self.directory, self.wish.agent)).refused(wanted)
        where = f"change {self.source(OVERLAY[self.wish.kind])} and deploy"
        lines += [f"config: {key}: the release declares it; {where}" for key in keys]
        lines += [f"cron {name}: the release declares a job of this name; {where}" for name in names]
        for other, wishes in self.own.others(self.wish.kind, self.wish.name).items():
            keys, names = declarations.held_by(*wishes).refused(wanted)
            where = f"the declaration {other}; change it there, or drop it there first"
            lines += [f"config: {key}: belongs to {where}" for key in keys]
            lines += [f"cron {name}: belongs to {where}" for name in names]
        return lines

    def source(self, path: str) -> str:
        """The overlay's file for a part of the release."""
        rules = read_json(os.path.join(self.directory, "ownership.json"))
        found = adoption.overlay_source(rules, f"agents/{self.wish.agent}/{path}")
        return f"overlay/{found}" if found else "the overlay"

    # --- the request

    def request(self, record: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """All that Hermes' interpreter has to know."""
        wish, wanted = self.wish, self.wish.plain()
        merged = merged_of(self.directory, wish.agent)
        request = declarations.request_for(record, wanted, declarations.held_by(merged))
        if dry:
            request["dry"] = True
        if wish.kind == CONFIG:
            request["restore"] = [
                list(path) for path in _paths(wish) if home_merge.dotted(path) in wish.restore
            ]
        else:
            request["restore_jobs"] = list(wish.restore)
        if not home_merge.same(wanted, NOTHING):
            others = self.own.others(wish.kind, wish.name).values()
            beside = [merged["config"], *(one["config"] for wishes in others for one in wishes)]
            request["check"] = {"beside": beside, "managed_source": self.source(MANAGED)}
        return request

    def ask(self, who: hermes_home.Account, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, raising DeclareError where nothing was changed."""
        answer = self.homes.ask_beside(who, self.directory, request, self.wish.hermes_python)
        problems = list(answer["config"]["problems"])
        problems += answer["cron"].get("problems") or []
        if problems:
            raise DeclareError([f"{self.wish.agent}: {line}" for line in problems])
        return answer

    # --- the whole of it

    def run(self) -> dict[str, Any]:
        """Bring the home to the wish, or in check mode say what that would change."""
        who = hermes_home.account(self.wish.agent, self.wish.home)
        if self.settings.check_mode:
            if who is None or not self._ready(who):
                return self._blank()
            self._stop_early(who)
            record = self.own.load(self.wish.kind, self.wish.name)
            return self._told(who, self.ask(who, self.request(record, dry=True)))
        if who is None:
            raise DeclareError(
                [f"{self.wish.agent}: has no Unix account on this host; the role common makes it"]
            )
        os.umask(0o022)
        with self._locked():
            self._stop_early(who)
            return self._told(who, self._apply(who))

    def _stop_early(self, who: hermes_home.Account) -> None:
        if os.geteuid() not in (0, who.uid):
            raise DeclareError([f"{who.name}: only root may declare something here; use become"])
        problems = [] if self._ready(who) else [_NOT_READY]
        problems = problems or self.refused()
        if problems:
            raise DeclareError([f"{self.wish.agent}: {line}" for line in problems])

    def _apply(self, who: hermes_home.Account) -> dict[str, Any]:
        wish, wanted = self.wish, self.wish.plain()
        record = self.own.load(wish.kind, wish.name)
        if not record and home_merge.same(wanted, NOTHING):
            return _NO_CHANGE
        # On record before anything is written: what a killed run has set is known as ours by the next.
        begun = self.own.begin(wish.kind, wish.name, wanted, wish.hermes_python)
        try:
            answer = self.ask(who, self.request(record, dry=False))
        except DeclareError:
            self.own.refuse(wish.kind, wish.name, begun)
            raise
        self.own.keep(wish.kind, wish.name, wanted, answer)
        return answer

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The lock of a deploy: two writers must not merge into one home at the same time."""
        limit = time.monotonic() + self.wish.lock_wait_s
        owner = f"hermes_{self.wish.kind} {self.wish.name} of {self.wish.agent}"
        with ExitStack() as stack:
            while True:
                guarded = str(release_guard.state(self.settings)["state"])
                try:
                    stack.enter_context(release_lock.locked(self.settings.root, owner, guarded))
                    break
                except release_lock.HeldError as error:
                    if time.monotonic() >= limit:
                        told = f"waited {self.wish.lock_wait_s:g} s; run it again later"
                        raise DeclareError([f"{error}; {told}"]) from None
                time.sleep(_POLL_S)
            yield

    # --- the answer

    def _ready(self, who: hermes_home.Account) -> bool:
        """Whether there is a home, and a Hermes to ask; what is there no more needs no release to go."""
        known = self.look() or home_merge.same(self.wish.plain(), NOTHING)
        python = self.wish.hermes_python or os.path.join(self.directory, "hermes/bin/python")
        at_hand = os.path.exists(python) and (known or bool(self.wish.hermes_python))
        return at_hand and os.path.isdir(os.path.join(who.home, ".hermes"))

    def _blank(self) -> dict[str, Any]:
        """A prediction for a host on which the agent is not installed yet."""
        wanted = self.wish.plain()
        changed = [home_merge.dotted(path) for path in _paths(self.wish)]
        changed += [f"{job['name']}: created" for job in wanted["jobs"]]
        told = f"{self.wish.agent} is not installed here yet, so Hermes could not check what is declared"
        empty: dict[str, Any] = {
            key: [] for key in (("edited", "taken") if self.wish.kind == CONFIG else ("edited",))
        }
        return {
            **empty,
            "changed": bool(changed),
            "changes": changed,
            "warnings": [told] if changed else [],
        }

    def _told(self, who: hermes_home.Account, answer: Mapping[str, Any]) -> dict[str, Any]:
        part = answer["config" if self.wish.kind == CONFIG else "cron"]
        head = "" if self.wish.kind == CONFIG else "cron "
        # A job of somebody else is never taken, so only keys can be.
        names = {"changes": "changed", "edited": "edited", **({} if head else {"taken": "taken"})}
        told: dict[str, Any] = {
            key: [str(one).removeprefix(head) for one in part.get(name) or []] for key, name in names.items()
        }
        told["changed"] = bool(told["changes"])
        if self.settings.diff_mode:
            file = ".hermes/config.yaml" if self.wish.kind == CONFIG else ".hermes/cron/jobs.json"
            told["diff"] = _diff(os.path.join(who.home, file), part.get("differences") or [])
        return told


_NOT_READY = (
    "is not in the current release of this host, or has no ~/.hermes yet; deploy it first, "
    "or name a hermes_python"
)
_NO_CHANGE: dict[str, Any] = {"config": {}, "cron": {}}


def _diff(path: str, differences: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Ansible's diff, one line for each key."""
    sides = {
        side: "".join(f"{one['key']}: {one[side]}\n" for one in differences if one[side] != "nothing")
        for side in ("before", "after")
    }
    return {"before_header": path, "after_header": path, **sides}


def declare(settings: Settings, wish: Wish) -> dict[str, Any]:
    """Bring one agent's home to a wish; has `failed`, `msg` and `problems` where it could not."""
    problems = problems_of(wish)
    try:
        if problems:
            raise DeclareError(problems)
        return Host(settings, wish).run()
    except DeclareError as error:
        lines = [_without_secrets(line, wish) for line in error.problems]
        return {"failed": True, "msg": lines[0], "problems": lines}
    except (HomeError, ReleaseError, guard.GuardError, OSError) as error:
        return {"failed": True, "msg": " ".join(str(error).split())}


# --- what must not be seen


def hidden(data: Any, path: home_merge.Path = ()) -> set[str]:
    """The texts in a wish that might be secrets and are long enough to be hidden wherever they turn up."""
    return {text for text in _secrets(data, path) if len(text) >= _HIDDEN_MIN}


def _secrets(data: Any, path: home_merge.Path = ()) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, below in data.items():
            yield from _secrets(below, (*path, str(key)))
    elif isinstance(data, (list, tuple)):
        for below in data:
            yield from _secrets(below, path)
    elif isinstance(data, str) and home_merge.secretive(path, data):
        yield data


def _without_secrets(line: str, wish: Wish) -> str:
    """A line that may quote a value, without those that might be secrets."""
    for text in sorted({*_secrets(wish.plain())}, key=len, reverse=True):
        for form in (repr(text), text if len(text) >= _HIDDEN_MIN else ""):
            line = line.replace(form, "(masked)") if form else line
    return "".join(one if one.isprintable() else "?" for one in line)


def module_answer(
    kind: str, params: Mapping[str, Any], *, check_mode: bool, diff_mode: bool
) -> tuple[dict[str, Any], set[str]]:
    """The result of a module with these parameters, and the texts that Ansible has to hide in it."""
    settings = Settings(
        root=params["release_root"],
        record_dir=params["record_dir"],
        check_mode=check_mode,
        diff_mode=diff_mode,
    )
    present = params["state"] == "present"
    wish = Wish(
        kind,
        params["agent"],
        params["declaration"],
        config=(params.get("config") or {}) if present else {},
        jobs=(params.get("jobs") or []) if present else [],
        restore=params["restore"] if present else [],
        home=params["home"] or "",
        hermes_python=params["hermes_python"] or "",
        lock_wait_s=params["lock_wait_s"],
    )
    jobs = [{key: job[key] for key in job if key not in _PLAIN} for job in wish.jobs]
    told = {key: masked(params[key]) for key in ("config", "jobs") if key in params}
    answer = {**declare(settings, wish), "invocation": {"module_args": {**params, **told}}}
    return answer, hidden(wish.config) | hidden(jobs)


def masked(data: Any, path: home_merge.Path = ()) -> Any:
    """A wish as it may be shown."""
    if isinstance(data, Mapping):
        return {key: masked(below, (*path, str(key))) for key, below in data.items()}
    if isinstance(data, (list, tuple)):
        return [masked(below, path) for below in data]
    return "(masked)" if home_merge.secretive(path, data) else data
