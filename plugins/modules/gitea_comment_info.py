#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_comment.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_comment_info
short_description: Read the comments on an issue or a pull request of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns all comments, or those of one key or one account. Never changes anything.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  number:
    description: Number of the issue or the pull request.
    type: int
    required: true
  key:
    description: Only comments of this key of M(timmy.config.gitea_comment); an empty text means without one.
    type: str
  author:
    description: Only comments of this account.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_comment
"""

EXAMPLES = r"""
- name: Read what the checks said
  timmy.config.gitea_comment_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-reader.token
    repo: fleet/work
    number: 17
    key: checks
    author: checks
  register: __checks
"""

RETURN = r"""
comments:
  description: The comments, the oldest first; empty when there is none.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 93
      key: checks
      body: "Checks of 5f1c0e3: all green"
      author: checks
      html_url: https://forge.example.org/fleet/work/pulls/17#issuecomment-93
      created_at: "2026-03-16T08:00:00Z"
      updated_at: "2026-03-16T09:30:00Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_comment, gitea_module


def main() -> None:
    """Read comments."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_comment.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_comment.look))


if __name__ == "__main__":
    main()
