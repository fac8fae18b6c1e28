#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_team.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_team
short_description: Keep a team of an organization of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Creates, changes or deletes a team, and keeps its members and repositories. Only what is given is compared
    and changed; an empty text clears a field.
  - The team that owns the organization keeps its rights and a member, and cannot be removed; of it only
    O(description) and O(members) are taken.
options:
  org:
    description: Name of the organization.
    type: str
    required: true
  name:
    description: Name of the team, compared without case.
    type: str
    required: true
  state:
    description: V(present) creates or changes it, V(absent) deletes it.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: What it is for.
    type: str
  permission:
    description:
      - V(admin) lets the team do everything in its repositories.
      - V(read) and V(write) are what it may do in every unit that O(units_map) does not name.
      - A new team needs this or O(units_map).
    type: str
    choices: [read, write, admin]
  units_map:
    description:
      - What the team may do in each unit, V(none), V(read) or V(write). The units are V(repo.code),
        V(repo.issues), V(repo.pulls), V(repo.releases), V(repo.wiki), V(repo.ext_wiki),
        V(repo.ext_issues), V(repo.projects), V(repo.packages) and V(repo.actions).
      - It is the whole map. A unit that is not named has O(permission), or without that nothing.
    type: dict
  includes_all_repositories:
    description: Whether the team has all repositories of the organization, those to come included.
    type: bool
  can_create_org_repo:
    description: Whether its members may make repositories of the organization.
    type: bool
  members:
    description: Accounts that are in the team. Others stay, unless O(purge_members) is given.
    type: list
    elements: str
  purge_members:
    description: Whether to take out all members that O(members) does not name.
    type: bool
    default: false
  repos:
    description:
      - Names of repositories of the organization that the team has. Others stay, unless O(purge_repos) is
        given.
      - Not for a team that has all (O(includes_all_repositories)).
    type: list
    elements: str
  purge_repos:
    description: Whether to take all repositories from it that O(repos) does not name.
    type: bool
    default: false
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_team_info
"""

EXAMPLES = r"""
- name: The wizards read the code and write issues
  timmy.config.gitea_team:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
    name: wizards
    units_map:
      repo.code: read
      repo.issues: write
    members: [ezra, oracle]
    purge_members: true
    repos: [timmy-home]

- name: Those who land changes may do everything, everywhere
  timmy.config.gitea_team:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
    name: landing
    permission: admin
    includes_all_repositories: true
"""

RETURN = r"""
team:
  description:
    - The team as it then is; empty when it is not there.
    - C(permission) is V(none) where C(units_map) tells the rights.
  returned: success
  type: dict
  sample:
    id: 4
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
    """Keep one team."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_team.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_team.wish))


if __name__ == "__main__":
    main()
