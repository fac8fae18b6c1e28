# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's home and a release: links, seeds, merged keys and cron jobs, replayed after every flip.

The same function brings a home forward and back; what was last applied is on record, so each run knows which
of the keys in a file are ours.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from . import adoption, declarations, hermes_home, home_merge
from .hermes_home import HomeError
from .release_state import Records, Result, Settings, fingerprint, read

CONFIG = ".hermes/config.yaml"


class Homes:
    """Works on the homes of one host and notes in the result what it did."""

    def __init__(self, settings: Settings, records: Records, result: Result) -> None:
        self.settings = settings
        self.records = records
        self.result = result

    def ask(
        self, who: hermes_home.Account, directory: str, request: Mapping[str, Any], python: str = ""
    ) -> dict[str, Any]:
        python = python or os.path.join(directory, "hermes", "bin", "python")
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
        self._note_links(name, seen)
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
        self._replay(who, directory, record, merged)

    def ask_beside(
        self, who: hermes_home.Account, directory: str, request: Mapping[str, Any], python: str = ""
    ) -> dict[str, Any]:
        """A request for a declaration. A file that was as the release left it stays known as such."""
        answer = self.ask(who, directory, request, python)
        config = answer["config"]
        if not request.get("dry") and not config["problems"]:
            left = self.records.load(who.name).get("config_sha256")
            if left and left == config["found_sha256"]:
                self.records.save(who.name, config_sha256=config["sha256"])
        return answer

    def _replay(
        self,
        who: hermes_home.Account,
        directory: str,
        before: Mapping[str, Any],
        merged: Mapping[str, Any],
    ) -> None:
        """What plays declared and the release has let go of stands again; a deploy does not fail of that."""
        own = declarations.Declarations(self.settings.root, who.name)
        held = declarations.held_by(merged)
        try:
            own.replay(
                before,
                self.records.load(who.name),
                held,
                lambda request, python: self.ask_beside(who, directory, request, python),
            )
        except HomeError as error:
            told = "what a play declared is not back; run that play again"
            self.result.warnings.append(f"{error}; {told}")

    def clear_declared(self, who: hermes_home.Account, directory: str) -> None:
        """Take what plays declared out of a home as well."""

        def ask(request: Mapping[str, Any], python: str) -> dict[str, Any]:
            answer = self.ask_beside(who, directory, request, python)
            if answer["config"]["problems"]:
                raise HomeError(f"{who.name}: {answer['config']['problems'][0]}")
            self._note_merged(who.name, answer["config"], answer["cron"])
            return answer

        declarations.Declarations(self.settings.root, who.name).clear(ask)

    def _note_links(self, name: str, seen: Mapping[str, Any]) -> None:
        told = [f"{one}: no longer our link" for one in seen["drift"]]
        told += [f"{one}: dropped by the overlay, and no longer our link" for one in seen["left"]]
        self.result.add("drift", name, told)

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

    def predict(
        self,
        name: str,
        home: str,
        manifest: Mapping[str, Any],
        directory: str,
        contents: Mapping[str, bytes] | None = None,
    ) -> None:
        """Note what `settle` would; of a release that is not on this host, `contents` holds the files."""
        record = self.records.load(name)
        merged = merged_of(directory, name, contents)
        account = hermes_home.account(name, home)
        if account is None or not os.path.isdir(account.home):
            plan = hermes_home.plan_for(manifest, name, home or f"/home/{name}", self.settings.root, {})
            self._note_home(name, sorted(plan.links), sorted(plan.seeds), [])
            self._note_blank(name, merged)
            return
        plan = hermes_home.plan_for(manifest, name, account.home, self.settings.root, record)
        seen = hermes_home.look(account, plan)
        if seen["link"] or seen["keep"] or seen["unlink"] or seen["seed"]:
            kept = [f"{one} -> {seen['aside'][one]}" for one in seen["keep"]]
            self._note_home(name, seen["keep"] + seen["link"] + seen["unlink"], seen["seed"], kept)
        self._note_links(name, seen)
        if self._merged_settled(record, merged, seen) and not seen["seed"]:
            self.result.add("drift", name, list(record.get("edited") or []))
            return
        python = self._hermes_at_hand(manifest)
        if not python:
            # A host without any Hermes has had no agent that could have written a configuration.
            self._note_blank(name, merged)
            return
        seed = _content(directory, plan.seeds[CONFIG], contents) if CONFIG in seen["seed"] else b""
        request = {"do": "apply", "dry": True, **merged, **adoption.last_applied(record)}
        request["seed_text"] = seed.decode("utf-8", "replace")
        answer = self.ask(account, directory, request, python)
        if answer["config"]["problems"]:
            raise HomeError(f"{name}: {answer['config']['problems'][0]}")
        self._note_merged(name, answer["config"], answer["cron"])

    def _hermes_at_hand(self, manifest: Mapping[str, Any]) -> str:
        """The interpreter of the wanted Hermes, before it is installed that of the current one, or "" ."""
        wanted = str((manifest["files"].get("hermes") or {}).get("link") or "")
        for place in (wanted, os.path.join(self.settings.root, "current", "hermes")):
            python = os.path.join(place, "bin", "python")
            if place and os.path.exists(python):
                return python
        return ""

    def _note_blank(self, name: str, merged: Mapping[str, Any]) -> None:
        changed = [f"config.yaml: {key}" for key in home_merge.merge(merged["config"], {}, {}).changed]
        self.result.add("merged", name, changed + [f"cron {job['name']}: created" for job in merged["jobs"]])

    def predict_clear(self, name: str, manifest: Mapping[str, Any], directory: str) -> None:
        """Note what `clear` would do to the home of an agent that leaves."""
        account, record = hermes_home.account(name), self.records.load(name)
        if account is None or not os.path.isdir(account.home):
            return
        plan = hermes_home.plan_for({}, name, account.home, self.settings.root, record)
        self.result.add("linked", name, hermes_home.look(account, plan)["unlink"])
        python = self._hermes_at_hand(manifest)
        if python and (record.get("config") or record.get("cron")):
            request = {"do": "apply", "dry": True, "config": {}, "jobs": [], **adoption.last_applied(record)}
            answer = self.ask(account, directory, request, python)
            if not answer["config"]["problems"]:
                self._note_merged(name, answer["config"], answer["cron"])


def merged_of(directory: str, name: str, contents: Mapping[str, bytes] | None = None) -> dict[str, Any]:
    """The merged state that a release wants for an agent."""
    config, jobs = (
        _json_of(_content(directory, f"agents/{name}/merged/{part}.json", contents))
        for part in ("config", "cron")
    )
    return {"config": config or {}, "jobs": (jobs or {}).get("jobs", [])}


def _content(directory: str, path: str, contents: Mapping[str, bytes] | None) -> bytes:
    """A file of a release, wherever that is now; empty where it has none of that name."""
    return contents.get(path, b"") if contents else read(os.path.join(directory, path)) or b""


def _json_of(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
