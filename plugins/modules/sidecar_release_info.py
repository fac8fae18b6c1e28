#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: sidecar_release_info
short_description: List the releases of a host and what differs from them
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Reads the releases of a host, which one is active, and what somebody changed though it is ours.
  - The drift is what C(timmy drift) lists on the host. A key is looked up with Hermes' own interpreter, and
    only where the home's configuration is not as the last deploy left it.
  - Never changes anything.
options:
  release_root:
    description: Where releases live on the host.
    type: path
    default: /opt/timmy
  config_dir:
    description: Where C(fleet.json) and the env files live on the host.
    type: path
    default: /etc/timmy
extends_documentation_fragment:
  - timmy.config.attributes
  - timmy.config.attributes.platform
  - timmy.config.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: timmy.config.sidecar_release
"""

EXAMPLES = r"""
- name: Read the releases
  timmy.config.sidecar_release_info:
  register: __fleet_releases

- name: Show what differs
  ansible.builtin.debug:
    var: __fleet_releases.drift
"""

RETURN = r"""
current:
  description: The active release; empty where there is none.
  returned: always
  type: str
  sample: 0f4c1ab27d3e9a55
previous:
  description: The release that was active before.
  returned: always
  type: str
  sample: 77d0c2b19a1f4e08
releases:
  description: All releases on the host, newest first.
  returned: always
  type: list
  elements: dict
  sample:
    - release: 0f4c1ab27d3e9a55
      hash: 0f4c1ab27d3e9a55c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00
      current: true
      hermes_version: 0.19.0
      agents: [ezra]
      files: 178
drift:
  description:
    - Files, links, keys, cron jobs and settings of ours that somebody changed. A key or job is C(path#name).
    - C(problem) is a short word and C(detail) one line. Values that might be secret are masked, and of an
      env file there are names only.
    - C(held_by) is the Unix user who owns the path now; C(since) its time, or of what is gone that of its
      folder.
  returned: always
  type: list
  elements: dict
  sample:
    - path: /home/ezra/.hermes/config.yaml#code_execution.mode
      kind: key
      problem: edited
      detail: is "strict", ours is "project"
      owner_class: merged
      agent: ezra
      held_by: ezra
      since: 1767225600.0
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import release_info, release_state


def main() -> None:
    """One reading of the host."""
    module = AnsibleModule(
        argument_spec={
            "release_root": {"type": "path", "default": "/opt/timmy"},
            "config_dir": {"type": "path", "default": "/etc/timmy"},
        },
        supports_check_mode=True,
    )
    settings = release_state.Settings(
        root=module.params["release_root"], config_dir=module.params["config_dir"]
    )
    module.exit_json(changed=False, **release_info.info(settings))


if __name__ == "__main__":
    main()
