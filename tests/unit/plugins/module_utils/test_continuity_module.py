# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of continuity answer, on a home of whoever runs the tests."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.module_utils import continuity, continuity_module

Answer = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the continuity of an agent whose home is the test's own."""
    place = tmp_path / continuity_module.FOLDER
    place.mkdir(parents=True)
    return place


def me() -> str:
    """Return the user who runs the tests."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return getpass.getuser()


def run(folder: Path, do: str, check_mode: bool = False, **params: Any) -> Answer:
    """Run a module's core as the module does."""
    given = {"agent": me(), "home": str(folder.parents[1]), "state": "present", "data": False, **params}
    if do == "state":
        given.setdefault("path", "state.json")
    return continuity_module.module_answer(getattr(continuity_module, do), given, check_mode)


def test_a_value_is_brought_to_what_is_declared_once(folder: Path) -> None:
    foretold = run(folder, "state", key="work.next", value="read", check_mode=True)
    assert (foretold["changed"], foretold["generation"], list(folder.iterdir())) == (True, 0, [])
    done = run(folder, "state", key="work.next", value="read")
    assert (done["changed"], done["generation"], done["value"]) == (True, 1, "read")
    assert done["diff"] == foretold["diff"]
    assert done["diff"][0]["after"] == '{\n  "work": {\n    "next": "read"\n  }\n}\n'
    again = run(folder, "state", key="work.next", value="read", generation=0)
    assert (again["changed"], again["generation"]) == (False, 1)
    assert again["diff"][0]["before"] == again["diff"][0]["after"]
    assert continuity.read_json(folder / "state.json") == {"work": {"next": "read"}}


def test_true_is_not_one(folder: Path) -> None:
    run(folder, "state", key="a", value=1)
    assert run(folder, "state", key="a", value=True)["changed"]
    assert continuity.read_json(folder / "state.json")["a"] is True


def test_another_generation_is_refused(folder: Path) -> None:
    run(folder, "state", value={"a": 1})
    for check_mode in (True, False):
        answer = run(folder, "state", key="a", value=2, generation=7, check_mode=check_mode)
        assert answer["failed"]
        assert "generation 1 stands there, not 7; read it again" in answer["msg"]
    assert run(folder, "state", key="a", value=2, generation=1)["generation"] == 2


def test_absent_takes_a_key_or_everything_out(folder: Path) -> None:
    assert not run(folder, "state", state="absent", key="a")["changed"]
    assert not run(folder, "state", state="absent")["changed"]
    run(folder, "state", value={"a": 1, "b": 2})
    assert run(folder, "state", state="absent", key="a")["changed"]
    assert not run(folder, "state", state="absent", key="a")["changed"]
    assert continuity.read_json(folder / "state.json") == {"b": 2}
    assert run(folder, "state", state="absent")["changed"]
    assert not run(folder, "state", state="absent")["changed"]


def test_damage_fails_in_one_line(folder: Path) -> None:
    run(folder, "state", value=1)
    (folder / "state.json").write_bytes(b"torn")
    for check_mode in (True, False):
        answer = run(folder, "state", value=2, check_mode=check_mode)
        assert answer["failed"]
        assert "no good generation is left" in answer["msg"]
    assert (folder / "state.json").read_bytes() == b"torn"


def test_a_user_that_is_not_there(folder: Path) -> None:
    answer = run(folder, "state", agent="no-such-agent", value=1)
    assert answer["failed"]
    assert answer["msg"] == "no-such-agent: there is no such user on this host; the role common makes it"


