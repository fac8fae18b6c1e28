#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_secret.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_secret_info
short_description: Read the names of the secrets of the runner of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns the names and descriptions of all secrets of a repository or of an organization. Never changes
    anything. Nobody can read a value.
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
        no other one at these; no forge lists them as yet, which is an error.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_secret
"""

EXAMPLES = r"""
- name: Read the secrets of the fleet
  timmy.config.gitea_secret_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
  register: __fleet_secrets
"""

RETURN = r"""
secrets:
  description: The secrets by name, without their values.
  returned: success
  type: list
  elements: dict
  sample:
    - name: PUBLISH_TOKEN
      description: Token of the account timmy
      created_at: "2026-01-15T10:00:00Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import (
    gitea_actions,
    gitea_keep_secret,
    gitea_module,
)


def main() -> None:
    """Read names of secrets."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_secret.INFO_ARGUMENTS),
        supports_check_mode=True,
        **gitea_actions.ONE_SCOPE,
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_secret.look))


if __name__ == "__main__":
    main()
