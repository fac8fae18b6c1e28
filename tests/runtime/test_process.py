# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The subprocess runner: deadlines, what is left behind, what gets in and what comes out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from timmy import process, process_tree
from timmy.errors import LaunchError
from timmy.process import Command, Completed


def sh(script: str, timeout_s: float = 20.0, **more: object) -> Completed:
    """Run a shell script."""
    return process.run(Command(("/bin/sh", "-c", script), timeout_s, **more), time.monotonic)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Return whether a process lives; one that ended and was not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_exit_code_and_directory(tmp_path: Path) -> None:
    done = sh("pwd; echo wrong >&2; exit 7", cwd=tmp_path)
    assert (done.exit_code, done.stdout, done.stderr) == (7, f"{tmp_path}\n", "wrong\n")
    assert (done.timed_out, done.dropped, done.swept) == (False, 0, 0)


def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "canary")
    monkeypatch.setenv("TZ", "UTC")
    told = sh("env", env={"GIVEN": "1"}).stdout.splitlines()
    assert "GIVEN=1" in told
    assert "TZ=UTC" in told
    assert not [line for line in told if "canary" in line]


def test_output_is_bounded_and_keeps_its_end() -> None:
    done = sh("head -c 300000 /dev/zero | tr '\\0' x; echo end", max_output=1000)
    assert len(done.stdout) == 1000
    assert done.stdout.endswith("xend\n")
    assert done.dropped == 300004 - 1000


def test_stdin_is_empty_and_there_is_no_terminal() -> None:
    assert sh("cat; tty").stdout == "not a tty\n"


@pytest.mark.parametrize("contain", [True, False])
def test_the_deadline_asks_first(contain: bool) -> None:
    script = "trap 'echo asked; exit 3' INT; while :; do sleep 0.05; done"
    done = sh(script, 0.5, contain=contain, stop_after=(5.0, 5.0))
    assert (done.timed_out, done.exit_code, done.stdout) == (True, 3, "asked\n")


@pytest.mark.parametrize("contain", [True, False])
def test_the_deadline_kills_who_does_not_listen(contain: bool) -> None:
    code = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(60)"
    argv = (sys.executable, "-c", code)
    done = process.run(Command(argv, 1.0, contain=contain, stop_after=(0.2, 0.2)), time.monotonic)
    assert (done.timed_out, done.exit_code) == (True, -9)
    assert done.duration_s < 6


def test_a_contained_run_leaves_no_daemon(tmp_path: Path) -> None:
    script = f"setsid -f sh -c 'echo $$ >{tmp_path}/pid; exec sleep 60' >/dev/null 2>&1; sleep 0.3"
    done = sh(script, contain=True)
    pid = int((tmp_path / "pid").read_text())
    assert (done.exit_code, done.swept) == (0, 1)
    assert not alive(pid)
    assert not Path(f"/proc/{pid}").exists(), "it was killed, but never reaped"


def test_a_contained_run_touches_no_sibling() -> None:
    with subprocess.Popen(["sleep", "60"]) as sibling:
        assert sh("sleep 60 &", contain=True).swept == 1
        assert alive(sibling.pid)
        sibling.kill()


def test_an_exception_stops_what_was_started(tmp_path: Path) -> None:
    def wait_and_stop() -> None:
        code = (
            "import sys, time\n"
            f"sys.path.insert(0, {str(Path(process.__file__).parents[1])!r})\n"
            "from timmy import cli, process\n"
            "def verb(args, context):\n"
            f"    argv = ('/bin/sh', '-c', 'echo $$ >{tmp_path}/pid; exec sleep 60')\n"
            "    process.run(process.Command(argv, 60.0, contain=True), time.monotonic)\n"
            "cli.verb = verb\n"
            "cli.COMMANDS['x'] = ('timmy.cli', 'verb', '')\n"
            "sys.exit(cli.main(['x']))\n"
        )
        with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as running:
            limit = time.monotonic() + 10
            while not (tmp_path / "pid").exists() and time.monotonic() < limit:
                time.sleep(0.02)
            running.terminate()
            assert running.wait(20) == 143
            assert running.stderr is not None
            assert running.stderr.read() == "timmy: stopped by signal 15\n"

    wait_and_stop()
    assert not alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("argv", [("/no/such/program",), ("/etc/passwd",), ("/bin/echo", "a\0b")])
def test_what_cannot_be_started_is_one_error(argv: tuple[str, ...]) -> None:
    with pytest.raises(LaunchError, match=f"cannot start {argv[0]}"):
        process.run(Command(argv, 5.0), time.monotonic)


@pytest.mark.parametrize("command", [Command((), 1.0), Command(("true",), 0.0)])
def test_a_deadline_is_not_optional(command: Command) -> None:
    with pytest.raises(ValueError, match="timeout"):
        process.run(command, time.monotonic)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_an_identity_is_taken_on_whole() -> None:
    who = process.Identity(65534, 65534, (65534,))
    assert sh("id -u; id -G; cat /etc/shadow", identity=who, cwd=Path("/")).stdout == "65534\n65534\n"


def test_secrets_are_masked_by_value_and_the_longest_first() -> None:
    text = "key=abcdefgh-long and abcdefgh and abc"
    assert process.mask(text, ("abcdefgh", "abcdefgh-long", "abc")) == "key=[masked] and [masked] and abc"


def test_descendants_are_all_below_and_nothing_beside() -> None:
    assert process_tree.descendants(1, {1: 0, 2: 1, 3: 2, 4: 9, 9: 0}) == {2, 3}
    assert process_tree.descendants(5, {}) == set()
