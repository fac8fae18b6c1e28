# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the real Hermes ignores in an overlay we refuse with the fix, and nothing that it honours."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import prove_mutations as table
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.timmy.config.plugins.action import fleet_check
from ansible_collections.timmy.config.plugins.plugin_utils import overlay

JUDGE = Path(__file__).with_name("hermes_judge.py")
SHIPPED = Path(fleet_check.DEFAULT_OVERLAY)
SKILL = next(iter(sorted(path.name for path in (SHIPPED / "skills/fleet").iterdir())))
WIZARD = {"name": "ezra", "host": "hermes-vps"}
ARGS: dict[str, Any] = {
    "wizards": [WIZARD],
    "hosts": ["hermes-vps"],
    "model": {
        "provider": "ollama",
        "default": "gemma-4-31b-it",
        "base_url": "http://127.0.0.1:11434/v1",
        "context_length": 65536,
    },
    "fleet_secret": "0123456789abcdef" * 3,
    "secrets": {"ezra": {"API_SERVER_KEY": "0123456789abcdef"}},
    "overlay_dir": str(SHIPPED),
    "hermes_keys": fleet_check.DEFAULT_KEYS,
}
ROWS = {f"{row[1].rpartition('/')[2]}: {row[0]}": row for row in table.ROWS}


class Mutated:
    """The shipped overlay with one change, as files, checked, and laid out as one agent's home."""

    def __init__(self, base: Path, row: table.Row | None) -> None:
        self.base = base
        self.tree = overlay.load_overlay(str(SHIPPED))
        self.args = copy.deepcopy(ARGS)
        self.path = ""
        if row is not None:
            self._change(row)
        for path, content in self.tree.items():
            target = base / "overlay" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        self.args["overlay_dir"] = str(base / "overlay")

    def _change(self, row: table.Row) -> None:
        _name, file, change, _judge, _line = row
        file = file.format(skill=SKILL)
        self.path = str(self.base / "overlay" / file)
        if file == table.ENV:
            self.args["secrets"]["ezra"].update(change)
        elif isinstance(change, tuple):
            text = self.tree.get(file, b"").decode()
            assert change[0] in text
            self.tree[file] = text.replace(*change, 1).encode()
        else:
            data = overlay.parse(file, self.tree[file])
            for dotted, value in change.items():
                put(data, dotted, value)
            dump = json.dumps if file.endswith(".json") else yaml.safe_dump
            self.tree[file] = dump(data).encode()

    def problems(self) -> list[str]:
        return list(fleet_check._check(Templar(loader=DataLoader()), self.args))

    def lay(self) -> tuple[str, str]:
        """Home and managed directory, as far as the change leaves something that can be rendered."""
        home, managed = self.base / "home", self.base / "managed"
        for folder in (home, managed):
            folder.mkdir(parents=True)
        variables = overlay.agent_variables(
            Templar(loader=DataLoader()),
            self.tree,
            WIZARD,
            host="hermes-vps",
            fleet=[WIZARD],
            model=self.args["model"],
            secret_names=self.args["secrets"]["ezra"],
        )
        rules = overlay.ownership_of(self.tree)
        values = overlay.render_values(Templar(loader=DataLoader()), self.tree, rules, variables)
        for destination, (path, value) in values.items():
            _agents, _ezra, room, *rest = destination.split("/")
            folder = {"home": home, "managed": managed, "seeded": home}.get(room)
            if folder is not None:
                target = folder.joinpath(*rest)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(overlay.encode(path, destination, value))
        merged = next(value for path, value in values.values() if path == table.HOME)
        seed = yaml.safe_load((home / "config.yaml").read_text())
        (home / "config.yaml").write_text(yaml.safe_dump(joined(seed, merged)))
        return str(home), str(managed)


def put(data: Any, dotted: str, value: Any) -> None:
    *heads, last = dotted.split(".")
    for head in heads:
        data = data.setdefault(head, {})
    data[last] = value


def joined(low: Any, high: Any) -> Any:
    if not isinstance(low, dict) or not isinstance(high, dict):
        return high
    return {key: joined(low.get(key), high[key]) if key in high else low[key] for key in [*low, *high]}


@pytest.fixture(scope="module")
def said(hermes_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """What the real Hermes says to each row, without and with its change; one process for all of them."""
    base = tmp_path_factory.mktemp("judged")
    plain = Mutated(base / "plain", None).lay()
    asked: list[tuple[str, list[str]]] = []
    for number, (name, row) in enumerate(ROWS.items()):
        judge = row[3]
        if not judge:
            continue
        try:
            changed = Mutated(base / str(number), row)
            place = changed.lay()
        except overlay.OverlayError:
            continue
        question = judge if judge.startswith("unread:") else judge[1:].replace("{path}", changed.path)
        asked += [(name, [*plain, question]), (name, [*place, question])]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(base),
        "HERMES_HOME": plain[0],
        "HERMES_DISABLE_LAZY_INSTALLS": "1",
    }
    done = subprocess.run(
        [hermes_python, JUDGE],
        input=json.dumps([question for _name, question in asked]),
        capture_output=True,
        text=True,
        check=False,
        cwd=base,
        env=environment,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    names = [name for name, _question in asked]
    return {
        name: (answers[number], answers[number + 1]) for number, name in enumerate(names) if not number % 2
    }


def honoured(judge: str, before: str, after: str) -> bool:
    """What the two answers say about the change."""
    if judge.startswith("unread:"):
        return after == "True"
    if after.startswith("raises "):
        return False
    if judge[0] == "=":
        return before != after
    return after not in {"False", "None", "[]", "{}", "''"}


@pytest.mark.parametrize("name", ROWS)
def test_refused_if_and_only_if_hermes_ignores_it(
    name: str, said: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    row = ROWS[name]
    judge, line = row[3], row[4]
    problems = Mutated(tmp_path, row).problems()
    if judge:
        broken = [
            text for text in said[name] if re.match("raises (Name|Import|Attribute|ModuleNotFound)", text)
        ]
        assert not broken, "the judge itself is wrong"
        assert not said[name][0].startswith("raises "), "the judge does not take the overlay as it is"
        assert honoured(judge, *said[name]) == (not line), f"Hermes says {said[name]}"
    if line:
        assert problems, "nothing was refused"
        assert any(re.search(line, problem) for problem in problems), problems
        assert all("\n" not in problem for problem in problems)
    else:
        assert problems == []


def test_there_are_enough_of_both() -> None:
    refused = [row for row in table.ROWS if row[4]]
    assert len(table.ROWS) == len(ROWS), "a name is given twice"
    assert len(refused) >= 60
    assert len(table.ROWS) - len(refused) >= 20


def test_the_shipped_overlay_itself_is_taken(tmp_path: Path) -> None:
    assert Mutated(tmp_path, None).problems() == []
