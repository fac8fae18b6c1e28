#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_pull.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_pull_info
short_description: Read pull requests of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns one pull request, or all that fit what is asked for, each once. Never changes anything.
  - In a list C(mergeable) may be of long ago; asking for one by its number makes the forge look again.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  number:
    description: Number of one pull request; the other options are not looked at then.
    type: int
  head:
    description: Only those of this branch; of a fork, C(owner:branch).
    type: str
  base:
    description: Only those into this branch.
    type: str
  state:
    description: Only open ones, only closed ones, merged ones included, or all.
    type: str
    choices: [open, closed, all]
    default: open
  labels:
    description: Only those that have all these labels, by exact name.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_pull
  - plugin: timmy.config.gitea
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Read what waits to be reviewed
  timmy.config.gitea_pull_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-reader.token
    repo: fleet/work
    labels: [fleet/review]
  register: __offered
"""

RETURN = r"""
pulls:
  description: The pull requests, the newest first; empty when there is none.
  returned: success
  type: list
  elements: dict
  sample:
    - number: 17
      title: Say what a wizard may forget
      body: Closes nothing, but helps.
      state: closed
      labels: [fleet/landed]
      assignees: [bezalel]
      milestone: ""
      author: bezalel
      head: agent/12-e1
      head_repo: fleet/work
      head_sha: 6f1a2c5b0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a
      base: main
      behind: false
      draft: false
      mergeable: false
      merged: true
      merge_commit_sha: 6f1a2c5b0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a
      landing: merged
      html_url: https://forge.example.org/fleet/work/pulls/17
      content_version: 0
      created_at: "2026-03-16T08:00:00Z"
      updated_at: "2026-03-16T09:30:00Z"
      closed_at: "2026-03-16T09:30:00Z"
      merged_at: "2026-03-16T09:30:00Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_pull, gitea_module


def main() -> None:
    """Read pull requests."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_pull.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_pull.look))


if __name__ == "__main__":
    main()
