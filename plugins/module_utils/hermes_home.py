# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release puts into an agent's home: links, files seeded once, merged keys.

Everything in a home is looked at and changed by a child process that has become the agent. A link that the
agent laid can therefore lead such a write only to what the agent may write anyway.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import stat
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from . import (
    adoption,
    config_names,
    config_schema,
    config_sections,
    config_values,
    config_words,
    declared_check,
    hermes_endpoints,
    hermes_jobs,
    hermes_keys,
    hermes_prove,
    hermes_side,
    hermes_yaml,
    home_merge,
    overlay_cron,
    overlay_fields,
    overlay_problem,
)
from .guard import fsync_dir, set_link, write_file
from .release import aside_name, set_aside

# Where a subtree of agents/<agent>/ appears in the home.
LINKED = {"home": ".hermes", "timmy": ".timmy"}
SEEDED = {"seeded": ".hermes", "timmy-seeded": ".timmy"}
DRAFT = ".timmy-seed~"
_MAX_HOME_FILE = 16 * 1024 * 1024


class HomeError(Exception):
    """An agent's home could not be looked at or brought up to date; one line."""


@dataclass(frozen=True)
class Account:
    """The Unix account of an agent."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def account(name: str, home: str = "") -> Account | None:
    """The account of an agent, None where it does not exist yet."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = tuple(os.getgrouplist(name, entry.pw_gid))
    return Account(name, entry.pw_uid, entry.pw_gid, groups, home or entry.pw_dir)


@dataclass
class HomePlan:
    """The wanted links and seeds of one agent, as paths relative to the home."""

    home: str
    links: dict[str, str]
    seeds: dict[str, str]
    # Links of an earlier release that are no longer wanted.
    drop: dict[str, str] = field(default_factory=dict)
    # Links that we are on record for: one that differs now was edited by somebody.
    ours: list[str] = field(default_factory=list)
    cron: dict[str, Any] = field(default_factory=dict)


def plan_for(
    manifest: Mapping[str, Any], agent: str, home: str, root: str, record: Mapping[str, Any]
) -> HomePlan:
    """What the given release wants in the home of an agent."""
    head = f"agents/{agent}/"
    links, seeds = {}, {}
    for path in manifest.get("files", {}):
        if not path.startswith(head):
            continue
        room, _slash, rest = path[len(head) :].partition("/")
        if room in LINKED and rest:
            links[f"{LINKED[room]}/{rest}"] = f"{root}/current/{path}"
        elif room in SEEDED and rest:
            seeds[f"{SEEDED[room]}/{rest}"] = path
    # A place that the operator accepted as it stands is not ours, until the overlay changes its file.
    for name in adoption.links(record, manifest, agent):
        links.pop(name, None)
    recorded: dict[str, str] = dict(record.get("links") or {})
    accepted = adoption.accepted_links(record)
    drop = {name: target for name, target in recorded.items() if name not in {*links, *accepted}}
    ours = sorted({*recorded, *accepted})
    return HomePlan(home, links, seeds, drop, ours, dict(record.get("cron") or {}))


# --- as the agent


