# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller half of timmy.config.fleet_check; it is the whole of it, since no host is asked anything."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.timmy.config.plugins.module_utils import (
    agent_portfolio,
    config_env,
    config_schema,
    fleet_check,
    overlay_check,
    overlay_cron,
    overlay_documents,
    overlay_rules,
    overlay_skins,
)
from ansible_collections.timmy.config.plugins.module_utils.fleet_check import SECRETS
from ansible_collections.timmy.config.plugins.module_utils.overlay_problem import Problem
from ansible_collections.timmy.config.plugins.plugin_utils import overlay, render_memo

_COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Each agent has one, derived from the fleet's secret, whether the operator names it or not.
GATEWAY_KEY = "API_SERVER_KEY"
DEFAULT_OVERLAY = os.path.join(_COLLECTION, "overlay")
DEFAULT_KEYS = os.path.join(_COLLECTION, "roles", "hermes_agent", "files", "config-keys-0.19.0.json")
# Types are checked by fleet_check itself; Ansible's own conversion would quote the value that it dislikes.
_SPEC: dict[str, dict[str, Any]] = {
    "wizards": {"type": "raw", "required": True},
    "hosts": {"type": "list", "elements": "str", "required": True},
    "model": {"type": "raw", "required": True},
    "fleet_secret": {"type": "raw", "required": True, "no_log": True},
    "secrets": {"type": "raw", "default": {}, "no_log": True},
    "overlay_dir": {"type": "path", "default": DEFAULT_OVERLAY},
    "hermes_keys": {"type": "path", "default": DEFAULT_KEYS},
    "roles": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Validate the whole input of a fleet run; change nothing, contact nobody."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the agents found, or fail with the first problem in one line."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, args = self.validate_argument_spec(_SPEC)
        unknown = _unknown_variables(args["roles"], (task_vars or {}).get("hostvars"))
        lines = list(dict.fromkeys([*unknown, *_check(self._templar, args)]))
        result["changed"] = False
        if not lines:
            result["agents"] = fleet_check.present_names(args["wizards"])
            result["msg"] = f"{len(result['agents'])} agents checked"
            return result
        result["failed"] = True
        result["msg"] = lines[0]
        if len(lines) > 1:
            result["msg"] += f" (and {len(lines) - 1} more; -v lists them)"
        if Display().verbosity > 0:
            result["problems"] = lines
        return result


def _unknown_variables(roles: list[str], hostvars: Any) -> Iterator[str]:
    """Variables of any host that look like a role's own and are none of it; names only, no value is read."""
    heads = tuple(f"{role}_" for role in roles)
    known: set[str] = set()
    for role in roles:
        path = os.path.join(_COLLECTION, "roles", role, "meta", "argument_specs.yml")
        with open(path, "rb") as handle:
            specs = overlay.parse(f"roles/{role}/meta/argument_specs.yml", handle.read())
        known.update(specs["argument_specs"]["main"]["options"])
    found = {
        name
        for host in (hostvars or {} if roles else {})
        for name in hostvars.raw_get(host)
        if name.startswith(heads) and name not in known
    }
    if found:
        names = ", ".join(sorted(found))
        yield f"No role has a variable {names}; the roles' README files list the names"


def _check(templar: Any, args: Mapping[str, Any]) -> Iterator[str]:
    """Lines in the order in which an operator should mend them; later checks wait for what they rely on."""
    wizards, model, secrets = args["wizards"], args["model"], args["secrets"]
    fleet = fleet_check.check_fleet(
        wizards, args["hosts"], model=model, secrets=secrets, fleet_secret=args["fleet_secret"]
    )
    yield from (problem.line() for problem in fleet)
    directory = args["overlay_dir"]
    shown = os.path.basename(os.path.normpath(directory))
    try:
        keys = _load_keys(args["hermes_keys"])
        tree = overlay.load_overlay(directory)
        keys["memory_providers"] = [*keys.get("memory_providers", ()), *overlay_rules.plugin_names(tree)]
        parsed = overlay.parse_tree(tree)
        found = overlay_check.check_overlay(
            tree,
            parsed,
            toolsets=keys["toolsets"],
            providers=keys["providers"],
            platforms=keys["platforms"],
            fleet_provider=str(model.get("provider", "")) if isinstance(model, Mapping) else "",
        )
        if not found and not fleet:
            found = list(_check_agents(templar, tree, parsed, args=args, keys=keys))
    except overlay.OverlayError as error:
        yield str(error) if os.path.isabs(error.path) else f"{shown}/{error}"
        return
    for problem in found:
        own = problem.path.startswith("timmy_")
        yield problem.line() if own else f"{shown}/{problem.line()}"


def _load_keys(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as handle:
            keys: dict[str, Any] = json.load(handle)
    except (OSError, ValueError) as error:
        raise overlay.OverlayError(
            os.path.abspath(path), f"is no key file: {error}; make it with scripts/config_keys.py"
        ) from error
    return keys


def _check_agents(
    templar: Any,
    tree: Mapping[str, bytes],
    parsed: Mapping[str, Any],
    *,
    args: Mapping[str, Any],
    keys: Mapping[str, Any],
) -> Iterator[Problem]:
    """What only shows once the overlay is rendered for each agent."""
    wizards, secrets = args["wizards"], args["secrets"]
    classes = parsed[overlay.PORTFOLIOS]["classes"]
    roles = list(fleet_check.check_wizards(wizards, {wizard["host"] for wizard in wizards}, classes))
    yield from roles
    if roles:
        return
    ownership = overlay.ownership_of(tree)
    # Copied as it stands, so it is the same for all.
    seed = parsed["seed/config.yaml"]
    wrong = config_schema.check_config("seed/config.yaml", seed, keys, layer="seed")
    yield from wrong
    agents = []
    for wizard in wizards:
        if wizard.get("state", "present") != "present":
            continue
        names = {*secrets.get(wizard["name"], {}), *wizard.get("env", {}), GATEWAY_KEY}
        variables = overlay.agent_variables(
            templar,
            tree,
            wizard,
            host=wizard["host"],
            fleet=wizards,
            model=args["model"],
            secret_names=names,
        )
        agents.append(variables["wizard"])
        values = overlay.render_values(templar, tree, ownership, variables)
        rendered = dict(values.values())
        found = [line for path, value in rendered.items() for line in _check_rendered(path, value, keys)]
        yield from found
        if not found and not wrong:
            rendered["seed/config.yaml"] = seed
            yield from _check_together(wizard["name"], names, rendered, tree=tree, keys=keys)
        key = render_memo.key_of(tree, wizard, wizard["host"], wizards, args["model"], sorted(names))
        render_memo.put(key, overlay.encoded(values))
    yield from agent_portfolio.check_agents_portfolios(agents)


def _check_rendered(path: str, value: Any, keys: Mapping[str, Any]) -> Iterator[Problem]:
    if path == "config.yaml":
        yield from config_schema.check_config(path, value, keys)
    elif path == "home-config.yaml":
        yield from config_schema.check_config(path, value, keys, layer="home")
    elif path in ("SOUL.md", "HEART.md") and isinstance(value, str):
        yield from overlay_documents.check_soul(path, value)
    elif path.startswith("memories/") and isinstance(value, str):
        yield from overlay_documents.check_memory(path, value)
    elif path.startswith("cron/") and isinstance(value, Mapping):
        for job in value.get("jobs", []):
            source = f"cron/{job.get('name')}.yaml" if isinstance(job, Mapping) else path
            yield from overlay_cron.check_cron(source, job, keys["toolsets"])


def _check_together(
    agent: str, names: Collection[str], rendered: Mapping[str, Any], *, tree: Mapping[str, bytes], keys: Any
) -> Iterator[Problem]:
    """What only shows when the files of one agent are held side by side."""
    config, home, seed = (
        rendered.get(name) for name in ("config.yaml", "home-config.yaml", "seed/config.yaml")
    )
    yield from overlay_skins.check_choice("config.yaml", config, tree, keys["skins"])
    yield from config_schema.check_hidden("seed/config.yaml", seed, config, keys)
    for path, value in (("config.yaml", config), ("home-config.yaml", home)):
        yield from config_env.check_wanted(path, agent, names, value)
    for path, value in rendered.items():
        if path.startswith("cron/") and isinstance(value, Mapping) and isinstance(config, Mapping):
            yield from overlay_cron.check_jobs(value.get("jobs", []), config, tree, keys)
    yield from config_env.check_given(SECRETS, agent, names, keys, (config, home))
