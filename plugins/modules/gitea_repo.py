#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_repo.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_repo
short_description: Keep a repository of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Makes, changes, renames, moves or deletes a repository. Only what is given is compared and changed; an
    empty text clears a field.
  - A repository that was renamed or moved is not taken for the old one, though the forge would lead there;
    O(was) says that it is.
options:
  repo:
    description:
      - The repository as owner/name, compared without case. The owner is an organization or an account.
    type: str
    required: true
  was:
    description:
      - Former owner/name. Where O(repo) is not there and this is, it is renamed, and given to the other owner
        if that differs. Issues, pull requests and commits stay; teams of the former owner lose it.
      - Where the account that asks may make no repositories, it is only offered to the new owner; that is an
        error until it is taken.
    type: str
  state:
    description:
      - V(present) makes or changes it.
      - V(absent) deletes it. One that has commits is refused without O(force), in check mode too.
    type: str
    choices: [present, absent]
    default: present
  force:
    description: Whether V(absent) also deletes a repository with commits, and with it everything in it.
    type: bool
    default: false
  auto_init:
    description: Whether a new repository gets a first commit, with a readme. Later it means nothing.
    type: bool
  description:
    description: What it is about.
    type: str
  website:
    description: Its own site.
    type: str
  default_branch:
    description: The branch that counts. Once there are commits, it has to be there.
    type: str
  topics:
    description: Exactly these topics, in lower case.
    type: list
    elements: str
  private:
    description: Whether only those see it who were given a part in it.
    type: bool
  template:
    description: Whether others can be made from it.
    type: bool
  archived:
    description: Whether it is in the archive, where most of it cannot be changed.
    type: bool
  has_issues:
    description: Whether it has issues.
    type: bool
  has_pull_requests:
    description: Whether it has pull requests. Without them how they merge is forgotten.
    type: bool
  has_wiki:
    description: Whether it has a wiki.
    type: bool
  has_projects:
    description: Whether it has project boards.
    type: bool
  has_releases:
    description: Whether it has releases.
    type: bool
  has_packages:
    description: Whether it has packages.
    type: bool
  has_actions:
    description: Whether the forge runs workflows for it, if it runs any at all.
    type: bool
  allow_merge_commits:
    description: Whether pull requests may be merged by a merge commit.
    type: bool
  allow_rebase:
    description: Whether they may be rebased and fast-forwarded.
    type: bool
  allow_rebase_explicit:
    description: Whether they may be rebased and merged by a merge commit.
    type: bool
  allow_squash_merge:
    description: Whether they may be squashed into one commit.
    type: bool
  allow_fast_forward_only_merge:
    description: Whether they may be fast-forwarded as they are.
    type: bool
  allow_rebase_update:
    description: Whether their branches may be updated by a rebase.
    type: bool
  default_merge_style:
    description: How they are merged unless somebody says otherwise.
    type: str
    choices: [merge, rebase, rebase-merge, squash, fast-forward-only]
  default_delete_branch_after_merge:
    description: Whether their branches go after the merge, unless somebody says otherwise.
    type: bool
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_repo_info
"""

EXAMPLES = r"""
- name: The repository that the wizards work in is there
  timmy.config.gitea_repo:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/timmy-home
    description: Where the wizards work
    private: true
    auto_init: true
    default_branch: main
    has_wiki: false
    topics: [fleet]

- name: A repository has another name, in another organization
  timmy.config.gitea_repo:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-admin.token
    repo: fleet/ledger
    was: trial/sessions
"""

RETURN = r"""
repo:
  description: The repository as it then is; empty when it is not there.
  returned: success
  type: dict
  sample:
    id: 5
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
    """Keep one repository."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_repo.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_repo.wish))


if __name__ == "__main__":
    main()
