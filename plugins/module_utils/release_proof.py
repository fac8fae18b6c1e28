# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove before a flip: Hermes itself reads the staged release, once for each content that matters to it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from . import hermes_home, release_trial
from .release_homes import Homes, merged_of
from .release_state import DeployError, Records

KEPT_PROOFS = 8


class Proof:
    """The proofs of one host, kept on record for each agent."""

    def __init__(self, records: Records, home_work: Homes) -> None:
        self.records = records
        self.home_work = home_work

    def prove(
        self, directory: str, manifest: Mapping[str, Any], accounts: Mapping[str, hermes_home.Account]
    ) -> dict[str, str]:
        """The fingerprint of each agent's proof; a problem ends the run before anything is changed."""
        problems: list[str] = []
        proofs = {}
        for name, account in accounts.items():
            if name not in manifest["agents"]:
                problems.append(f"{name}: the release holds nothing for this agent")
                continue
            proofs[name] = fingerprint_of(manifest, name)
            problems += [f"{name}: {line}" for line in self._ask(directory, manifest, account, proofs[name])]
        if problems:
            raise DeployError(f"Hermes does not accept the release: {problems[0]}", problems=problems)
        return proofs

    def _ask(
        self, directory: str, manifest: Mapping[str, Any], account: hermes_home.Account, fingerprint: str
    ) -> list[str]:
        name = account.name
        proved = list(self.records.load(name).get("proved") or [])
        if fingerprint in proved:
            return []
        request = {"do": "prove", **_request(directory, manifest, name)}
        found = self.home_work.ask(account, directory, request)
        problems: list[str] = found.get("problems", ["no answer"])
        if not problems:
            record, endpoints = self.records.load(name), found.get("endpoints") or []
            # Those of kept releases too: going back must not wait for a new proof.
            self.records.save(
                name,
                proved=[fingerprint, *proved][:KEPT_PROOFS],
                endpoints=release_trial.endpoints_for(record, fingerprint, endpoints, proved),
            )
        return problems


def _request(directory: str, manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    base = os.path.join(directory, "agents", name)
    seed = f"agents/{name}/seeded/config.yaml"
    return {
        "seed": os.path.join(directory, seed) if seed in manifest["files"] else "",
        "documents": os.path.join(base, "home"),
        "scripts": os.path.join(base, "home", "scripts"),
        **merged_of(directory, name),
    }


def fingerprint_of(manifest: Mapping[str, Any], name: str) -> str:
    """Everything that the proof depends on; a release that differs elsewhere needs no new one."""
    head = f"agents/{name}/"
    rooms = ("managed/", "merged/", "seeded/config.yaml", "home/")
    parts = [release_trial.PROOF, manifest["hermes_version"]]
    for path, entry in manifest["files"].items():
        if path.startswith(head) and path[len(head) :].startswith(rooms):
            parts.append(f"{path} {entry.get('sha256') or entry.get('link')}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
