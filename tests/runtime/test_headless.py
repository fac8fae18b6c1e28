# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The named callers of a headless run, with the real Hermes: on what, with which tools, and what counts."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import test_hermes_real

from timmy import headless, settings
from timmy.continuity.place import Place
from timmy.errors import NotConfigured, NotDone, UsageError
from timmy.hermes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def at_home(hermes_binary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that makes us the one wizard of this host, on the model at an address."""

    def make(url: str) -> Path:
        home, root = tmp_path / "home", tmp_path / "timmy"
        (home / ".hermes").mkdir(parents=True)
        (home / "work").mkdir()
        (home / ".hermes/config.yaml").write_text(test_hermes_real.CONFIG.format(url=url))
        (root / "releases/one").mkdir(parents=True)
        (root / "current").symlink_to(root / "releases/one")
        (root / "releases/one/hermes").symlink_to(hermes_binary.parents[1])
        wizard = {"name": ME, "display_name": ME, "home": str(home), "api_port": 1, "unit": "x"}
        told = {
            "schema": settings.SCHEMA,
            "host": "here",
            "release_root": str(root),
            "wizards": [wizard],
            "fleet": [],
        }
        file = tmp_path / "fleet.json"
        file.write_text(json.dumps(told))
        real = settings.load
        monkeypatch.setattr(settings, "load", lambda _path: real(file))
        return home

    return make


def test_a_brief_is_run_by_name_and_ends_in_continuity(
    serve_model: Callable[..., Any], at_home: Callable[[str], Path]
) -> None:
    model = serve_model([{"match": {}, "reply": {"text": "Seen.\nNext: look again"}}])
    home = at_home(model.url)
    archive = home / "archive"
    archive.mkdir()
    secret = "a brief that nobody else may read"
    assert headless.hermes_local(secret) == "Seen.\nNext: look again"
    assert headless.run_reflex_task(secret).ok
    assert headless.run_archive_hermes(secret, archive).ok
    asked = [row for row in model.chats() if row["last_user"].startswith("Read the file")]
    assert secret not in json.dumps(model.chats()), "the prompt names the brief and does not hold it"
    whole, reflex, files = (set(row["tools"]) for row in asked)
    assert "terminal" in whole
    assert reflex == files
    assert "read_file" in reflex
    assert "terminal" not in reflex
    assert len(Place(home).read().threads) == 3, "no hook and no plugin here: the run itself flushes"
    assert str(archive) in asked[2]["system"]


def test_a_failure_is_one_line(serve_model: Callable[..., Any], at_home: Callable[[str], Path]) -> None:
    at_home(serve_model(test_hermes_real.failing(401)).url)
    with pytest.raises(NotDone, match="failed: "):
        headless.hermes_local("look")


def test_work_that_is_not_in_continuity_is_not_done(
    serve_model: Callable[..., Any], at_home: Callable[[str], Path]
) -> None:
    home = at_home(serve_model([{"match": {}, "reply": {"text": "Seen."}}]).url)
    (home / ".timmy").write_text("in the way")
    result = headless.run_hermes_local("look")
    assert (result.outcome, result.text) == (Outcome.UNFLUSHED, "Seen."), result
    assert "not in continuity" in result.reason


def test_what_cannot_be_run_is_said_before_anything_starts(
    at_home: Callable[[str], Path], tmp_path: Path
) -> None:
    at_home("http://127.0.0.1:9")
    with pytest.raises(NotConfigured, match="no wizard 'nobody-here'"):
        headless.run_hermes_local("look", agent="nobody-here")
    with pytest.raises(UsageError, match="is no folder"):
        headless.run_archive_hermes("look", tmp_path / "absent")
    with pytest.raises(UsageError, match="the brief is empty"):
        headless.run_hermes_local(" ")
    with pytest.raises(UsageError, match="no name of a toolset"):
        headless.run_hermes_local("look", toolsets=("file", "--yolo"))
