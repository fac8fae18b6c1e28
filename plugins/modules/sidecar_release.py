#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sidecar_release
short_description: Bring a host to one release of the overlay
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Renders the overlay for each agent of a host, puts all of it into one immutable directory named after its
    content, lets Hermes itself read it, and activates it by one rename of one link.
  - Afterwards the homes of the agents are brought to the release as the agents themselves, which means links,
    files that are seeded once, keys of the home's configuration, and cron jobs. What Hermes or an agent wrote
    there stays.
  - Only gateways that need it are restarted.
  - From the flip on the guard of the host holds the way back. The release counts when each gateway is well
    and the controller has said so over a connection that it made after the flip. Otherwise the host takes
    link, env files, homes and units back by itself, also when it restarts in between, and the task fails.
  - Where turns are under way in a gateway that has to restart, they get O(drain_s) before that window begins.
  - One deploy at a time works on a host. Another waits, and takes over from one that will not come back.
  - A file of the release that somebody damaged on the host is reported as drift and put right.
  - An unchanged host costs one round trip.
options:
  state:
    description:
      - V(present) brings the host to the release; V(absent) stops the agents and takes it away again.
      - V(absent) leaves everything in the homes that is not this module's own.
    type: str
    choices: [present, absent]
    default: present
  release:
    description:
      - A release that this host still keeps, by the name of its directory or the beginning of it, to go to
        instead of what the overlay says. V(previous) is the one that was active before.
      - Its Hermes comes with it. Env files and C(fleet.json) stay as they are.
    type: str
  overlay_dir:
    description:
      - Directory of the overlay on the controller.
      - The overlay of the collection where this is not given.
    type: path
  agents:
    description:
      - The agents of this host.
      - Each needs a C(name). C(api_port), C(env), C(home) and what the overlay's templates use are optional.
    type: list
    elements: dict
    default: []
  fleet:
    description: All agents of the fleet, for templates and for C(fleet.json).
    type: list
    elements: dict
    default: []
  model:
    description: The model that the fleet runs on, for templates.
    type: dict
    default: {}
  host:
    description: The name of this host in the fleet. The inventory's name where this is not given.
    type: str
  timezone:
    description: The timezone of the fleet, for C(fleet.json).
    type: str
    default: UTC
  secrets:
    description:
      - Environment of each agent by its name, such as its bot token and C(API_SERVER_KEY).
      - Written to an env file of root and the agent's group, never into a release. Values are masked.
    type: dict
    default: {}
  hermes_version:
    description: The Hermes that the release runs. It must stand below O(hermes_root).
    type: str
    default: 0.19.0
  health_timeout_s:
    description: How long a gateway may take until it reports that it is well, in seconds.
    type: float
    default: 90.0
  keep:
    description: How many releases to keep beside the current one and the one before.
    type: int
    default: 5
  manage_units:
    description: Whether to enable and restart the agents' units and to wait for their gateways.
    type: bool
    default: true
  release_root:
    description: Where releases live on the host.
    type: path
    default: /opt/timmy
  hermes_root:
    description: Where the Hermes environments live on the host.
    type: path
    default: /opt/hermes
  config_dir:
    description: Where C(fleet.json) and the env files live on the host.
    type: path
    default: /etc/timmy
  window_s:
    description:
      - How long a flip may stay unconfirmed, in seconds, at most 60.
      - It is shorter where the stop and start limits of the units that restart, and 30 seconds, are less.
    type: float
    default: 60.0
  drain_s:
    description: How long turns that are under way may take before their gateway restarts, in seconds.
    type: float
    default: 0.0
  lock_wait_s:
    description: How long to wait for another deploy on the same host, in seconds.
    type: float
    default: 300.0
  probe_keys:
    description:
      - Which keys of the agents to try before the flip, from the host, at the providers and chat platforms
        for which the release uses them. Each key and endpoint costs one cheap read within O(probe_timeout_s).
      - V(changed) tries those that this host has not seen accepted yet, V(always) all of them at each flip.
      - A key that is refused ends the deploy before anything is changed. An endpoint that does not answer, or
        says something else, is a warning, so fleets without an internet can be deployed.
    type: str
    choices: [changed, always, never]
    default: changed
  probe_timeout_s:
    description: How long all reads of an agent's keys may take together, in seconds.
    type: float
    default: 5.0
  smoke:
    description:
      - V(true) lets each agent do one run from the staged release before the flip, in a home that is thrown
        away afterwards. Any other text than V(true) or V(false) is the prompt of that run.
      - Tools that such a prompt asks for work where the agent's own do, so it should ask for none.
      - A run that Hermes' usage file does not call complete ends the deploy before anything is changed.
    type: raw
    default: false
  smoke_timeout_s:
    description: How long that run may take, in seconds.
    type: float
    default: 120.0
  record_dir:
    description: Directory of the guard's records.
    type: path
    default: /var/lib/timmy-guard
  ask:
    description:
      - Whether only to say if there is anything to do on this host, as RV(due).
      - Nothing is sent and nothing is changed.
    type: bool
    default: false
  ask_groups:
    description:
      - Two groups of the inventory in memory.
      - With O(ask) the host joins the first for the rest of the run where there is something to do, else
        the second.
    type: list
    elements: str
    default: []
  parcel:
    description:
      - What O(ask) left on the controller for this host, earlier in the same run.
      - All other options are then as they were when the host was asked; only O(secrets) is given anew.
    type: path
  owner:
    description: Who holds the deploy lock. Set by the action plugin.
    type: str
    default: ""
  wanted:
    description: The hash of the wanted release. Set by the action plugin.
    type: str
    default: ""
  fleet_json:
    description: The content of C(fleet.json). Set by the action plugin.
    type: dict
    default: {}
  archive:
    description: The archive of the release on the host. Set by the action plugin when the host asks for it.
    type: path
