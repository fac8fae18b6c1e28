# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Isolation between two agents of one host: 25 probes, none may succeed.

A probe that fails proves nothing unless it can succeed. So each probe first runs on a host from which
exactly the one protection that it tests was taken away, must succeed there, and must fail again once the
protection is back. The second agent, the intruder, is an ordinary member of `wizards` made for the trial.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import fleet as live
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fleet import Done, Host, WizardAt

INTRUDER = "e2e-intruder"
CANARY = "e2e-canary-9d1c"


@dataclass(frozen=True)
class Probe:
    """What the intruder tries, and how the host is weakened and mended. Scripts know $victim, $port and $pid.

    A probe succeeds when its script exits with 0.
    """

    name: str
    attempt: str
    weaken: str
    restore: str


# Opens one path to others, and the way to it: each directory above it, and above what it links to.
OPEN = """
for start in {path} $(readlink -f {path}); do
  step=$(dirname "$start")
  while [ "$step" != / ]; do
    stat -L -c '%a %n' "$step" >>$saved
    chmod o+x "$step"
    step=$(dirname "$step")
  done
done
stat -L -c '%a %n' {path} >>$saved
chmod {loose} {path}
"""
# The last line of a path that was changed twice is the later one, so the record is played backwards.
CLOSE = "tac $saved | while read -r mode p; do chmod $mode $p; done"


def _file(name: str, path: str, how: str = "cat", loose: str = "o+r") -> Probe:
    """Return a probe of one file or directory whose mode is what protects it."""
    return Probe(name, f"{how} {path} >/dev/null", OPEN.format(path=path, loose=loose), CLOSE)


def _write(name: str, folder: str, planted: str = "e2e-planted") -> Probe:
    """Return a probe that leaves a file in a directory whose mode is what protects it."""
    weaken = OPEN.format(path=folder, loose="o+wx")
    return Probe(name, f"touch {folder}/{planted}", weaken, f"rm -f {folder}/{planted}; {CLOSE}")


HOME = "/home/$victim"
SUDOERS = f"/etc/sudoers.d/{INTRUDER}"
GRANT = f"echo '{INTRUDER} ALL=(ALL) NOPASSWD: ALL' >{SUDOERS}; chmod 0440 {SUDOERS}"
# Linux asks for the same user and the same group before it shows the inside of a process.
# By hand, because usermod refuses to touch a user under whose number processes run.
RENUMBER = (
    f"sed -i 's/^{INTRUDER}:x:[0-9]*:[0-9]*:/{INTRUDER}:x:'{{uid}}':'{{gid}}':/' /etc/passwd && "
    f"sed -i 's/^{INTRUDER}:x:[0-9]*:/{INTRUDER}:x:'{{gid}}':/' /etc/group"
)
SAME_USER = RENUMBER.format(uid="$(id -u $victim)", gid="$(id -g $victim)")
OTHER_USER = RENUMBER.format(uid="$intruder_uid", gid="$intruder_gid")
SOCKET = "/tmp/e2e-tmux/default"
AS_VICTIM = "setpriv --reuid=$victim --regid=$victim --init-groups --reset-env"
TRACE = (
    "python3 -c 'import ctypes, os, sys; libc = ctypes.CDLL(None, use_errno=True); "
    "sys.exit(0 if libc.ptrace(16, int(sys.argv[1]), 0, 0) == 0 else 1)' $pid"
)

PROBES = [
    _file("list the other home", f"{HOME}", "ls", "o+rx"),
    _file("read the agent's config", f"{HOME}/.hermes/config.yaml"),
    _file("read the agent's sessions", f"{HOME}/.hermes/state.db"),
    _file("list the other work directory", f"{HOME}/work", "ls", "o+rx"),
    _file("list the continuity room", f"{HOME}/.timmy", "ls", "o+rx"),
    _file("read the env file", "/etc/timmy/agents/$victim.env"),
    _file("read the env through the release", "/opt/timmy/current/agents/$victim/managed/.env"),
    _write("write into the other work directory", f"{HOME}/work"),
    Probe("read a process's environment", f"grep -aq {CANARY} /proc/$pid/environ", SAME_USER, OTHER_USER),
    Probe("read a process's memory map", "grep -q . /proc/$pid/maps", SAME_USER, OTHER_USER),
    Probe("follow a process's open files", "ls -l /proc/$pid/fd/0", SAME_USER, OTHER_USER),
    Probe("trace a process", TRACE, SAME_USER, OTHER_USER),
    Probe("signal a process", "kill -0 $pid", SAME_USER, OTHER_USER),
    Probe(
        "open the tmux socket",
        f"tmux -S {SOCKET} ls",
        # tmux also asks who connects, so the server must let the user in as well
        f"chmod o+rwx /tmp/e2e-tmux {SOCKET}; {AS_VICTIM} tmux -S {SOCKET} server-access -aw {INTRUDER}",
        f"{AS_VICTIM} tmux -S {SOCKET} server-access -d {INTRUDER}; "
        f"chmod 0700 /tmp/e2e-tmux; chmod 0600 {SOCKET}",
    ),
    Probe("become root by sudo", "sudo -n true", GRANT, f"rm -f {SUDOERS}"),
    Probe("become the other agent by sudo", "sudo -n -u $victim true", GRANT, f"rm -f {SUDOERS}"),
    _write("plant a system-wide cron job", "/etc/cron.d"),
    _write("write into the live release", "/opt/timmy/current"),
    _write("write into the Hermes environment", "/opt/timmy/current/hermes"),
    _write("plant a unit", "/etc/systemd/system", "e2e-planted.service"),
    Probe(
        "replace the guard",
        "test -w /usr/local/lib/timmy/guard.py",
        OPEN.format(path="/usr/local/lib/timmy/guard.py", loose="o+w"),
        CLOSE,
    ),
    _file("list the fleet's own room", "/var/lib/timmy", "ls", "o+rx"),
    _file("list the backups", "/var/backups/timmy", "ls", "o+rx"),
    Probe(
        "read the other agent's journal",
        "journalctl --quiet --no-pager -n 1 -u $unit | grep -q .",
        f"usermod --append --groups systemd-journal {INTRUDER}",
        f"gpasswd --delete {INTRUDER} systemd-journal",
    ),
    Probe(
        "use the other agent's gateway",
        'test "$(curl -s -o /dev/null -w %{http_code} --max-time 5 '
        '-H "Authorization: Bearer $(cat /tmp/e2e-leaked-key 2>/dev/null)" '
        'http://127.0.0.1:$port/health/detailed)" = 200',
        "umask 022; sed -n 's/^API_SERVER_KEY=//p' /etc/timmy/agents/$victim.env "
        '| tr -d "\'\\"" >/tmp/e2e-leaked-key',
        "rm -f /tmp/e2e-leaked-key",
    ),
]


