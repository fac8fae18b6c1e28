# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program and kill it, with all its children, at its n-th system call that changes something.

    atomic_trace.py LOG kill|full N PROGRAM ARGUMENT…

strace counts the calls of each process by itself and kills that one process; a host that loses its power
loses all of them at once, at one place in the order of everything that happened. So this counts through the
whole tree of processes. With `full` nothing is killed, but from that call on the disk has no room for more.
N is 0 for neither. LOG gets one line for each call: process, name, path. The call at which the kill happens
is not carried out. The exit code is the program's own, or 137 after the kill.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
import sys
from pathlib import Path
from typing import TextIO

KILLED = 137

_TRACE_CONT, _SEIZE, _SYSCALL_INFO = 7, 0x4206, 0x420E
_FORK, _VFORK, _CLONE, _EXEC, _SECCOMP = 1, 2, 3, 4, 7
_OPTIONS = (
    sum(1 << event for event in (_FORK, _VFORK, _CLONE, _EXEC, _SECCOMP)) | 1 << 20
)  # die with the tracer
_WALL = 0x40000000
_GET_REGISTERS, _SET_REGISTERS = 12, 13
# Where x86_64 keeps the number of a call and its answer.
_NUMBER, _ANSWER = 15, 10
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
# Of an open only one that makes or empties a file is a change.
_OPEN_FLAGS = os.O_CREAT | os.O_TRUNC

# name -> number; where the path is, is told by the name.
CALLS = {
    "x86_64": (
        0xC000003E,
        {
            "write": 1, "pwrite64": 18, "writev": 20, "sendfile": 40, "fsync": 74, "fdatasync": 75,
            "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84, "link": 86, "unlink": 87,
            "symlink": 88, "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94, "mknod": 133,
            "openat": 257, "mkdirat": 258, "mknodat": 259, "fchownat": 260, "unlinkat": 263, "renameat": 264,
            "linkat": 265, "symlinkat": 266, "fchmodat": 268, "utimensat": 280, "fallocate": 285,
            "pwritev": 296, "renameat2": 316, "copy_file_range": 326,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "mknodat": 33, "mkdirat": 34, "unlinkat": 35, "symlinkat": 36, "linkat": 37, "renameat": 38,
            "truncate": 45, "ftruncate": 46, "fallocate": 47, "fchmod": 52, "fchmodat": 53, "fchownat": 54,
            "fchown": 55, "openat": 56, "write": 64, "writev": 66, "pwrite64": 68, "pwritev": 70,
            "sendfile": 71, "fsync": 82, "fdatasync": 83, "utimensat": 88, "renameat2": 276,
            "copy_file_range": 285,
        },
    ),
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


def supported(what: str = "kill") -> bool:
    """Whether this machine's system calls, and for a full disk also its registers, are known here."""
    return platform.machine() in CALLS and (what == "kill" or platform.machine() == "x86_64")


def _needs_room(call: str) -> bool:
    """Whether a full disk would refuse a call: it makes a file or a name, or makes a file longer."""
    name, _space, path = call.partition(" ")
    if name in {"openat", "mkdir", "mkdirat"}:
        return not os.path.lexists(path)
    if name in {"symlink", "symlinkat", "link", "linkat"}:
        return True
    return name in {"write", "pwrite64", "writev", "fallocate"} and path.startswith("/")


def _refuse(pid: int) -> None:
    """Let the call that a process stands before fail for want of space, without being made."""
    registers = (ctypes.c_ulonglong * 27)()
    _ptrace(_GET_REGISTERS, pid, 0, ctypes.addressof(registers))
    registers[_NUMBER] = 2**64 - 1
    registers[_ANSWER] = 2**64 - errno.ENOSPC
    _ptrace(_SET_REGISTERS, pid, 0, ctypes.addressof(registers))


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    answer: int = _libc.ptrace(request, pid, address, data)
    if answer == -1 and ctypes.get_errno():
        error = ctypes.get_errno()
        ctypes.set_errno(0)
        raise OSError(error, os.strerror(error))
    return answer


def _filter() -> bytes:
    """The filter that stops at changes only; all other calls run at full speed."""
    architecture, calls = CALLS[platform.machine()]
    load, equal, any_bit, above, give = 0x20, 0x15, 0x45, 0x25, 0x06
    number_at, architecture_at, arguments_at = 0, 4, 16

    def stop_if(name: str, argument: int, test: int, value: int) -> list[tuple[int, int, int, int]]:
        look = (load, 0, 0, arguments_at + 8 * argument)
        return [(equal, 0, 4, calls[name]), look, (test, 0, 1, value), (give, 0, 0, _TRACE), allow]

    allow = (give, 0, 0, _ALLOW)
    lines = [(load, 0, 0, architecture_at), (equal, 1, 0, architecture), allow, (load, 0, 0, number_at)]
    lines += stop_if("openat", 2, any_bit, _OPEN_FLAGS)
    # What is said on the standard streams changes nothing.
    lines += stop_if("write", 0, above, 2)
    for name, number in calls.items():
        if name not in {"openat", "write"}:
            lines += [(equal, 0, 1, number), (give, 0, 0, _TRACE)]
    return b"".join(struct.pack("HBBI", *line) for line in [*lines, allow])


def _start(argv: list[str]) -> int:
    """The process of the program, stopped at its first change and not before."""
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)
        text = _filter()
        lines = ctypes.create_string_buffer(text)
        program = ctypes.create_string_buffer(
            struct.pack("HxxxxxxP", len(text) // 8, ctypes.addressof(lines))
        )
        _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        if _libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program)) != 0:
            os._exit(126)
        os.execvp(argv[0], argv)  # noqa: S606
    os.close(ready)
    _ptrace(_SEIZE, child, 0, _OPTIONS)
    os.write(go, b".")
    os.close(go)
    return child


