#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_token.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_token
short_description: Keep an access token of an account of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Makes or deletes a token. The forge asks for a password here, so O(login_user) and O(login_password) are
    needed, those of the account or of a site admin. A token that may write accounts can stand in the place of
    the password.
  - No token can be changed. One with other scopes is deleted and made again under its name; until the new
    value is where it is needed, there is none.
  - The value is shown once, by the run that makes the token. With O(path) it goes to a file and nowhere else.
    Without it the value is in the result, so set C(no_log) on the task.
options:
  user:
    description: The account whose token it is. Without it that of O(login_user).
    type: str
  name:
    description: Name of the token.
    type: str
    required: true
  state:
    description:
      - V(present) makes it, or makes it anew.
      - V(absent) deletes it, and the file at O(path).
    type: str
    choices: [present, absent]
    default: present
  scopes:
    description:
      - What the token may do. V(write:...) implies V(read:...), V(all) is everything, and V(public-only)
        leaves out what is not public. A new token needs this; without it one that is there keeps its own.
    type: list
    elements: str
    choices:
      - all
      - public-only
      - read:activitypub
      - write:activitypub
      - read:admin
      - write:admin
      - read:issue
      - write:issue
      - read:misc
      - write:misc
      - read:notification
      - write:notification
      - read:organization
      - write:organization
      - read:package
      - write:package
      - read:repository
      - write:repository
      - read:user
      - write:user
  rotate:
    description: Makes the token anew in any case. Each run with this is a change.
    type: bool
    default: false
  path:
    description:
      - File for the value on the machine that the module runs on, written in one step and for its owner
        alone. Its folder has to be there. A file that holds something else than a token is refused.
      - Where the file does not hold the token, or the forge does not know that one any more, the token is
        made anew.
    type: path
attributes:
  idempotent:
    description: A second run with the same options changes nothing.
    support: partial
    details:
      - With O(rotate) each run makes a new token.
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_token_info
"""

EXAMPLES = r"""
- name: The account that posts statuses has a token for that, in a file
  timmy.config.gitea_token:
    url: https://forge.example.org
    login_user: checks
    login_password: "{{ vault_forge_checks_password }}"
    name: statuses
    scopes: [write:repository]
    path: /etc/timmy/forge-checks.token

- name: A token for somebody else, by a site admin
  timmy.config.gitea_token:
    url: https://forge.example.org
    login_user: admin
    login_password: "{{ vault_forge_admin_password }}"
    user: ezra
    name: read
    scopes: [read:repository, read:issue]
  register: __forge_token
  no_log: true
"""

RETURN = r"""
token:
  description:
    - The token as it then is; empty when it is not there.
    - C(value) is the token itself, only from the run that makes it and only without O(path).
  returned: success
  type: dict
  sample:
    id: 12
    name: publish
    scopes: [read:issue, write:repository]
    last_eight: 5f0e1c2d
    created_at: "2026-11-20T08:00:00Z"
    last_used_at: "2026-11-22T21:14:03Z"
    value: ""
    path: /etc/timmy/forge-publish.token
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_token, gitea_module


def main() -> None:
    """Keep one token."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_token.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_token.wish))


if __name__ == "__main__":
    main()
