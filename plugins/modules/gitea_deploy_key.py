#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_deploy_key.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_deploy_key
short_description: Keep a deploy key of a repository
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Keeps an SSH key that opens one repository. The forge changes none, so a key with another content, right
    or title is deleted and made anew, under another id.
  - A key that is there under another title gets this title.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  title:
    description: Name of the key, compared with its case.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes it.
      - V(absent) deletes the key of this title.
    type: str
    choices: [present, absent]
    default: present
  key:
    description: The public key in one line, needed with O(state=present). Its comment is not compared.
    type: str
  read_only:
    description: Whether it may only fetch. A new key may only fetch unless this is V(false).
    type: bool
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_deploy_key_info
"""

EXAMPLES = r"""
- name: The publisher may push to the session ledger
  timmy.config.gitea_deploy_key:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/ledger
    title: publisher
    key: "{{ lookup('ansible.builtin.file', 'publisher.pub') }}"
    read_only: false
"""

RETURN = r"""
deploy_key:
  description: The key as it then is, without its comment; empty when it is not there.
  returned: success
  type: dict
  sample:
    id: 3
    title: publisher
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKfYUQ8Y8z3KT5QO8tYN1y3Jq0RmiAVTvL83pSnBNntg
    fingerprint: SHA256:uK8fr0Yz40Wwvbp0bzdmOW9vha5MPW8p4xWv7FjJATU
    read_only: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_deploy_key, gitea_module


def main() -> None:
    """Keep one key."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_deploy_key.ARGUMENTS),
        supports_check_mode=True,
        required_if=[("state", "present", ["key"])],
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_deploy_key.wish))


if __name__ == "__main__":
    main()
