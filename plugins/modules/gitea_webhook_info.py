#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_webhook.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_webhook_info
short_description: Read the webhooks of a repository or an organization
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns all hooks, without what is secret. Never changes anything.
options:
  repo:
    description: The repository, as C(owner/name). Give this or O(org).
    type: str
  org:
    description: The organization, for all its repositories. Give this or O(repo).
    type: str
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_webhook
"""

EXAMPLES = r"""
- name: Read where the forge posts to
  timmy.config.gitea_webhook_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
  register: __fleet_hooks
"""

RETURN = r"""
hooks:
  description: The hooks, oldest first.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 7
      type: gitea
      url: https://dispatch.example.org/hooks/forge
      content_type: json
      events: [issues, issue_assign, issue_comment, issue_label, issue_milestone, push]
      active: true
      branch_filter: ""
      updated_at: "2026-01-15T10:00:00Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_webhook, gitea_module


def main() -> None:
    """Read hooks."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_webhook.INFO_ARGUMENTS),
        supports_check_mode=True,
        **gitea_module.ONE_OWNER,
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_webhook.look))


if __name__ == "__main__":
    main()
