# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's home and a release: links, seeds, merged keys and cron jobs, replayed after every flip.

The same function brings a home forward and back; what was last applied is on record, so each run knows which
of the keys in a file are ours.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import adoption, hermes_home
from .hermes_home import HomeError
from .release_state import Records, Result, Settings, fingerprint, read_json


class Homes:
    """Works on the homes of one host and notes in the result what it did."""

    def __init__(self, settings: Settings, records: Records, result: Result) -> None:
        self.settings = settings
        self.records = records
        self.result = result

    def ask(self, who: hermes_home.Account, directory: str, request: Mapping[str, Any]) -> dict[str, Any]:
        python = os.path.join(directory, "hermes", "bin", "python")
        if not os.path.exists(python):
            where = os.path.realpath(os.path.dirname(python))
            raise HomeError(f"{where} holds no Hermes; the role hermes_agent makes it")
        return hermes_home.ask_hermes(
            who,
            python,
            os.path.join(directory, "agents", who.name, "managed"),
            request,
            timeout_s=self.settings.ask_timeout_s,
        )

    def settle(
        self, name: str, manifest: Mapping[str, Any], directory: str, who: hermes_home.Account
    ) -> None:
        """Links and seeds, then the merged keys and jobs; each is on record before it is needed again."""
        record = self.records.load(name)
        plan = hermes_home.plan_for(manifest, name, who.home, self.settings.root, record)
        seen = hermes_home.look(who, plan)
        if seen["link"] or seen["keep"] or seen["unlink"] or seen["seed"]:
            done = hermes_home.settle(who, plan, directory)
            self._note_home(name, done["linked"] + done["unlinked"], done["seeded"], done["kept"])
        self.result.add("drift", name, [f"{one}: no longer our link" for one in seen["drift"]])
        # A link that was drift stays on record, so that it stays drift and is never set aside without a word.
        accepted = adoption.after_links(record, manifest, name)
        self.records.save(
            name, links=dict(plan.links), **({"adopted": accepted} if "adopted" in record else {})
        )
        merged = merged_of(directory, name)
        if self._merged_settled(record, merged, seen) and not seen["seed"]:
            self.result.add("drift", name, list(record.get("edited") or []))
            return
        request = {"do": "apply", **merged, **adoption.last_applied(record)}
        # Until an answer is on record, what stands as one of the runs before it wanted it counts as ours too.
        begun = [one for one in record.get("pending") or [] if one != merged]
        self.records.save(name, pending=[*begun, merged])
        self._take_answer(name, merged, self.ask(who, directory, request))

    def _note_home(self, name: str, linked: list[str], seeded: list[str], kept: list[str]) -> None:
        self.result.changed = True
        self.result.add("linked", name, linked)
        self.result.add("seeded", name, seeded)
        self.result.add("kept", name, kept)

    def _merged_settled(
        self, record: Mapping[str, Any], merged: Mapping[str, Any], seen: Mapping[str, Any]
    ) -> bool:
        return (
            not record.get("pending")
            and record.get("merged") == fingerprint(merged)
            and record.get("config_sha256") == seen["config_sha256"]
            and not seen["cron_edits"]
        )

    def _take_answer(self, name: str, merged: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        config, cron = answer["config"], answer["cron"]
        if config["problems"]:
            raise HomeError(f"{name}: {config['problems'][0]}")
        self._note_merged(name, config, cron)
        record = self.records.load(name)
        accepted = {"adopted": adoption.after_apply(record, answer)} if "adopted" in record else {}
        self.records.save(
            name,
            **accepted,
            config=config["base"],
            pending=[],
            made=config["made"],
            config_sha256=config["sha256"],
            cron=cron["record"],
            merged=fingerprint(merged),
            edited=[f"{one}: edited" for one in config["edited"] + cron["edited"]],
        )

    def _note_merged(self, name: str, config: Mapping[str, Any], cron: Mapping[str, Any]) -> None:
        changed = [f"config.yaml: {key}" for key in config["changed"]] + list(cron["changed"])
        self.result.changed = self.result.changed or bool(changed)
        self.result.add("merged", name, changed)
        self.result.add("drift", name, [f"{one}: edited" for one in config["edited"] + cron["edited"]])
        self.result.add(
            "kept",
            name,
            [f"{one}: was set by somebody else before" for one in config["taken"] + cron["taken"]],
        )

    def clear(self, who: hermes_home.Account, directory: str) -> None:
        """Take our links, keys and jobs out of a home; everything else in it stays."""
        record = self.records.load(who.name)
        plan = hermes_home.plan_for({}, who.name, who.home, self.settings.root, record)
        done = hermes_home.settle(who, plan, directory)
        self.result.add("linked", who.name, done["unlinked"])
        if record.get("config") or record.get("cron") or record.get("pending"):
            request = {"do": "apply", "config": {}, "jobs": [], **adoption.last_applied(record)}
            answer = self.ask(who, directory, request)
            if answer["config"]["problems"]:
                raise HomeError(f"{who.name}: {answer['config']['problems'][0]}")
            self._note_merged(who.name, answer["config"], answer["cron"])
        self.records.forget(who.name)

    def predict(self, name: str, home: str, manifest: Mapping[str, Any], directory: str) -> None:
        record = self.records.load(name)
        account = hermes_home.account(name, home)
        if account is None or not os.path.isdir(account.home):
            plan = hermes_home.plan_for(manifest, name, home or f"/home/{name}", self.settings.root, {})
            self._note_home(name, sorted(plan.links), sorted(plan.seeds), [])
            return
        plan = hermes_home.plan_for(manifest, name, account.home, self.settings.root, record)
        seen = hermes_home.look(account, plan)
        if seen["link"] or seen["keep"] or seen["unlink"] or seen["seed"]:
            self._note_home(name, seen["keep"] + seen["link"] + seen["unlink"], seen["seed"], seen["keep"])
        self.result.add("drift", name, [f"{one}: no longer our link" for one in seen["drift"]])
        here = os.path.isdir(directory)
        merged = merged_of(directory, name) if here else None
        if merged is not None and not self._merged_settled(record, merged, seen):
            answer = self.ask(
                account, directory, {"do": "apply", "dry": True, **merged, **adoption.last_applied(record)}
            )
            if not answer["config"]["problems"]:
                self._note_merged(name, answer["config"], answer["cron"])


def merged_of(directory: str, name: str) -> dict[str, Any]:
    """The merged state that a release wants for an agent."""
    base = os.path.join(directory, "agents", name, "merged")
    config, jobs = read_json(os.path.join(base, "config.json")), read_json(os.path.join(base, "cron.json"))
    return {"config": config or {}, "jobs": (jobs or {}).get("jobs", [])}
