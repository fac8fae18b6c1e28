# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_look.py."""

from __future__ import annotations

DOCUMENTATION = r"""
name: gitea
short_description: Read issues and pull requests of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns the issues or the pull requests of repositories or whole organizations that fit what is asked for,
    each once. It runs on the controller and never changes anything.
  - A label or a milestone that the forge does not know fits nothing; the forge itself would then return all.
options:
  _terms:
    description:
      - Where to look. A repository is written C(owner/name); a name without a slash is an organization, and
        all its repositories that the account may see are looked through.
    type: list
    elements: str
    required: true
  kind:
    description: What to return.
    type: str
    choices: [issues, pulls]
    default: issues
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
  assigned_to:
    description: Only those that this account is assigned to.
    type: str
  created_by:
    description: Only those that this account has opened.
    type: str
  milestone:
    description: Only those of the milestone of this title.
    type: str
  since:
    description: Only those changed at or after this time, written as C(2026-01-31T12:00:00Z).
    type: str
  head:
    description: Only pull requests of this branch; of a fork, C(owner:branch).
    type: str
  base:
    description: Only pull requests into this branch.
    type: str
  url:
    description:
      - Address of the forge, with the path that it is installed below, if any. C(/api/v1) may be left out.
    type: str
    required: true
    env:
      - name: TIMMY_FORGE_URL
    ini:
      - section: timmy_forge
        key: url
  token:
    description:
      - Token of the account that asks. Without any credentials the forge is asked anonymously.
    type: str
    env:
      - name: TIMMY_FORGE_TOKEN
  token_file:
    description: File with the token; O(token) stands before it.
    type: path
    env:
      - name: TIMMY_FORGE_TOKEN_FILE
    ini:
      - section: timmy_forge
        key: token_file
  login_user:
    description: Name to log in with instead of a token, together with O(login_password).
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  ca_path:
    description: File with the certificates of the authorities to trust instead of those of the system.
    type: path
    env:
      - name: TIMMY_FORGE_CA_PATH
    ini:
      - section: timmy_forge
        key: ca_path
  validate_certs:
    description: Whether the forge has to prove who it is. Without it the token may go to anybody.
    type: bool
    default: true
    env:
      - name: TIMMY_FORGE_VALIDATE_CERTS
    ini:
      - section: timmy_forge
        key: validate_certs
  timeout:
    description: Seconds that one request may take.
    type: float
    default: 30.0
    ini:
      - section: timmy_forge
        key: timeout
seealso:
  - module: timmy.config.gitea_issue_info
  - module: timmy.config.gitea_pull_info
"""

EXAMPLES = r"""
- name: Say what waits for a wizard in all repositories of the fleet
  ansible.builtin.debug:
    msg: "{{ item.repo }} #{{ item.number }} {{ item.title }}"
  loop: "{{ query('timmy.config.gitea', 'fleet', labels=['fleet/queued'], url='https://forge.example.org') }}"

- name: Stop while anything waits to land, with the forge and the token's file from the environment
  ansible.builtin.assert:
    that: query('timmy.config.gitea', 'fleet/work', kind='pulls', base='main') | length == 0
"""

RETURN = r"""
_list:
  description:
    - The issues or pull requests, as M(timmy.config.gitea_issue_info) and M(timmy.config.gitea_pull_info)
      return them, each with its C(repo). Those of a place come together, the newest first.
  type: list
  elements: dict
  sample:
    - repo: fleet/work
      number: 12
      title: Review of week 12
      state: open
      labels: [fleet/queued]
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.timmy.config.plugins.module_utils import gitea_look, gitea_module
from ansible_collections.timmy.config.plugins.module_utils.gitea_errors import ForgeError, one_line


class LookupModule(LookupBase):  # type: ignore[misc]  # Ansible ships no types
    """What Ansible looks for in a lookup file."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[Any]:
        """See DOCUMENTATION."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            with gitea_module.open_client(self.get_options()) as forge:
                return gitea_look.look_up(forge, self._flatten(terms), self.get_options())
        except (ForgeError, ValueError, OSError) as error:
            raise AnsibleLookupError(f"timmy.config.gitea: {one_line(str(error), 600)}") from None
