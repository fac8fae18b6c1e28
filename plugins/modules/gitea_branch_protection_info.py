#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_branch_protection.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_branch_protection_info
short_description: Read the rules for branches of a repository
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns one rule of branch protection, or all. Never changes anything.
  - Needs an account that is admin of the repository. To tell in advance who writes by a team, its token needs
    C(read:organization).
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  rule_name:
    description: Name of the rule, as it was given when it was made. Without it all are returned.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_branch_protection
"""

EXAMPLES = r"""
- name: Read what main is held to
  timmy.config.gitea_branch_protection_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
    rule_name: main
  register: __main_rule
"""

RETURN = r"""
branch_protections:
  description: The rules with all their fields, in the order in which the forge tries them.
  returned: success
  type: list
  elements: dict
  sample:
    - rule_name: main
      priority: 1
      enable_push: false
      enable_merge_whitelist: true
      merge_whitelist_usernames: [landing]
      enable_status_check: true
      status_check_contexts: ["checks/*"]
      protected_file_patterns: [".gitea/**", "overlay/**"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_branch_protection, gitea_module


def main() -> None:
    """Read rules."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_branch_protection.INFO_ARGUMENTS),
        supports_check_mode=True,
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_branch_protection.look))


if __name__ == "__main__":
    main()
