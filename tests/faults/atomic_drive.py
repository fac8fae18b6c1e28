# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host half of a deploy as a process of its own: `atomic_drive.py REQUEST`, a JSON file.

It does what the module's last line does after Ansible has unpacked it, on the places that the request names.
There is no systemd in a temporary directory, so units are left alone and the guard is asked by the caller.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))

from timmy.core import guard, release, release_host, release_state
from timmy.core.hermes_home import HomeError
from timmy.core.release_format import ReleaseError


def deploy(request: dict[str, Any]) -> dict[str, Any]:
    """One visit of a controller."""
    settings = release_state.Settings(**request["settings"], timer=guard.no_timer, units=False)
    wanted = release_state.Wanted(**request["wanted"])
    one = release_host.Deploy(settings, wanted)
    result = one.absent() if request["do"] == "absent" else one.run(request.get("archive", ""))
    return result.public()


def flips(request: dict[str, Any]) -> dict[str, Any]:
    """Flip there as a deploy does and back as the guard does, as often as asked."""
    root, names = request["settings"]["root"], request["names"]
    link = os.path.join(root, release.CURRENT)
    for _turn in range(request["flips"] // 2):
        release.flip(root, names[1])
        guard.set_link(link, f"{release.RELEASES}/{names[0]}")
    return {"flips": request["flips"] // 2 * 2}


def main(arguments: list[str]) -> int:
    """Print the answer as JSON; a refusal is one line and exit code 1."""
    request = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    try:
        answer = flips(request) if request["do"] == "flips" else deploy(request)
    except (release_state.DeployError, ReleaseError, HomeError, guard.GuardError, OSError) as error:
        answer = {"failed": " ".join(str(error).split())}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "failed" in answer else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
