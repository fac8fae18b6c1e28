#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_release.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_release_info
short_description: Read releases of the forge
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Returns one release, or all that the account may see, drafts included. Never changes anything.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  tag:
    description: Only the release of this tag.
    type: str
  checksums:
    description: Whether to read all attachments and return their SHA-256.
    type: bool
    default: false
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.reader
seealso:
  - module: timmy.config.gitea_release
"""

EXAMPLES = r"""
- name: Read what is published
  timmy.config.gitea_release_info:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-reader.token
    repo: fleet/work
  register: __releases
"""

RETURN = r"""
releases:
  description:
    - The releases, the newest first; empty when there is none. The SHA-256 of a file is empty without
      O(checksums).
  returned: success
  type: list
  elements: dict
  sample:
    - id: 4
      tag: v1.2.0
      target: main
      title: Spring
      notes: What is new
      draft: false
      prerelease: false
      files:
        tool.tar.gz:
          size: 48213
          sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      author: timmy
      html_url: https://forge.example.org/fleet/work/releases/tag/v1.2.0
      published_at: "2026-03-16T08:00:00Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import gitea_keep_release, gitea_module


def main() -> None:
    """Read releases."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_release.INFO_ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.look(module, gitea_keep_release.look))


if __name__ == "__main__":
    main()
