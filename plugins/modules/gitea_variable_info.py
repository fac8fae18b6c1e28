#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_variable.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_variable_info
short_description: Read the variables of the runner of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns all variables of a repository, of an organization or of an account. Never changes anything.
options:
  repo:
    description: The repository, as C(owner/name). Give one of this, O(org) and O(user).
    type: str
  org:
    description: The organization, for all its repositories.
    type: str
  user:
    description:
      - The account, for all its repositories. It has to be the one that the token is of, since the forge lets
        no other one at these; the token needs C(read:user).
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_variable
"""

EXAMPLES = r"""
- name: Read the variables of the fleet
  timmy.config.gitea_variable_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
  register: __fleet_variables
"""

RETURN = r"""
variables:
  description: The variables by name.
  returned: success
  type: list
  elements: dict
  sample:
    - name: MIRROR
      value: https://mirror.example.org
      description: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import (
    gitea_actions,
    gitea_keep_variable,
    gitea_module,
)


def main() -> None:
    """Read variables."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_variable.INFO_ARGUMENTS),
        supports_check_mode=True,
        **gitea_actions.ONE_SCOPE,
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_variable.look))


if __name__ == "__main__":
    main()
