#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: continuity_log
short_description: Append to a log of an agent's continuity, compact, verify or repair it
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Works on one log in C(~/.timmy/continuity) of an agent, while the agent goes on appending to it.
  - What was appended is durable when the task ends. A checksum in each line tells damage from content.
options:
  agent:
    description: The agent, which is its Unix user. All work is done as that user.
    type: str
    required: true
  home:
    description: The home of the agent. That of its Unix account where this is not given.
    type: path
  path:
    description: The log, below C(~/.timmy/continuity) or whole. Its name ends in C(.jsonl).
    type: str
    required: true
  operation:
    description:
      - V(append) adds O(record), unless one with the same C(id) is there.
      - V(compact) drops rows by O(keep_rows) and O(keep_days).
      - V(repair) moves damaged lines to a file beside the log, and leaves every good one.
      - V(verify) looks at every line and changes nothing.
    type: str
    choices: [append, compact, repair, verify]
    default: append
  record:
    description: The record, with a text under C(id). Needed for O(operation=append).
    type: dict
  keep_rows:
    description: How many of the last rows stay.
    type: int
  keep_days:
    description:
      - Rows that are not older stay as well, by their time in C(at). A row without a time stays.
    type: float
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
  - module: timmy.config.continuity_info
"""

EXAMPLES = r"""
- name: Note a decision for Ezra
  timmy.config.continuity_log:
    agent: ezra
    path: decisions.jsonl
    record:
      id: 2026-06-01-mirror
      at: "2026-06-01T09:00:00+00:00"
      text: The mirror on vps-2 is the first one from now on.

- name: Keep ninety days of it
  timmy.config.continuity_log:
    agent: ezra
    path: decisions.jsonl
    operation: compact
    keep_days: 90

- name: Move damaged lines aside
  timmy.config.continuity_log:
    agent: ezra
    path: decisions.jsonl
    operation: repair
"""

RETURN = r"""
rows:
  description: Good rows in the log; in check mode as they would be after a compaction.
  returned: success
  type: int
  sample: 42
dropped:
  description: Rows that a compaction dropped.
  returned: when O(operation=compact) or O(operation=repair)
  type: int
  sample: 3
moved:
  description: Damaged lines that were moved aside.
  returned: when O(operation=compact) or O(operation=repair)
  type: int
  sample: 1
aside:
  description: The file that damaged lines were moved to; empty where there were none.
  returned: when O(operation=compact) or O(operation=repair)
  type: str
  sample: /home/ezra/.timmy/continuity/decisions.jsonl.bad-0f4c1ab27d3e9a55
bad:
  description: Each damaged line with its number, its first byte and a reason.
  returned: when O(operation=verify)
  type: list
  elements: dict
  sample: [{"line": 7, "at": 1045, "why": "torn"}]
newer:
  description: Rows that a newer release wrote.
  returned: when O(operation=verify)
  type: int
  sample: 0
problem:
  description: One line about what is wrong, empty where nothing is.
  returned: when O(operation=verify)
  type: str
  sample: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import continuity_module

ARGUMENTS = {
    "agent": {"type": "str", "required": True},
    "home": {"type": "path"},
    "path": {"type": "str", "required": True},
    "operation": {"type": "str", "choices": ["append", "compact", "repair", "verify"], "default": "append"},
    "record": {"type": "dict"},
    "keep_rows": {"type": "int"},
    "keep_days": {"type": "float"},
}


def main() -> None:
    """One log."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("operation", "append", ("record",)),
            ("operation", "compact", ("keep_rows", "keep_days"), True),
        ],
        supports_check_mode=True,
    )
    answer = continuity_module.module_answer(continuity_module.log, module.params, module.check_mode)
    if answer.get("failed"):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
