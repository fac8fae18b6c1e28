#!/usr/bin/python

# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: settle a change that the guard watches."""

from __future__ import annotations

DOCUMENTATION = r"""
module: guard
short_description: Confirm, undo or look at a change that the guard of a host watches
version_added: 0.1.0
description:
  - A change is armed by M(timmy.config.guarded_files). Unless it is confirmed within its window, the host
    takes it back by itself.
  - Confirming fails with the reason when the change was undone already, is overdue, or was never armed.
options:
  id:
    description: Name under which the change was armed.
    type: str
    required: true
  state:
    description:
      - V(confirmed) accepts the change.
      - V(undone) takes it back now; nothing happens when nothing is armed.
    type: str
    choices: [confirmed, undone]
    default: confirmed
  record_dir:
    description: Directory of the guard's records.
    type: path
    default: /var/lib/timmy-guard
attributes:
  check_mode:
    support: full
    description: Predicts the change without touching the host.
  diff_mode:
    support: none
    description: The files of a change are shown where it is made.
author:
  - timmy-config authors (@timmy-config)
seealso:
  - module: timmy.config.guarded_files
"""

EXAMPLES = r"""
- name: Accept the change of sshd
  timmy.config.guard:
    id: sshd
    state: confirmed

- name: See how the last change of sshd ended
  timmy.config.guard:
    id: sshd
"""

RETURN = r"""
guard:
  description: What the guard knows about this id afterwards.
  returned: success
  type: dict
  contains:
    id:
      description: The id that was asked for.
      type: str
      returned: success
      sample: sshd
    state:
      description: One of armed, undoing, undone, confirmed, unknown.
      type: str
      returned: success
      sample: confirmed
    reason:
      description: What the change was about.
      type: str
      returned: success
      sample: sshd settings
    why:
      description: Why the change was undone; empty when it was not.
      type: str
      returned: success
      sample: nobody confirmed the change within 60 s
    clean:
      description: Whether each undo step succeeded.
      type: bool
      returned: success
      sample: true
    left_s:
      description: Seconds left for a confirmation.
      type: float
      returned: success
      sample: 0.0
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import guard

ARGUMENTS = {
    "id": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["confirmed", "undone"], "default": "confirmed"},
    "record_dir": {"type": "path", "default": "/var/lib/timmy-guard"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wanted = module.params
    try:
        changed, state = guard.settle(wanted["record_dir"], wanted["id"], wanted["state"], module.check_mode)
    except (guard.GuardError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, guard=state)


if __name__ == "__main__":
    main()
