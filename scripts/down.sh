#!/bin/sh
# `make down`: the reverse of up.sh. Images, wheels and the environment stay; `make clean` removes those.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
if [ ! -x build/env/bin/ansible-playbook ]; then
  sh scripts/env.sh run
fi
exec build/env/bin/ansible-playbook --inventory localhost, --extra-vars "sandbox_name=${SANDBOX:-sandbox}" sandbox/destroy.yml
