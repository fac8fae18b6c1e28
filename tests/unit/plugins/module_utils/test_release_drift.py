# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgements of a drift report: pure functions over what was seen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import (
    env_file,
    release_drift,
    release_format,
    release_state,
)

SHA = "ab" * 32
FILE = {"sha256": SHA, "mode": "0644", "size": 3}
FIRST = env_file.render({"API_SERVER_KEY": "canary-one", "B": "x"})
SECOND = env_file.render({"API_SERVER_KEY": "canary-two", "C": "x"})


@pytest.mark.parametrize(("mtime", "when"), [(release_format.mtime_of(SHA), 77.0), (5.0, 5.0), (None, None)])
def test_the_time_of_a_change(mtime: float | None, when: float | None) -> None:
    seen = release_drift.Stand("file", 0, None if mtime is None else float(mtime), 77.0)
    assert release_drift.changed_at(FILE, seen) == when


@pytest.mark.parametrize(
    ("problem", "entry", "seen", "words"),
    [
        ("edited", FILE, release_drift.Stand("file", size=9), ["9 bytes", "abababababababab"]),
        ("mode 0600", FILE, release_drift.Stand("file"), ["mode 0600", "0644"]),
        (
            "link edited",
            {"link": "/x"},
            release_drift.Stand("link", target="/y"),
            ["leads to /y", "link to /x"],
        ),
        ("missing", FILE, release_drift.Stand(), ["missing"]),
    ],
)
def test_one_line_on_a_release_file(
    problem: str, entry: dict[str, Any], seen: release_drift.Stand, words: list[str]
) -> None:
    line = release_drift.release_detail(problem, entry, seen)
    assert [word for word in words if word not in line] == []


def known(content: bytes) -> dict[str, Any]:
    return {"settings": {"env": release_drift._hashes(content)}, "env": env_file.digest(content)}


ENV: dict[str, tuple[dict[str, Any], bytes | None, int, bool, str | None, list[str]]] = {
    "as deployed": (known(FIRST), FIRST, 0o640, True, None, []),
    "names that differ": (known(FIRST), SECOND, 0o640, True, "edited", ["API_SERVER_KEY", "B", "C"]),
    "only a digest": ({"env": env_file.digest(FIRST)}, SECOND, 0o640, True, "edited", ["API_SERVER_KEY, C"]),
    "a comment more": (known(FIRST), FIRST + b"# x\n", 0o640, True, None, []),
    "nothing on record": ({}, SECOND, 0o640, True, None, []),
    "gone": (known(FIRST), None, 0, True, "missing", []),
    "never there": ({}, None, 0, True, None, []),
    "readable by all": (known(FIRST), FIRST, 0o644, True, "mode 0644", ["0640"]),
    "given away": (known(FIRST), FIRST, 0o640, False, "owner", ["root"]),
}


@pytest.mark.parametrize(("record", "content", "mode", "owned", "problem", "words"), ENV.values(), ids=ENV)
def test_an_env_file(  # noqa: PLR0917 - the columns of a table
    record: dict[str, Any],
    content: bytes | None,
    mode: int,
    owned: bool,
    problem: str | None,
    words: list[str],
) -> None:
    told = release_drift.env_problem(record, content, mode, owned)
    assert (told[0] if told else None) == problem
    assert [word for word in words if word not in (told or ("", ""))[1]] == []
    assert "canary" not in str(told)


@pytest.mark.parametrize(
    ("job", "line"),
    [
        ({"problem": "removed", "fields": {}}, "the job is gone"),
        (
            {"problem": "edited", "fields": {"prompt": {"ours": '"a"', "theirs": '"b"'}}},
            'prompt is "b", ours is "a"',
        ),
    ],
)
def test_one_line_on_a_job(job: dict[str, Any], line: str) -> None:
    assert release_drift.job_detail(job) == line


def test_what_stands_at_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("four")
    (tmp_path / "link").symlink_to("/nowhere")
    os.mkfifo(tmp_path / "pipe")
    seen = {name: release_drift.stand(str(tmp_path / name)) for name in ("file", "link", "pipe", "gone")}
    assert [one.kind for one in seen.values()] == ["file", "link", "special file", ""]
    assert (seen["file"].size, seen["link"].target) == (4, "/nowhere")
    # Of what is gone, the folder tells when at the latest.
    assert seen["gone"].mtime == tmp_path.stat().st_mtime
    assert seen["gone"].held_by == ""
    assert release_drift.stand(str(tmp_path / "no/where")).mtime is None


def test_settings_are_told_apart_by_what_a_deploy_noted(tmp_path: Path) -> None:
    where = release_state.Settings(root=str(tmp_path / "timmy"), config_dir=str(tmp_path / "etc"))
    env, fleet = tmp_path / "etc/agents/ezra.env", tmp_path / "etc/fleet.json"
    env.parent.mkdir(parents=True)
    env.write_bytes(FIRST)
    fleet.write_text("{}")
    records = release_state.Records(where.root)
    assert release_drift._fleet(where, records) == []
    release_drift.remember(where, ["ezra"])
    assert "canary" not in Path(records.path("ezra")).read_text()
    assert release_drift._fleet(where, records) == []
    fleet.write_text('{"x": 1}')
    assert [one.problem for one in release_drift._fleet(where, records)] == ["edited"]
    fleet.unlink()
    assert [one.problem for one in release_drift._fleet(where, records)] == ["missing"]


def test_a_host_without_a_release_has_no_drift_and_one_that_lost_it_has(tmp_path: Path) -> None:
    where = release_state.Settings(root=str(tmp_path), config_dir=str(tmp_path / "etc"))
    assert release_drift.find(where) == []
    release_state.Records(where.root).save("ezra", running="x")
    assert [(one.kind, one.problem) for one in release_drift.find(where)] == [("current", "missing")]
    (tmp_path / "current").symlink_to("/elsewhere")
    found = release_drift.find(where)
    assert [(one.kind, one.problem) for one in found] == [("current", "edited")]
    assert "/elsewhere" in found[0].detail
