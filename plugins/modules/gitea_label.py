#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_label.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_label
short_description: Keep the labels of a repository or an organization
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Keeps a whole set of labels in one call. Only what is given of a label is compared and changed.
  - The forge lets two labels have one name. The older one is then kept; O(purge) removes the other, and
    without it there is a warning.
options:
  repo:
    description: The repository, as C(owner/name). Give this or O(org).
    type: str
  org:
    description: The organization whose labels all its repositories have. Give this or O(repo).
    type: str
  state:
    description:
      - V(present) creates and changes the labels.
      - V(absent) removes the labels of these names. A label that is removed is gone from all issues.
    type: str
    choices: [present, absent]
    default: present
  labels:
    description: The labels. Each name may stand here once.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the label, with its case.
        type: str
        required: true
      was:
        description:
          - Former name. A label of that name is renamed and stays on its issues, unless one of the new name
            is there already. It can be left here afterwards.
        type: str
      color:
        description:
          - Six or three hexadecimal digits, with or without C(#), in any case.
          - A new label without one is grey, C(#808080).
        type: str
      description:
        description: What it says of an issue.
        type: str
      exclusive:
        description:
          - Whether an issue can have only one label of this scope; the name is then C(scope/name).
        type: bool
      is_archived:
        description: Whether it can no longer be given to issues.
        type: bool
  purge:
    description:
      - Remove all labels that are not declared, also from the issues that have them.
    type: bool
    default: false
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_label_info
"""

EXAMPLES = r"""
- name: The fleet's states are there, each issue in one of them
  timmy.config.gitea_label:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
    labels:
      - name: fleet/queued
        color: "#0052cc"
        exclusive: true
        description: Waits for a wizard
      - name: fleet/needs-human
        was: fleet/question
        color: "#d93f0b"
        exclusive: true

- name: A repository has these labels and no other
  timmy.config.gitea_label:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
    purge: true
    labels:
      - name: bug
        color: e11
"""

RETURN = r"""
labels:
  description: The declared labels as they then are, by name; those that were removed are not among them.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 12
      name: fleet/queued
      color: 0052cc
      description: Waits for a wizard
      exclusive: true
      is_archived: false
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_label, gitea_module


def main() -> None:
    """Keep a set of labels."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_label.ARGUMENTS),
        supports_check_mode=True,
        **gitea_module.ONE_OWNER,
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_label.wish))


if __name__ == "__main__":
    main()
