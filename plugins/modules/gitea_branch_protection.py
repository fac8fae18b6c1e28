#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_branch_protection.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_branch_protection
short_description: Keep a rule for branches of a repository
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Keeps one rule of branch protection. Only what is given is compared and changed; an empty list clears one.
  - What the forge would take and not act on is refused, in check mode too, such as a list whose switch is
    off, an account that may not write to the repository, or a team that cannot read its code.
  - Needs an account that is admin of the repository. To tell in advance who writes by a team, its token needs
    C(read:organization).
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  rule_name:
    description:
      - The branch, or a glob such as C(release/*), compared with its case. It is the name of the rule and
        cannot be changed.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes it.
      - V(absent) deletes it.
    type: str
    choices: [present, absent]
    default: present
  enable_push:
    description:
      - Whether anybody may push to the branch. With V(false), which is what a new rule has, changes come by
        pulls alone. Closing it also switches off O(enable_push_whitelist) and O(push_whitelist_deploy_keys).
    type: bool
  enable_push_whitelist:
    description: Whether only those listed may push; otherwise all who may write.
    type: bool
  push_whitelist_usernames:
    description: Accounts that may push.
    type: list
    elements: str
  push_whitelist_teams:
    description: Teams that may push.
    type: list
    elements: str
  push_whitelist_deploy_keys:
    description: Whether deploy keys that may write are on the list as well.
    type: bool
  enable_force_push:
    description: Whether those who may push may also rewrite history.
    type: bool
  enable_force_push_allowlist:
    description: Whether only those listed may rewrite history.
    type: bool
  force_push_allowlist_usernames:
    description: Accounts that may rewrite history.
    type: list
    elements: str
  force_push_allowlist_teams:
    description: Teams that may rewrite history.
    type: list
    elements: str
  force_push_allowlist_deploy_keys:
    description: Whether deploy keys that may write are on the list as well.
    type: bool
  enable_merge_whitelist:
    description: Whether only those listed may merge, with empty lists nobody; otherwise all who may write.
    type: bool
  merge_whitelist_usernames:
    description: Accounts that may merge. A site admin who is not listed may not.
    type: list
    elements: str
  merge_whitelist_teams:
    description: Teams that may merge.
    type: list
    elements: str
  enable_bypass_allowlist:
    description: Whether those listed may merge against the rule by force. Needs a forge of 1.27 or later.
    type: bool
  bypass_allowlist_usernames:
    description: Accounts that may merge against the rule.
    type: list
    elements: str
  bypass_allowlist_teams:
    description: Teams that may merge against the rule.
    type: list
    elements: str
  enable_status_check:
    description:
      - Whether checks have to be green before a merge. Without O(status_check_contexts) that means all there
        are, and at least one.
    type: bool
  status_check_contexts:
    description:
      - Contexts that have to be green, as globs such as C(ci/*). Each has to fit at least one, and all that
        it fits count.
    type: list
    elements: str
  required_approvals:
    description: Approvals that a merge needs.
    type: int
  enable_approvals_whitelist:
    description: Whether only the approvals of those listed count; otherwise those of all who may write.
    type: bool
  approvals_whitelist_username:
    description: Accounts whose approvals count.
    type: list
    elements: str
  approvals_whitelist_teams:
    description: Teams whose approvals count.
    type: list
    elements: str
  block_on_rejected_reviews:
    description: Whether a review that asks for changes blocks the merge.
    type: bool
  block_on_official_review_requests:
    description: Whether a review that was asked for and is not there yet blocks the merge.
    type: bool
  block_on_outdated_branch:
    description: Whether a head that is behind its base blocks the merge. The forge notices it a moment late.
    type: bool
  block_admin_merge_override:
    description: Whether admins of the repository are held to the rule as well.
    type: bool
  dismiss_stale_approvals:
    description: Whether a new commit takes the approvals away.
    type: bool
  ignore_stale_approvals:
    description: Whether approvals of an older commit count no more.
    type: bool
  require_signed_commits:
    description: Whether all commits have to be signed by a key that the forge can verify.
    type: bool
  protected_file_patterns:
    description:
      - Globs of paths that nobody may change, admins included, by push or by pull. C(*) stops at dots and
        slashes, C(**) does not; case is ignored.
    type: list
    elements: str
  unprotected_file_patterns:
    description: Globs of paths that may be pushed although pushing is off, when nothing else changes.
    type: list
    elements: str
  priority:
    description: Place among the rules that fit a branch, of which the lowest holds. A new rule comes last.
    type: int
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_branch_protection_info
"""

EXAMPLES = r"""
- name: Main is changed by landing alone, with green checks, and nobody pushes to it
  timmy.config.gitea_branch_protection:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
    rule_name: main
    enable_push: false
    enable_merge_whitelist: true
    merge_whitelist_usernames: [landing]
    merge_whitelist_teams: []
    enable_status_check: true
    status_check_contexts: ["checks/*"]
    block_on_outdated_branch: true
    block_on_rejected_reviews: true
    block_admin_merge_override: true
    protected_file_patterns: [".gitea/**", "overlay/**"]

- name: A rule is gone
  timmy.config.gitea_branch_protection:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/work
    rule_name: release/*
    state: absent
"""

RETURN = r"""
branch_protection:
  description: The rule as it then is, with all its fields; empty when it is not there.
  returned: success
  type: dict
  sample:
    rule_name: main
    priority: 1
    enable_push: false
    enable_merge_whitelist: true
    merge_whitelist_usernames: [landing]
    enable_status_check: true
    status_check_contexts: ["checks/*"]
    protected_file_patterns: [".gitea/**", "overlay/**"]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_branch_protection, gitea_module


def main() -> None:
    """Keep one rule."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_branch_protection.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_branch_protection.wish))


if __name__ == "__main__":
    main()
