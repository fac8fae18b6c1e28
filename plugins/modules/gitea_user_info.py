#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_user.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_user_info
short_description: Read accounts of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns one account, or as site admin all. Never changes anything.
  - Address, login and rights are shown to site admins and to the account itself.
options:
  name:
    description: Name of the account. Without it all are returned.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_user
"""

EXAMPLES = r"""
- name: Read all accounts
  timmy.config.gitea_user_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
  register: __forge_users
"""

RETURN = r"""
users:
  description: The accounts by name; empty when there is none.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 7
      login: timmy
      full_name: Timmy
      email: timmy@example.org
      login_name: timmy
      source_id: 0
      is_admin: false
      active: true
      restricted: true
      prohibit_login: false
      visibility: limited
      description: Publishes what the wizards made
      website: ""
      location: ""
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_user, gitea_module


def main() -> None:
    """Read accounts."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_user.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_user.look))


if __name__ == "__main__":
    main()
