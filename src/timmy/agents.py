# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wizards of this host as Unix users: who they are, and who may act as one."""

from __future__ import annotations

import os
import pwd

from timmy.errors import NoPermission, NotConfigured
from timmy.process import Identity


def account(name: str) -> pwd.struct_passwd:
    """Return a wizard's Unix user; raise NotConfigured where there is none."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise NotConfigured(f"no Unix user {name} on this host", "site.yml makes it") from None


def identity_for(uid: int, agent: pwd.struct_passwd) -> Identity | None:
    """Return whom to become: nobody as the agent, the agent as root; raise NoPermission for all others."""
    if uid == agent.pw_uid:
        return None
    if uid != 0:
        raise NoPermission(f"only root and {agent.pw_name} can act as {agent.pw_name}", "try sudo")
    groups = tuple(os.getgrouplist(agent.pw_name, agent.pw_gid))
    return Identity(agent.pw_uid, agent.pw_gid, groups)
