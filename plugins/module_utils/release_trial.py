# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tried before a flip, while nothing has changed yet: the agents' keys, and on request a real run.

A key that was refused and a run that failed stop the deploy. An endpoint that nobody can reach does not:
fleets without an internet have keys too, and not to flip would change nothing about that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import guard, hermes_home
from .release_state import DeployError, Records, Result, Settings, Wanted, fingerprint

if TYPE_CHECKING:
    from . import release_probe

# Part of the fingerprint of a proof: a proof that looked at less does not count any more.
PROOF = "proof 2"
CHANGED, ALWAYS, NEVER = "changed", "always", "never"
PROBE_KEYS = (CHANGED, ALWAYS, NEVER)
# Keys on record for an agent; more than one has, so that going to and fro asks nothing twice.
_KEPT_KEYS = 32
# A run that went well counts for a deploy that is repeated at once, as one that waits for busy agents is.
_SMOKE_COUNTS_S = 600.0
# Verdicts of release_probe, which is loaded only where there is a key: what it needs takes time to load.
_REFUSED, _GOOD = "refused", ("accepted", "open")
PROMPT = "Answer with the single word: ready."


def endpoints_for(
    record: Mapping[str, Any], proof: str, endpoints: Sequence[Mapping[str, Any]], kept: Sequence[str]
) -> dict[str, Any]:
    """The endpoints that Hermes named, by the proof in which it did, for the proofs that are kept."""
    known: Mapping[str, Any] = record.get("endpoints") or {}
    return {**{one: known[one] for one in kept if one in known}, proof: list(endpoints)}


def prompt_of(value: Any) -> str:
    """The prompt that `sidecar_smoke` asks for: none for false, ours for true, else the operator's own."""
    if isinstance(value, str) and value.strip().lower() in ("", "false", "no", "off"):
        return ""
    if isinstance(value, str) and value.strip().lower() not in ("true", "yes", "on"):
        return value.strip()
    return PROMPT if value else ""


class Trial:
    """The trials of one deploy on one host."""

    def __init__(self, settings: Settings, wanted: Wanted, records: Records, result: Result) -> None:
        self.settings = settings
        self.wanted = wanted
        self.records = records
        self.result = result
        # What other agents of this host have asked in this deploy: a shared key is tried once.
        self._answered: dict[str, release_probe.Answer] = {}

    def run(
        self,
        directory: str,
        manifest: Mapping[str, Any],
        accounts: Mapping[str, hermes_home.Account],
        proofs: Mapping[str, str],
    ) -> None:
        """Probe the keys of all agents, then let each agent do one run where that was asked for.

        `proofs` are the fingerprints under which the endpoints of the agents are on record.
        """
        if self.wanted.kept:
            # Going back must not wait for anybody else.
            return
        problems = [line for name, who in accounts.items() for line in self._refused(who, proofs[name])]
        if problems:
            raise DeployError(f"{problems[0]}; nothing was changed", problems=problems)
        if self.settings.smoke:
            for name, who in accounts.items():
                self._smoke(who, directory, manifest, proofs[name])

    def _env(self, name: str) -> dict[str, str]:
        return {key: str(value) for key, value in (self.wanted.secrets.get(name) or {}).items()}

    def _refused(self, who: hermes_home.Account, proof: str) -> list[str]:
        """The keys of an agent that were refused, as lines; what else there is to say is in the result."""
        if self.settings.probe_keys == NEVER:
            return []
        record = self.records.load(who.name)
        env, known = self._env(who.name), list(record.get("keys") or [])
        endpoints = (record.get("endpoints") or {}).get(proof) or []
        if not any(env.get(key) for endpoint in endpoints for key in endpoint["keys"]):
            return []
        from . import release_probe  # noqa: PLC0415

        probes = release_probe.probes_of(endpoints, env)
        due = [one for one in probes if self.settings.probe_keys == ALWAYS or one.digest not in known]
        fresh = [one for one in due if one.digest not in self._answered]
        found = release_probe.run(who, fresh, env, self.settings.probe_timeout_s)
        self._answered.update({one.digest: answer for one, answer in zip(fresh, found, strict=True)})
        problems = [line for one in due for line in self._note(who.name, one)]
        good = [one.digest for one in due if self._answered[one.digest].verdict in _GOOD]
        if good:
            self.records.save(who.name, keys=list(dict.fromkeys([*good, *known]))[:_KEPT_KEYS])
        return problems

    def _note(self, name: str, probe: release_probe.Probe) -> list[str]:
        answer = self._answered[probe.digest]
        self.result.probes.setdefault(name, {})[f"{probe.provider} {probe.name}"] = answer.verdict
        if answer.verdict == _REFUSED:
            line = f"{name}: {probe.provider} refuses the key {probe.name} ({answer.reason})"
            return [f"{line}; give the agent a valid one, or take the variable away"]
        if answer.verdict not in _GOOD:
            self.result.warnings.append(
                f"{name}: {probe.provider} did not say whether it takes {probe.name}: {answer.reason}"
            )
        return []

    def _smoke(
        self, who: hermes_home.Account, directory: str, manifest: Mapping[str, Any], proof: str
    ) -> None:
        env = self._env(who.name)
        what = fingerprint([proof, self.settings.smoke, env])
        last = self.records.load(who.name).get("smoke") or {}
        now, boot = guard.boot_time(), guard.boot_id()
        if last.get("what") == what and last.get("boot") == boot and now - last["at"] < _SMOKE_COUNTS_S:
            return
        from . import release_smoke  # noqa: PLC0415

        answer = release_smoke.run(self.settings, who, directory, manifest, env)
        self.result.smoke[who.name] = answer.public()
        if not answer.ok:
            line = f"{who.name}: the smoke run ended as {answer.outcome}: {answer.reason}"
            raise DeployError(f"{line}; nothing was changed", problems=[line], smoke=dict(self.result.smoke))
        self.records.save(who.name, smoke={"what": what, "boot": boot, "at": now})
