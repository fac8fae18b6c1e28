# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup timmy.config.gitea, asked by the real ansible-playbook, and the function behind it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from ansible_collections.timmy.config.plugins.module_utils.gitea_client import GiteaClient
from ansible_collections.timmy.config.plugins.module_utils.gitea_ensure import KeepError
from ansible_collections.timmy.config.plugins.module_utils.gitea_look import look_up
from forge_recorder import READS, recording
from module_life import PLAYBOOK, ROOT, RUN_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forge_world import Repo, World

NOTHING: dict[str, Any] = {
    "kind": "issues",
    "state": "open",
    "labels": [],
    **dict.fromkeys(("assigned_to", "created_by", "milestone", "since", "head", "base")),
}


@pytest.fixture(scope="module")
def filled(world: World) -> Repo:
    """Return a repository with four issues, a pull, and a merged one."""
    repo = world.repo("lookup")
    queued = repo.label("fleet/queued")
    stone = world.writer.must("POST", f"{repo.api}/milestones", {"title": "Spring"})["id"]
    repo.issue("plain")
    repo.issue("queued", labels=[queued], milestone=stone)
    repo.issue("assigned", labels=[queued], assignees=[world.writer2.login], actor=world.writer2)
    closed = repo.issue("closed", labels=[queued])
    world.writer.must("PATCH", f"{repo.api}/issues/{closed}", {"state": "closed"})
    repo.branches(repo.clone(), {"one": {"1.txt": "1\n"}, "two": {"2.txt": "2\n"}})
    repo.pull("one", labels=[queued])
    merged = repo.pull("two", actor=world.writer2)
    assert repo.merge_when_checked(merged).status == 200
    return repo


@pytest.fixture(scope="module")
def forge_client(world: World) -> Iterator[GiteaClient]:
    """Return the client as a reader."""
    with GiteaClient(world.forge.url, world.reader.token) as client:
        yield client


def name_of(repo: Repo) -> str:
    return repo.api.removeprefix("/repos/")


@pytest.mark.parametrize(
    ("asked", "titles"),
    [
        ({}, ["assigned", "queued", "plain"]),
        ({"state": "closed"}, ["closed"]),
        ({"state": "all"}, ["closed", "assigned", "queued", "plain"]),
        ({"labels": ["fleet/queued"]}, ["assigned", "queued"]),
        ({"labels": ["fleet/Queued"]}, []),
        ({"labels": ["fleet/queued", "unknown"]}, []),
        ({"milestone": "Spring"}, ["queued"]),
        ({"milestone": "Winter"}, []),
        ({"assigned_to": "writer2"}, ["assigned"]),
        ({"created_by": "writer2"}, ["assigned"]),
        ({"since": "2999-01-01T00:00:00Z"}, []),
        ({"since": "2020-01-01T00:00:00+02:00"}, ["assigned", "queued", "plain"]),
        ({"kind": "pulls"}, ["pull of one"]),
        ({"kind": "pulls", "state": "all"}, ["pull of two", "pull of one"]),
        ({"kind": "pulls", "state": "closed"}, ["pull of two"]),
        ({"kind": "pulls", "labels": ["fleet/queued"], "state": "all"}, ["pull of one"]),
        ({"kind": "pulls", "head": "two", "state": "all"}, ["pull of two"]),
        ({"kind": "pulls", "base": "other", "state": "all"}, []),
        ({"kind": "pulls", "created_by": "WRITER2", "state": "all"}, ["pull of two"]),
        ({"kind": "pulls", "since": "2999-01-01T00:00:00Z", "state": "all"}, []),
    ],
    ids=str,
)
def test_what_fits(
    world: World, filled: Repo, forge_client: GiteaClient, asked: dict[str, Any], titles: list[str]
) -> None:
    people = {"writer2": world.writer2.login, "WRITER2": world.writer2.login.upper()}
    params = {
        **NOTHING,
        **{
            name: people.get(value, value) if isinstance(value, str) else value
            for name, value in asked.items()
        },
    }
    found = look_up(forge_client, [name_of(filled)], params)
    assert [row["title"] for row in found] == titles
    assert {row["repo"] for row in found} <= {name_of(filled)}


def test_an_organization_is_looked_through(world: World, filled: Repo, forge_client: GiteaClient) -> None:
    other = world.repo("another")
    other.issue("elsewhere")
    without = world.repo("without")
    world.admin.must("PATCH", without.api, {"has_issues": False})
    found = look_up(forge_client, [world.org], NOTHING)
    mine = [(row["repo"], row["title"]) for row in found if row["repo"] in {name_of(filled), name_of(other)}]
    assert mine == [
        (name_of(other), "elsewhere"),
        *[(name_of(filled), title) for title in ("assigned", "queued", "plain")],
    ]


