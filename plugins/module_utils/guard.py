# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: undoes a change of a host that nobody confirmed in time.

This file is used twice: modules import it, and hosts carry a verbatim copy that static systemd units run
with ``/usr/bin/python3 -I``. So it needs only the standard library of Debian 12's Python.

A record is one JSON file. Its commit points are single renames:

* *armed*: the record appears under its final name, after its backups are on disk;
* *confirmed* or *undoing*: the record is replaced by one with that phase, and the other way is closed;
* *settled*: the record moves to ``done/``.

A kill at any moment leaves one of these, and the next tick or boot finishes what was begun. Undoing is a
list of steps that may be repeated at will.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SCHEMA = 1
RECORD_DIR = "/var/lib/timmy-guard"
TIMER_UNIT = "timmy-guard.timer"
TEMP_SUFFIX = ".timmy-guard~"  # ends in no suffix that sshd, nft or systemd read
RUN_TIMEOUT_S = 30.0
OUTPUT_LIMIT = 2000
TICK_PATIENCE_S = 60.0
ASK_PATIENCE_S = 150.0
HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ID_RE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")

ARMED = "armed"
CONFIRMED = "confirmed"
UNDOING = "undoing"
UNDONE = "undone"

Record = dict[str, Any]
Action = dict[str, Any]
Timer = Callable[[bool], None]


class GuardError(Exception):
    """A request that the guard refuses; the text is one line for the operator."""


class BusyError(GuardError):
    """Another change with this id is armed, or another process holds the guard."""


# -- time and identity of this boot -------------------------------------------------------------


def boot_time() -> float:
    """Seconds since boot, suspended time included: no clock change moves a deadline."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def log(line: str, level: int = 5) -> None:
    """Write one line for the journal; the level prefix only where the journal reads it."""
    prefix = f"<{level}>" if os.environ.get("JOURNAL_STREAM") else ""
    sys.stderr.write(f"{prefix}{line}\n")
    sys.stderr.flush()


# -- pure decisions ----------------------------------------------------------------------------


def why_due(record: Record, now: float, this_boot: str, everything: bool = False) -> str:
    """Say why a record has to be undone now; an empty string when it has not."""
    if record["phase"] in (CONFIRMED, UNDONE):
        return ""
    if record["phase"] == UNDOING:
        return str(record.get("why") or "its undo was interrupted")
    if everything or record["boot_id"] != this_boot:
        return "the host restarted before the change was confirmed"
    if now >= record["deadline"]:
        return f"nobody confirmed the change within {record['window_s']:g} s"
    return ""


def why_not_confirm(
    record: Record | None, last: Record | None, guard_id: str, now: float, this_boot: str
) -> str:
    """Say why a confirmation is refused; an empty string when it may be given."""
    if record is None:
        if last is not None and last["phase"] == UNDONE:
            return f"guard {guard_id}: the change was undone: {last['why']}"
        return f"guard {guard_id}: nothing is armed under this id"
    if record["phase"] == CONFIRMED:
        return ""
    why = why_due(record, now, this_boot)
    return f"guard {guard_id}: too late to confirm: {why}" if why else ""


def arm_decision(existing: Record | None, request: str) -> str:
    """Return arm, same (this very change is armed already) or busy."""
    if existing is None or existing["phase"] in (CONFIRMED, UNDONE):
        return "arm"
    return "same" if existing["phase"] == ARMED and existing["request"] == request else "busy"


def request_sum(undo: list[Action], window_s: float, reason: str) -> str:
    text = json.dumps([undo, float(window_s), reason], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _require(condition: object, line: str) -> None:
    if not condition:
        raise GuardError(line)


def check_id(guard_id: str) -> str:
    _require(
        ID_RE.fullmatch(guard_id) and not guard_id.endswith((".", ".d", ".json")),
        f"guard: {guard_id!r} is no usable id",
    )
    return guard_id


def _check_path(action: Action, key: str = "path") -> None:
    value = action.get(key)
    good = (
        isinstance(value, str)
        and value.startswith("/")
        and "\0" not in value
        and os.path.normpath(value) == value
    )
    _require(good and value != "/", f"guard: {key} {value!r} is not a plain absolute path")


def check_action(action: Action) -> None:
    """Refuse an undo action that could not be carried out later, with nobody there to read the error."""
    kind = action.get("do")
    if kind == "run":
        argv = action.get("argv")
        good = (
            isinstance(argv, list)
            and argv
            and all(isinstance(word, str) and "\0" not in word for word in argv)
        )
        _require(good, "guard: a run action needs argv, a list of strings")
        timeout = action.get("timeout", RUN_TIMEOUT_S)
        _require(
            isinstance(timeout, (int, float)) and 0 < timeout <= 600,
            "guard: timeout of a run action is 0 to 600 s",
        )
    elif kind == "set_link":
        _check_path(action)
        _require(isinstance(action.get("target"), str) and action["target"], "guard: set_link needs a target")
    elif kind in ("restore_file", "remove_file"):
        _check_path(action)
    else:
        raise GuardError(f"guard: unknown undo action {kind!r}")


# -- durable writing ---------------------------------------------------------------------------


def fsync_dir(path: str | os.PathLike[str]) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temp_name(path: str) -> str:
    """The one temporary name of a path: a replay after a kill meets and replaces its own leftover."""
    head, tail = os.path.split(path)
    return os.path.join(head, "." + tail + TEMP_SUFFIX)


def _unlink(path: str) -> bool:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def write_file(path: str, data: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Replace a file by one rename; whoever reads meanwhile gets the old or the new one, whole."""
    temp = temp_name(path)
    _unlink(temp)
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        if uid != -1 or gid != -1:
            os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
        os.fsync(handle)
    except BaseException:
        _unlink(temp)
        raise
    finally:
        os.close(handle)
    os.rename(temp, path)
    fsync_dir(os.path.dirname(path))


