# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball holds the versioned files only; galaxy ignores .gitignore, so build_ignore must be exact."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CANARY = "canary-3f9c1d7a-this-must-not-travel"
# What a working checkout gathers: made by make, by tools called by hand, by an editor, or by the operator.
LEFTOVERS = (
    "build/vault-password",
    "build/keys/id_ed25519",
    "build/env/bin/python",
    "build/artifacts/some.whl",
    "build/bench.jsonl",
    "inventory/group_vars/all/vault.yml",
    "group_vars/all/vault.yml",
    "inventory/host_vars/bezal/vault.yml",
    "vault.yml",
    ".env",
    "sandbox/.env",
    ".vault-password",
    "inventory/known_hosts",
    "id_ed25519",
    "inventory/keys/id_ed25519.pub",
    "inventory/server.pem",
    "inventory/server.key",
    "tests/output/junit/result.xml",
    "tests/unit/__pycache__/test_x.cpython-311.pyc",
    "plugins/module_utils/__pycache__/x.cpython-313.pyc",
    ".ansible/collections/x.yml",
    ".pytest_cache/v/x",
    ".mypy_cache/3.11/x.db",
    ".ruff_cache/x",
    ".hypothesis/x",
    ".venv/bin/python",
    "collections/ansible_collections/x.yml",
    "changelogs/.plugin-cache.yaml",
    "src/timmy.egg-info/PKG-INFO",
    "site.retry",
    "molecule.log",
    "timmy-config-0.0.1.tar.gz",
    "README.md~",
    ".coverage",
)


def versioned() -> list[str]:
    """Files that are in git or would be with `git add --all`."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    out = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return sorted({name for name in out.split("\0") if name and os.path.lexists(ROOT / name)})


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], tarfile.TarFile]:
    """A copy of the checkout as it looks after weeks of work, and how to build the collection from it."""
    stage = tmp_path_factory.mktemp("stage") / "checkout"
    for name in versioned():
        target = stage / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    for name in LEFTOVERS:
        target = stage / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(CANARY, encoding="utf-8")
    # The link of `make env`: it points back at the checkout, so a builder that follows it never ends.
    link = stage / "build" / "collections" / "ansible_collections" / "timmy" / "config"
    link.parent.mkdir(parents=True)
    link.symlink_to(stage, target_is_directory=True)

    def run() -> tarfile.TarFile:
        out = tmp_path_factory.mktemp("out")
        galaxy = Path(sys.executable).parent / "ansible-galaxy"
        argv = [str(galaxy), "collection", "build", str(stage), "--output-path", str(out)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        (tarball,) = out.glob("timmy-config-*.tar.gz")
        return tarfile.open(tarball)

    return run


def test_tarball_is_exactly_the_versioned_files(build: Callable[[], tarfile.TarFile]) -> None:
    wanted = {name for name in versioned() if name != "galaxy.yml"} | {"MANIFEST.json", "FILES.json"}
    with build() as tarball:
        held = {member.name for member in tarball.getmembers() if not member.isdir()}
        assert sorted(held - wanted) == []
        assert sorted(wanted - held) == []
        carrying = [
            member.name
            for member in tarball.getmembers()
            if member.isfile()
            and (handle := tarball.extractfile(member))
            and CANARY.encode() in handle.read()
        ]
    # This file names the canary itself.
    assert carrying == ["tests/runtime/test_collection_build.py"]


def test_linked_files_travel_as_files_or_links_inside(build: Callable[[], tarfile.TarFile]) -> None:
    links = [name for name in versioned() if (ROOT / name).is_symlink()]
    assert links, "the shared core is linked into src/timmy/core; no link found"
    with build() as tarball:
        for name in links:
            member = tarball.getmember(name)
            assert member.isfile() or not member.linkname.startswith("/"), name


def test_no_folder_is_a_link() -> None:
    assert [name for name in versioned() if (ROOT / name).is_symlink() and (ROOT / name).is_dir()] == []
