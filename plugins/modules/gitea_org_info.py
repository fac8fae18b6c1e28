#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_org.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_org_info
short_description: Read organizations of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns one organization, or all that the account may see. Never changes anything.
options:
  name:
    description: Name of the organization. Without it all are returned.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_org
"""

EXAMPLES = r"""
- name: Read the fleet's organization
  timmy.config.gitea_org_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-reader.token
    name: fleet
  register: __fleet_org
"""

RETURN = r"""
orgs:
  description: The organizations by name; empty when there is none.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 3
      name: fleet
      full_name: The fleet
      description: Wizards and what they work on
      email: ""
      website: https://forge.example.org/fleet
      location: ""
      visibility: limited
      repo_admin_change_team_access: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_org, gitea_module


def main() -> None:
    """Read organizations."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_org.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_org.look))


if __name__ == "__main__":
    main()
