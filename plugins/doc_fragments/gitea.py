# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules of the forge have in common: the connection, and what they promise."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection; C(keeper) and C(reader) are the promises of those that write and those that do not."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the forge, with the path that it is installed below, if any. C(/api/v1) may be left out.
    type: str
    required: true
  token:
    description:
      - Token of the account that asks. Without any credentials the forge is asked anonymously.
    type: str
  token_file:
    description:
      - File with the token on the machine that the module runs on; O(token) stands before it.
    type: path
  login_user:
    description:
      - Name to log in with instead of a token, together with O(login_password). These stand before O(token)
        and O(token_file). The forge asks for a password where tokens are made.
    type: str
  login_password:
    description:
      - Password of O(login_user).
    type: str
  ca_path:
    description:
      - File with the certificates of the authorities to trust instead of those of the system.
    type: path
  validate_certs:
    description:
      - Whether the forge has to prove who it is. Without it the token may go to anybody.
    type: bool
    default: true
  timeout:
    description:
      - Seconds that one request may take. Where the forge works on a Git repository, it has at least 180.
    type: float
    default: 30.0
attributes:
  action_group:
    description: C(group/timmy.config.gitea) in C(module_defaults) sets the connection for all of them.
    support: full
    membership:
      - timmy.config.gitea
  platform:
    description: The kind of machine that the module runs on; most often it is delegated to the controller.
    platforms: posix
    support: full
    details:
      - Python 3.11 or newer, standard library only.
"""

    KEEPER = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode); it then writes nothing and returns what a real run would return.
    support: full
    details:
      - Of an object that is not there yet, an id is 0, and what only the forge knows is empty.
  diff_mode:
    description: Returns the declared fields before and after, without any secret.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

    READER = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode); it only reads anyway.
    support: full
  diff_mode:
    description: Returns what differs in diff mode.
    support: none
    details:
      - It changes nothing.
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""
