# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a host once, for everything the role decides on; changes nothing.

Arguments: packages that should be there.
"""

from __future__ import annotations

import grp
import json
import pwd
import subprocess
import sys
from pathlib import Path

CAP_SYS_TIME = 25
OTHER_TIME_DAEMONS = ("chrony", "ntp", "ntpsec", "openntpd")


def text_of(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def installed() -> set[str]:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"]
    listing = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    return {line.split()[1] for line in listing.splitlines() if line.startswith("installed ")}


def wizards() -> list[str]:
    """Members of the group, by supplementary list or as their first group."""
    try:
        group = grp.getgrnam("wizards")
    except KeyError:
        return []
    return sorted(
        set(group.gr_mem) | {user.pw_name for user in pwd.getpwall() if user.pw_gid == group.gr_gid}
    )


def may_set_clock() -> bool:
    """Containers lack the capability; systemd-timesyncd refuses to start without it."""
    for line in (text_of("/proc/1/status") or "").splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_TIME & 1)
    return False


def firewall_live() -> bool:
    try:
        return (
            subprocess.run(
                ["nft", "list", "table", "inet", "timmy"], capture_output=True, check=False
            ).returncode
            == 0
        )
    except OSError:
        return False


def main() -> None:
    have = installed()
    includes = (line.split() for line in (text_of("/etc/ssh/sshd_config") or "").splitlines())
    print(
        json.dumps(
            {
                "missing": [name for name in sys.argv[1:] if name not in have],
                "timesyncd": "systemd-timesyncd" in have,
                "other_time_daemon": any(name in have for name in OTHER_TIME_DAEMONS),
                "may_set_clock": may_set_clock(),
                "users": {user.pw_name: {"uid": user.pw_uid, "home": user.pw_dir} for user in pwd.getpwall()},
                "wizards": wizards(),
                "sshd_config": text_of("/etc/ssh/sshd_config") is not None,
                "sshd_drop_ins": any(
                    words[:1] == ["Include"] and "/etc/ssh/sshd_config.d/*.conf" in words
                    for words in includes
                ),
                "nftables_conf": text_of("/etc/nftables.conf"),
                "firewall_live": firewall_live(),
            }
        )
    )


if __name__ == "__main__":
    main()
