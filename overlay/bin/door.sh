#!/bin/sh
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The one script behind every name of doors.txt: `fleet-status.sh --json` becomes `timmy status --json`.
# Each name is a link to this file; the table says what it opens. Unknown verbs are the business of `timmy`.
set -eu

name=${0##*/}
here=$(dirname -- "$(readlink -f -- "$0")")
table=$here/doors.txt
if [ ! -r "$table" ]; then
  echo "$name: cannot read $table; deploy the overlay again" >&2
  exit 78
fi

verb=
while read -r door words; do
  if [ "$door" = "$name" ]; then
    verb=${words%%#*}
    break
  fi
done <"$table"

if [ -z "$verb" ]; then
  echo "$name: no such door; the names are in $table" >&2
  exit 64
fi

# doors.txt allows plain words only, so splitting the verb on spaces is what is meant here.
# shellcheck disable=SC2086
exec "${TIMMY_COMMAND:-$here/timmy}" $verb "$@"
