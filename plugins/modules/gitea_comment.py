#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_comment.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_comment
short_description: Keep one comment on an issue or a pull request of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Writes a comment, edits it when its text is to be another, or takes it away. There is one of each O(key).
  - The key stands in the comment, where readers do not see it. So a second run edits what the first one
    wrote, also when the answer of the forge was lost or the run was killed.
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
    description:
      - Which comment is meant, in 1 to 64 letters, digits, dots, dashes or underscores; case counts.
    type: str
    required: true
  body:
    description: What it says, as Markdown. Needed unless it is to be taken away.
    type: str
  author:
    description:
      - Name of the account whose comments count; others may write the same key. Without it that is the
        account that asks, and its token then needs the scope C(read:user).
    type: str
  state:
    description:
      - V(present) writes or edits it.
      - V(absent) deletes it, and any double of it.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_comment_info
  - module: timmy.config.gitea_issue
"""

EXAMPLES = r"""
- name: The pull request says how its checks went
  timmy.config.gitea_comment:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-checks.token
    repo: fleet/work
    number: 17
    key: checks
    author: checks
    body: "Checks of {{ __head }}: all green"
"""

RETURN = r"""
comment:
  description: The comment as it then is; empty when it is not there.
  returned: success
  type: dict
  sample:
    id: 93
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
    """Keep one comment."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_comment.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_comment.wish))


if __name__ == "__main__":
    main()
