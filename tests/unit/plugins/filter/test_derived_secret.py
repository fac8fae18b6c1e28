# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter timmy.config.derived_secret."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.timmy.config.plugins.filter.derived_secret import FilterModule

SECRET = "0123456789abcdef" * 4


def test_it_is_hmac_sha256_of_the_purpose() -> None:
    derive = FilterModule().filters()["derived_secret"]
    # printf 'api-server:ezra' | openssl dgst -sha256 -hmac "$SECRET"
    assert (
        derive(SECRET, "api-server:ezra")
        == "61c58447a1fa9c141add04775da4b3e7557b94cc577c66283ad3728f31a807dc"
    )
    assert derive(SECRET, "api-server:bezalel") != derive(SECRET, "api-server:ezra")


@pytest.mark.parametrize("secret", ["", "  ", "short-s3cr3t", None, 5])
def test_a_missing_or_short_secret_is_refused_and_not_shown(secret: object) -> None:
    with pytest.raises(AnsibleFilterError, match=r"run playbooks/vault_init\.yml") as caught:
        FilterModule().filters()["derived_secret"](secret, "x")
    assert "s3cr3t" not in str(caught.value)


def test_a_purpose_is_needed() -> None:
    with pytest.raises(AnsibleFilterError, match="needs a purpose"):
        FilterModule().filters()["derived_secret"](SECRET, "")
