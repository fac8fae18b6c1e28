#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_label.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_label_info
short_description: Read the labels of a repository or an organization
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns all labels. Never changes anything.
options:
  repo:
    description: The repository, as C(owner/name). Give this or O(org).
    type: str
  org:
    description: The organization whose labels all its repositories have. Give this or O(repo).
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_label
"""

EXAMPLES = r"""
- name: Read the labels that all repositories of the fleet have
  timmy.config.gitea_label_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-reader.token
    org: fleet
  register: __fleet_labels
"""

RETURN = r"""
labels:
  description: The labels by name.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 12
      name: fleet/queued
      color: 0052cc
      description: Waits for a wizard
      exclusive: true
      is_archived: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_label, gitea_module


def main() -> None:
    """Read labels."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_label.INFO_ARGUMENTS),
        supports_check_mode=True,
        **gitea_module.ONE_OWNER,
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_label.look))


if __name__ == "__main__":
    main()
