#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_repo.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_repo_info
short_description: Read repositories of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns one repository, or all of an owner that the account may see. Never changes anything.
options:
  repo:
    description: The repository as owner/name. This or O(owner) is needed.
    type: str
  owner:
    description: Organization or account whose repositories are returned.
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_repo
"""

EXAMPLES = r"""
- name: Read the fleet's repositories
  timmy.config.gitea_repo_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-reader.token
    owner: fleet
  register: __forge_repos
"""

RETURN = r"""
repos:
  description: The repositories by name; empty when there is none.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 5
      name: timmy-home
      full_name: fleet/timmy-home
      owner: fleet
      description: Where the wizards work
      website: ""
      default_branch: main
      private: true
      empty: false
      archived: false
      template: false
      clone_url: https://forge.example.org/fleet/timmy-home.git
      html_url: https://forge.example.org/fleet/timmy-home
      object_format_name: sha1
      topics: [fleet]
      has_issues: true
      has_pull_requests: true
      has_wiki: false
      has_projects: false
      has_releases: true
      has_packages: false
      has_actions: false
      allow_merge_commits: true
      allow_rebase: true
      allow_rebase_explicit: true
      allow_rebase_update: true
      allow_squash_merge: true
      allow_fast_forward_only_merge: true
      default_merge_style: merge
      default_delete_branch_after_merge: false
      transfer_to: ""
      admin: true
      push: true
      pull: true
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_repo, gitea_module


def main() -> None:
    """Read repositories."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_repo.INFO_ARGUMENTS),
        supports_check_mode=True,
        **gitea_keep_repo.ONE_OF_THEM,
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_repo.look))


if __name__ == "__main__":
    main()
