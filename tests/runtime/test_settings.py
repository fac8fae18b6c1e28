# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings file: typed, and one clear line for each way to be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from timmy import settings
from timmy.errors import NotConfigured

BEZALEL = {
    "name": "bezalel",
    "display_name": "Bezalel",
    "home": "/home/bezalel",
    "api_port": 8642,
    "unit": "timmy-wizard@bezalel.service",
}
WHOLE: dict[str, Any] = {
    "schema": 1,
    "host": "bezal",
    "release_root": "/opt/timmy",
    "wizards": [BEZALEL],
    "fleet": [{"name": "bezalel", "host": "bezal"}, {"name": "ezra", "host": "hermes-vps"}],
}


def parse(**changes: Any) -> settings.Settings:
    """Parse a good file with changes; a change to None removes the key."""
    given = {key: value for key, value in {**WHOLE, **changes}.items() if value is not None}
    return settings.parse("fleet.json", json.dumps(given))


def test_a_good_file_is_typed() -> None:
    known = parse()
    assert known.current == Path("/opt/timmy/current")
    assert known.wizards[0] == settings.Wizard(
        "bezalel", "Bezalel", Path("/home/bezalel"), 8642, "timmy-wizard@bezalel.service"
    )
    assert [member.host for member in known.fleet] == ["bezal", "hermes-vps"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": 2}, "fleet.json: schema 2 is unknown, this timmy reads 1"),
        ({"host": None}, "fleet.json: host is missing"),
        ({"wizards": {}}, "fleet.json: wizards must be list, not dict"),
        ({"wizards": ["bezalel"]}, "fleet.json: wizards[0]: name is missing"),
        (
            {"wizards": [{**BEZALEL, "api_port": "8642"}]},
            "fleet.json: wizards[0]: api_port must be int, not str",
        ),
        (
            {"wizards": [{**BEZALEL, "api_port": True}]},
            "fleet.json: wizards[0]: api_port must be int, not bool",
        ),
        ({"fleet": [{"name": "ezra"}]}, "fleet.json: fleet[0]: host is missing"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(NotConfigured) as caught:
        parse(**changes)
    assert caught.value.message == told


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"absent\.json: cannot be read: No such file"):
        settings.load(tmp_path / "absent.json")
    with pytest.raises(NotConfigured, match="cannot be read"):
        settings.load(tmp_path)
    (tmp_path / "text").write_bytes(b"\xff")
    with pytest.raises(NotConfigured, match="not UTF-8"):
        settings.load(tmp_path / "text")
    with pytest.raises(NotConfigured, match="not JSON"):
        settings.parse("fleet.json", "{")


def test_the_only_wizard_needs_no_name_and_an_unknown_one_lists_the_known() -> None:
    assert parse().wizard(None).name == "bezalel"
    two = parse(wizards=[BEZALEL, {**BEZALEL, "name": "ezra"}])
    assert two.wizard("ezra").name == "ezra"
    with pytest.raises(NotConfigured, match=r"2 wizards \(bezalel, ezra\)"):
        two.wizard(None)
    with pytest.raises(NotConfigured) as caught:
        two.wizard("gimli")
    assert caught.value.hint == "known here: bezalel, ezra"


def test_an_env_file_is_read_as_hermes_reads_it() -> None:
    text = "# head\nA=1\n\nexport B='two words'\nC=\"x=y\"\nA=last\nnonsense\n"
    assert settings.read_env(text) == {"A": "last", "B": "two words", "C": "x=y"}
