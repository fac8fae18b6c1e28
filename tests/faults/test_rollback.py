# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host takes back what nobody could confirm, within 75 s, whatever broke.

Kinds: a release whose gateway dies as it starts; one whose configuration passes every check and fails when it
is used; a change of sshd or firewall after which nobody can log in; a controller that is killed right after
the flip; and once each, a power cut inside the window and a first release that is bad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from campaign import Campaign
    from trials import Trial


def test_the_host_is_back_and_well(trial: Trial, campaign: Campaign) -> None:
    outcome = campaign.futures[trial].result()
    print(outcome.row())
    assert outcome.problems == [], f"{trial} on {outcome.host} {outcome.way}; its run: {outcome.log}"
    assert outcome.seconds is not None
