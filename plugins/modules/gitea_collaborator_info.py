#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_collaborator.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_collaborator_info
short_description: Read the collaborators of a repository of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns all collaborators with what they may do in all, by a team as well. Never changes anything.
options:
  repo:
    description: The repository as owner/name.
    type: str
    required: true
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_collaborator
"""

EXAMPLES = r"""
- name: Read who has a part in the session ledger
  timmy.config.gitea_collaborator_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/ledger
  register: __forge_collaborators
"""

RETURN = r"""
collaborators:
  description: The collaborators by name; empty when there is none.
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
    """Read the collaborators of one repository."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_collaborator.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_collaborator.look))


if __name__ == "__main__":
    main()
