#!/bin/sh
# The overlay alone, to this machine or to the named hosts: ./deploy.sh [--check] [HOST…]
# Everything after -- goes to ansible-playbook as it is.
set -eu
cd "$(dirname "$0")"

say() { printf 'deploy: %s\n' "$*" >&2; }
stop() { say "$*"; exit 2; }

playbook=build/env/bin/ansible-playbook
[ -x "$playbook" ] || stop "there is no environment yet; run: make env"

check='' hosts=''
while [ $# -gt 0 ]; do
  case $1 in
    --check) check='--check --diff' ;;
    -h | --help)
      sed -n '2,3s/^# //p' "$0"
      exit 0 ;;
    --) shift; break ;;
    -*) stop "unknown option $1; see ./deploy.sh --help" ;;
    *) hosts="${hosts:+$hosts,}$1" ;;
  esac
  shift
done

inventory=${TIMMY_INVENTORY:-inventory}
[ -e "$inventory" ] || stop "no inventory at $inventory; set TIMMY_INVENTORY"
# Before anything reads the inventory: Ansible would only say that it cannot.
password=${ANSIBLE_VAULT_PASSWORD_FILE:-build/vault-password}
[ -r "$password" ] || stop "no vault password at $password; set ANSIBLE_VAULT_PASSWORD_FILE"
export ANSIBLE_VAULT_PASSWORD_FILE="$password"
known=$(build/env/bin/ansible-inventory -i "$inventory" --graph wizards 2>/dev/null | sed -n 's/^[ |]*--\([^@].*\)$/\1/p')
[ -n "$known" ] || known=$(build/env/bin/ansible wizards -i "$inventory" --list-hosts 2>/dev/null | sed -n '2,$s/^ *//p')
[ -n "$known" ] || stop "the inventory $inventory has no group 'wizards' that can be read"

local_run=''
if [ -z "$hosts" ]; then
  for name in "$(hostname -s)" "$(hostname -f 2>/dev/null || true)" "$(hostname)"; do
    if printf '%s\n' "$known" | grep -qxF -- "$name"; then hosts=$name; local_run=1; break; fi
  done
  [ -n "$hosts" ] || stop "this machine ($(hostname -s)) is no wizard host of $inventory; name one: $(printf '%s' "$known" | tr '\n' ' ')"
else
  for name in $(printf '%s' "$hosts" | tr ',' ' '); do
    printf '%s\n' "$known" | grep -qxF -- "$name" || stop "$name is no wizard host of $inventory; known: $(printf '%s' "$known" | tr '\n' ' ')"
  done
fi

[ -d "$inventory" ] && vault=$inventory/group_vars/all/vault.yml || vault=$(dirname "$inventory")/group_vars/all/vault.yml
if [ -e "$vault" ]; then
  build/env/bin/ansible-vault view --vault-password-file="$password" "$vault" >/dev/null 2>&1 ||
    stop "the password in $password does not open $vault; set ANSIBLE_VAULT_PASSWORD_FILE to the file that does"
fi

if [ -n "$local_run" ]; then set -- -e ansible_connection=local "$@"; fi
# shellcheck disable=SC2086  # $check is empty or two options
exec "$playbook" -i "$inventory" playbooks/sidecar.yml --limit "$hosts" $check "$@"
