#!/bin/sh
# `make test`: every check, then host-side code under the Pythons of the hosts, the life of a fleet, the faults. All of
# it runs to its end; the last line is the sum. `test.sh full` takes the faults' full form.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
rm -rf build/test
mkdir -p build/test
began=$(date +%s)
status=0

step() { printf '\n== %4ss  %s\n' "$(($(date +%s) - began))" "$1"; }

# A step without reports of its own gets one here, so that the sum cannot miss its failure.
part() {
  name=$1
  shift
  step "$name"
  if "$@"; then
    verdict=''
  else
    verdict='<failure message="it failed; its output is in the run"/>' status=1
  fi
  printf '<testsuite name="step"><testcase classname="step" name="%s">%s</testcase></testsuite>\n' "$name" "$verdict" \
    >"build/test/step-$name.xml"
}

step checks
build/env/bin/python scripts/check.py || status=1
if sandbox/engine.sh up; then
  part host-python sh scripts/host_python.sh images
  part fleet sh scripts/fleet.sh
  part forge env SCENARIO=gitea sh scripts/fleet.sh
  if [ "${1:-}" = full ]; then
    part forge-client env TIMMY_FAULTS=full build/env/bin/python -m pytest -q -k gitea \
      --junitxml build/test/forge-client.xml
    part faults sh scripts/faults.sh --full
  else
    part faults sh scripts/faults.sh
  fi
else
  part engine false
fi

step total
build/env/bin/python scripts/total.py || status=1
exit "$status"
