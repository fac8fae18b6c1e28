# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file of the shipped overlay: by our rules, and by the real Hermes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.timmy.config.plugins.module_utils import (
    config_schema,
    overlay_check,
    overlay_documents,
    overlay_doors,
    overlay_problem,
    overlay_rules,
)
from ansible_collections.timmy.config.plugins.plugin_utils import overlay

ROOT = Path(__file__).resolve().parents[2]
KEY_FILE = ROOT / "roles" / "hermes_agent" / "files" / "config-keys-0.19.0.json"
SHIPPED = ROOT / "overlay"
MODEL = {
    "provider": "ollama",
    "default": "gemma-4-31b-it",
    "base_url": "http://127.0.0.1:11434/v1",
    "context_length": 65536,
}
FLEET = [{"name": "bezalel", "host": "bezal"}, {"name": "ezra", "host": "hermes-vps"}]
SEED_DOORS = [
    *("deadman-switch.sh", "fleet-status.sh", "model-health-check.sh", "start-loops.sh", "agent-dispatch.sh"),
    *("tmux-dispatch.sh", "auto_merge.sh", "dispatch_consumer.py", "burndown_watcher.py", "fleet-status.py"),
    "huey_consumer.py",  # no seed name, but what Huey's own wheel forgets
    *(
        "nightly_efficiency_report.py",
        "morning_report_compile.py",
        "sovereign_sentinel.py",
        "sovereign_pulse.py",
    ),
]
PLAYBOOKS = [
    *("issue-triager", "pr-reviewer", "bug-fixer"),
    *("test-writer", "refactor-specialist", "security-auditor"),
]
FILES = sorted(path.relative_to(SHIPPED).as_posix() for path in SHIPPED.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    """What the pinned Hermes knows."""
    found: dict[str, Any] = json.loads(KEY_FILE.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def tree() -> dict[str, bytes]:
    """The overlay's files."""
    return overlay.load_overlay(str(SHIPPED))


@pytest.fixture(scope="module")
def problems(tree: dict[str, bytes], keys: dict[str, Any]) -> list[overlay_problem.Problem]:
    """All problems of the shipped overlay, raw and rendered."""
    parsed = overlay.parse_tree(tree)
    own = overlay_rules.plugin_names(tree)
    keys = {**keys, "memory_providers": [*keys["memory_providers"], *own]}
    found = overlay_check.check_overlay(tree, parsed, toolsets=keys["toolsets"], providers=keys["providers"])
    values = dict(rendered_values(tree).values())
    found += config_schema.check_config("config.yaml", values["config.yaml"], keys)
    found += config_schema.check_config("home-config.yaml", values["home-config.yaml"], keys, layer="home")
    return found


def rendered_values(tree: dict[str, bytes]) -> dict[str, tuple[str, Any]]:
    """One agent's part, parsed."""
    templar = Templar(loader=DataLoader(), variables={})
    variables = overlay.agent_variables(templar, tree, FLEET[1], host="hermes-vps", fleet=FLEET, model=MODEL)
    return overlay.render_values(templar, tree, overlay.ownership_of(tree), variables)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_read_owned_and_right(
    name: str, tree: dict[str, bytes], problems: list[overlay_problem.Problem]
) -> None:
    assert name in tree, "a file that no deploy would ever carry"
    overlay_rules.rule_for(overlay.ownership_of(tree), name)
    assert [str(problem) for problem in problems if problem.path == name] == []


def test_nothing_else_is_wrong(problems: list[overlay_problem.Problem]) -> None:
    assert [str(problem) for problem in problems] == []


def test_the_six_playbooks_and_the_doors_of_the_seed_are_there(tree: dict[str, bytes]) -> None:
    assert sorted(overlay.shared_links(tree)) == sorted(f"bin/{name}" for name in SEED_DOORS)
    assert {f"playbooks/{name}.yaml" for name in PLAYBOOKS} <= set(tree)


def test_the_floor_names_help_and_no_way_around_it(tree: dict[str, bytes]) -> None:
    for name in ("SOUL.md", "HEART.md"):
        text = tree[name].decode()
        floor = text[overlay_documents.FLOOR_HEADING.search(text).start() :]  # type: ignore[union-attr]
        for needed in ("112", "988", "116 123", "findahelpline.com", "Are you thinking of killing yourself?"):
            assert needed in floor, (name, needed)
        assert "{%" not in floor, "the floor must not depend on a variable"


def test_files_with_a_shebang_and_only_they_are_executable() -> None:
    for name in FILES:
        path = SHIPPED / name
        assert os.access(path, os.X_OK) == path.read_bytes().startswith(b"#!"), name


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """A bin directory as a release has it, with a `timmy` that tells how it was called."""
    tree = overlay.load_overlay(str(SHIPPED))
    for name in ("bin/door.sh", "bin/doors.txt"):
        (tmp_path / Path(name).name).write_bytes(tree[name])
    (tmp_path / "door.sh").chmod(0o755)
    (tmp_path / "timmy").write_text(
        '#!/bin/sh\nfor word; do printf "<%s>" "$word"; done\nexit 69\n', encoding="utf-8"
    )
    (tmp_path / "timmy").chmod(0o755)
    for link, target in overlay.shared_links(tree).items():
        (tmp_path / Path(link).name).symlink_to(target)
    return tmp_path


@pytest.mark.parametrize("name", SEED_DOORS)
def test_each_door_opens_its_verb(name: str, bench: Path) -> None:
    verbs = overlay_doors.parse_doors((bench / "doors.txt").read_text(encoding="utf-8"))[name]
    done = subprocess.run([bench / name, "--json", "a b"], capture_output=True, text=True, check=False)
    assert done.stdout == "".join(f"<{word}>" for word in (*verbs, "--json", "a b"))
    assert done.returncode == 69, "the code of timmy is the door's"


@pytest.mark.parametrize("name", SEED_DOORS)
def test_each_door_leads_to_a_verb_that_timmy_knows_of(name: str, tree: dict[str, bytes]) -> None:
    verb = overlay_doors.parse_doors(tree["bin/doors.txt"].decode())[name][0]
    done = subprocess.run(
        [sys.executable, "-m", "timmy", verb, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode in (0, 69), done.stderr


def test_a_door_from_the_path_finds_its_table(bench: Path) -> None:
    done = subprocess.run(
        ["fleet-status.sh"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": f"{bench}:{os.environ['PATH']}"},
    )
    assert done.stdout == "<status>"


def test_an_unknown_door_says_so_in_one_line(bench: Path) -> None:
    (bench / "nowhere.sh").symlink_to("door.sh")
    done = subprocess.run([bench / "nowhere.sh"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (64, 1)
    assert "no such door" in done.stderr


def test_the_key_file_is_what_the_real_hermes_says(keys: dict[str, Any], hermes_python: Path) -> None:
    done = subprocess.run(
        [hermes_python, ROOT / "scripts" / "config_keys.py"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == keys


READ_BACK = r"""
import json, os, sys
from hermes_cli.config import load_config, validate_config_structure
from agent.prompt_builder import load_soul_md
from tools.memory_tool import MemoryStore
from hermes_cli.skin_engine import load_skin
from gateway.config import load_gateway_config
from cron.jobs import parse_schedule
from toolsets import TOOLSETS
wanted = json.load(sys.stdin)
def leaves(value, path=()):
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, path + (key,))
    else:
        yield path, value
config, different = load_config(), []
for path, value in leaves(wanted["config"]):
    place = config
    for key in path:
        place = place.get(key, "<absent>") if isinstance(place, dict) else "<absent>"
    if place != value:
        different.append([".".join(path), value, place])
memory = MemoryStore(memory_char_limit=2200, user_char_limit=1375)
memory.load_from_disk()
platforms = {}
for name, about in load_gateway_config().platforms.items():
    platforms[name.value] = [about.enabled, about.extra.get("host"), about.extra.get("port")]
prompts = [memory.format_for_system_prompt(name) or "" for name in ("memory", "user")]
print(json.dumps({
    "different": different,
    "leaves": sum(1 for _ in leaves(wanted["config"])),
    "issues": [str(issue) for issue in validate_config_structure(config)],
    "soul": load_soul_md(),
    "memory": [len(memory.memory_entries), len(memory.user_entries)],
    "drift": [memory._detect_external_drift("memory"), memory._detect_external_drift("user")],
    "blocked": any("BLOCKED" in prompt for prompt in prompts),
    "skin": load_skin("timmy").name,
    "platforms": platforms,
    "schedules": [parse_schedule(job["schedule"])["kind"] for job in wanted["jobs"]],
}))
"""


def test_the_real_hermes_reads_all_of_it_back(
    tree: dict[str, bytes], tmp_path: Path, hermes_python: Path
) -> None:
    """Not one leaf is ignored, the soul is not blocked as an injection, memory is not taken for damaged."""
    values = rendered_values(tree)
    prefix = "agents/ezra/"
    for destination, (path, value) in values.items():
        place, _slash, rest = destination.removeprefix(prefix).partition("/")
        folder = {"home": "home", "seeded": "home", "managed": "managed"}.get(place)
        if folder:
            target = tmp_path / folder / rest
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(overlay.encode(path, destination, value))
    wanted = {
        "config": values[f"{prefix}managed/config.yaml"][1],
        "jobs": values[f"{prefix}merged/cron.json"][1]["jobs"],
    }
    done = subprocess.run(
        [hermes_python, "-c", READ_BACK],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "HERMES_HOME": str(tmp_path / "home"),
            "HERMES_MANAGED_DIR": str(tmp_path / "managed"),
            "HERMES_DISABLE_LAZY_INSTALLS": "1",
            "API_SERVER_KEY": "0123456789abcdef",
        },
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["different"] == []
    assert found["leaves"] > 60
    assert found["issues"] == []
    assert found["soul"] == values[f"{prefix}home/SOUL.md"][1].strip()
    assert found["memory"] == [5, 2]
    assert found["drift"] == [None, None]
    assert not found["blocked"]
    assert found["skin"] == "timmy"
    assert found["platforms"] == {"api_server": [True, "127.0.0.1", 8642]}
    assert found["schedules"] == ["cron", "cron"]
