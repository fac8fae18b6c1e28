#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_token.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_token_info
short_description: Read access tokens of an account of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns the tokens of an account without their values, which the forge does not show again. Never changes
    anything. O(login_user) and O(login_password) are needed, those of the account or of a site admin.
options:
  user:
    description: The account whose token it is. Without it that of O(login_user).
    type: str
  name:
    description: Name of the token. Without it all are returned.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_token
"""

EXAMPLES = r"""
- name: Read which tokens an account has
  timmy.config.gitea_token_info:
    url: https://forge.example.org
    login_user: checks
    login_password: "{{ vault_forge_checks_password }}"
  register: __forge_tokens
"""

RETURN = r"""
tokens:
  description: The tokens by name; empty when there is none.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 12
      name: publish
      scopes: [read:issue, write:repository]
      last_eight: 5f0e1c2d
      created_at: "2026-11-20T08:00:00Z"
      last_used_at: "2026-11-22T21:14:03Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_token, gitea_module


def main() -> None:
    """Read tokens."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_token.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_token.look))


if __name__ == "__main__":
    main()
