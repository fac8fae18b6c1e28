#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_collaborator.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_collaborator
short_description: Keep the collaborators of a repository of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Gives accounts a part in a repository, changes it, or takes it away. Who is not named stays, unless
    O(purge) is given.
  - The forge tells what an account may do in all. So one that may do everything anyway is refused.
options:
  repo:
    description: The repository as owner/name.
    type: str
    required: true
  state:
    description: V(present) gives the accounts their part, V(absent) takes it away.
    type: str
    choices: [present, absent]
    default: present
  collaborators:
    description: The accounts.
    type: list
    elements: dict
    required: true
    suboptions:
      user:
        description: Name of the account, compared without case.
        type: str
        required: true
      permission:
        description: What it may do. Without it a new one may V(read), and one that is there keeps its own.
        type: str
        choices: [read, write, admin]
  purge:
    description: Whether to take out all collaborators that O(collaborators) does not name.
    type: bool
    default: false
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_collaborator_info
"""

EXAMPLES = r"""
- name: Exactly these accounts have a part in the session ledger
  timmy.config.gitea_collaborator:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/ledger
    purge: true
    collaborators:
      - user: ezra
      - user: timmy
        permission: write
"""

RETURN = r"""
collaborators:
  description: The declared collaborators as they then are.
  returned: success
  type: list
  elements: dict
  sample:
    - user: ezra
      permission: read
    - user: timmy
      permission: write
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_collaborator, gitea_module


def main() -> None:
    """Keep the collaborators of one repository."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_collaborator.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_collaborator.wish))


if __name__ == "__main__":
    main()