def test_a_log_by_its_module(folder: Path) -> None:
    one = {"operation": "append", "path": "log.jsonl", "record": {"id": "a", "n": 1}}
    assert run(folder, "log", check_mode=True, **one) == {"changed": True, "rows": 0}
    assert run(folder, "log", **one) == {"changed": True, "rows": 1}
    assert run(folder, "log", **one) == {"changed": False, "rows": 1}
    assert run(folder, "log", **{**one, "record": {"id": "a", "n": 2}})["failed"]
    with (folder / "log.jsonl").open("ab") as log:
        log.write(b"torn")
    seen = run(folder, "log", operation="verify", path="log.jsonl")
    assert (seen["changed"], seen["rows"], seen["problem"]) == (
        False,
        1,
        f"{folder}/log.jsonl: 1 bad line(s)",
    )
    assert [row["why"] for row in seen["bad"]] == ["torn"]
    foretold = run(folder, "log", operation="repair", path="log.jsonl", check_mode=True)
    done = run(folder, "log", operation="repair", path="log.jsonl")
    assert Path(done.pop("aside")).read_bytes() == b"torn\n"
    assert (
        foretold
        == {**done, "aside": ""}
        == {"changed": True, "rows": 1, "dropped": 0, "moved": 1, "aside": ""}
    )
    assert not run(folder, "log", operation="repair", path="log.jsonl")["changed"]
    answer = run(folder, "log", operation="append", path="state.json", record={"id": "a"})
    assert "the name of a log ends in .jsonl" in answer["msg"]


NOW = dt.datetime(2026, 6, 10, tzinfo=dt.UTC)
TIMES = [
    "2026-06-01T00:00:00Z",
    "2026-06-08T23:59:59+00:00",
    "2026-06-09",
    None,
    "soon",
    "2026-06-10T01:00:00+05:00",
]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ({"keep_rows": 0}, []),
        ({"keep_rows": 2}, [4, 5]),
        ({"keep_rows": 9}, [0, 1, 2, 3, 4, 5]),
        ({"keep_days": 1}, [2, 3, 4, 5]),
        ({"keep_days": 2}, [1, 2, 3, 4, 5]),
        ({"keep_days": 0}, [3, 4]),
        ({"keep_days": 0, "keep_rows": 1}, [3, 4, 5]),
    ],
)
def test_what_a_compaction_keeps(rule: dict[str, Any], kept: list[int]) -> None:
    rows = continuity.Rows({"at": at} if at else {} for at in TIMES)
    assert continuity_module.kept_by(rule, NOW)(rows) == kept


@pytest.mark.parametrize("rule", [{}, {"keep_rows": -1}, {"keep_days": -0.5}])
def test_a_compaction_needs_a_rule(rule: dict[str, Any]) -> None:
    with pytest.raises(continuity.InputError, match="keep_rows"):
        continuity_module.kept_by(rule, NOW)


def test_a_compaction_by_its_module(folder: Path) -> None:
    continuity.append_jsonl(folder / "log.jsonl", [{"id": str(number)} for number in range(5)])
    done = run(folder, "log", operation="compact", path="log.jsonl", keep_rows=2)
    assert (done["changed"], done["rows"], done["dropped"]) == (True, 2, 3)
    assert not run(folder, "log", operation="compact", path="log.jsonl", keep_rows=2)["changed"]


def test_info_looks_at_everything_and_changes_nothing(folder: Path) -> None:
    assert run(folder, "info") == {"changed": False, "files": [], "problems": []}
    continuity.append_jsonl(folder / "log.jsonl", {"id": "a"})
    for number in (1, 2):
        continuity.write_json(folder / "state.json", number)
    (folder / "bad.json").write_bytes(b"torn")
    (folder / "active.md").write_text("prose\n")
    answer = run(folder, "info", data=True)
    bad, *well = answer["files"]
    assert well == [
        {"name": "log.jsonl", "rows": 1, "bad": [], "newer": 0, "problem": ""},
        {"name": "state.json", "generation": 2, "generations": [1], "problem": "", "data": 2},
    ]
    assert (bad["name"], answer["problems"]) == ("bad.json", [bad["problem"]])
    assert bad["problem"].startswith(f"{folder}/bad.json: unreadable: ")
    (folder / "state.json").unlink()
    assert run(folder, "info")["problems"][1] == f"{folder}/state.json: it is gone"