def set_link(path: str, target: str) -> None:
    """Point a symbolic link elsewhere by one rename."""
    temp = temp_name(path)
    _unlink(temp)
    os.symlink(target, temp)
    os.rename(temp, path)
    fsync_dir(os.path.dirname(path))


def remove_file(path: str) -> bool:
    _unlink(temp_name(path))
    try:
        removed = _unlink(path)
    except NotADirectoryError:
        return False
    if removed:
        fsync_dir(os.path.dirname(path))
    return removed


# -- the record on disk ------------------------------------------------------------------------


def _seal(record: Record) -> str:
    body = {key: value for key, value in record.items() if key != "check"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _write_record(path: Path, record: Record) -> None:
    record["check"] = _seal(record)
    write_file(str(path), (json.dumps(record, sort_keys=True, indent=1) + "\n").encode(), 0o600)


def _parse_record(path: Path) -> Record:
    """Read a record or raise ValueError; a torn one is never taken for an empty one."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or record.get("check") != _seal(record):
        raise ValueError("not a whole record of this schema")
    return record


def _record_path(record_dir: str, guard_id: str) -> Path:
    return Path(record_dir) / f"{guard_id}.json"


def _backup_dir(record_dir: str, guard_id: str) -> Path:
    return Path(record_dir) / f"{guard_id}.d"


def read_record(record_dir: str, guard_id: str) -> Record | None:
    """Return the record of an id that is not settled, None when there is none.

    When the record itself cannot be read, its second copy counts as overdue: it is better to go back without
    need than to stay broken.
    """
    path = _record_path(record_dir, guard_id)
    if not path.exists():
        return None
    try:
        return _parse_record(path)
    except ValueError:
        if not path.exists():  # it was settled between the two looks
            return None
        try:
            record = _parse_record(_backup_dir(record_dir, guard_id) / "record.json")
        except ValueError:
            raise GuardError(f"guard {guard_id}: the record {path} cannot be read, nor its copy") from None
    record.update(phase=UNDOING, why="its record could not be read")
    return record


def last_outcome(record_dir: str, guard_id: str) -> Record | None:
    """Return how the last change under this id ended."""
    try:
        return _parse_record(Path(record_dir) / "done" / f"{guard_id}.json")
    except ValueError:
        return None


def armed_ids(record_dir: str) -> list[str]:
    try:
        names = os.listdir(record_dir)
    except FileNotFoundError:
        return []
    return sorted(name[:-5] for name in names if name.endswith(".json") and not name.startswith("."))


def _prepare(record_dir: str) -> None:
    os.makedirs(record_dir, mode=0o700, exist_ok=True)
    os.makedirs(os.path.join(record_dir, "done"), mode=0o700, exist_ok=True)


@contextlib.contextmanager
def locked(record_dir: str, patience_s: float = ASK_PATIENCE_S, go_ahead: bool = False) -> Iterator[None]:
    """Hold the guard of this directory; with go_ahead a hanging holder only delays an undo."""
    _prepare(record_dir)
    handle = os.open(os.path.join(record_dir, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        limit = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < limit:
                    time.sleep(0.02)
                    continue
                if not go_ahead:
                    raise BusyError("guard: another process has held the guard for too long") from None
                log(f"the guard was held by another process for {patience_s:g} s, going ahead", 4)
                break
        yield
    finally:
        os.close(handle)


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)


def _settle(record_dir: str, record: Record) -> None:
    """Move a confirmed or undone record to done/; safe to repeat."""
    guard_id = record["id"]
    done = Path(record_dir) / "done"
    os.rename(_record_path(record_dir, guard_id), done / f"{guard_id}.json")
    fsync_dir(done)
    fsync_dir(record_dir)
    _clear(_backup_dir(record_dir, guard_id))


# -- arm and confirm ---------------------------------------------------------------------------


def systemd_timer(wanted: bool) -> None:
    """Start or stop the timer that ticks while something is armed."""
    verb = "start" if wanted else "stop"
    done = subprocess.run(
        ["systemctl", verb, TIMER_UNIT], capture_output=True, text=True, timeout=20, check=False
    )
    _require(
        done.returncode == 0,
        f"guard: systemctl {verb} {TIMER_UNIT} failed: {done.stderr.strip()[:OUTPUT_LIMIT]}",
    )


def no_timer(wanted: bool) -> None:
    """For callers that tick by themselves."""
    del wanted


def undo_of(path: str) -> Action:
    """Describe how to bring a path back to what it is now."""
    try:
        state = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"do": "remove_file", "path": path}
    if stat.S_ISLNK(state.st_mode):
        return {"do": "set_link", "path": path, "target": os.readlink(path)}
    _require(stat.S_ISREG(state.st_mode), f"guard: {path} is neither a file nor a link")
    return {"do": "restore_file", "path": path}


def _keep_copy(action: Action, number: int, folder: Path) -> Action:
    """Take the backup of a restore_file action; content, mode and owner come from one open file."""
    name = f"{number:04d}"
    try:
        handle = os.open(action["path"], os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise GuardError(f"guard: cannot back up {action['path']}: {error.strerror}") from error
    with os.fdopen(handle, "rb") as source:
        state = os.fstat(source.fileno())
        _require(stat.S_ISREG(state.st_mode), f"guard: cannot back up {action['path']}: not a file")
        data = source.read()
    write_file(str(folder / name), data, 0o600)
    kept = dict(action, backup=name, mode=stat.S_IMODE(state.st_mode), uid=state.st_uid, gid=state.st_gid)
    kept["sha256"] = hashlib.sha256(data).hexdigest()
    return kept


def arm(
    record_dir: str,
    guard_id: str,
    undo: list[Action],
    window_s: float,
    reason: str,
    *,
    timer: Timer = systemd_timer,
) -> Record:
    """Promise to carry out the undo actions unless the change is confirmed within the window.

    Call it before the change. Files of restore_file actions are backed up here, as they are now.
    Arming the very same change twice returns the first record, deadline unchanged; another one is refused.
    """
    check_id(guard_id)
    _require(undo, f"guard {guard_id}: nothing to undo was given")
    _require(0 < window_s <= 3600, f"guard {guard_id}: the window must be between 0 and 3600 s")
    for action in undo:
        check_action(action)
    request = request_sum(undo, window_s, reason)
    with locked(record_dir):
        existing = read_record(record_dir, guard_id)
        decision = arm_decision(existing, request)
        if decision == "busy":
            raise BusyError(f"guard {guard_id}: another change is armed under this id and not yet confirmed")
        if existing is not None and decision == "same":
            timer(True)
            return existing
        if existing is not None:
            _settle(record_dir, existing)
        folder = _backup_dir(record_dir, guard_id)
        _clear(folder)
        folder.mkdir(mode=0o700)
        kept = [
            _keep_copy(action, number, folder) if action["do"] == "restore_file" else dict(action)
            for number, action in enumerate(undo)
        ]
        record: Record = {
            "schema": SCHEMA,
            "id": guard_id,
            "reason": reason,
            "phase": ARMED,
            "boot_id": boot_id(),
            "deadline": boot_time() + window_s,
            "window_s": float(window_s),
            "undo": kept,
            "request": request,
        }
        _write_record(folder / "record.json", record)
        fsync_dir(record_dir)
        try:
            # The timer runs before the record counts: without a timer nobody would keep the promise.
            timer(True)
            _write_record(_record_path(record_dir, guard_id), record)
        except BaseException:
            _clear(folder)
            raise
    return record


def confirm(record_dir: str, guard_id: str) -> Record:
    """Accept the change; raises GuardError when it was undone, is overdue or was never armed."""
    check_id(guard_id)
    with locked(record_dir):
        record = read_record(record_dir, guard_id)
        refusal = why_not_confirm(
            record, last_outcome(record_dir, guard_id), guard_id, boot_time(), boot_id()
        )
        if refusal or record is None:
            raise GuardError(refusal)
        record.update(phase=CONFIRMED, ended=_utc())
        _write_record(_record_path(record_dir, guard_id), record)
        _settle(record_dir, record)
    return record


def still_armed(record_dir: str, guard_id: str, now: float, this_boot: str) -> bool:
    record = read_record(record_dir, guard_id)
    return record is not None and record["phase"] == ARMED and not why_due(record, now, this_boot)


@contextlib.contextmanager
def while_armed(record_dir: str, guard_id: str) -> Iterator[None]:
    """Change something inside the window; a writer that stalled until the undo is refused."""
    with locked(record_dir):
        if not still_armed(record_dir, guard_id, boot_time(), boot_id()):
            raise GuardError(f"guard {guard_id}: the window is over, the change is not made")
        yield


# -- undo --------------------------------------------------------------------------------------


def _utc() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def run_argv(argv: list[str], timeout_s: float = RUN_TIMEOUT_S) -> tuple[int, str]:
    """Run a command without a shell; its process group dies at the limit. Returns exit code and output."""
    environ = {"PATH": HOST_PATH, "LC_ALL": "C.UTF-8", "HOME": "/root"}
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        return 127, f"{argv[0]}: {error.strerror}"
    try:
        output, _nothing = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return 124, f"no end after {timeout_s:g} s"
    return child.returncode, output.decode(errors="replace").strip()[-OUTPUT_LIMIT:]


def _restore(action: Action, folder: Path) -> None:
    data = (folder / action["backup"]).read_bytes()
    _require(hashlib.sha256(data).hexdigest() == action["sha256"], "the backup is damaged")
    if _stands(action, data):
        _unlink(temp_name(action["path"]))
        return  # a full disk must not keep back what needs no writing
    os.makedirs(os.path.dirname(action["path"]), mode=0o755, exist_ok=True)
    write_file(action["path"], data, action["mode"], action["uid"], action["gid"])


def _stands(action: Action, data: bytes) -> bool:
    """Whether a file is there as its backup has it."""
    try:
        handle = os.open(action["path"], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(handle, "rb") as source:
        state = os.fstat(source.fileno())
        owned = (stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid)
        return (
            stat.S_ISREG(state.st_mode)
            and owned == (action["mode"], action["uid"], action["gid"])
            and state.st_size == len(data)
            and source.read() == data
        )


def _leads(path: str, target: str) -> bool:
    try:
        return os.readlink(path) == target
    except OSError:
        return False


def _carry_out(action: Action, folder: Path, booting: bool) -> str:
    """Carry out one step; returns a remark, raises when it failed."""
    kind = action["do"]
    if kind == "restore_file":
        _restore(action, folder)
    elif kind == "remove_file":
        remove_file(action["path"])
    elif kind == "set_link":
        if _leads(action["path"], action["target"]):
            _unlink(temp_name(action["path"]))
        else:
            set_link(action["path"], action["target"])
    elif booting and not action.get("at_boot", False):
        # Early in the boot nothing runs that could be reloaded, and waiting for a unit would never end.
        return "not needed at boot"
    else:
        code, output = run_argv(action["argv"], action.get("timeout", RUN_TIMEOUT_S))
        _require(code == 0, f"exit {code}: {output}")
    return ""


def _describe(action: Action) -> str:
    return " ".join(action["argv"]) if action["do"] == "run" else str(action["path"])


def _note(path: Path, record: Record) -> bool:
    """Write how far an undo is. On a disk that takes nothing it goes on, and is repeated later."""
    try:
        _write_record(path, record)
    except OSError as error:
        log(f"guard {record['id']}: cannot note {record['phase']}: {error.strerror}", 3)
        return False
    return True


def _undo_record(record_dir: str, record: Record, why: str, booting: bool) -> Record:
    guard_id = record["id"]
    path = _record_path(record_dir, guard_id)
    record.update(phase=UNDOING, why=why)
    _note(path, record)
    log(f"guard {guard_id}: undoing ({record['reason']}): {why}", 4)
    folder = _backup_dir(record_dir, guard_id)
    steps = []
    for action in record["undo"]:
        step = {"do": action["do"], "what": _describe(action), "ok": True, "detail": ""}
        try:
            step["detail"] = _carry_out(action, folder, booting)
        except Exception as error:  # one failing step must not keep the others from being undone
            step.update(ok=False, detail=str(error))
        steps.append(step)
        word = "ok" if step["ok"] else "FAILED"
        line = f"guard {guard_id}: {step['do']} {step['what']}: {word} {step['detail']}"
        log(line.rstrip(), 5 if step["ok"] else 3)
    record.update(phase=UNDONE, steps=steps, clean=all(step["ok"] for step in steps), ended=_utc())
    if _note(path, record):
        _settle(record_dir, record)
    return record


def undo_now(record_dir: str, guard_id: str, why: str) -> Record:
    """Undo an armed change without waiting for its deadline."""
    check_id(guard_id)
    with locked(record_dir):
        record = read_record(record_dir, guard_id)
        if record is not None and record["phase"] in (CONFIRMED, UNDONE):
            # It was killed when all was done but the clearing up; asked again, it ends as it would have.
            _settle(record_dir, record)
        if record is None or record["phase"] == CONFIRMED:
            raise GuardError(f"guard {guard_id}: nothing is armed under this id")
        return record if record["phase"] == UNDONE else _undo_record(record_dir, record, why, booting=False)


def _set_aside(record_dir: str, guard_id: str) -> None:
    aside = Path(record_dir) / "unreadable"
    aside.mkdir(mode=0o700, exist_ok=True)
    os.rename(_record_path(record_dir, guard_id), aside / f"{guard_id}.{int(time.time())}")
    log(
        f"guard {guard_id}: neither record nor copy can be read; moved to {aside}. Check this host by hand.",
        2,
    )


def _undo_due_locked(record_dir: str, now: float, this_boot: str, everything: bool) -> list[Record]:
    outcomes = []
    for guard_id in armed_ids(record_dir):
        try:
            record = read_record(record_dir, guard_id)
        except GuardError:
            _set_aside(record_dir, guard_id)
            outcomes.append({"id": guard_id, "phase": "unreadable", "clean": False})
            continue
        if record is None:
            continue
        if record["phase"] in (CONFIRMED, UNDONE):
            _settle(record_dir, record)
            continue
        why = why_due(record, now, this_boot, everything)
        if why:
            outcomes.append(_undo_record(record_dir, record, why, booting=everything))
    return outcomes


def undo_due(record_dir: str, now: float, this_boot: str, everything: bool = False) -> list[Record]:
    """Undo each record that is due; with everything set, each that is not confirmed."""
    with locked(record_dir, TICK_PATIENCE_S, go_ahead=True):
        return _undo_due_locked(record_dir, now, this_boot, everything)


def tick(record_dir: str, now: float, this_boot: str, timer: Timer = systemd_timer) -> list[Record]:
    """One beat of the timer: undo what is due and let the timer rest when nothing is armed."""
    with locked(record_dir, TICK_PATIENCE_S, go_ahead=True):
        outcomes = _undo_due_locked(record_dir, now, this_boot, everything=False)
        if not armed_ids(record_dir):
            for leftover in Path(record_dir).glob("*.d"):  # an arm that was killed before its record counted
                _clear(leftover)
            timer(False)  # under the lock: an arm that starts it waits for us
    return outcomes


def describe(record_dir: str, guard_id: str, now: float, this_boot: str) -> Record:
    """Return the state of an id for people and modules."""
    record = read_record(record_dir, guard_id)
    if record is not None and record["phase"] in (ARMED, UNDOING):
        left = 0.0 if why_due(record, now, this_boot) else record["deadline"] - now
        return {
            "id": guard_id,
            "state": record["phase"],
            "reason": record["reason"],
            "left_s": round(left, 3),
            "why": record.get("why", ""),
            "clean": True,
        }
    last = record or last_outcome(record_dir, guard_id)
    if last is None:
        return {"id": guard_id, "state": "unknown", "reason": "", "left_s": 0.0, "why": "", "clean": True}
    return {
        "id": guard_id,
        "state": last["phase"],
        "reason": last["reason"],
        "left_s": 0.0,
        "why": last.get("why", ""),
        "clean": last.get("clean", True),
    }


def settle(record_dir: str, guard_id: str, wanted: str, check_mode: bool = False) -> tuple[bool, Record]:
    """Bring an id to confirmed or undone. Returns whether it changed, and the state."""
    check_id(guard_id)
    now, this_boot = boot_time(), boot_id()
    state = describe(record_dir, guard_id, now, this_boot)
    pending = state["state"] in (ARMED, UNDOING)
    if wanted == UNDONE and not pending:
        return False, state
    if check_mode:
        return pending, state
    if wanted == CONFIRMED:
        confirm(record_dir, guard_id)
    else:
        undo_now(record_dir, guard_id, "somebody asked for it")
    return True, describe(record_dir, guard_id, now, this_boot)


# -- command line on the host ------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="guard.py", description="Undo changes of this host that nobody confirmed."
    )
    parser.add_argument("--dir", default=RECORD_DIR, help="directory of the records")
    parser.add_argument("--no-timer", action="store_true", help="leave the systemd timer alone")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("arm", help="arm a change: JSON with id, undo, window_s and reason on standard input")
    for name, text in (("confirm", "accept an armed change"), ("undo", "undo an armed change now")):
        verbs.add_parser(name, help=text).add_argument("id")
    verbs.add_parser("tick", help="undo what is past its deadline")
    verbs.add_parser("boot", help="undo everything that is not confirmed")
    verbs.add_parser("list", help="show what is armed and what was settled last, one JSON object a line")
    return parser


def _arm_from(text: str, record_dir: str, timer: Timer) -> int:
    try:
        request = json.loads(text)
        arguments = (
            str(request["id"]),
            list(request["undo"]),
            float(request["window_s"]),
            str(request["reason"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise GuardError(f"guard: the request on standard input cannot be used: {error!r}") from error
    record = arm(record_dir, *arguments, timer=timer)
    sys.stdout.write(json.dumps({"id": record["id"], "deadline": record["deadline"]}) + "\n")
    return 0


def _list(record_dir: str) -> int:
    done = Path(record_dir) / "done"
    settled = [path.stem for path in done.glob("*.json")] if done.is_dir() else []
    bad = 0
    for guard_id in sorted(set(armed_ids(record_dir)) | set(settled)):
        try:
            known = describe(record_dir, guard_id, boot_time(), boot_id())
            sys.stdout.write(json.dumps(known, sort_keys=True) + "\n")
        except GuardError as error:
            log(str(error), 3)
            bad = 1
    return bad


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    timer: Timer = no_timer if options.no_timer else systemd_timer
    outcomes: list[Record] = []
    try:
        if options.verb == "arm":
            return _arm_from(sys.stdin.read(), options.dir, timer)
        if options.verb == "list":
            return _list(options.dir)
        if options.verb == "confirm":
            confirm(options.dir, options.id)
        elif options.verb == "undo":
            outcomes = [undo_now(options.dir, options.id, "somebody asked for it")]
        elif options.verb == "tick":
            outcomes = tick(options.dir, boot_time(), boot_id(), timer)
        else:
            outcomes = undo_due(options.dir, boot_time(), boot_id(), everything=True)
    except (GuardError, OSError) as error:
        log(str(error), 3)
        return 1
    return 0 if all(outcome["clean"] for outcome in outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main())
