# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One last line that says how the run ended and names every host that did not end well."""

from __future__ import annotations

DOCUMENTATION = r"""
name: verdict
type: aggregate
short_description: Close a run with one line that names what went wrong
version_added: 0.1.0
author: timmy-config authors (@timmy-config)
description:
  - After Ansible's own recap, prints one line that says whether every host is as declared, and otherwise
    which hosts did not answer and which failed at which task.
  - A run that breaks off without a recap, as with a vault that no password opens, gets its line as well.
requirements:
  - Set C(callbacks_enabled = timmy.config.verdict) in C(ansible.cfg).
"""

import atexit
from typing import Any

from ansible.plugins.callback import CallbackBase

REASON_LIMIT = 400
BROKEN_OFF = "timmy: NOT as declared: the run broke off, the error above says why"
UNTOUCHED = (
    "; no host was touched. If it speaks of decryption, give the vault's own password with "
    "--vault-password-file FILE"
)


def reason(result: dict[str, Any]) -> str:
    """Return why a task failed as one bounded line; a censored result says only that it is."""
    text = str(result.get("msg") or result.get("censored") or result.get("stderr") or "no reason given")
    line = " ".join(text.split())
    return line if len(line) <= REASON_LIMIT else line[: REASON_LIMIT - 1] + "…"


def verdict(hosts: int, changed: int, silent: list[str], failed: dict[str, str]) -> str:
    """Return the closing line for a run over `hosts` hosts, of which `silent` did not answer."""
    if not silent and not failed:
        return f"timmy: {hosts} host(s) as declared, {changed} change(s)"
    parts = [f"{', '.join(silent)} did not answer"] if silent else []
    hosts_of: dict[str, list[str]] = {}
    for host, why in sorted(failed.items()):
        hosts_of.setdefault(why, []).append(host)
    parts += [f"{', '.join(names)} failed at {why}" for why, names in hosts_of.items()]
    return f"timmy: NOT as declared: {'; '.join(parts)}"


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible's base class is untyped
    """Collects who failed where; prints once, at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "timmy.config.verdict"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._failed: dict[str, str] = {}
        self._silent: set[str] = set()
        self._open = False
        self._touched = False

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002 - the name is Ansible's
        # Ansible ends such a run with an exception and tells no callback.
        self._open = True
        atexit.register(self._broken_off)

    def _broken_off(self) -> None:
        if self._open:
            self._display.display(BROKEN_OFF + ("" if self._touched else UNTOUCHED))

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        self._touched = True

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            why = f"'{result._task.get_name().strip()}': {reason(result._result)}"
            # The last word counts: what a rescue says is closer to the cause than what it came to mend.
            self._failed[result._host.get_name()] = why

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._silent.add(result._host.get_name())

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._open = False
        hosts = sorted(stats.processed)
        silent = sorted(self._silent)
        failed = {
            host: task
            for host, task in self._failed.items()
            if host not in self._silent and stats.summarize(host)["failures"]
        }
        changed = sum(stats.summarize(host)["changed"] for host in hosts)
        if hosts or silent or failed:
            self._display.display(verdict(len(hosts), changed, silent, failed))
