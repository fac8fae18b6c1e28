#!/usr/bin/python
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin face of module_utils/wheel_env.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wheel_env
short_description: Make a Python environment from a hash-locked set of wheels
version_added: 0.1.0
author:
  - timmy-config authors (@timmy-config)
description:
  - On a host, builds a virtual environment at O(path) that holds exactly the wheels that a lock names.
    Neither a package index nor C(python3-venv) nor an installed pip is needed; pip is run out of its own
    wheel and is not installed.
  - On the controller, O(state=bundled) fetches the wheels of a lock and packs them into the one archive
    that a host receives.
  - A build that was killed at any point is made again by the next run. An environment that this module
    did not make is never touched.
options:
  state:
    description:
      - V(present) builds the environment if it is not there.
      - V(probe) only looks and tells whether V(present) would have work to do; it needs no O(archive).
      - V(absent) removes an environment that this module made.
      - V(bundled) makes sure, on the controller, that O(archive) holds the wheels of the lock named by
        O(tag). A good archive is not made again, and wheels that are there are not fetched again.
    type: str
    choices: [present, probe, absent, bundled]
    default: present
  path:
    description:
      - Directory of the environment. Required unless O(state=bundled).
    type: path
  locks:
    description:
      - Maps a tag such as V(cp311-x86_64) to the text of a lock; a lock has one line C(name==version
        --hash=sha256:digest) for each wheel, pip included.
      - The lock for the Python and the machine of the host is chosen from it.
      - For O(state=probe) the SHA-256 digest of each text is enough.
      - Required unless O(state=absent).
    type: dict
  tag:
    description:
      - Which of O(locks) to use. The default is the one that fits O(python) and the machine.
      - Required for O(state=bundled).
    type: str
  archive:
    description:
      - The uncompressed tar file of the wheels, made by O(state=bundled). For O(state=present) it lies on
        the host and is needed only when there is something to build.
    type: path
  wheels:
    description:
      - For O(state=bundled), the directory that wheels are fetched into. The default is a directory
        beside O(archive) named after O(tag).
    type: path
  python:
    description:
      - The interpreter that the environment is made for, or, for O(state=bundled), the one whose pip
        fetches.
    type: path
    default: /usr/bin/python3
  replace:
    description:
      - Allow that a complete environment made from another lock, or for another Python, is built anew
        under the same path. For the length of the build nothing can be started from it, so stop what runs
        from it first. Without this the module refuses; a path that carries the version needs it only
        after a change of the operating system's Python.
    type: bool
    default: false
  consume:
    description:
      - Remove O(archive) once the environment is built.
    type: bool
    default: false
extends_documentation_fragment:
  - timmy.config.attributes
  - timmy.config.attributes.platform
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details:
      - A set of wheels has no readable difference.
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: See whether the environment has to be built
  timmy.config.wheel_env:
    state: probe
    path: /opt/hermes/0.19.0
    locks:
      cp311-x86_64: 5f1d6d2c0a3e4f7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d
  register: probe

- name: Pack the wheels on the controller
  timmy.config.wheel_env:
    state: bundled
    tag: cp311-x86_64
    locks:
      cp311-x86_64: "{{ lookup('ansible.builtin.file', 'cp311-x86_64.txt', rstrip=false) }}"
    archive: ~/.cache/timmy/artifacts/wheels/hermes-agent-0.19.0-cp311-x86_64.tar
    python: "{{ ansible_playbook_python }}"
  delegate_to: localhost

- name: Build the environment
  timmy.config.wheel_env:
    path: /opt/hermes/0.19.0
    locks:
      cp311-x86_64: "{{ lookup('ansible.builtin.file', 'cp311-x86_64.txt', rstrip=false) }}"
    archive: /opt/hermes/wheels.tar
    consume: true
"""

RETURN = r"""
needed:
  description: Whether O(state=present) would have work to do.
  returned: for O(state=present) and O(state=probe)
  type: bool
  sample: true
tag:
  description: The Python and machine whose lock was used.
  returned: unless O(state=absent)
  type: str
  sample: cp311-x86_64
lock:
  description: SHA-256 digest of that lock.
  returned: unless O(state=absent)
  type: str
  sample: 5f1d6d2c0a3e4f7b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d
python_version:
  description: Version of the interpreter.
  returned: for O(state=present) and O(state=probe)
  type: str
  sample: 3.11.2
packages:
  description: How many distributions the environment holds; 0 when it is not built yet.
  returned: for O(state=present) and O(state=probe)
  type: int
  sample: 87
archive:
  description: Where the archive is.
  returned: for O(state=bundled)
  type: str
  sample: /home/ops/.cache/timmy/artifacts/wheels/hermes-agent-0.19.0-cp311-x86_64.tar
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.timmy.config.plugins.module_utils import wheel_env


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["present", "probe", "absent", "bundled"],
                "default": "present",
            },
            "path": {"type": "path"},
            "locks": {"type": "dict"},
            "tag": {"type": "str"},
            "archive": {"type": "path"},
            "wheels": {"type": "path"},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "replace": {"type": "bool", "default": False},
            "consume": {"type": "bool", "default": False},
        },
        required_if=[
            ("state", "present", ("path", "locks")),
            ("state", "probe", ("path", "locks")),
            ("state", "absent", ("path",)),
            ("state", "bundled", ("archive", "locks", "tag")),
        ],
        supports_check_mode=True,
    )
    request = wheel_env.Request(**{**module.params, "locks": module.params["locks"] or {}})
    try:
        result = wheel_env.run(request, check_mode=module.check_mode)
    except (wheel_env.WheelEnvError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
