#!/bin/sh
# A Molecule scenario: the whole life of one fleet of its own (build/FLEET), beside a sandbox that may stand.
# Arguments go to molecule; without any it is `test`.
#   SCENARIO       fleet (default), or gitea: the forge alone
#   FLEET          another name for its fleet than the scenario's, so that two can live at once
#   FORGE_BINARY   a Gitea for the scenario gitea (default: the pocket forge with Gitea's command line)
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
sh scripts/env.sh dev
sandbox/engine.sh up
mkdir -p build/test
PATH=$root/build/env/bin:$PATH
ANSIBLE_VAULT_PASSWORD_FILE=$(sh scripts/vault_password.sh)
# Molecule keeps its state below a cache directory of the user; here it belongs to this checkout.
scenario=${SCENARIO:-fleet}
TIMMY_FLEET=${FLEET:-$scenario}
MOLECULE_EPHEMERAL_DIRECTORY=$root/build/molecule-$TIMMY_FLEET
TIMMY_ROOT=$root
export PATH ANSIBLE_VAULT_PASSWORD_FILE MOLECULE_EPHEMERAL_DIRECTORY TIMMY_ROOT TIMMY_FLEET
action=${1:-test}
[ "$#" -eq 0 ] || shift
# Borders wrap the output, and a secret that is broken over two lines would not be found in the log.
[ "$action" != test ] || set -- --no-command-borders "$@"
log=build/test/$TIMMY_FLEET.log
# Molecule only warns of a playbook that it cannot find; a step that did not run is a failure here. Its own
# clean-up after an error has no playbook and needs none.
{
  molecule "$action" --scenario-name "$scenario" "$@" 2>&1 && printf '0\n' >"build/molecule-$TIMMY_FLEET.status" || printf '%s\n' "$?" >"build/molecule-$TIMMY_FLEET.status"
} | tee "$log"
status=$(cat "build/molecule-$TIMMY_FLEET.status")
if [ "$status" -eq 0 ] && grep 'Missing playbook' "$log" | grep -qv cleanup; then
  printf '%s: a step of the scenario did not run; see %s\n' "$TIMMY_FLEET" "$log" >&2
  status=1
fi
exit "$status"
