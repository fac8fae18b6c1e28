#!/bin/sh
# Makes build/vault-password once, and prints its path. The sandbox's secrets are encrypted with it.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
file=$root/build/vault-password
if [ ! -s "$file" ]; then
  umask 077
  mkdir -p "$root/build"
  "$root/build/env/bin/python" -c 'import secrets; print(secrets.token_hex(32))' >"$file.new"
  mv "$file.new" "$file"
fi
printf '%s\n' "$file"
