#!/bin/sh
# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Archive a wizard's home, read the archive back, then move the home aside. Arguments: name, home.
set -eu
umask 077
name=$1
home=$2
store=/var/backups/timmy

if [ ! -d "$home" ] || [ -L "$home" ]; then
	echo "nothing to keep"
	exit 0
fi
mkdir -p "$store"
archive=$store/$name-$(date -u +%Y%m%dT%H%M%SZ).tar.gz
partial=$store/.$name.partial
tar --create --gzip --numeric-owner --file "$partial" --directory "$(dirname "$home")" "$(basename "$home")"
# What is not listed again, entry for entry, is not archived. Sockets cannot be kept and are not counted.
want=$(find "$home" ! -type s -printf x | wc -c)
have=$(tar --list --quoting-style=escape --file "$partial" | wc -l)
if [ "$want" -ne "$have" ]; then
	echo "the archive of $home holds $have of $want entries; nothing is removed" >&2
	exit 1
fi
sync "$partial"
mv -T "$partial" "$archive"
sync "$store"
rm -rf "/home/.$name.archived"
mv -T "$home" "/home/.$name.archived"
echo "archived $home as $archive"
