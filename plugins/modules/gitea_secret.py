#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_secret.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_secret
short_description: Keep a secret of the runner of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Keeps a secret that workflows of a repository, of an organization or of an account are given.
  - The forge never shows a value. So that a new one is noticed, a mark is kept at the end of the description,
    a salted digest that is slow to make. It tells what this module wrote last; a value that somebody changes
    by other means is not noticed. A long random value cannot be guessed from the mark, a short one can.
  - Of an account the forge does not even list the names. There each run writes, in check mode it says that it
    would, and the result is always changed, with a warning.
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
      - Name of the secret, with letters, digits and underscores and no digit first. The forge keeps it in
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
  update_secret:
    description:
      - When the value of a secret that is there is written anew.
      - V(on_change) when the mark does not fit it. A secret without a mark gets it once. A forge that keeps
        no descriptions cannot keep a mark; there is a warning, and nothing is written.
      - V(always) in each run, which then always changes something. No mark is kept.
      - V(on_create) never, and the description of what is there cannot be changed either.
    type: str
    choices: [on_change, always, on_create]
    default: on_change
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_secret_info
"""

EXAMPLES = r"""
- name: Workflows of one repository may publish
  timmy.config.gitea_secret:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
    name: PUBLISH_TOKEN
    value: "{{ vault_publish_token }}"
    description: Token of the account timmy
"""

RETURN = r"""
secret:
  description: The secret as it then is, without its value; empty when it is not there.
  returned: success
  type: dict
  sample:
    name: PUBLISH_TOKEN
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
    """Keep one secret."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_secret.ARGUMENTS),
        supports_check_mode=True,
        required_if=[("state", "present", ["value"])],
        **gitea_actions.ONE_SCOPE,
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_secret.wish))


if __name__ == "__main__":
    main()
