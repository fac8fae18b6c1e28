#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: hermes_config
short_description: Keep keys of an agent's own Hermes configuration as declared
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Puts keys into C(~/.hermes/config.yaml) of one agent. The file belongs to Hermes and the agent, so it is
    merged key by key with a record of what was last put there. Other keys, comments and their order stay.
  - A key that is no longer declared is taken out again. One that somebody edited since is kept and returned.
  - Hermes itself, run as the agent, checks each key by name and type, and reads it back, before anything
    changes. What it would ignore in silence is an error here.
  - Each key has one owner. A key that the release declares, that its managed configuration fixes, or that
    another declaration has, is refused, and the message says where to change it. A release that declares such
    a key later wins; the declared value comes back when the release lets go of it.
  - It holds the lock of a deploy while it works, and waits for one that is under way.
  - A running gateway reads most keys at the next turn, and some only after a restart, which is not done here.
options:
  agent:
    description: The agent, which is its Unix user.
    type: str
    required: true
  declaration:
    description:
      - A name for what this task declares. Another task with the same name replaces it, one with another name
        stands beside it and may not declare the same keys.
      - The record of it is kept below O(release_root), where only root can read it.
    type: str
    default: default
  config:
    description:
      - The keys, nested as in the file. An empty mapping takes out all that was declared before.
      - Secrets do not belong here; M(timmy.config.sidecar_release) gives them to the agent as environment.
    type: dict
  state:
    description:
      - V(present) brings the file to what is declared; V(absent) takes the whole declaration out again.
    type: str
    choices: [present, absent]
    default: present
  restore:
    description: Keys of O(config), with dots, to set as declared even where somebody edited them.
    type: list
    elements: str
    default: []
  home:
    description: The home of the agent. That of its Unix account where this is not given.
    type: path
  hermes_python:
    description:
      - The interpreter of the Hermes to ask, for an agent that no release runs.
      - That of the current release where this is not given.
    type: path
  release_root:
    description: Where releases live on the host.
    type: path
    default: /opt/timmy
  record_dir:
    description: Directory of the guard's records, which tell whether a release waits to be confirmed.
    type: path
    default: /var/lib/timmy-guard
  lock_wait_s:
    description: How long to wait for a deploy that is under way on the host, in seconds.
    type: float
    default: 60
extends_documentation_fragment:
  - timmy.config.attributes
  - timmy.config.attributes.platform
  - timmy.config.attributes.action_group
attributes:
  check_mode:
    support: full
    details:
      - Where the agent is not installed yet, everything counts as to be made, and a warning says that Hermes
        could not check it.
  diff_mode:
    support: full
    details:
      - One line for each key. A value that might be a secret is masked.
  idempotent:
    support: full
seealso:
  - module: timmy.config.hermes_cron
  - module: timmy.config.sidecar_release
"""

EXAMPLES = r"""
- name: Let Ezra use a server for files
  timmy.config.hermes_config:
    agent: ezra
    declaration: file-server
    config:
      mcp_servers:
        files:
          command: /usr/local/bin/files-mcp
          args: [--read-only]

- name: Set the mode back that somebody changed
  timmy.config.hermes_config:
    agent: ezra
    declaration: browser
    config:
      browser:
        record_sessions: true
    restore: [browser.record_sessions]

- name: Take the server out again
  timmy.config.hermes_config:
    agent: ezra
    declaration: file-server
    state: absent
"""

RETURN = r"""
changes:
  description: Keys that were set or taken out.
  returned: success
  type: list
  elements: str
  sample: [mcp_servers.files.command, mcp_servers.files.args]
edited:
  description: Keys of this declaration that somebody edited, and that were left as they are.
  returned: success
  type: list
  elements: str
  sample: [browser.record_sessions]
taken:
  description: Keys that had another value before they were declared for the first time.
  returned: success
  type: list
  elements: str
  sample: [browser.record_sessions]
problems:
  description: Each reason why nothing was changed; C(msg) is the first.
  returned: failure
  type: list
  elements: str
  sample:
    - "ezra: config: agent.max_turns: the release fixes it in the managed configuration, which goes before the
      home's; change overlay/config.yaml and deploy"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import declarations, hermes_declare

ARGUMENTS = {
    "agent": {"type": "str", "required": True},
    "declaration": {"type": "str", "default": "default"},
    "config": {"type": "dict", "no_log": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "restore": {"type": "list", "elements": "str", "default": []},
    "home": {"type": "path"},
    "hermes_python": {"type": "path"},
    "release_root": {"type": "path", "default": "/opt/timmy"},
    "record_dir": {"type": "path", "default": "/var/lib/timmy-guard"},
    "lock_wait_s": {"type": "float", "default": 60.0},
}


def main() -> None:
    """One declaration for one home."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[("state", "present", ("config",))],
        supports_check_mode=True,
    )
    answer, hidden = hermes_declare.module_answer(
        declarations.CONFIG, module.params, check_mode=module.check_mode, diff_mode=module._diff
    )
    # All that was declared keeps out of the host's log; of the answer only what might be a secret is hidden.
    module.no_log_values = hidden
    if answer.get("failed"):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
