# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `forge` refuses, each with one line that names the fix, and what it takes."""

from __future__ import annotations

import pytest
from role_lines import Cases, judge, said

WORK = [{"name": "work", "work": True}]
READ = {"code": "read"}
WRITE = {"code": "write", "pulls": "write"}
HOOK = {"url": "https://hooks.test/x", "secret": "s" * 16, "events": ["push"]}
CASES: Cases = {
    "defaults": ({}, ""),
    "work": ({"forge_repos": WORK, "forge_agents": [{"name": "ada", "host": "here"}]}, ""),
    "hook": ({"forge_webhooks": [HOOK]}, ""),
    "name twice": ({"forge_agents": [{"name": "Timmy"}]}, "timmy, Timmy: each name"),
    "name of the organization": ({"forge_agents": [{"name": "fleet"}]}, "fleet, fleet: each name"),
    "bad name": ({"forge_repos": [{"name": "../x"}]}, "../x: each name"),
    "team of owners": ({"forge_teams": [{"name": "owners", "rights": READ}]}, "Owners, owners: each name"),
    "duty of nobody": (
        {"forge_duties": [{"duty": "land", "account": "nobody", "hosts": []}]},
        "duty land of nobody: the account of a duty stands in forge_accounts",
    ),
    "duty of an agent": (
        {
            "forge_agents": [{"name": "ada"}],
            "forge_duties": [{"duty": "publish", "account": "ada", "hosts": []}],
        },
        "duty publish of ada",
    ),
    "two duties": (
        {"forge_duties": [{"duty": duty, "account": "timmy", "hosts": []} for duty in ("land", "check")]},
        "duty land of timmy; duty check of timmy",
    ),
    "unknown member": (
        {"forge_teams": [{"name": "t", "rights": READ, "members": ["who"]}]},
        "team t has the unknown member who: members stand in",
    ),
    "member that left": (
        {
            "forge_agents": [{"name": "ada", "state": "absent"}],
            "forge_teams": [{"name": "t", "rights": READ, "members": ["ada"]}],
        },
        "team t has the unknown member ada",
    ),
    "unknown repository": (
        {"forge_teams": [{"name": "t", "rights": READ, "repos": ["what"]}]},
        "team t has the unknown repository what",
    ),
    "agent that writes": (
        {
            "forge_agents": [{"name": "ada"}],
            "forge_teams": [{"name": "t", "rights": WRITE, "members": ["ada"]}],
        },
        "team t writes and has the agent ada",
    ),
    "right that is none": (
        {"forge_teams": [{"name": "t", "rights": {"code": "admin"}}]},
        "team t has the rights",
    ),
    "repository that no team sees": (
        {"forge_teams": [{"name": "t", "rights": READ, "repos": ["ledger"]}]},
        "no team has timmy-home: name it in repos of one of forge_teams",
    ),
    "work that nobody lands": ({"forge_repos": WORK, "forge_duties": []}, "work: a work repository needs"),
    "work without a check": ({"forge_repos": WORK, "forge_checks": []}, "work: a work repository needs"),
    "lander without a team": (
        {"forge_repos": WORK, "forge_teams": [{"name": "t", "rights": WRITE, "members": ["timmy"]}]},
        "work: a work repository needs",
    ),
    "colour": ({"forge_labels": [{"name": "x", "color": "red"}]}, "forge_labels: a color has"),
    "exclusive label without a scope": (
        {"forge_labels": [{"name": "x", "color": "#fff", "exclusive": True}]},
        "an exclusive name the form scope/name",
    ),
    "short secret": ({"forge_webhooks": [{**HOOK, "secret": "hunter2"}]}, "a secret of 16 characters"),
    "hook of no repository": (
        {"forge_webhooks": [{**HOOK, "repo": "what"}]},
        "no repo that is not in forge_repos",
    ),
}


@pytest.fixture(scope="module", name="lines")
def all_lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return said("forge", CASES, tmp_path_factory.mktemp("forge"), "hunter2")


@pytest.mark.parametrize("case", CASES)
def test_the_data_are_refused_by_one_line_or_taken(lines: dict[str, str], case: str) -> None:
    judge(lines[case], CASES[case][1])
