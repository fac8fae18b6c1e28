# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change a set of files together, under the guard: compare, check, arm, write, apply.

Whoever called has to confirm afterwards, over a way that the change could have broken.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import guard

APPLY_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Wanted:
    """One file as it should be; content None means that it should not be there."""

    path: str
    content: str | None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    validate: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """One file as it is; content None means that it is not there."""

    content: bytes | None
    mode: int = 0
    uid: int = 0
    gid: int = 0
    link: str = ""


@dataclass
class Outcome:
    """What was decided and done."""

    changed: bool = False
    armed: bool = False
    paths: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    left_s: float = 0.0


def _owner_id(name: str, table: str) -> int:
    """Resolve an owner; a number stays a number."""
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid if table == "user" else grp.getgrnam(name).gr_gid
    except KeyError:
        raise guard.GuardError(f"there is no {table} {name!r} on this host") from None


def wanted_from(item: dict[str, Any], lenient: bool = False) -> Wanted:
    """Turn one entry of the module's ``files`` into a Wanted.

    Lenient, for check mode: an owner that does not exist yet is unknown (-1) and no error.
    """
    path = str(item["path"])
    guard.check_action({"do": "remove_file", "path": path})
    if item.get("state", "present") == "absent":
        return Wanted(path, None)
    if item.get("content") is None:
        raise guard.GuardError(f"{path}: content is needed unless state is absent")
    mode_text = str(item.get("mode") or "0644")
    try:
        mode = int(mode_text, 8)
    except ValueError:
        raise guard.GuardError(f"{path}: mode {mode_text!r} is not octal") from None
    ids = []
    for key, table in (("owner", "user"), ("group", "group")):
        try:
            ids.append(_owner_id(str(item.get(key) or "root"), table))
        except guard.GuardError:
            if not lenient:
                raise
            ids.append(-1)
    return Wanted(path, str(item["content"]), mode, ids[0], ids[1], tuple(item.get("validate") or ()))


def look(path: str) -> Found:
    """Read a file as it is, without following a link."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return Found(None)
    except OSError as error:
        if os.path.islink(path):
            return Found(b"", link=os.readlink(path))
        raise guard.GuardError(f"{path}: {error.strerror}") from error
    with os.fdopen(handle, "rb") as source:
        state = os.fstat(source.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise guard.GuardError(f"{path}: is neither a file nor a link")
        return Found(source.read(), stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid)


def differs(wanted: Wanted, found: Found) -> bool:
    """Say whether a file has to be touched."""
    if wanted.content is None or found.content is None:
        return not (wanted.content is None and found.content is None)
    have = (found.content, found.mode, found.uid, found.gid, found.link)
    return have != (wanted.content.encode(), wanted.mode, wanted.uid, wanted.gid, "")


def diff_of(wanted: Wanted, found: Found) -> dict[str, str]:
    """Describe one change as Ansible's diff does."""
    before = f"-> {found.link}\n" if found.link else (found.content or b"").decode(errors="replace")
    after = wanted.content or ""
    head_before = wanted.path if found.content is not None else "/dev/null"
    head_after = wanted.path if wanted.content is not None else "/dev/null"
    if before == after and found.content is not None:
        before = f"mode {found.mode:04o} owner {found.uid}:{found.gid}\n"
        after = f"mode {wanted.mode:04o} owner {wanted.uid}:{wanted.gid}\n"
    return {"before_header": head_before, "after_header": head_after, "before": before, "after": after}


def check_staged(wanted: Wanted) -> None:
    """Run the file's own validator on a copy of it, before anything live changes."""
    if wanted.content is None or not wanted.validate:
        return
    folder = tempfile.mkdtemp(prefix="timmy-check-")
    try:
        # A staged file keeps its name: some checkers look at the suffix.
        staged = os.path.join(folder, os.path.basename(wanted.path))
        guard.write_file(staged, wanted.content.encode(), 0o600)
        code, output = guard.run_argv(
            [word.replace("%s", staged) for word in wanted.validate], APPLY_TIMEOUT_S
        )
        if code != 0:
            raise guard.GuardError(
                f"{wanted.path}: refused by {wanted.validate[0]}: {output.replace(staged, wanted.path)}"
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_one(wanted: Wanted) -> None:
    if wanted.content is None:
        guard.remove_file(wanted.path)
        return
    os.makedirs(os.path.dirname(wanted.path), mode=0o755, exist_ok=True)
    guard.write_file(wanted.path, wanted.content.encode(), wanted.mode, wanted.uid, wanted.gid)


def _run_all(commands: list[list[str]], word: str) -> None:
    for argv in commands:
        code, output = guard.run_argv(argv, APPLY_TIMEOUT_S)
        if code != 0:
            raise guard.GuardError(f"{word} failed: {' '.join(argv)}: exit {code}: {output}")


@contextlib.contextmanager
def _undone_on_failure(record_dir: str, guard_id: str) -> Iterator[None]:
    """Undo at once when what is inside fails; the guard would do the same at the end of the window."""
    try:
        yield
    except Exception as error:
        try:
            record = guard.undo_now(record_dir, guard_id, f"the change failed: {error}")
            ending = "undone" if record["clean"] else "undone in part, see the journal of the host"
        except guard.GuardError:
            ending = "undone by the guard"
        raise guard.GuardError(f"{error} ({ending})") from error


def put(
    *,
    record_dir: str,
    guard_id: str,
    files: list[Wanted],
    check: list[list[str]],
    apply: list[list[str]],
    window_s: float,
    reason: str,
    check_mode: bool = False,
    timer: guard.Timer = guard.systemd_timer,
) -> Outcome:
    """Bring the files to the wanted state; the guard stays armed until somebody confirms."""
    found = [look(wanted.path) for wanted in files]
    changes = [(want, have) for want, have in zip(files, found, strict=True) if differs(want, have)]
    outcome = Outcome(
        changed=bool(changes),
        paths=[want.path for want, _have in changes],
        diff=[diff_of(want, have) for want, have in changes],
    )
    state = guard.describe(record_dir, guard_id, guard.boot_time(), guard.boot_id())
    if not changes:
        # An earlier run may have died between its change and its confirmation: say so, or the guard would
        # take back what this run calls settled.
        outcome.armed = state["state"] in (guard.ARMED, guard.UNDOING)
        outcome.left_s = state["left_s"]
        return outcome
    if check_mode:
        return outcome
    for want, _have in changes:
        check_staged(want)
    undo = [guard.undo_of(want.path) for want, _have in changes]
    undo += [{"do": "run", "argv": argv, "timeout": APPLY_TIMEOUT_S} for argv in apply]
    guard.arm(record_dir, guard_id, undo, window_s, reason, timer=timer)
    outcome.armed = True
    with _undone_on_failure(record_dir, guard_id):
        for want, _have in changes:
            with guard.while_armed(record_dir, guard_id):
                write_one(want)
        _run_all(check, "the check")
        _run_all(apply, "applying")
        # The clock of the confirmation starts when the change is in force, not when a slow reload began.
        if not guard.still_armed(record_dir, guard_id, guard.boot_time(), guard.boot_id()):
            raise guard.GuardError(
                f"guard {guard_id}: the window of {window_s:g} s was over before the change was in force"
            )
    outcome.left_s = guard.describe(record_dir, guard_id, guard.boot_time(), guard.boot_id())["left_s"]
    return outcome
