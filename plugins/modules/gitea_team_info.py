#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_team.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_team_info
short_description: Read teams of an organization of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns one team of an organization, or all. Never changes anything.
options:
  org:
    description: Name of the organization.
    type: str
    required: true
  name:
    description: Name of the team. Without it all are returned.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_team
"""

EXAMPLES = r"""
- name: Read who is in which team
  timmy.config.gitea_team_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
  register: __forge_teams
"""

RETURN = r"""
teams:
  description: The teams by name; empty when there is none.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 4
      name: wizards
      description: Those who read what they work on
      permission: none
      units_map:
        repo.code: read
        repo.issues: write
      includes_all_repositories: false
      can_create_org_repo: false
      members: [ezra, oracle]
      repos: [timmy-home]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_team, gitea_module


def main() -> None:
    """Read teams."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_team.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_team.look))


if __name__ == "__main__":
    main()
