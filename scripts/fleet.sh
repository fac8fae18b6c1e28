#!/bin/sh
# The Molecule scenario `fleet`: the whole life of one fleet of its own (build/fleet), beside a sandbox that may
# stand. Arguments go to molecule; without any it is `test`.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
sh scripts/env.sh dev
sandbox/engine.sh up
mkdir -p build/test
PATH=$root/build/env/bin:$PATH
ANSIBLE_VAULT_PASSWORD_FILE=$(sh scripts/vault_password.sh)
# Molecule keeps its state below a cache directory of the user; here it belongs to this checkout.
MOLECULE_EPHEMERAL_DIRECTORY=$root/build/molecule
TIMMY_ROOT=$root
export PATH ANSIBLE_VAULT_PASSWORD_FILE MOLECULE_EPHEMERAL_DIRECTORY TIMMY_ROOT
action=${1:-test}
[ "$#" -eq 0 ] || shift
# Borders wrap the output, and a secret that is broken over two lines would not be found in the log.
[ "$action" != test ] || set -- --no-command-borders "$@"
log=build/test/fleet.log
# Molecule only warns of a playbook that it cannot find; a step that did not run is a failure here. Its own
# clean-up after an error has no playbook and needs none.
{
  molecule "$action" --scenario-name fleet "$@" 2>&1 && printf '0\n' >build/molecule.status || printf '%s\n' "$?" >build/molecule.status
} | tee "$log"
status=$(cat build/molecule.status)
if [ "$status" -eq 0 ] && grep 'Missing playbook' "$log" | grep -qv cleanup; then
  printf 'fleet: a step of the scenario did not run; see %s\n' "$log" >&2
  status=1
fi
exit "$status"
