# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The durable queue: jobs as rows whose state moves under a lease, on SQLite or Redis, with Huey in front.

model         states, moves, errors; what a store offers
clock         leases are measured on the clock of the boot, and by whom one may be taken
sqlite_jobs   the store in one file; standard library
redis_jobs    the same moves as scripts of a Redis server
payload       JSON in, JSON out: nothing is ever unpickled
keeper        the thread that renews what this process holds
storage, durable, consumer, consume     Huey's storage, Huey itself, its consumer, and the door to it
command       `timmy queue`
"""
