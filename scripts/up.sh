#!/bin/sh
# `make up`: a fleet in a box, from nothing to running wizards. Every step may be run again.
#   SANDBOX         name of the fleet (default: sandbox); files in build/$SANDBOX
#   SANDBOX_HOSTS   its hosts (default: sandbox/hosts.yml)
#   SANDBOX_FLEET   its wizards and their model (default: group_vars/all/fleet.yml)
#   FORGE_BINARY    a Gitea for its forge (default: the pocket forge)
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
fleet=${SANDBOX:-sandbox}
reached=build/$fleet/inventory
vault=$root/$reached/group_vars/all/vault.yml
began=$(date +%s)

step() { printf '\n== %4ss  %s\n' "$(($(date +%s) - began))" "$1"; }
playbook() { build/env/bin/ansible-playbook "$@"; }

step 'environment'
sh scripts/env.sh run

step 'Docker engine'
sandbox/engine.sh up

step 'host images'
# create.yml asks for them as well; here the minutes of a first build can be seen passing.
# shellcheck disable=SC2046  # one suite per word
sandbox/image.sh build $(sed -n 's/^ *suite: *//p' "${SANDBOX_HOSTS:-sandbox/hosts.yml}" | sort -u)

step 'hosts'
set -- --inventory localhost, --extra-vars "sandbox_name=$fleet"
[ -z "${SANDBOX_HOSTS:-}" ] || set -- "$@" --extra-vars "sandbox_hosts_file=$(realpath "$SANDBOX_HOSTS")"
[ -z "${SANDBOX_FLEET:-}" ] || set -- "$@" --extra-vars "sandbox_fleet_file=$(realpath "$SANDBOX_FLEET")"
playbook "$@" sandbox/create.yml

step 'secrets'
password=$(sh scripts/vault_password.sh)
set -- --inventory "$reached" --vault-password-file "$password"
[ -f "$vault" ] || playbook "$@" --extra-vars "vault_init_dest=$vault vault_init_password_file=$password" playbooks/vault_init.yml

step 'site.yml'
playbook "$@" playbooks/site.yml

step 'forge'
playbook "$@" sandbox/forge.yml

step 'status'
playbook "$@" playbooks/status.yml

step 'done'
