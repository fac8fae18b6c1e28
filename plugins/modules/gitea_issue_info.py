#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_issue.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_issue_info
short_description: Read issues of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns one issue, or all that fit what is asked for, each once. Never changes anything.
  - A label or a milestone that the forge does not know fits nothing; the forge itself would then return all.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  number:
    description: Number of one issue; the other options are not looked at then.
    type: int
  title:
    description: Only issues of exactly this title.
    type: str
  state:
    description: Only open ones, only closed ones, or all.
    type: str
    choices: [open, closed, all]
    default: open
  labels:
    description: Only issues that have all these labels, by exact name.
    type: list
    elements: str
    default: []
  assigned_to:
    description: Only issues that this account is assigned to.
    type: str
  created_by:
    description: Only issues that this account has opened.
    type: str
  milestone:
    description: Only issues of the milestone of this title.
    type: str
  since:
    description: Only issues changed at or after this time, written as C(2026-01-31T12:00:00Z).
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_issue
  - plugin: timmy.config.gitea
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Read what waits for a wizard
  timmy.config.gitea_issue_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-reader.token
    repo: fleet/work
    labels: [fleet/queued]
  register: __queued
"""

RETURN = r"""
issues:
  description: The issues, the newest first; empty when there is none.
  returned: success
  type: list
  elements: dict
  sample:
    - number: 12
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
    """Read issues."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_issue.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_issue.look))


if __name__ == "__main__":
    main()
