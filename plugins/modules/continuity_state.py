#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: continuity_state
short_description: Keep a value of an agent's continuity as declared
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Keeps the value under a key, or a whole document, of a snapshot in C(~/.timmy/continuity) of an agent.
  - A snapshot is replaced by one rename, durably, and its two generations before stay beside it. A kill or a
    power cut leaves the old one or the new one.
  - One that is unreadable, or that a newer release wrote, is an error and is never written over.
options:
  agent:
    description: The agent, which is its Unix user. All work is done as that user.
    type: str
    required: true
  home:
    description: The home of the agent. That of its Unix account where this is not given.
    type: path
  path:
    description: The snapshot, below C(~/.timmy/continuity) or whole.
    type: str
    default: state.json
  key:
    description: Names with dots between them. The whole document where this is not given.
    type: str
  value:
    description: What is to stand there, of any type. Needed for O(state=present).
    type: raw
  state:
    description:
      - V(present) brings the value to what is declared. V(absent) removes the key, or empties the document.
    type: str
    choices: [present, absent]
    default: present
  generation:
    description:
      - Change it only where this generation stands there, 0 for a snapshot that is not there yet. Where the
        value stands as declared already, nothing is compared.
    type: int
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
  - module: timmy.config.continuity_log
  - module: timmy.config.continuity_info
"""

EXAMPLES = r"""
- name: Tell Ezra what to go on with
  timmy.config.continuity_state:
    agent: ezra
    key: work.next_step
    value: Read the review of pull 12

- name: Change it only if nobody else has meanwhile
  timmy.config.continuity_state:
    agent: ezra
    key: work.blockers
    value: []
    generation: 7

- name: Forget a key
  timmy.config.continuity_state:
    agent: ezra
    key: work.next_step
    state: absent
"""

RETURN = r"""
generation:
  description: The generation that stands there now; in check mode the one before.
  returned: success
  type: int
  sample: 8
value:
  description: What stands under the key, or the whole document.
  returned: success
  type: raw
  sample: Read the review of pull 12
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import continuity_module

ARGUMENTS = {
    "agent": {"type": "str", "required": True},
    "home": {"type": "path"},
    "path": {"type": "str", "default": "state.json"},
    "key": {"type": "str", "no_log": False},
    "value": {"type": "raw"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "generation": {"type": "int"},
}


def main() -> None:
    """One value of one snapshot."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "present", ("value",))],
        supports_check_mode=True,
    )
    answer = continuity_module.module_answer(continuity_module.state, module.params, module.check_mode)
    if answer.get("failed"):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
