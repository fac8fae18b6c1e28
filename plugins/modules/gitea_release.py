#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/gitea_keep_release.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gitea_release
short_description: Keep a release of the forge with its files
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Creates, changes or deletes a release, and attaches files to it. Only what is given is compared and
    changed.
  - A file is attached anew when its content is another one. Its size is compared first; where that agrees,
    its SHA-256 comes from O(checksum_file), or else from reading the attachment.
  - A new release stays a draft until all its files are attached. In one that is there a file is replaced by
    attaching the new one before the old one goes.
options:
  repo:
    description: The repository, as C(owner/name).
    type: str
    required: true
  tag:
    description: The tag that it is a release of. One that is not there is made when the release is published.
    type: str
    required: true
  target:
    description:
      - Branch or commit to make the tag at; the default branch unless given.
      - A tag that is there stays where it is. When a commit is given in full and the tag stands on another
        one, the task fails.
    type: str
  title:
    description: Its title. The forge cannot empty one that is there.
    type: str
  notes:
    description: What is new, as Markdown. The forge cannot empty notes that are there.
    type: str
  draft:
    description: Whether only those who may write are to see it.
    type: bool
    default: false
  prerelease:
    description: Whether it is marked as not yet for everybody.
    type: bool
  files:
    description: Files to attach, on the machine that the module runs on.
    type: list
    elements: dict
    suboptions:
      path:
        description: Where the file is.
        type: path
        required: true
      name:
        description: Name of the attachment; that of the file unless given.
        type: str
  purge:
    description: Whether attachments that are not among O(files), if these are given, are removed.
    type: bool
    default: false
  checksum_file:
    description:
      - Name of an attachment that the module keeps, with the SHA-256 of the files as C(sha256sum) writes it.
      - It is believed, so that large attachments of the same size need not be read. What somebody else put in
        the place of an attachment, with the same size and without changing this one, goes unnoticed then.
    type: str
    default: ""
  state:
    description:
      - V(present) creates or changes it.
      - V(absent) deletes it and all that is attached; the tag stays.
    type: str
    choices: [present, absent]
    default: present
  remove_tag:
    description: Whether O(state=absent) deletes the tag as well.
    type: bool
    default: false
extends_documentation_fragment:
  - timmy.config.gitea
  - timmy.config.gitea.keeper
seealso:
  - module: timmy.config.gitea_release_info
"""

EXAMPLES = r"""
- name: The tool is published
  timmy.config.gitea_release:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-publisher.token
    repo: fleet/work
    tag: v1.2.0
    title: Spring
    notes: "{{ lookup('ansible.builtin.file', 'notes.md') }}"
    files:
      - path: build/tool.tar.gz
      - path: build/notes.pdf
        name: release-notes.pdf
    checksum_file: SHA256SUMS

- name: A trial is gone, its tag as well
  timmy.config.gitea_release:
    url: https://forge.example.org
    token_file: /etc/timmy/forge-publisher.token
    repo: fleet/work
    tag: v1.2.0-rc.1
    state: absent
    remove_tag: true
"""

RETURN = r"""
release:
  description:
    - The release as it then is; empty when it is not there. The SHA-256 of a file is empty where it was not
      needed.
  returned: success
  type: dict
  sample:
    id: 4
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
    """Keep one release."""
    module = AnsibleModule(
        argument_spec=gitea_module.arguments(gitea_keep_release.ARGUMENTS), supports_check_mode=True
    )
    module.exit_json(**gitea_module.keep(module, gitea_keep_release.wish))


if __name__ == "__main__":
    main()