extends_documentation_fragment:
  - timmy.config.attributes
  - timmy.config.attributes.platform
  - timmy.config.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: timmy.config.sidecar_release_info
  - module: timmy.config.fleet_check
"""

EXAMPLES = r"""
- name: Bring the overlay to a host with one agent
  timmy.config.sidecar_release:
    overlay_dir: /srv/fleet/overlay
    agents:
      - name: ezra
        host: hermes-vps
        api_port: 8642
    model:
      provider: ollama
      default: gemma-4-31b-it
      base_url: http://127.0.0.1:11434/v1
      context_length: 65536
    secrets:
      ezra:
        API_SERVER_KEY: "{{ vault_ezra_api_key }}"

- name: Go back to the release before
  timmy.config.sidecar_release:
    release: previous

- name: Take it all away again
  timmy.config.sidecar_release:
    state: absent
    agents:
      - name: ezra
"""

RETURN = r"""
release:
  description: The short hash of the release, which is the name of its directory.
  returned: success
  type: str
  sample: 0f4c1ab27d3e9a55
previous:
  description: The release that was active before; empty where there was none.
  returned: success
  type: str
  sample: 77d0c2b19a1f4e08
changed_paths:
  description: The paths that differ between both releases or were put right in this one, by owner class.
  returned: success
  type: dict
  sample: {"managed": ["skills/triage/SKILL.md"]}
env_changed:
  description: Names (never values) that changed in an agent's env file.
  returned: success
  type: dict
  sample: {"ezra": ["TELEGRAM_BOT_TOKEN"]}
linked:
  description: Links made or removed in a home.
  returned: success
  type: dict
  sample: {"ezra": [".hermes/SOUL.md"]}
seeded:
  description: Files created once in a home.
  returned: success
  type: dict
  sample: {"ezra": [".hermes/memories/MEMORY.md"]}
kept:
  description: What stood in the place of a link and was renamed, and keys that somebody else had set before.
  returned: success
  type: dict
  sample: {"ezra": [".hermes/SOUL.md -> SOUL.md.timmy-kept-1"]}
merged:
  description: Keys and cron jobs that were set, updated or removed in a home.
  returned: success
  type: dict
  sample: {"ezra": ["config.yaml: skills.external_dirs", "cron morning-report: created"]}
drift:
  description:
    - What somebody edited though it is ours. It is reported and kept.
    - Under C(release) stands what was damaged in the release itself; it is put right.
  returned: success
  type: dict
  sample: {"ezra": ["terminal.env_passthrough: edited"]}
restarted:
  description: Agents whose gateway was restarted.
  returned: success
  type: list
  elements: str
  sample: [ezra]
retired:
  description: Agents that are no longer on this host; their units are stopped.
  returned: success
  type: list
  elements: str
  sample: []
pruned:
  description: Old releases that were removed.
  returned: success
  type: list
  elements: str
  sample: []
health:
  description: What each gateway says about itself.
  returned: success
  type: dict
  sample: {"ezra": {"ok": true, "version": "0.19.0"}}
confirmed:
  description: Whether the flip was accepted over a new connection.
  returned: when something was flipped
  type: bool
  sample: true
need_archive:
  description: Whether the host lacks the release. Only the action plugin sees it true.
  returned: success
  type: bool
  sample: false
due:
  description: Whether there is anything to do on this host, a gateway that is not well included.
  returned: with O(ask)
  type: bool
  sample: false
parcel:
  description: Where the work for this host lies packed on the controller until the run ends.
  returned: with O(ask), when there is something to do
  type: str
  sample: /root/.ansible/tmp/ansible-local-4711k2/parcel-x1
problems:
  description: Every reason why Hermes does not accept the release.
  returned: when the release was refused
  type: list
  elements: str
  sample: ["ezra: config.yaml: agent.max_turn: Hermes does not know this key; did you mean agent.max_turns?"]
probes:
  description:
    - What providers and platforms said about the keys that were tried, by agent.
    - V(open) is an endpoint that answers without a key as well.
  returned: success
  type: dict
  sample: {"ezra": {"openrouter OPENROUTER_API_KEY": "accepted"}}
smoke:
  description: How the run before the flip ended, by agent.
  returned: success
  type: dict
  sample: {"ezra": {"ok": true, "outcome": "success", "reason": "completed", "duration_s": 2.4}}
rolled_back:
  description: Whether the host is back on the release before.
  returned: when a flip was not confirmed
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import release_arguments, release_tool


def main() -> None:
    """One call into the host half of a deploy."""
    module = AnsibleModule(argument_spec=release_arguments.ARGUMENTS, supports_check_mode=True)
    answer = release_tool.visit(module.params, module.check_mode, module._diff)
    for line in answer.pop("warnings", None) or []:
        module.warn(line)
    if answer.get("failed"):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
