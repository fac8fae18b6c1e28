#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_issue.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_issue
short_description: Keep an issue of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Opens, changes, closes or reopens an issue. Only what is given is compared and changed.
  - An issue is opened once, also when the answer of the forge is lost. Its body then ends with a comment that
    readers do not see; the module neither compares it nor takes it away.
  - A body that somebody else has changed between reading and writing is not overwritten, where the forge
    counts its versions (1.26 and newer); the task then fails.
  - Names that the forge would drop without a word (labels, milestones, accounts) are errors.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  number:
    description:
      - Number of an issue that is there. With it O(title) is the title to give it.
    type: int
  title:
    description:
      - Title of the issue, up to 255 columns; space around it does not count.
      - Without O(number) it says which issue is meant, among the open and the closed ones. When two have it,
        the task fails and names their numbers.
    type: str
  body:
    description: What it says, as Markdown. An empty text empties it.
    type: str
  labels:
    description:
      - Names of all labels that it is to have; those that are not among them are taken off.
      - They are looked up in the repository, then with its owner, which needs a token that may read it.
    type: list
    elements: str
  add_labels:
    description:
      - Names of labels that it is to have beside those that it has. An exclusive one replaces the other
        exclusive ones of its scope, as the forge does.
    type: list
    elements: str
  assignees:
    description: Names of all accounts that it is assigned to, compared without case.
    type: list
    elements: str
  milestone:
    description: Title of its milestone, which must be the only one of it; an empty text takes it off.
    type: str
  state:
    description:
      - Whether it is to be open or closed. Left out, a new one is open, and others stay as they are.
      - One that waits for open issues is not closed, in check mode too.
    type: str
    choices: [open, closed]
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_issue_info
  - module: timmy.config.gitea_comment
"""

EXAMPLES = r"""
- name: The weekly review is asked for
  timmy.config.gitea_issue:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-writer.token
    repo: fleet/work
    title: Review of week 12
    body: Read what landed, and say what is to be taken back.
    labels: [fleet/queued]
    milestone: Spring

- name: Issue 12 is done
  timmy.config.gitea_issue:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-writer.token
    repo: fleet/work
    number: 12
    add_labels: [fleet/done]
    state: closed
"""

RETURN = r"""
issue:
  description: The issue as it then is.
  returned: success
  type: dict
  sample:
    number: 12
    title: Review of week 12
    body: Read what landed, and say what is to be taken back.
    state: open
    labels: [fleet/queued]
    assignees: [bezalel]
    milestone: Spring
    author: timmy
    comments: 0
    is_locked: false
    html_url: https://forge.example.org/fleet/work/issues/12
    content_version: 0
    created_at: "2026-03-16T08:00:00Z"
    updated_at: "2026-03-16T08:00:00Z"
    closed_at:
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_issue, gitea_module


def main() -> None:
    """Keep one issue."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_issue.ARGUMENTS),
        supports_check_mode=True,
        **gitea_keep_issue.PAIRS,
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_issue.wish))


if __name__ == "__main__":
    main()
