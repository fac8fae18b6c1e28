#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_pull.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_pull
short_description: Keep a pull request of the forge, from opening to landing
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Opens a pull request, brings its head up to date with its base, merges it, or closes it. Only what is
    given is compared and changed.
  - A pull request is opened once, also when the answer of the forge is lost. Its body then ends with a
    comment that readers do not see; the module neither compares it nor takes it away.
  - Nothing but the commit O(head_commit_id) is ever merged. A head that has moved, missing checks, a conflict
    and all else that is in the way make the task fail, in check mode too; O(wait) gives it time.
  - The token needs the scopes C(write:repository) and C(write:issue).
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  number:
    description: Number of a pull request that is there; instead of O(head) and O(base).
    type: int
  head:
    description:
      - Branch that has the changes; of a fork, C(owner:branch).
      - An open pull request of O(head) and O(base) is the one that is meant, else the last one of them. After
        that was merged, O(state=open) opens another one only when the branch has moved on.
    type: str
  base:
    description: Branch to merge into; the default branch of the repository unless given.
    type: str
  title:
    description: Title, up to 255 columns; needed to open one. C(WIP:) before it makes a draft.
    type: str
  body:
    description: What it says, as Markdown. An empty text empties it.
    type: str
  labels:
    description: Names of all labels that it is to have; those that are not among them are taken off.
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
      - V(open) opens it, or opens it again after it was closed without being merged.
      - V(updated) has its head contain its base. A rebase gives the head another commit.
      - V(landed) has it merged.
      - V(closed) has it closed; one that was never opened is well.
      - One that is merged stays as it is, whatever else is given.
    type: str
    choices: [open, updated, landed, closed]
    default: open
  update_style:
    description: Whether O(state=updated) rebases the head onto its base or merges the base into the head.
    type: str
    choices: [rebase, merge]
    default: rebase
  head_commit_id:
    description: The commit to land, in full; needed for V(landed). It is the one that was judged.
    type: str
  merge_style:
    description: How to merge, among what the repository allows; needed for V(landed).
    type: str
    choices: [merge, rebase, rebase-merge, squash, fast-forward-only]
  merge_title:
    description: Title of the merge commit; the forge's own unless given.
    type: str
    default: ""
  merge_message:
    description: Text of the merge commit.
    type: str
    default: ""
  delete_branch:
    description: Whether landing deletes the head branch.
    type: bool
    default: false
  wait:
    description:
      - Seconds to wait for what may come by itself before landing, such as the forge's own checking, required
        status checks and approvals. In check mode the task waits as well, and only reads.
      - What stays unmergeable all that time with nothing moving is a conflict. With 0 nothing is waited for;
        the forge is often still checking what was opened just now.
    type: float
    default: 0.0
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_pull_info
  - module: timmy.config.gitea_comment
"""

EXAMPLES = r"""
- name: The work on issue 12 is offered
  timmy.config.gitea_pull:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-publisher.token
    repo: fleet/work
    head: agent/12-e1
    title: Say what a wizard may forget
    add_labels: [fleet/review]

- name: Its head is up to date
  timmy.config.gitea_pull:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-landing.token
    repo: fleet/work
    head: agent/12-e1
    state: updated
  register: __updated

- name: What was judged lands, as soon as its checks are green
  timmy.config.gitea_pull:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-landing.token
    repo: fleet/work
    number: "{{ __updated.pull.number }}"
    state: landed
    head_commit_id: "{{ __updated.pull.head_sha }}"
    merge_style: fast-forward-only
    wait: 600
"""

RETURN = r"""
pull:
  description:
    - The pull request as it then is; empty when none was opened. Once it has landed, its C(landing) is
      V(merged).
  returned: success
  type: dict
  sample:
    number: 17
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
landing:
  description:
    - What came of the merge, V(scheduled), V(checking), V(blocked), V(conflict), V(head-moved) or
      V(unknown-recheck).
  returned: when it is not landed
  type: str
  sample: blocked
updating:
  description: What came of the update, V(conflict), V(blocked) or V(unknown-recheck).
  returned: when it is not brought up to date
  type: str
  sample: conflict
reason:
  description: Why, in the words of the forge where it has any.
  returned: when it is neither landed nor brought up to date as asked
  type: str
  sample: "not all required status checks are green: ci/test"
head_sha:
  description: The head as last read.
  returned: when it is neither landed nor brought up to date as asked
  type: str
  sample: 6f1a2c5b0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_pull, gitea_module


def main() -> None:
    """Keep one pull request."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_pull.ARGUMENTS),
        supports_check_mode=True,
        **gitea_keep_pull.PAIRS,
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_pull.wish))


if __name__ == "__main__":
    main()