def as_agent(who: Account, work: Callable[[], Any]) -> Any:
    """The result of `work`, done in a child process that is the agent and nothing more."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = 1
        try:
            become(who)
            answer: dict[str, Any] = {"ok": work()}
            code = 0
        except BaseException as error:  # the parent must always get an answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        with suppress(BaseException), os.fdopen(writer, "wb") as out:
            out.write(json.dumps(answer).encode("utf-8"))
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as source:
        data = source.read()
    os.waitpid(child, 0)
    try:
        answer = json.loads(data)
    except ValueError:
        raise HomeError(f"{who.name}: the process that works in the home died without an answer") from None
    if "error" in answer:
        raise HomeError(f"{who.name}: {' '.join(str(answer['error']).split())}")
    return answer["ok"]


def become(who: Account) -> None:
    """Give up everything that the agent does not have; for a child process that has just been made."""
    os.umask(0o077)
    if os.geteuid() == 0:
        os.setgroups(who.groups)
        os.setgid(who.gid)
        os.setuid(who.uid)
    if os.geteuid() != who.uid:
        raise PermissionError(f"only root or {who.name} itself may work in this home")


def look(who: Account, plan: HomePlan) -> dict[str, Any]:
    """What the home lacks or holds differently; changes nothing."""
    return dict(as_agent(who, lambda: look_here(plan)))


def settle(who: Account, plan: HomePlan, release: str) -> dict[str, Any]:
    """Bring links and seeds up to date; returns what was done."""
    return dict(as_agent(who, lambda: settle_here(plan, release)))


def look_here(plan: HomePlan) -> dict[str, Any]:
    """As `look`, in this process."""
    found: dict[str, Any] = {"link": [], "keep": [], "drift": [], "unlink": [], "seed": []}
    found.update(aside={}, left=[])
    for name, target in plan.links.items():
        state = _link_state(os.path.join(plan.home, name), target)
        if state == "missing":
            found["link"].append(name)
        elif state == "foreign":
            found["drift" if name in plan.ours else "keep"].append(name)
    for name in found["keep"]:
        found["aside"][name] = os.path.basename(aside_name(os.path.join(plan.home, name)))
    for name, target in plan.drop.items():
        state = _link_state(os.path.join(plan.home, name), target)
        if state != "missing":
            found["unlink" if state == "ours" else "left"].append(name)
    seeds = {name: os.path.join(plan.home, name) for name in plan.seeds}
    # A draft is left over from a kill, and goes when its seed is settled again.
    found["seed"] = [
        n for n, full in seeds.items() if not os.path.lexists(full) or os.path.lexists(_draft(full))
    ]
    found["config_sha256"] = _digest(os.path.join(plan.home, ".hermes/config.yaml"))
    found["cron_edits"] = _cron_edits(os.path.join(plan.home, ".hermes/cron/jobs.json"), plan.cron)
    return found


def _link_state(path: str, target: str) -> str:
    try:
        if os.readlink(path) == target:
            return "ours"
    except FileNotFoundError:
        return "missing"
    except OSError:
        # Not a link, or something on the way is no directory.
        return "foreign" if os.path.lexists(path) else "missing"
    return "foreign"


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as handle:
            return hashlib.sha256(handle.read(_MAX_HOME_FILE)).hexdigest()
    except OSError:
        return ""


def _cron_edits(path: str, record: Mapping[str, Any]) -> list[str]:
    """Our cron jobs that are gone or differ from what Hermes stored for us."""
    if not record:
        return []
    try:
        with open(path, "rb") as handle:
            data = json.loads(handle.read(_MAX_HOME_FILE))
        jobs = {job["id"]: job for job in (data["jobs"] if isinstance(data, dict) else data)}
    except (OSError, ValueError, KeyError, TypeError):
        jobs = {}
    edits = []
    for name, kept in record.items():
        job = jobs.get(kept.get("id"))
        if job is None or any(
            not home_merge.same(job.get(key), value) for key, value in kept["stored"].items()
        ):
            edits.append(name)
    return sorted(edits)


def settle_here(plan: HomePlan, release: str) -> dict[str, Any]:
    """As `settle`, in this process."""
    todo = look_here(plan)
    done: dict[str, Any] = {"linked": [], "seeded": [], "kept": [], "unlinked": [], "drift": todo["drift"]}
    touched = set()
    for name in [*todo["keep"], *todo["link"]]:
        full = os.path.join(plan.home, name)
        _folder(plan.home, name)
        if name in todo["keep"]:
            done["kept"].append(f"{name} -> {os.path.basename(set_aside(full))}")
        set_link(full, plan.links[name])
        done["linked"].append(name)
        touched.add(os.path.dirname(full))
    for name in todo["unlink"]:
        full = os.path.join(plan.home, name)
        os.unlink(full)
        done["unlinked"].append(name)
        touched.add(os.path.dirname(full))
    for name in todo["seed"]:
        full = os.path.join(plan.home, name)
        _folder(plan.home, name)
        if _seed(full, os.path.join(release, plan.seeds[name])):
            done["seeded"].append(name)
            touched.add(os.path.dirname(full))
    for folder in sorted(touched):
        fsync_dir(folder)
    return done


def _folder(home: str, name: str) -> None:
    folder = home
    for part in name.split("/")[:-1]:
        folder = os.path.join(folder, part)
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)


def _draft(full: str) -> str:
    return f"{full}{DRAFT}"


def _seed(full: str, source: str) -> bool:
    """Create a file once. A hard link refuses an existing name, so a file made meanwhile wins."""
    with open(source, "rb") as handle:
        content = handle.read()
    try:
        write_file(_draft(full), content, stat.S_IRUSR | stat.S_IWUSR)
        os.link(_draft(full), full)
    except FileExistsError:
        return False
    finally:
        with suppress(FileNotFoundError):
            os.unlink(_draft(full))
    return True


# --- Hermes' own interpreter

# Reads one request from stdin and answers on the real stdout; whatever Hermes prints goes to stderr.
_BOOT = """
import ctypes, json, os, sys, types
answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
request = json.load(sys.stdin)
# Who asks holds the deploy lock. Without them this process must not write into the home: it dies with them.
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != request.pop("asker"):
    os._exit(1)
