#!/usr/bin/python

# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: change files under the guard."""

from __future__ import annotations

DOCUMENTATION = r"""
module: guarded_files
short_description: Change files that could lock the operator out, and go back unless the change is confirmed
version_added: 0.1.0
description:
  - Compares a set of files with what they should be. When nothing differs, nothing is armed or changed.
  - Otherwise it validates staged copies, backs up what is there, arms the guard of the host, replaces each
    file by one rename and runs the apply commands.
  - The guard takes everything back at the end of the window, or at the next boot, unless
    M(timmy.config.guard) confirmed the change. Confirm over a new connection, since an open one proves
    nothing about sshd or a firewall.
  - When a check or an apply command fails, the change is undone at once and the module fails.
options:
  id:
    description: Name under which the change is armed and confirmed.
    type: str
    required: true
  reason:
    description: What the change is about, for the journal of the host.
    type: str
    default: files changed by Ansible
  files:
    description: The files of this change. They are written in this order and undone in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the file. Missing parent directories are created with mode V(0755).
        type: path
        required: true
      content:
        description: The whole content. Required unless O(files[].state=absent).
        type: str
      mode:
        description: Permissions as an octal string.
        type: str
        default: "0644"
      owner:
        description: Name or number of the owning user.
        type: str
        default: root
      group:
        description: Name or number of the owning group.
        type: str
        default: root
      state:
        description: Whether the file should be there.
        type: str
        choices: [present, absent]
        default: present
      validate:
        description:
          - Command as a list of words that checks a staged copy of the file before anything changes.
            V(%s) stands for the copy.
          - Runs without a shell.
        type: list
        elements: str
        default: []
  check:
    description:
      - Commands that check the whole after writing and before applying, for what a single staged file
        cannot show.
    type: list
    elements: list
    default: []
  apply:
    description:
      - Commands that bring the files into force. The guard runs the same commands after it has put the old
        files back, so they must work for both.
    type: list
    elements: list
    default: []
  window_s:
    description: Seconds within which the change must be confirmed.
    type: int
    default: 60
  record_dir:
    description: Directory of the guard's records.
    type: path
    default: /var/lib/timmy-guard
attributes:
  check_mode:
    support: full
    description: Predicts the change without touching the host. Validators do not run then.
  diff_mode:
    support: full
    description: Shows each file before and after.
author:
  - timmy-config authors (@timmy-config)
seealso:
  - module: timmy.config.guard
"""

EXAMPLES = r"""
- name: Change the daemon's settings under the guard
  timmy.config.guarded_files:
    id: sshd
    reason: sshd settings
    files:
      - path: /etc/ssh/sshd_config.d/10-example.conf
        content: |
          PasswordAuthentication no
        validate: [/usr/sbin/sshd, -t, -f, "%s"]
    check:
      - [/usr/sbin/sshd, -t]
    apply:
      - [systemctl, reload, ssh]
  register: sshd_change

- name: Confirm the change
  timmy.config.guard:
    id: sshd
    state: confirmed
  when: sshd_change.armed
"""

RETURN = r"""
armed:
  description:
    - Whether the guard waits for a confirmation, be it of this change or of one that an earlier run left
      behind.
  returned: success
  type: bool
  sample: true
paths:
  description: Files that differed.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/10-example.conf]
left_s:
  description: Seconds left for the confirmation.
  returned: success
  type: float
  sample: 59.7
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import guard, guarded_files

ARGUMENTS = {
    "id": {"type": "str", "required": True},
    "reason": {"type": "str", "default": "files changed by Ansible"},
    "files": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "required": True},
            "content": {"type": "str"},
            "mode": {"type": "str", "default": "0644"},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "validate": {"type": "list", "elements": "str", "default": []},
        },
    },
    "check": {"type": "list", "elements": "list", "default": []},
    "apply": {"type": "list", "elements": "list", "default": []},
    "window_s": {"type": "int", "default": 60},
    "record_dir": {"type": "path", "default": "/var/lib/timmy-guard"},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    wanted = module.params
    try:
        outcome = guarded_files.put(
            record_dir=wanted["record_dir"],
            guard_id=wanted["id"],
            files=[guarded_files.wanted_from(item, lenient=module.check_mode) for item in wanted["files"]],
            check=[[str(word) for word in argv] for argv in wanted["check"]],
            apply=[[str(word) for word in argv] for argv in wanted["apply"]],
            window_s=wanted["window_s"],
            reason=wanted["reason"],
            check_mode=module.check_mode,
        )
    except (guard.GuardError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=outcome.changed,
        armed=outcome.armed,
        paths=outcome.paths,
        left_s=outcome.left_s,
        diff=outcome.diff,
    )


if __name__ == "__main__":
    main()