@dataclass(frozen=True)
class Stage:
    """A host with its agent, the intruder, and a process of the agent's to be probed."""

    host: Host
    wizard: WizardAt
    pid: str
    intruder_uid: str
    intruder_gid: str

    def script(self, text: str) -> str:
        """Return the script with the names that probes use."""
        values = {
            "victim": self.wizard.name,
            "port": str(self.wizard.api_port),
            "unit": self.wizard.unit,
            "pid": self.pid,
            "intruder_uid": self.intruder_uid,
            "intruder_gid": self.intruder_gid,
            "saved": "/root/e2e-saved",
        }
        return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items()) + text

    def attempt(self, probe: Probe) -> Done:
        """Let the intruder try."""
        return self.host.sh(self.script(probe.attempt), user=INTRUDER)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Make the intruder and the process to be probed on the first wizard's host, and take both away again."""
    wizard = live.current().wizards[0]
    host = wizard.host
    add = f"useradd --create-home --user-group --groups wizards --shell /bin/bash {INTRUDER}"
    made = f"getent passwd {INTRUDER} >/dev/null || {add}; mkdir -p /etc/cron.d"
    host.sh(f"{made}; chmod 0700 /home/{INTRUDER}; rm -f /root/e2e-saved*").ok()
    name = wizard.name
    host.run(
        "systemd-run", "--unit=e2e-holder", "--collect", f"--property=User={name}",
        f"--setenv=SECRET={CANARY}", "/bin/sleep", "3600",
    ).ok()  # fmt: skip
    host.sh(
        f"install -d -m 0700 -o {name} -g {name} /tmp/e2e-tmux; "
        f"setpriv --reuid={name} --regid={name} --init-groups --reset-env "
        f"tmux -S {SOCKET} new-session -d 'sleep 3600'; chmod 0600 {SOCKET}"
    ).ok()
    pid = host.run("systemctl", "show", "--value", "--property=MainPID", "e2e-holder").ok().strip()
    uid, gid = host.sh(f"id -u {INTRUDER}; id -g {INTRUDER}").ok().split()
    try:
        yield Stage(host, wizard, pid, uid, gid)
    finally:
        host.sh(
            f"victim={name}; systemctl stop e2e-holder; {AS_VICTIM} tmux -S {SOCKET} kill-server; "
            f"rm -rf /tmp/e2e-tmux; rm -f {SUDOERS} /tmp/e2e-leaked-key /root/e2e-saved*; "
            f"userdel --remove {INTRUDER}"
        )


def test_there_are_25_probes_and_no_two_are_the_same() -> None:
    assert len(PROBES) == 25
    assert len({probe.attempt for probe in PROBES}) == 25


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name.replace(" ", "-") for probe in PROBES])
def test_a_probe_succeeds_on_a_weakened_host_and_fails_on_ours(stage: Stage, probe: Probe) -> None:
    before = stage.attempt(probe)
    assert before.rc != 0, f"the intruder can {probe.name}: {before.out}"
    weakened = stage.host.sh(stage.script(f"set -e\nrm -f $saved*\n{probe.weaken}"))
    try:
        shown = stage.attempt(probe)
    finally:
        mended = stage.host.sh(stage.script(f"set -e\n{probe.restore}\nrm -f $saved*"))
    assert weakened.rc == 0, f"the host could not be weakened: {weakened.err}"
    assert mended.rc == 0, f"the host could not be mended: {mended.err}"
    assert shown.rc == 0, f"the probe proves nothing: it fails on a weakened host too: {shown.err}"
    after = stage.attempt(probe)
    assert after.rc != 0, f"the protection did not come back: {probe.name}"
