#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_milestone.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_milestone
short_description: Keep a milestone of a repository
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Keeps one milestone. Only what is given is compared and changed.
  - The forge lets two milestones have one title. The older one is then kept, with a warning.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  title:
    description: Title of the milestone, compared with its case.
    type: str
    required: true
  was:
    description:
      - Former title. A milestone of that title gets the new one and keeps its issues, unless one of the new
        title is there already. It can be left here afterwards.
    type: str
  state:
    description:
      - V(present) creates or changes it.
      - V(absent) deletes all milestones of this title; their issues stay, without it.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: What it is for; an empty text clears it.
    type: str
  due_on:
    description:
      - The day that it is due, as C(2026-12-31); an empty text for none. The forge takes the end of that day,
        in its own time zone.
    type: str
  closed:
    description: Whether it is closed. A new one is open.
    type: bool
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_milestone_info
"""

EXAMPLES = r"""
- name: The first milestone is there, under its new title
  timmy.config.gitea_milestone:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
    title: First light
    was: v1
    due_on: "2026-12-31"

- name: The milestone is reached
  timmy.config.gitea_milestone:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
    title: First light
    closed: true
"""

RETURN = r"""
milestone:
  description: The milestone as it then is; empty when it is not there.
  returned: success
  type: dict
  sample:
    id: 5
    title: First light
    description: ""
    state: open
    due_on: "2026-12-31"
    open_issues: 3
    closed_issues: 1
    closed_at: null
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_milestone, gitea_module


def main() -> None:
    """Keep one milestone."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_milestone.ARGUMENTS),
        supports_check_mode=True,
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_milestone.wish))


if __name__ == "__main__":
    main()
