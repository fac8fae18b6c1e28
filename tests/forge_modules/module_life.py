# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of one module's object, run by the real ansible-playbook in one go.

A case file in `cases` is named after its module and has phases, such as create, change, absent. Each phase
runs four times: foretold, done, foretold again, done again; one that is to change nothing or to fail needs
the first two. The words of such a file:

    answer: label           the module's result; `listed` is that of its _info module, `info` its options
    args: {}                options of every phase; connection and token come by the action group
    before: []              tasks that run first
    volatile: []            fields of the result that change by themselves
    phases:
      - name: create
        args: {}            options of this phase, and `info` those of reading after it
        changes: true       whether it is to change something
        fails: text         that its failure is to say
        gone: true          that the result is to be empty
        returns: []         for each of these fields, one object of the result that has them
        warns: text         that a warning is to say

All texts can hold the variables of `values_for` in `test_modules.py`, such as {{ org }}, {{ repo }}, or
{{ fresh }}, a name that nothing has. The playbook is written here, the judgements are in `test_modules.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from forge_recorder import Recorder

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(__file__).resolve().parent / "cases"
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
RUN_S = 600

# Of each phase: what it is called, and whether it is check mode.
TURNS = (("foretold", True), ("done", False), ("foretold again", True), ("done again", False))
KNOWN = {"answer", "listed", "info", "args", "before", "phases", "volatile"}
KNOWN_PHASE = {"name", "args", "info", "changes", "fails", "gone", "warns", "returns"}


@dataclass(frozen=True)
class Case:
    """One module's data; `module` is the file's name, `answer` and `listed` are the names of the results."""

    module: str
    answer: str
    listed: str
    info: dict[str, Any]
    args: dict[str, Any]
    before: list[dict[str, Any]]
    phases: list[dict[str, Any]]
    volatile: frozenset[str]

    def rows(self, result: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the objects of a result, without the fields that change by themselves."""
        found = result.get(self.answer, result.get(self.listed)) or []
        every = found if isinstance(found, list) else [found]
        return [{name: value for name, value in row.items() if name not in self.volatile} for row in every]


def read_case(path: Path) -> Case:
    """Return a case file. A word that nothing here reads would be a test that tests nothing."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = set(data) - KNOWN | {word for phase in data["phases"] for word in set(phase) - KNOWN_PHASE}
    if unknown:
        raise ValueError(f"{path.name}: {', '.join(sorted(unknown))} means nothing here")
    return Case(
        module=path.stem,
        answer=data["answer"],
        listed=data.get("listed", ""),
        info=data.get("info", {}),
        args=data.get("args", {}),
        before=data.get("before", []),
        phases=data["phases"],
        volatile=frozenset(data.get("volatile", [])),
    )


@dataclass(frozen=True)
class Step:
    """One task: its phase, its turn, its result."""

    key: str
    phase: dict[str, Any]
    turn: str
    check: bool
    result: dict[str, Any]
    writes: list[str]

    def __str__(self) -> str:
        """Return how a failed judgement names it."""
        return f"{self.phase['name']}, {self.turn}"


@dataclass(frozen=True)
class Life:
    """What became of a case: its steps in order, what its info module read after each phase, all output."""

    case: Case
    steps: list[Step]
    read: list[dict[str, Any]]
    read_writes: list[str]
    output: str = field(repr=False)

    def turns(self) -> list[list[Step]]:
        """Return the steps of each phase."""
        return [list(steps) for _phase, steps in groupby(self.steps, lambda step: step.key.partition("t")[0])]

    def works(self) -> list[list[Step]]:
        """Return those of each phase that is to succeed."""
        return [steps for steps in self.turns() if "fails" not in steps[0].phase]


def live(case: Case, recorder: Recorder, values: dict[str, Any], folder: Path) -> Life:
    """Run a case and return what became of it. `values` are the variables that a case file can use."""
    keys = [
        [f"p{number}t{turn}" for turn in range(turns_of(phase))] for number, phase in enumerate(case.phases)
    ]
    reads = {
        number: f"p{number}info"
        for number, phase in enumerate(case.phases)
        if case.listed and "fails" not in phase
    }
    every = [key for row in keys for key in row] + list(reads.values())
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "module_defaults": {
            "group/timmy.config.gitea": {
                "url": f"{recorder.url}/{{{{ step | default('before') }}}}",
                "token": "{{ token }}",
            }
        },
        "tasks": [*case.before, *_tasks(case, keys, reads), _keep(every, folder / "results.json")],
    }
    (folder / "life.yml").write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    secrets = folder / "values.json"
    secrets.touch(mode=0o600)
    secrets.write_text(json.dumps(values), encoding="utf-8")
    env = {
        **{name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_REMOTE_TEMP": str(folder / "tmp"),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
    }
    argv = [PLAYBOOK, "-i", "localhost,", "-vvv", "--diff", "-e", f"@{secrets}"]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}", "life.yml"]
    done = subprocess.run(
        argv, cwd=folder, env=env, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    output = done.stdout + done.stderr
    kept = folder / "results.json"
    if done.returncode != 0 or not kept.exists():
        raise RuntimeError(f"{case.module}: ansible-playbook ended with {done.returncode}\n{output[-6000:]}")
    results = json.loads(kept.read_text(encoding="utf-8"))
    steps = [
        Step(key, case.phases[number], *TURNS[turn], results[key], recorder.writes(key))
        for number, row in enumerate(keys)
        for turn, key in enumerate(row)
    ]
    read_writes = [line for key in reads.values() for line in recorder.writes(key)]
    return Life(case, steps, [results[key] for key in reads.values()], read_writes, output)


def turns_of(phase: dict[str, Any]) -> int:
    """Return how often a phase runs."""
    return len(TURNS) if phase.get("changes", True) and "fails" not in phase else 2


def _tasks(case: Case, keys: list[list[str]], reads: dict[int, str]) -> list[dict[str, Any]]:
    tasks = []
    for number, phase in enumerate(case.phases):
        for (turn, check), key in zip(TURNS, keys[number], strict=False):
            # A task that fails is judged by its test, and the last phase has to clean up in any case.
            task = {
                "name": f"{phase['name']}, {turn}",
                f"timmy.config.{case.module}": {**case.args, **phase.get("args", {})},
                "check_mode": check,
                "register": key,
                "ignore_errors": True,
                "vars": {"step": key},
            }
            tasks.append(task)
        if number in reads:
            tasks.append(
                {
                    "name": f"{phase['name']}, read",
                    f"timmy.config.{case.module}_info": {**case.info, **phase.get("info", {})},
                    "register": reads[number],
                    "ignore_errors": True,
                    "vars": {"step": reads[number]},
                }
            )
    return tasks


def _keep(keys: list[str], path: Path) -> dict[str, Any]:
    every = ", ".join(f"'{key}': {key}" for key in keys)
    return {
        "name": "Keep what came back",
        "ansible.builtin.copy": {
            "content": f"{{{{ {{{every}}} | to_json }}}}",
            "dest": str(path),
            "mode": "0600",
        },
        "diff": False,
        "no_log": True,
    }
