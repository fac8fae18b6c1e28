# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hermes goes up with the overlay in one run, and back by the rollback: the gateway says itself what it runs.

The newer version is the locked one under another number, installed the way an operator would install any.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING

import fleet as live
import pytest
import runs
from releases import FULL, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fleet import Fleet

OLD, NEW = "0.19.0", "0.19.1"
ROLE = live.ROOT / "roles/hermes_agent/files"
LINE = "- A line that came with the newer Hermes."


def relabelled(wheel: Path, into: Path) -> Path:
    """Write the wheel anew as the next version: folder, metadata, what it says of itself, and the record."""
    target = into / wheel.name.replace(OLD, NEW)
    record = f"hermes_agent-{NEW}.dist-info/RECORD"
    rows = []
    with (
        zipfile.ZipFile(wheel) as old,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for entry in old.infolist():
            name = entry.filename.replace(f"-{OLD}.dist-info/", f"-{NEW}.dist-info/")
            content = old.read(entry)
            if name == record:
                continue
            if name.endswith(".dist-info/METADATA") or name == "hermes_cli/__init__.py":
                text = content.decode()
                assert len(re.findall(rf'(?m)^(?:Version: |__version__ = "){re.escape(OLD)}"?$', text)) == 1
                content = re.sub(
                    rf'(?m)^(Version: |__version__ = "){re.escape(OLD)}', rf"\g<1>{NEW}", text
                ).encode()
            entry.filename = name
            new.writestr(entry, content, zipfile.ZIP_DEFLATED)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            rows.append((name, f"sha256={digest}", str(len(content))))
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([*rows, (record, "", "")])
        new.writestr(record, out.getvalue())
    return target


def own_version(place: Path, tag: str) -> dict[str, str]:
    """Make what an operator brings for a version: wheels, their lock, and what it can be configured with."""
    wheels, locks = place / "artifacts/wheels" / tag, place / "locks"
    wheels.mkdir(parents=True)
    locks.mkdir()
    for wheel in (live.ROOT / "build/artifacts/wheels" / tag).glob("*.whl"):
        (wheels / wheel.name).symlink_to(wheel)
    (old,) = wheels.glob(f"hermes_agent-{OLD}-*.whl")
    new = relabelled(old, wheels)
    line = f"hermes-agent=={NEW} --hash=sha256:{hashlib.sha256(new.read_bytes()).hexdigest()}"
    text = (ROLE / f"locks/hermes-agent-{OLD}-{tag}.txt").read_text(encoding="utf-8")
    text, count = re.subn(rf"(?m)^hermes-agent=={re.escape(OLD)} .*$", line, text)
    assert count == 1
    (locks / f"hermes-agent-{NEW}-{tag}.txt").write_text(text, encoding="utf-8")
    keys = json.loads((ROLE / f"config-keys-{OLD}.json").read_text(encoding="utf-8"))
    (locks / f"config-keys-{NEW}.json").write_text(
        json.dumps({**keys, "hermes_version": NEW}), encoding="utf-8"
    )
    return {
        "timmy_hermes_version": NEW,
        "timmy_hermes_lock_dir": str(locks),
        "timmy_artifact_dir": str(place / "artifacts"),
    }


@pytest.fixture
def trial(fleet: Fleet, tmp_path: Path) -> Iterator[Trial]:
    """Take one wizard, and bring its host back in the end."""
    one = Trial(fleet.wizards[0], tmp_path)
    playbook = ("playbooks/sidecar.yml", "--limit", one.host.name)
    runs.playbook(*playbook, inventories=runs.own_inventories()).ok()
    before = one.release()
    yield one
    runs.playbook(*playbook, inventories=runs.own_inventories()).ok()
    one.host.run("rm", "-rf", f"/opt/hermes/{NEW}").ok()
    assert one.release() == before


def running(trial: Trial) -> tuple[str, str, int]:
    """Return the version that the gateway says, the one that its process runs from, and its starts so far."""
    version = str(trial.wizard.api("GET", "/health/detailed")["version"])
    words = trial.host.run("cat", f"/proc/{trial.pid()}/cmdline").ok()
    found = re.match(r"/opt/hermes/([^/]+)/bin/python", words)
    assert found, words
    starts = trial.host.sh(f"journalctl --no-pager -o cat -u {trial.wizard.unit} | grep -c '^Started '").ok()
    return version, found[1], int(starts)


def soul(trial: Trial) -> str:
    """Return the soul that the agent finds in its home."""
    return trial.host.run("cat", f"{trial.home}/.hermes/SOUL.md", user=trial.wizard.name).ok()


def test_hermes_goes_up_with_the_overlay_and_back(trial: Trial, tmp_path: Path) -> None:
    asked = "import sys, platform; print('cp%d%d-%s' % (*sys.version_info[:2], platform.machine()))"
    tag = trial.host.run("/usr/bin/python3", "-c", asked).ok().strip()
    given = own_version(tmp_path, tag)
    trial.append("SOUL.md", f"\n{LINE}\n")
    before, first = trial.release(), running(trial)
    assert first[:2] == (OLD, OLD)

    extra = json.dumps({"timmy_overlay_dir": str(trial.overlay), **given})
    argv = ("playbooks/deploy_hermes.yml", "--limit", trial.host.name, "-e", extra)
    runs.playbook(*argv, inventories=runs.own_inventories()).ok()
    # One start: the new environment beside the old one touches nobody before the flip.
    assert running(trial) == (NEW, NEW, first[2] + 1)
    assert LINE in soul(trial)
    assert trial.release() != before
    assert trial.host.run("ls", "/opt/hermes").ok().split() == [OLD, NEW]
    told = trial.host.json(live.TIMMY, "status", "--json")
    assert (told["problems"], told["data"]["release"]["hermes_version"]) == ([], NEW)
    if FULL:
        again = runs.playbook(*argv, inventories=runs.own_inventories()).ok()
        assert again.changed() == {trial.host.name: 0}, again.out

    back = ("playbooks/rollback.yml", "--limit", trial.host.name)
    runs.playbook(*back, inventories=runs.own_inventories()).ok()
    assert trial.release() == before
    assert running(trial) == (OLD, OLD, first[2] + 2)
    assert LINE not in soul(trial)


def test_a_version_that_nobody_locked_is_one_line(fleet: Fleet) -> None:
    name = fleet.wizards[0].host.name
    argv = ("playbooks/deploy_hermes.yml", "--limit", name, "-e", "timmy_hermes_version=0.99.0")
    done = runs.playbook(*argv, inventories=runs.own_inventories())
    assert done.rc != 0
    assert "0.99.0" in done.last, done.out
