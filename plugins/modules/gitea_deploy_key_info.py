#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_deploy_key.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_deploy_key_info
short_description: Read the deploy keys of a repository
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns all deploy keys. Never changes anything.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_deploy_key
"""

EXAMPLES = r"""
- name: Read which keys open the session ledger
  timmy.config.gitea_deploy_key_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/ledger
  register: __ledger_keys
"""

RETURN = r"""
deploy_keys:
  description: The keys by title, without their comments.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 3
      title: publisher
      key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKfYUQ8Y8z3KT5QO8tYN1y3Jq0RmiAVTvL83pSnBNntg
      fingerprint: SHA256:uK8fr0Yz40Wwvbp0bzdmOW9vha5MPW8p4xWv7FjJATU
      read_only: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_deploy_key, gitea_module


def main() -> None:
    """Read keys."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_deploy_key.INFO_ARGUMENTS),
        supports_check_mode=True,
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_deploy_key.look))


if __name__ == "__main__":
    main()
