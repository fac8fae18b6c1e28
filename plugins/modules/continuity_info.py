#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: continuity_info
short_description: Look at the files of an agent's continuity
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Looks at every snapshot and log in C(~/.timmy/continuity) of an agent, with all generations and lines.
  - Never changes anything. An agent without continuity has no files; damage is a line in RV(problems).
options:
  agent:
    description: The agent, which is its Unix user. All work is done as that user.
    type: str
    required: true
  home:
    description: The home of the agent. That of its Unix account where this is not given.
    type: path
  data:
    description: Return the documents of the snapshots as well.
    type: bool
    default: false
extends_documentation_fragment:
  - timmy.config.attributes
  - timmy.config.attributes.platform
  - timmy.config.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: timmy.config.continuity_state
  - module: timmy.config.continuity_log
"""

EXAMPLES = r"""
- name: Look at Ezra's continuity
  timmy.config.continuity_info:
    agent: ezra
  register: __fleet_continuity

- name: Stop where something is damaged
  ansible.builtin.assert:
    that: __fleet_continuity.problems | length == 0
    fail_msg: "{{ __fleet_continuity.problems | join('; ') }}"
"""

RETURN = r"""
files:
  description:
    - Each snapshot with its C(generation) and the older good C(generations), each log with its C(rows), its
      C(bad) lines and how many are C(newer) than this release.
  returned: success
  type: list
  elements: dict
  sample:
    - {name: decisions.jsonl, rows: 42, bad: [], newer: 0, problem: ""}
    - {name: state.json, generation: 8, generations: [6, 7], problem: ""}
problems:
  description: One line for each file that is not well.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import continuity_module

ARGUMENTS = {
    "agent": {"type": "str", "required": True},
    "home": {"type": "path"},
    "data": {"type": "bool", "default": False},
}


def main() -> None:
    """All files of one agent."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    answer = continuity_module.module_answer(continuity_module.info, module.params, module.check_mode)
    if answer.get("failed"):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