parts = request.pop("package").split(".")
for depth in range(1, len(parts) + 1):
    package = types.ModuleType(".".join(parts[:depth]))
    package.__path__ = []
    sys.modules[package.__name__] = package
for name, source in request.pop("sources"):
    module = types.ModuleType(package.__name__ + "." + name)
    module.__package__ = package.__name__
    sys.modules[module.__name__] = module
    setattr(package, name, module)
    exec(compile(source, name + ".py", "exec"), module.__dict__)
json.dump(package.hermes_side.main(request), answer)
answer.flush()
os._exit(0)
"""
# In the order in which they need each other.
_SENT = (
    overlay_problem,
    config_names,
    config_values,
    config_words,
    config_sections,
    config_schema,
    home_merge,
    hermes_yaml,
    hermes_endpoints,
    hermes_keys,
    hermes_prove,
    overlay_fields,
    overlay_cron,
    hermes_jobs,
    declared_check,
    hermes_side,
)


def source_of(module: Any) -> str:
    """The source of a module of ours: its file, or what its loader says where it came out of an archive."""
    # The file first: not every loader keeps the source once the module is loaded.
    with contextlib.suppress(OSError, TypeError), open(module.__file__, encoding="utf-8") as handle:
        return handle.read()
    text = module.__spec__.loader.get_source(module.__name__)
    if text is None:
        raise HomeError(f"the source of {module.__name__} is not at hand")
    return str(text)


def ask_hermes(
    who: Account, python: str, managed: str, request: Mapping[str, Any], *, timeout_s: float = 120
) -> dict[str, Any]:
    """One request to one process of Hermes' interpreter, run as the agent."""
    payload = {
        **request,
        "home": os.path.join(who.home, ".hermes"),
        "managed": managed,
        "asker": os.getpid(),
        "package": hermes_side.__name__.rpartition(".")[0],
        "sources": [[module.__name__.rpartition(".")[2], source_of(module)] for module in _SENT],
    }
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": who.home,
        "USER": who.name,
        "LOGNAME": who.name,
        "LANG": "C.UTF-8",
        "HERMES_HOME": os.path.join(who.home, ".hermes"),
        "HERMES_MANAGED_DIR": managed,
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
    }
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        identity = {"user": who.uid, "group": who.gid, "extra_groups": list(who.groups)}
    try:
        run = subprocess.run(
            [python, "-I", "-B", "-c", _BOOT],
            input=json.dumps(payload).encode("utf-8"),
            capture_output=True,
            env=environment,
            cwd="/",
            umask=0o077,
            timeout=timeout_s,
            check=False,
            **identity,
        )
    except OSError as error:
        raise HomeError(f"{who.name}: {python} does not run: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise HomeError(f"{who.name}: Hermes' interpreter gave no answer within {timeout_s:.0f} s") from None
    try:
        return dict(json.loads(run.stdout))
    except ValueError:
        lines = run.stderr.decode("utf-8", "replace").strip().splitlines() or ["no output"]
        raise HomeError(f"{who.name}: Hermes' interpreter ended with {run.returncode}: {lines[-1]}") from None
