#!/bin/sh
# The Python environment in build/env: `env.sh run` (Ansible's engine) or `env.sh dev` (and all the checks).
# The dev lock is a superset of the run lock, so one environment serves both; a second call costs nothing.
#   PYTHON   interpreter to make it from (default: the first python3 of 3.11 or newer)
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
env=$root/build/env
want=${1:-run}
oldest=3.11

say() { printf 'env: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

case $want in run | dev) ;; *) printf 'usage: env.sh run | dev\n' >&2; exit 2 ;; esac
lock=$root/requirements/$want.txt
[ -f "$lock" ] || fail "requirements/$want.txt is missing; make lock writes it"

# An environment knows its own path, so a moved checkout needs a new one.
stamp() { printf '%s %s\n' "$(sha256sum <"$root/requirements/$1.txt" | cut -c1-64)" "$env"; }
fresh() { [ -x "$env/bin/ansible-playbook" ] && [ -f "$env/.lock-$1" ] && [ "$(cat "$env/.lock-$1")" = "$(stamp "$1")" ]; }

# Runs from the clone must find the clone's roles, also where an older copy is installed.
link_collection() {
  mkdir -p "$root/build/collections/ansible_collections/timmy"
  [ "$(readlink "$root/build/collections/ansible_collections/timmy/config")" = ../../../.. ] ||
    ln -sfn ../../../.. "$root/build/collections/ansible_collections/timmy/config"
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if command -v "$candidate" >/dev/null 2>&1 && new_enough "$candidate"; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

# Debian splits venv off; as root that is quickly mended, elsewhere one line says what to do.
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

need_venv() {
  can_make_venv "$1" && return 0
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    say 'installing python3-venv'
    mkdir -p "$root/build"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends python3-venv; } \
      >"$root/build/python3-venv.log" 2>&1 || fail 'python3-venv could not be installed; the log is build/python3-venv.log'
    can_make_venv "$1" && return 0
  fi
  fail "$1 has no venv module; install it (Debian: apt-get install python3-venv)"
}

link_collection
if fresh dev || fresh "$want"; then
  exit 0
fi

if [ -e "$env" ] && ! { "$env/bin/python" -c '' 2>/dev/null && grep -qsF "$env/bin/python" "$env/bin/pip"; }; then
  say 'the environment belongs to another path or Python; making it anew'
  rm -rf "$env"
fi
if [ ! -e "$env" ]; then
  python=$(find_python) || fail "Python $oldest or newer is needed; $(python3 --version 2>/dev/null || printf 'no python3') is not enough"
  need_venv "$python"
  say "making build/env with $("$python" --version)"
  # Made aside and moved in would break its paths; a half-made one has no stamp and is finished the next time.
  "$python" -m venv "$env"
fi
say "installing requirements/$want.txt"
"$env/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --requirement "$lock"
rm -f "$env/.lock-run" "$env/.lock-dev"
stamp "$want" >"$env/.lock-$want"
