# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""hermes_cron as a play calls it, with the real Hermes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.timmy.config.plugins.modules import hermes_cron
from declare_play import MINE, Play, make
from real_host import JOB


@pytest.fixture
def play(tmp_path: Path, hermes_binary: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    return make(tmp_path, hermes_binary, monkeypatch)


def test_the_life_of_declared_jobs(play: Play) -> None:
    play.host.hermes("cron", "create", "every 2h", "theirs", "--name", "theirs")
    theirs = play.host.jobs()["theirs"]
    done = play.cron([MINE])
    assert done["changes"] == ["tidy: created"]
    assert 'tidy.prompt: "Tidy up."' in done["diff"]["after"]
    made = play.host.jobs()["tidy"]
    assert (made["model"], made["provider"], made["deliver"]) == ("gemma-4-31b-it", "ollama", "local")
    done = play.cron([{**MINE, "schedule": "9 6 * * *"}])
    assert done["changes"] == ["tidy: schedule"]
    assert (done["diff"]["before"], done["diff"]["after"]) == (
        'tidy.schedule: "5 6 * * *"\n',
        'tidy.schedule: "9 6 * * *"\n',
    )
    assert play.host.jobs()["tidy"]["id"] == made["id"]
    assert play.cron([{**MINE, "schedule": "9 6 * * *", "enabled": False}])["changes"] == ["tidy: enabled"]
    play.host.hermes("cron", "edit", "tidy", "--prompt", "My own words.")
    done = play.cron([MINE])
    assert (done["changes"], done["edited"]) == (["tidy: enabled, schedule"], ["tidy: prompt"])
    assert play.host.jobs()["tidy"]["prompt"] == "My own words."
    assert play.cron([MINE], restore=["tidy"])["changes"] == ["tidy: prompt"]
    play.host.drop_job("tidy")
    assert play.cron([MINE])["changes"] == ["tidy: created"]
    result = play.host.deploy()
    assert (result.changed, play.host.found()) == (False, {})
    assert play.cron(None, state="absent")["changes"] == ["tidy: removed"]
    assert play.host.jobs()["theirs"] == theirs
    assert play.records() == []


REFUSED_JOBS: list[tuple[list[dict[str, Any]], str]] = [
    ([{**MINE, "model": None}], "cron tidy: model: is missing; an unpinned job stops running"),
    ([{**MINE, "provider": None}], "cron tidy: provider: is missing"),
    ([MINE, MINE], "cron tidy: is declared twice"),
    ([{**MINE, "name": "Tidy up"}], "cron 'Tidy up': is no name for a job"),
    ([{**MINE, "name": JOB}], "the release declares a job of this name; change overlay/cron"),
    ([{**MINE, "name": "first"}], "cron first: belongs to the declaration other; change it there"),
    (
        [{**MINE, "name": "theirs"}],
        "a job of this name .* is there that no play made; give yours another",
    ),
    ([{**MINE, "schedule": "30m"}], "schedule: '30m' does not repeat"),
    ([{**MINE, "provider": "nobody"}], "provider: no provider 'nobody'"),
    ([{**MINE, "enabled_toolsets": ["termnal"]}], "no toolset 'termnal'; did you mean terminal"),
    ([{**MINE, "skills": ["nothing"]}], "skills: the agent has no skill 'nothing'"),
    ([{**MINE, "deliver": "telegramm"}], "no place 'telegramm'"),
    ([{**MINE, "workdir": "/no/such"}], "workdir does not exist"),
    ([{**MINE, "no_agent": True}], "script: is missing"),
    ([{**MINE, "script": "no.sh"}], "its script no.sh is not among the agent's scripts"),
    ([{**MINE, "prompt": "Run hermes gateway restart."}], "cron tidy: "),
]


def test_jobs_that_would_not_run_or_are_somebody_elses(play: Play) -> None:
    play.run(hermes_cron, jobs=[{**MINE, "name": "first"}], declaration="other")
    play.host.hermes("cron", "create", "every 2h", "theirs", "--name", "Theirs")
    before = play.tree()
    for jobs, word in REFUSED_JOBS:
        done = play.run(hermes_cron, jobs=jobs)
        assert done["failed"]
        assert re.search(word, done["msg"]), done["msg"]
        assert play.run(hermes_cron, check=True, jobs=jobs)["msg"] == done["msg"]
    assert play.tree() == before


def test_a_job_without_an_agent_needs_no_model(play: Play) -> None:
    scripts = play.host.home / ".hermes/scripts"
    scripts.mkdir(exist_ok=True)
    (scripts / "count.sh").write_text("echo 1\n")
    job = {"name": "count", "schedule": "every 6h", "no_agent": True, "script": "count.sh"}
    assert play.cron([job])["changes"] == ["count: created"]


def test_a_release_that_declares_the_job_takes_it_over_and_gives_it_back(play: Play) -> None:
    play.cron([MINE])
    made = play.host.jobs()["tidy"]["id"]
    text = (play.host.overlay / f"cron/{JOB}.yaml").read_text()
    (play.host.overlay / "cron/tidy.yaml").write_text(text.replace(f"name: {JOB}", "name: tidy"))
    play.host.deploy()
    job = play.host.jobs()["tidy"]
    assert (job["id"], "Check yourself" in job["prompt"]) == (made, True)
    assert "release declares a job of this name" in play.run(hermes_cron, jobs=[MINE])["msg"]
    assert play.run(hermes_cron, jobs=[], check=True)["changes"] == []
    (play.host.overlay / "cron/tidy.yaml").unlink()
    play.host.deploy()
    assert play.host.jobs()["tidy"]["prompt"] == "Tidy up."
    assert not play.run(hermes_cron, jobs=[MINE])["changed"]
    assert play.host.found() == {}
