#!/bin/sh
# `make test`: every check, then host-side code under the Pythons of the hosts, then the life of a fleet. All of
# it runs to its end; the last line is the sum. `test.sh full` adds the long trials.
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
  if [ "${1:-}" = full ] && ls tests/faults/test_*.py >/dev/null 2>&1; then
    part faults build/env/bin/python -m pytest tests/faults --junitxml build/test/faults.xml
  fi
else
  part engine false
fi

step total
build/env/bin/python scripts/total.py || status=1
exit "$status"
