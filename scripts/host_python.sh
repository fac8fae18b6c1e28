#!/bin/sh
# The tests of host-side code under the Pythons that hosts have, which are not the controller's:
# `host_python.sh local` uses this machine's /usr/bin/python3 where it is Debian's, `host_python.sh images` the
# host images of Debian 12 and 13 (needs an engine). pytest itself is lent from build/env: it is pure Python.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
results=$root/build/test
lent=$("$root/build/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
where=${1:-local}
mkdir -p "$results"

# Only pure packages are lent, each by name, so that nothing of the controller is imported by accident.
lend() {
  stage=$root/build/host-python
  rm -rf "$stage.new"
  mkdir -p "$stage.new"
  for package in pytest _pytest pluggy iniconfig packaging pygments; do
    cp -R "$lent/$package" "$stage.new/"
  done
  # pytest reads its own version from its metadata.
  cp -R "$lent/py.py" "$lent"/pytest-*.dist-info "$stage.new/"
  rm -rf "$stage"
  mv "$stage.new" "$stage"
}

# Beside the shared core, the tests of the runtime that need nothing but pytest: a compiled extension of the
# controller's Python is of no use to another one, and the real Hermes needs a network to be made.
runtime_tests() {
  cd "$root"
  for file in $(find tests/runtime -name 'test_*.py' | sort); do
    grep -Eq '^ *(import|from) timmy' "$file" && ! grep -Eq '^ *(import|from) (hypothesis|yaml|jsonschema|ansible|huey|redis|queue_room)|hermes_(binary|python)' "$file" && printf '%s\n' "$file"
  done
  return 0
}
tests="tests/unit/plugins/module_utils $(runtime_tests | tr '\n' ' ')"
arguments='-q -p no:cacheprovider -W error'

run_local() {
  python=/usr/bin/python3
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    printf '%s is missing or older than 3.11; the images (make test) cover it\n' "$python"
    return 0
  fi
  # shellcheck disable=SC2086  # one argument per word
  (cd "$root" && env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="build/host-python:build/collections:src" "$python" -m pytest $arguments \
    --junitxml "$results/host-python-local.xml" $tests)
}

run_image() {
  image=$("$root/sandbox/image.sh" tag "$1")
  "$root/sandbox/image.sh" build "$1"
  # Read-only and without a network: the tests of pure code need neither. The report leaves through a mount.
  # shellcheck disable=SC2086
  docker run --rm --network none --volume "$root:/checkout:ro" --volume "$results:/results" --workdir /checkout \
    --env PYTHONDONTWRITEBYTECODE=1 --env PYTHONPATH=build/host-python:build/collections:src "$image" \
    /usr/bin/python3 -m pytest $arguments --junitxml "/results/host-python-$1.xml" $tests
}

lend
case $where in
  local) run_local ;;
  images) run_image bookworm && run_image trixie ;;
  *) printf 'usage: host_python.sh local | images\n' >&2; exit 2 ;;
esac
