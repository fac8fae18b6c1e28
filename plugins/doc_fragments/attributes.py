# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of this collection say about check mode, diff mode and where they run, in one wording."""

from __future__ import annotations


class ModuleDocFragment:
    """Texts for C(extends_documentation_fragment); a module adds only its own C(support) and C(details)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode); it then changes nothing and returns what a real run would return.
  diff_mode:
    description: Returns what differs between the host and the wish in diff mode, without any secret.
  idempotent:
    description: A second run with the same arguments on an untouched host reports no change.
"""

    PLATFORM = r"""
options: {}
attributes:
  platform:
    description: The kind of host that the module runs on.
    platforms: posix
    support: full
    details:
      - Tried on Debian 12 and 13 with the Python of the distribution, standard library only.
"""

    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: C(group/timmy.config.timmy) in C(module_defaults) sets defaults for all modules of it.
    support: full
    membership:
      - timmy.config.timmy
"""
