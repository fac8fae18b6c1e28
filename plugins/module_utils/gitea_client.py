# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forge's client: one class with every call that this collection and its runtime make.

    with GiteaClient("https://forge.example.org", token=token) as forge:
        for issue in forge.list_issues("fleet/work", labels=["fleet/queued"]):
            ...

Repositories are written owner/name. What goes wrong is one of the errors in `gitea_errors`. The calls stand
in one file for each kind of object: `gitea_issues`, `gitea_pulls`, `gitea_repos`, `gitea_releases`,
`gitea_orgs`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from .gitea_issues import Labels
from .gitea_orgs import Orgs
from .gitea_pulls import Pulls
from .gitea_releases import Releases
from .gitea_repos import Repos
from .gitea_retry import Patience, Retry
from .gitea_transport import Credentials, Limits, Transport
from .gitea_url import parse_base


class GiteaClient(Pulls, Labels, Repos, Releases, Orgs):
    """One account at one forge, over one kept-alive connection. Safe in threads."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        user: str = "",
        password: str = "",
        otp: str = "",
        sudo: str = "",
        ca_file: str | None = None,
        verify: bool = True,
        limits: Limits | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        """Take a token, or user and password; neither means anonymous. Nothing is sent yet.

        `ca_file` names authorities to trust instead of the system's; `verify` false trusts anybody. Raises
        ValueError for a URL or a token that cannot be right.
        """
        credentials = Credentials(token, user, password, otp)
        transport = Transport(
            parse_base(url),
            credentials,
            ca_file=ca_file,
            verify=verify,
            limits=limits,
            sudo=sudo,
            clock=clock,
        )
        super().__init__(transport, Retry(patience or Patience(), sleep, rng or random.SystemRandom()))

    def server_version(self) -> tuple[int, ...]:
        """Return the forge's version as numbers, as (1, 27, 3); of a fork, the fork's own."""
        said = self.write("GET", "/version") or {}
        return version_numbers(str(said.get("version", "")) if isinstance(said, dict) else "")


def version_numbers(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, () when there are none."""
    numbers = []
    for part in text.split("+", maxsplit=1)[0].split("-", maxsplit=1)[0].split("."):
        if not (part.isascii() and part.isdigit() and len(part) < 10):
            break
        numbers.append(int(part))
    return tuple(numbers)
