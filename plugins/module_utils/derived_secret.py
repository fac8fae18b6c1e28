# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One secret per purpose from the fleet secret: the operator keeps one, and every host can be rebuilt."""

from __future__ import annotations

import hashlib
import hmac

MINIMUM = 32


class SecretError(ValueError):
    """The fleet secret cannot be used; the text never holds it."""


def derive(secret: object, purpose: object) -> str:
    """HMAC-SHA256 of the purpose under the fleet secret, in hex."""
    if not isinstance(secret, str) or not secret.strip():
        raise SecretError("the fleet secret is empty; run playbooks/vault_init.yml")
    if len(secret) < MINIMUM:
        raise SecretError(
            f"the fleet secret is shorter than {MINIMUM} characters; run playbooks/vault_init.yml"
        )
    if not isinstance(purpose, str) or not purpose:
        raise SecretError("a derived secret needs a purpose, such as 'api-server:' and the agent's name")
    return hmac.new(secret.encode("utf-8"), purpose.encode("utf-8"), hashlib.sha256).hexdigest()
