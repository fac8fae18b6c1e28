#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_org.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_org
short_description: Keep an organization of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Creates, changes or deletes an organization. Only what is given is compared and changed; an empty text
    clears a field.
  - An organization that was renamed is not taken for the old one, though the forge would lead there.
options:
  name:
    description: Name of the organization, compared without case.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes it.
      - V(absent) deletes it. One that still has repositories is refused, in check mode too.
    type: str
    choices: [present, absent]
    default: present
  full_name:
    description: Name to display.
    type: str
  description:
    description: What it is about.
    type: str
  email:
    description: Address to write to.
    type: str
  website:
    description: Its own site.
    type: str
  location:
    description: Where it is.
    type: str
  visibility:
    description:
      - V(public) for everybody, V(limited) for those who are signed in, V(private) for members.
      - The forge makes a new one V(public).
    type: str
    choices: [public, limited, private]
  repo_admin_change_team_access:
    description: Whether the admin of a repository may give it to teams.
    type: bool
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_org_info
"""

EXAMPLES = r"""
- name: The fleet's organization is there
  timmy.config.gitea_org:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    name: fleet
    full_name: The fleet
    visibility: limited

- name: An empty organization is gone
  timmy.config.gitea_org:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    name: trial
    state: absent
"""

RETURN = r"""
org:
  description: The organization as it then is; empty when it is not there.
  returned: success
  type: dict
  sample:
    id: 3
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
    """Keep one organization."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_org.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_org.wish))


if __name__ == "__main__":
    main()
