#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: hermes_cron
short_description: Keep cron jobs of an agent as declared
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - Creates, updates and removes jobs of Hermes' own scheduler for one agent, known by their names, with
    Hermes' own code, run as the agent. The identity and the history of a job stay when it changes.
  - A job that is no longer declared is removed. What somebody changed in one since is kept and returned.
  - A job that uses the agent must name model and provider. Without them Hermes holds on to the defaults of
    the day on which the job was made, and skips the job once they change.
  - Each job has one owner, and each name one job. A name that the release or another declaration has is
    refused, and the message says where to change it. So is the name of a job that somebody made on the host,
    and such a job is never touched.
  - A release that declares a job of that name later takes it over; the declared one comes back when the
    release lets go of it.
  - It holds the lock of a deploy while it works, and waits for one that is under way.
options:
  agent:
    description: The agent, which is its Unix user.
    type: str
    required: true
  declaration:
    description:
      - A name for what this task declares. Another task with the same name replaces it, one with another name
        stands beside it and may not declare the same jobs.
      - The record of it is kept below O(release_root), where only root can read it.
    type: str
    default: default
  jobs:
    description: All jobs of this declaration. An empty list removes those that were declared before.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the job, in small letters, digits and hyphens.
        type: str
        required: true
      schedule:
        description: When it runs, and again; five fields as in C(30 6 * * *), or C(every 2h).
        type: str
        required: true
      prompt:
        description: What the agent is told.
        type: str
      model:
        description: The model of the job. Needed with O(jobs[].provider) where the agent is used.
        type: str
      provider:
        description: The provider of the job.
        type: str
      base_url:
        description: Another endpoint than the provider's own.
        type: str
      script:
        description: A script among the agent's C(~/.hermes/scripts), whose output goes before the prompt.
        type: str
      no_agent:
        description: Run O(jobs[].script) and nothing else.
        type: bool
        default: false
      skills:
        description: Skills to load first.
        type: list
        elements: str
      enabled_toolsets:
        description: The only toolsets of the job. All of the agent where this is not given.
        type: list
        elements: str
      context_from:
        description: Jobs whose last answer goes before the prompt.
        type: list
        elements: str
      workdir:
        description: Directory to work in, which must be there.
        type: path
      deliver:
        description: Where answers go, such as V(local) or a platform with a chat.
        type: str
        default: local
      enabled:
        description: Whether the job runs at all.
        type: bool
        default: true
  state:
    description:
      - V(present) brings the jobs to what is declared; V(absent) removes the whole declaration.
    type: str
    choices: [present, absent]
    default: present
  restore:
    description: Names of O(jobs) to set as declared even where somebody edited them.
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
      - One line for each field of a job. A value that might be a secret is masked.
  idempotent:
    support: full
seealso:
  - module: timmy.config.hermes_config
  - module: timmy.config.sidecar_release
"""

EXAMPLES = r"""
- name: Let Ezra look after the backups
  timmy.config.hermes_cron:
    agent: ezra
    declaration: backups
    jobs:
      - name: check-backups
        schedule: "30 7 * * *"
        prompt: Look whether last night's backup is there and whole. Say it in one line.
        provider: ollama
        model: gemma-4-31b-it
        enabled_toolsets: [terminal]
      - name: count-backups
        schedule: every 6h
        no_agent: true
        script: count-backups.sh

- name: Remove these jobs again
  timmy.config.hermes_cron:
    agent: ezra
    declaration: backups
    state: absent
"""

RETURN = r"""
changes:
  description: Jobs that were created, updated or removed; of an updated one the fields.
  returned: success
  type: list
  elements: str
  sample: ["check-backups: created", "count-backups: schedule"]
edited:
  description: Fields of declared jobs that somebody edited, and that were left as they are.
  returned: success
  type: list
  elements: str
  sample: ["check-backups: prompt"]
problems:
  description: Each reason why nothing was changed; C(msg) is the first.
  returned: failure
  type: list
  elements: str
  sample:
    - "ezra: cron check-backups: model: is missing; an unpinned job stops running when the default model
      changes"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import declarations, hermes_declare

JOB = {
    "name": {"type": "str", "required": True},
    "schedule": {"type": "str", "required": True},
    "prompt": {"type": "str"},
    "model": {"type": "str"},
    "provider": {"type": "str"},
    "base_url": {"type": "str"},
    "script": {"type": "str"},
    "no_agent": {"type": "bool", "default": False},
    "skills": {"type": "list", "elements": "str"},
    "enabled_toolsets": {"type": "list", "elements": "str"},
    "context_from": {"type": "list", "elements": "str"},
    "workdir": {"type": "path"},
    "deliver": {"type": "str", "default": "local"},
    "enabled": {"type": "bool", "default": True},
}
ARGUMENTS = {
    "agent": {"type": "str", "required": True},
    "declaration": {"type": "str", "default": "default"},
    "jobs": {"type": "list", "elements": "dict", "options": JOB, "no_log": True},
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
        required_if=[("state", "present", ("jobs",))],
        supports_check_mode=True,
    )
    answer, hidden = hermes_declare.module_answer(
        declarations.CRON, module.params, check_mode=module.check_mode, diff_mode=module._diff
    )
    # All that was declared keeps out of the host's log; of the answer only what might be a secret is hidden.
    module.no_log_values = hidden
    if answer.get("failed"):
        module.fail_json(**answer)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
