#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_milestone.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_milestone_info
short_description: Read the milestones of a repository
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns all milestones, open and closed. Never changes anything.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_milestone
"""

EXAMPLES = r"""
- name: Read what is due when
  timmy.config.gitea_milestone_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
  register: __work_milestones
"""

RETURN = r"""
milestones:
  description: The milestones, oldest first.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 5
      title: First light
      description: ""
      state: open
      due_on: "2026-12-31"
      open_issues: 3
      closed_issues: 1
      closed_at: null
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_milestone, gitea_module


def main() -> None:
    """Read milestones."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_milestone.INFO_ARGUMENTS),
        supports_check_mode=True,
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_milestone.look))


if __name__ == "__main__":
    main()
