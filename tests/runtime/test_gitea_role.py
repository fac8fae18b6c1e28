# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `gitea` refuses, each with one line that names the fix, and what it takes."""

from __future__ import annotations

import hashlib

import pytest
from role_lines import ROOT, Cases, judge, said

PROGRAM = ROOT / "roles/gitea/files/look.py"
OWN = {"gitea_binary": str(PROGRAM), "gitea_binary_sha256": hashlib.sha256(PROGRAM.read_bytes()).hexdigest()}
DIGEST = f"sha256:{'0' * 64}"
IMAGE = {"gitea_method": "container", "gitea_image": f"forge.test/gitea@{DIGEST}"}
CASES: Cases = {
    "defaults": ({}, ""),
    "program of one's own": (OWN, ""),
    "image of one's own": (IMAGE, ""),
    "image of the host": ({**IMAGE, "gitea_image": DIGEST}, ""),
    "locked image": ({"gitea_method": "container"}, ""),
    "PostgreSQL": ({"gitea_database": "postgres", "gitea_database_password": "hunter2"}, ""),
    "unknown variable": ({"gitea_port": 3000}, "No such variable of the role gitea: gitea_port"),
    "unlocked version": (
        {"gitea_version": "1.26.4"},
        "artifacts.lock.yml has no Gitea 1.26.4: choose one of",
    ),
    "program without a hash": (
        {**OWN, "gitea_binary_sha256": ""},
        "with gitea_binary_sha256 (64 hex digits)",
    ),
    "program that is not there": (
        {**OWN, "gitea_binary": "/no/such"},
        "needs to be a file on the controller",
    ),
    "program of another hash": (
        {**OWN, "gitea_binary_sha256": "0" * 64},
        f"has the SHA-256 {OWN['gitea_binary_sha256']} and not {'0' * 64}: correct gitea_binary_sha256",
    ),
    "image by a tag": ({**IMAGE, "gitea_image": "forge.test/gitea:1"}, "gitea_image needs a digest"),
    "image beside a program": (
        {**OWN, **IMAGE, "gitea_image": "forge.test/gitea:1"},
        "gitea_image needs a digest",
    ),
    "unlocked image": (
        {**OWN, "gitea_method": "container", "gitea_version": "1.26.4"},
        "or give an image of your own with gitea_image",
    ),
    "root": ({"gitea_user": "root"}, "gitea_user (root) has to be a Unix name"),
    "no Unix name": ({"gitea_user": "Git Ea"}, "gitea_user (Git Ea) has to be"),
    "certificate without a key": ({"gitea_tls_cert_file": "/etc/c.pem"}, "give both or none"),
    "no address": ({"gitea_root_url": "git.example.org"}, "gitea_root_url (git.example.org/) has to be"),
    "one port twice": ({"gitea_ssh_port": 3000}, "gitea_http_port (3000) and gitea_ssh_port (3000)"),
    "no copy": ({"gitea_backup_keep": 0}, "gitea_backup_keep (0) has to be 1 or more"),
    "fewer than none": ({"gitea_backup_keep": -1}, "gitea_backup_keep (-1) has to be 1 or more"),
    "copies in the forge": (
        {"gitea_backup_dir": "/var/lib/gitea/copies"},
        "gitea_backup_dir (/var/lib/gitea/copies) has to be a directory outside",
    ),
    "copies nowhere": ({"gitea_backup_dir": "copies"}, "gitea_backup_dir (copies) has to be"),
    "two at once": (
        {"gitea_user": "root", "gitea_backup_keep": 0},
        "not root; gitea_backup_keep (0) has to be",
    ),
    "own setting": (
        {"gitea_settings": {"security": {"install_lock": False}}},
        "cannot set INSTALL_LOCK",
    ),
    "setting of two lines": ({"gitea_settings": {"log": {"LEVEL": "Info\n[admin]"}}}, "values on one line"),
    "section that is none": ({"gitea_settings": {"log": "Info"}}, "each a dict of keys"),
    "host of two lines": ({"gitea_webhook_hosts": ["a\nb"]}, "values on one line"),
    "name that is none": ({"gitea_accounts": [{"name": "a b"}]}, "got a b"),
    "name twice": ({"gitea_accounts": [{"name": "Ada"}, {"name": "ada"}]}, "got Ada, ada"),
    "scope that is none": ({"gitea_accounts": [{"name": "ada", "scopes": ["admin"]}]}, "scopes such as"),
    "bot without a token": ({"gitea_accounts": [{"name": "ada", "bot": True}]}, "a bot has scopes"),
    "bot that rules": (
        {"gitea_accounts": [{"name": "ada", "bot": True, "admin": True, "scopes": ["all"]}]},
        "is no admin",
    ),
}


@pytest.fixture(scope="module", name="lines")
def all_lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return said("gitea", CASES, tmp_path_factory.mktemp("gitea"), "hunter2")


@pytest.mark.parametrize("case", CASES)
def test_the_variables_are_refused_by_one_line_or_taken(lines: dict[str, str], case: str) -> None:
    judge(lines[case], CASES[case][1])