def _call(pid: int) -> str:
    """The call that a process stands before: its name and the path that it is about."""
    room = ctypes.create_string_buffer(88)
    _ptrace(_SYSCALL_INFO, pid, len(room), ctypes.addressof(room))
    number, *arguments = struct.unpack_from("7Q", room, 24)
    names = {value: name for name, value in CALLS[platform.machine()][1].items()}
    name = names[number]
    if name in {
        "write",
        "writev",
        "pwrite64",
        "pwritev",
        "fsync",
        "fdatasync",
        "ftruncate",
        "fchmod",
        "fchown",
    }:
        return f"{name} {_opened(pid, arguments[0])}"
    at = int(name.endswith("at") or name == "renameat2")
    first = _text(pid, arguments[at]) or _opened(pid, arguments[0])
    if name.startswith(("rename", "link", "symlink")):
        last = 1 + at + int(at and not name.startswith("symlink"))
        return f"{name} {first} {_text(pid, arguments[last])}"
    return f"{name} {first}"


def _opened(pid: int, handle: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{handle}")
    except OSError:
        return "?"


def _text(pid: int, address: int) -> str:
    try:
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(4096).partition(b"\0")[0].decode("utf-8", "replace")
    except (OSError, OverflowError, ValueError):
        return ""


def trace(argv: list[str], what: str, at: int, log: TextIO) -> int:
    """The exit code of the program, or of the kill."""
    root = _start(argv)
    alive, count, code, killed = {root}, 0, 0, False
    while alive:
        pid, status = os.waitpid(-1, _WALL)
        if not os.WIFSTOPPED(status):
            alive.discard(pid)
            if pid == root:
                code = os.waitstatus_to_exitcode(status)
            continue
        alive.add(pid)
        event, deliver = status >> 16, 0
        call = _call(pid) if event == _SECCOMP and not killed else ""
        # What one process tells another changes nothing.
        if call and not call.startswith("write pipe:"):
            count += 1
            log.write(f"{pid} {call}\n")
            if what == "full" and 0 < at <= count and _needs_room(call):
                _refuse(pid)
            if what == "kill" and count == at:
                killed = True
                for one in alive:
                    os.kill(one, signal.SIGKILL)
                continue
        elif event == 0:
            deliver = os.WSTOPSIG(status)
        try:
            _ptrace(_TRACE_CONT, pid, 0, deliver)
        except ProcessLookupError:
            continue
    return KILLED if killed else code


def main(arguments: list[str]) -> int:
    """See the top of the file."""
    with Path(arguments[0]).open("w", encoding="utf-8") as log:
        return trace(arguments[3:], arguments[1], int(arguments[2]), log)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
