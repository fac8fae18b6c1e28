#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_user.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_user
short_description: Keep an account of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Creates, changes or deletes an account. Only what is given is compared and changed; an empty text clears
    a field. The account that asks has to be a site admin.
  - An account that was renamed is not taken for the old one, though the forge would lead there.
options:
  name:
    description: Name of the account, compared without case.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes it.
      - V(absent) deletes it. One that still owns repositories or is a member of an organization is refused,
        in check mode too, unless O(purge) is given. Packages are only found by the real run.
    type: str
    choices: [present, absent]
    default: present
  purge:
    description:
      - Deletes with the account what it owns, its packages and comments among it, and every organization
        that has no other owner, with all its repositories.
    type: bool
    default: false
  password:
    description: Password. A new account needs one, unless it logs in elsewhere (O(source_id)).
    type: str
  update_password:
    description:
      - V(on_create) sets O(password) on a new account only.
      - V(always) sets it also where it is not the account's. To find out, the module logs in with it. While
        O(prohibit_login) holds, that is not possible and the password stays; an account with a second factor
        gets it each time.
    type: str
    choices: [on_create, always]
    default: on_create
  must_change_password:
    description:
      - Whether the account has to choose a new password before it may do anything. It is set together with
        O(password); without it, an account made here need not.
    type: bool
  email:
    description: Address, compared without case. A new account needs one that no other has.
    type: str
  full_name:
    description: Name to display.
    type: str
  description:
    description: What it is for.
    type: str
  website:
    description: Its own site, an HTTP address.
    type: str
  location:
    description: Where it is.
    type: str
  visibility:
    description: V(public) for everybody, V(limited) for those who are signed in, V(private) for members.
    type: str
    choices: [public, limited, private]
  restricted:
    description: Whether it sees only what it was given a part in.
    type: bool
  prohibit_login:
    description: Whether it may do nothing, by password or token.
    type: bool
  active:
    description: Whether it is active; one that is not may do nothing.
    type: bool
  is_admin:
    description: Whether it is a site admin.
    type: bool
  login_name:
    description: Name under which O(source_id) knows it. What is there is kept.
    type: str
  source_id:
    description: Number of the login source, 0 for the forge itself. What is there is kept.
    type: int
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_user_info
"""

EXAMPLES = r"""
- name: The account that publishes is there
  timmy.config.gitea_user:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    name: timmy
    email: timmy@example.org
    password: "{{ vault_forge_timmy_password }}"
    restricted: true
    visibility: limited

- name: An account that left is gone
  timmy.config.gitea_user:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    name: trial
    state: absent
"""

RETURN = r"""
user:
  description: The account as it then is; empty when it is not there.
  returned: success
  type: dict
  sample:
    id: 7
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
    """Keep one account."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_user.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_user.wish))


if __name__ == "__main__":
    main()
