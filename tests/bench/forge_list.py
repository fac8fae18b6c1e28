# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure listing issues through the typed client against a bare http.client loop: one JSON line.

The forge is the pocket forge, or the one that FORGE_URL or FORGE_BINARY names. It runs in a process of its
own and is filled first. The two take turns over the same list; both read every page and decode its JSON,
the client also checks, types and sorts it. TIMMY_FORGE_ISSUES changes the number of issues.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import secrets
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
for place in ("src", "tests/forge"):
    sys.path.insert(0, str(ROOT / place))

from forge_servers import Forge, running_forge  # noqa: E402 - the paths above lead to it

from timmy.core.gitea_client import GiteaClient  # noqa: E402 - likewise

ISSUES = int(os.environ.get("TIMMY_FORGE_ISSUES", "5000"))
PAGE = 50
ROUNDS = 5
WRITERS = 4


def fill(forge: Forge) -> tuple[str, str]:
    """Make a repository with issues; return its organization and its full name."""
    with GiteaClient(forge.url, forge.token) as client:
        org = client.create_org(f"bench-{secrets.token_hex(4)}").name
        repo = client.create_repo(org, "list").full_name

    def write(share: int) -> None:
        with GiteaClient(forge.url, forge.token) as client:
            for number in range(share, ISSUES, WRITERS):
                client.write(
                    "POST", f"/repos/{repo}/issues", {"title": f"issue {number}", "body": "text " * 40}
                )

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    return org, repo


def bare(forge: Forge, repo: str) -> float:
    """Return how long a loop takes that knows the number of pages and believes everything."""
    parts = urlsplit(forge.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"Authorization": f"token {forge.token}", "Accept": "application/json"}
    numbers = set()
    started = time.perf_counter()
    for page in range(1, math.ceil(ISSUES / PAGE) + 1):
        path = f"/api/v1/repos/{repo}/issues?type=issues&state=all&limit={PAGE}&page={page}"
        connection.request("GET", path, headers=headers)
        numbers |= {row["number"] for row in json.loads(connection.getresponse().read())}
    took = time.perf_counter() - started
    connection.close()
    if len(numbers) != ISSUES:
        raise SystemExit(f"the bare loop read {len(numbers)} of {ISSUES} issues")
    return took


def ours(forge: Forge, repo: str) -> float:
    """Return how long the client takes. Anything but every issue once, in as many requests, is no figure."""
    with GiteaClient(forge.url, forge.token) as client:
        started = time.perf_counter()
        numbers = [issue.number for issue in client.list_issues(repo, state="all")]
        took = time.perf_counter() - started
        if len(numbers) != ISSUES or len(set(numbers)) != ISSUES:
            raise SystemExit(f"the client read {len(numbers)} of {ISSUES} issues")
        if (client.transport.requests, client.transport.connections) != (math.ceil(ISSUES / PAGE), 1):
            raise SystemExit(
                f"{client.transport.requests} requests on {client.transport.connections} connections"
            )
    return took


def measure() -> dict[str, object]:
    """Return the figure."""
    with running_forge() as forge:
        org, repo = fill(forge)
        ours(forge, repo)
        bare(forge, repo)
        pairs = [(ours(forge, repo), bare(forge, repo)) for _round in range(ROUNDS)]
        with GiteaClient(forge.url, forge.token) as client:
            client.delete_repo(repo)
            client.delete_org(org)
    value = statistics.median(pair[0] for pair in pairs)
    versus = statistics.median(pair[1] for pair in pairs)
    return {
        "name": "forge.list_5000" if ISSUES == 5000 else f"forge.list_{ISSUES}",
        "value": round(value, 4),
        "unit": "s",
        "versus": {"name": f"bare http.client loop, {forge.kind} forge", "value": round(versus, 4)},
        "ratio": round(value / versus, 3),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure()) + "\n")
