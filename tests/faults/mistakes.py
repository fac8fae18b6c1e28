# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mistakes that the trials bring to a host: those of an operator, of an upstream, of an author of a role.

An overlay is a copy of the project's with one line that belongs to this trial; a mistaken role is a copy of
the project whose role `common` has one wrong line. All of it passes every check that comes before a change.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from arena import HERMES, ROOT, Arena, FaultHost

BAD_HERMES = "0.19.0-ill"
# Where the scripted model listens on each host of the fleet.
TAKEN_PORT = 11434
PARTS = ("ansible.cfg", "galaxy.yml", "group_vars", "meta", "overlay", "playbooks", "plugins", "roles", "src")

# A Hermes that answers every question about configuration, and whose gateway cannot be imported.
MAKE_BAD_HERMES = f"""
bad=/opt/hermes/{BAD_HERMES}
[ -e "$bad/.made" ] && exit 0
rm -rf "$bad"
cp -al {HERMES} "$bad"
find "$bad/bin" -type f -size -64k -exec grep -lI {HERMES}/ {{}} + | xargs -r sed -i "s#{HERMES}/#$bad/#g"
run=$(ls "$bad"/lib/python3*/site-packages/gateway/run.py)
rm -f "$run" "$(dirname "$run")"/__pycache__/run.*
echo 'import a_library_that_this_wheel_forgot' >"$run"
: >"$bad/.made"
"""

# What one wrong line of the role common does: sshd dies, nobody may log in, no packet gets in.
WRONG_LINES = {
    "no-address": ("roles/common/templates/sshd.conf.j2", "X11Forwarding no", "ListenAddress 192.0.2.1"),
    "no-users": (
        "roles/common/templates/sshd.conf.j2",
        "AllowUsers {{ __common_allow_users | join(' ') }}",
        "AllowUsers nobody",
    ),
    "no-packets": ("roles/common/templates/timmy.nft.j2", "dport {{ entry.port | int }}", "dport 9"),
}


def overlay(arena: Arena, trial: str) -> Path:
    """A release of its own for this trial; what it changes makes the gateway restart."""
    place = arena.place / "overlays" / trial
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(ROOT / "overlay", place)
    path = place / "config.yaml"
    text = path.read_text(encoding="utf-8")
    line = "Playbooks are in /opt/timmy/current/playbooks."
    assert text.count(line) == 1, "the overlay has changed; give the trials another line"
    path.write_text(text.replace(line, f"{line} This is {trial}."), encoding="utf-8")
    return place


def mistaken_project(arena: Arena, way: str) -> Path:
    """A copy of the project with one wrong line in its role common."""
    place = arena.place / "mistaken" / way
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, place / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, place / part)
    collection = place / "build/collections/ansible_collections/timmy/config"
    collection.parent.mkdir(parents=True)
    collection.symlink_to("../../../..")
    name, right, wrong = WRONG_LINES[way]
    text = (place / name).read_text(encoding="utf-8")
    assert right in text, f"{name} has changed; give the trial {way} another line"
    (place / name).write_text(text.replace(right, wrong), encoding="utf-8")
    return place


def bad_hermes(host: FaultHost) -> None:
    """Lay a Hermes beside the good one whose gateway dies as it starts."""
    host.sh(MAKE_BAD_HERMES, timeout_s=120)
