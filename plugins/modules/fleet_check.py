#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of timmy.config.fleet_check; the work is done by the action plugin of that name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_check
short_description: Check the whole input of a fleet before anything changes
version_added: 0.1.0
author: timmy-config authors (@timmy-config)
description:
  - Checks the wizards, the model, the secrets and every file of the overlay, rendered for every agent.
  - Configuration leaves are checked by name and type against the pinned Hermes, which by itself accepts
    unknown keys and most wrong types in silence.
  - Fails with one line that names the place and the fix. With C(-v) all problems are listed.
  - Runs on the controller only and opens no connection to a host.
  - Secrets are named by agent and variable; their values never appear in the result.
options:
  wizards:
    description:
      - The wizards of the fleet, as in C(timmy_wizards).
      - Each has C(name) and C(host), and may have C(state), C(display_name), C(role_class), C(api_port),
        C(memory_max) and C(env).
    type: raw
    required: true
  hosts:
    description: The names of the inventory's hosts. A wizard on any other host is refused.
    type: list
    elements: str
    required: true
  model:
    description:
      - The model of the fleet, as in C(timmy_model).
      - It has C(provider), C(default), C(base_url) and C(context_length).
    type: raw
    required: true
  fleet_secret:
    description: The fleet secret, of 32 characters or more.
    type: raw
    required: true
  secrets:
    description: Secrets per agent, as in C(timmy_wizard_secrets); each agent maps variables to values.
    type: raw
    default: {}
  overlay_dir:
    description: The directory of the overlay. By default the overlay of this collection.
    type: path
  hermes_keys:
    description:
      - The file that lists what the pinned Hermes knows, made by C(scripts/config_keys.py).
      - By default the one that lies in the files of the role C(timmy.config.hermes_agent).
    type: path
  roles:
    description:
      - Roles of this collection whose variables are looked over, on every host of the inventory.
      - A variable that begins with the name of one of them, and is none of it, is refused.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in C(check_mode); it then changes nothing and returns what a real run would return.
    support: full
  diff_mode:
    description: Returns what differs between the host and the wish in diff mode, without any secret.
    support: none
    details:
      - Nothing is ever changed, so there is no difference to show.
  platform:
    description: The kind of host that the module runs on.
    platforms: posix
    support: full
    details:
      - It runs on the controller.
"""

EXAMPLES = r"""
- name: Check the fleet before anything changes
  timmy.config.fleet_check:
    wizards: "{{ timmy_wizards }}"
    hosts: "{{ groups['all'] }}"
    model: "{{ timmy_model }}"
    fleet_secret: "{{ timmy_fleet_secret }}"
    secrets: "{{ timmy_wizard_secrets }}"
    overlay_dir: "{{ timmy_overlay_dir }}"
  run_once: true
"""

RETURN = r"""
agents:
  description: The names of the agents that are to be present.
  returned: success
  type: list
  elements: str
  sample: [bezalel, ezra, allegro]
msg:
  description: How many agents were checked, or the first problem as one line.
  returned: always
  type: str
  sample: "overlay/config.yaml: agent.max_turn: Hermes 0.19.0 has no such key; did you mean agent.max_turns?"
problems:
  description: Every problem as one line each.
  returned: failure and verbosity of 1 or more
  type: list
  elements: str
  sample:
    - "timmy_wizards[1] (ezra): api_port: 8642 on bezal is taken by bezalel; give each agent its own port"
"""
