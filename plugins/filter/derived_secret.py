# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter timmy.config.derived_secret."""

from __future__ import annotations

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.timmy.config.plugins.module_utils import derived_secret as core


def derived_secret(secret: object, purpose: object) -> str:
    """See derived_secret.yml."""
    try:
        return core.derive(secret, purpose)
    except core.SecretError as error:
        raise AnsibleFilterError(f"derived_secret: {error}") from None


class FilterModule:
    """What Ansible looks for in a filter file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """The filters by name."""
        return {"derived_secret": derived_secret}
