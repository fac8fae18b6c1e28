#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_variable.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_variable
short_description: Keep a variable of the runner of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Keeps a variable that workflows of a repository, of an organization or of an account can read. Only what
    is given is compared and changed.
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
        no other one at these; the token needs C(write:user).
    type: str
  name:
    description:
      - Name of the variable, with letters, digits and underscores and no digit first. The forge keeps it in
        capitals.
      - C(CI), and what begins with C(GITEA_) or C(GITHUB_), is taken.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes it.
      - V(absent) deletes it.
    type: str
    choices: [present, absent]
    default: present
  value:
    description:
      - Its value, needed with O(state=present); the forge refuses an empty one. Lines end as on Unix.
    type: str
  description:
    description: What it is for, 4,000 characters at most.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_variable_info
"""

EXAMPLES = r"""
- name: Workflows of the fleet know where the mirror is
  timmy.config.gitea_variable:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
    name: MIRROR
    value: https://mirror.example.org
"""

RETURN = r"""
variable:
  description: The variable as it then is; empty when it is not there.
  returned: success
  type: dict
  sample:
    name: MIRROR
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
    """Keep one variable."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_variable.ARGUMENTS),
        supports_check_mode=True,
        required_if=[("state", "present", ["value"])],
        **gitea_actions.ONE_SCOPE,
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_variable.wish))


if __name__ == "__main__":
    main()