@pytest.mark.parametrize(
    ("places", "asked", "said"),
    [
        ([""], {}, "no place to look"),
        ([7], {}, "no place to look"),
        (["a/b/c"], {}, "write owner/name"),
        ([], {"head": "f"}, "ask for kind pulls"),
        (["here"], {"since": "yesterday"}, "is no time"),
    ],
)
def test_what_cannot_be_asked(
    filled: Repo, forge_client: GiteaClient, places: list[Any], asked: dict[str, Any], said: str
) -> None:
    named = [name_of(filled) if place == "here" else place for place in places]
    with pytest.raises(KeepError, match=said):
        look_up(forge_client, named, {**NOTHING, **asked})


def play(folder: Path, expression: str, values: dict[str, Any], **env: str) -> tuple[int, str, Any]:
    """Run one expression in a play; return the exit code, all output, and what it came to."""
    kept = folder / "found.json"
    tasks = [
        {
            "ansible.builtin.copy": {
                "content": "{{ (" + expression + ") | to_json }}",
                "dest": str(kept),
                "mode": "0600",
            },
            "diff": False,
        }
    ]
    book = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (folder / "lookup.yml").write_text(yaml.safe_dump(book), encoding="utf-8")
    (folder / "values.json").write_text(json.dumps(values), encoding="utf-8")
    own = {
        **{name: text for name, text in os.environ.items() if not name.startswith(("ANSIBLE_", "TIMMY_"))},
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_REMOTE_TEMP": str(folder / "tmp"),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        **env,
    }
    argv = [PLAYBOOK, "-i", "localhost,", "-vvv", "-e", "@values.json"]
    argv += ["-e", f"ansible_python_interpreter={sys.executable}", "lookup.yml"]
    done = subprocess.run(
        argv, cwd=folder, env=own, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    found = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else None
    return done.returncode, done.stdout + done.stderr, found


def test_a_play_reads_by_options_and_by_environment(world: World, filled: Repo, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(world.reader.token + "\n", encoding="utf-8")
    ask = "query('timmy.config.gitea', '{{ where }}', {more}) | map(attribute='title')"
    ask = ask.replace("'{{ where }}'", "where")
    by_options = ask.replace("{more}", "labels=['fleet/queued'], url=at, token=secret")
    by_environment = ask.replace("{more}", "kind='pulls', state='all'")
    with recording(world.forge.url) as recorder:
        at = {"where": name_of(filled), "at": f"{recorder.url}/options", "secret": world.reader.token}
        code, output, found = play(tmp_path, by_options, at)
        assert (code, found) == (0, ["assigned", "queued"]), output
        assert world.reader.token not in output
        known = {"TIMMY_FORGE_URL": f"{recorder.url}/env", "TIMMY_FORGE_TOKEN_FILE": str(token_file)}
        code, output, found = play(tmp_path, by_environment, {"where": name_of(filled)}, **known)
        assert (code, found) == (0, ["pull of two", "pull of one"]), output
        assert world.reader.token not in output
        (tmp_path / "ansible.cfg").write_text(
            f"[timmy_forge]\nurl = {recorder.url}/ini\ntoken_file = {token_file}\n", encoding="utf-8"
        )
        code, output, found = play(tmp_path, by_environment, {"where": name_of(filled)})
        assert (code, found) == (0, ["pull of two", "pull of one"]), output
    asked = {step: lines for step, lines in recorder.asked.items() if lines}
    assert set(asked) == {"options", "env", "ini"}
    assert all(line.partition(" ")[0] in READS for lines in asked.values() for line in lines)


def test_a_failure_is_one_line_without_the_token(world: World, filled: Repo, tmp_path: Path) -> None:
    wrong = secrets.token_hex(20)
    known = {"TIMMY_FORGE_URL": world.forge.url, "TIMMY_FORGE_TOKEN": wrong}
    code, output, found = play(
        tmp_path, "query('timmy.config.gitea', where)", {"where": name_of(filled)}, **known
    )
    assert (code != 0, found) == (True, None)
    lines = [line for line in output.splitlines() if f"timmy.config.gitea: GET {filled.api}: 401 " in line]
    assert lines, output[-3000:]
    assert wrong not in output
    assert "Traceback" not in output
    code, output, _found = play(tmp_path, "query('timmy.config.gitea', 'a/b', kind='wikis')", {}, **known)
    assert code != 0
    assert "kind" in output
    assert wrong not in output
