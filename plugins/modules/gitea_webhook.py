#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_webhook.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_webhook
short_description: Keep a webhook of a repository or an organization
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Keeps the hook of one type to one address. Only what is given is compared and changed, though the whole
    hook is sent each time, since the forge resets what is left out.
  - The forge does not show a secret again. So that a new one is noticed, a mark is kept in the name of the
    hook, a salted digest that is slow to make. It tells what this module wrote last; a secret that somebody
    changes by other means is not noticed. A long random secret cannot be guessed from the mark, a short one
    can.
  - The forge does not change the secret of a hook either. The hook is then deleted and made anew, under
    another id and without its past deliveries; what happens between the two is not delivered.
options:
  repo:
    description: The repository, as C(owner/name). Give this or O(org).
    type: str
  org:
    description: The organization, for all its repositories. Give this or O(repo).
    type: str
  hook_url:
    description: Address that the forge posts to. Another address is another hook.
    type: str
    required: true
  type:
    description: How the forge words what it posts. Another type is another hook.
    type: str
    choices: [gitea, gogs]
    default: gitea
  state:
    description:
      - V(present) creates or changes it.
      - V(absent) deletes all hooks of this type to this address.
    type: str
    choices: [present, absent]
    default: present
  content_type:
    description: Whether the body is JSON or a form. A new hook has V(json).
    type: str
    choices: [json, form]
  events:
    description:
      - What the forge is to tell, such as V(push), V(status), V(issues) or V(pull_request). A new hook has
        V(push).
      - V(issues) and V(pull_request) stand for all events of their kind; V(issues_only) and
        V(pull_request_only) for the plain ones.
    type: list
    elements: str
  active:
    description: Whether it posts. A new hook does.
    type: bool
  branch_filter:
    description: Glob of the branches whose events are told; empty for all.
    type: str
  secret:
    description: What deliveries are signed with; empty for none.
    type: str
  authorization_header:
    description:
      - Header C(Authorization) to send along; empty for none. It is as secret as O(secret).
      - Some forges show it and some do not. Where it is not shown, give it whenever the hook has one.
    type: str
  update_secret:
    description:
      - When O(secret) and O(authorization_header) of a hook that is there are written anew.
      - V(on_change) when the mark of the hook does not fit them. A hook without a mark gets them once. A
        forge that keeps no names of hooks cannot keep a mark; there is a warning, and nothing is written.
      - V(always) in each run, which then always changes something. No mark is kept.
      - V(on_create) never.
    type: str
    choices: [on_change, always, on_create]
    default: on_change
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_webhook_info
"""

EXAMPLES = r"""
- name: The dispatcher hears of issues and pulls of the whole organization
  timmy.config.gitea_webhook:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    org: fleet
    hook_url: https://dispatch.example.org/hooks/forge
    events: [issues, pull_request, status]
    secret: "{{ vault_dispatch_hook_secret }}"

- name: A hook is gone
  timmy.config.gitea_webhook:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
    hook_url: https://old.example.org/hook
    state: absent
"""

RETURN = r"""
hook:
  description: The hook as it then is, without what is secret; empty when it is not there.
  returned: success
  type: dict
  sample:
    id: 7
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
    """Keep one hook."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_webhook.ARGUMENTS),
        supports_check_mode=True,
        **gitea_module.ONE_OWNER,
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_webhook.wish))


if __name__ == "__main__":
    main()
