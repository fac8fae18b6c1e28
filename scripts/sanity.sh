#!/bin/sh
# `sanity.sh sanity | units`: ansible-test on a copy of the collection, in a path that ansible-test accepts.
# Its environments are kept in build/ansible-test, so that a second run is a matter of seconds.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
env=$root/build/env
results=$root/build/test
kept=$root/build/ansible-test
what=${1:-sanity}
# Outside the checkout: inside, ansible-test asks git for the files, is told that they are ignored, and passes
# with every target skipped.
stage=$(mktemp -d "${TMPDIR:-/tmp}/timmy-config.XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' HUP INT TERM
collection=$stage/ansible_collections/timmy/config

fail() { printf 'ansible-test %s: %s\n' "$what" "$*" >&2; exit 1; }

# The environments of ansible-test begin with a script from the network; ours runs the pip of the lock instead.
bootstrap_pip() {
  cache=$kept/.ansible/test/cache
  version=$(sed -n 's/^pip==\([^ ]*\).*/\1/p' "$root/requirements/sanity.txt")
  script=$cache/get_pip_$(printf '%s' "$version" | tr . _).py
  [ -f "$script" ] && [ -f "$cache/pip-$version-py3-none-any.whl" ] && return 0
  mkdir -p "$cache"
  "$env/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --dest "$cache" --requirement "$root/requirements/sanity.txt"
  cat >"$script" <<PY
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).with_name("pip-$version-py3-none-any.whl")))
from pip._internal.cli.main import main

unknown_to_pip = {"--no-setuptools", "--no-wheel"}
sys.exit(main(["install", *(a for a in sys.argv[1:] if a not in unknown_to_pip), "pip==$version",
               "--no-index", "--find-links", str(pathlib.Path(__file__).parent)]))
PY
}

case $what in sanity | units) ;; *) printf 'usage: sanity.sh sanity | units\n' >&2; exit 2 ;; esac

mkdir -p "$collection" "$results" "$kept"
# The machine's own pip settings stay valid under the HOME that keeps the environments together.
[ ! -d "${HOME:-/root}/.config/pip" ] || { mkdir -p "$kept/.config" && ln -sfn "${HOME:-/root}/.config/pip" "$kept/.config/pip"; }
bootstrap_pip
cd "$root"
# A file that is deleted but not yet committed is still listed; it is left out.
# shellcheck disable=SC2016  # the inner shell expands its own arguments
git ls-files -z --cached --others --exclude-standard -- ':!build' |
  xargs -0 sh -c 'for file; do [ ! -e "$file" ] && [ ! -h "$file" ] || printf "%s\0" "$file"; done' sh |
  tar -cf - --null --files-from - | tar -xf - -C "$collection"

cd "$collection"
export HOME="$kept" LC_ALL=C.UTF-8 PATH="$env/bin:$PATH"
python=$("$env/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
log=$results/ansible-test-$what.log
status=0
set -- --python "$python" --color no
[ "$what" != sanity ] || set -- --junit "$@"
ansible-test "$what" "$@" >"$log" 2>&1 || status=$?
rm -f "$results/ansible-test-$what"-*.xml
for report in tests/output/junit/*.xml; do
  [ ! -f "$report" ] || cp "$report" "$results/$(basename "$report" | sed "s/^/ansible-test-$what-/; s/-ansible-test-sanity-/-/")"
done
[ "$status" -eq 0 ] || { if [ "$what" = sanity ]; then grep -E '^(ERROR|FATAL|WARNING)|^[a-z-]+$' "$log"; else tail -n 60 "$log"; fi; fail "failed; the log is build/test/ansible-test-$what.log"; }

# A run that tested nothing also ends with 0.
! grep -q 'All targets skipped' "$log" || fail 'a test had no targets: the copy of the collection is wrong'
if [ "$what" = sanity ]; then
  ! grep -Eiq '^WARNING: (Skipping|.*skipped)' "$log" || fail "a test was skipped: $(grep -Eim1 '^WARNING: (Skipping|.*skipped)' "$log")"
  wanted=$(ansible-test sanity --list-tests 2>/dev/null | wc -l)
  ran=$(grep -Ec '^Running sanity test ' "$log")
  [ "$ran" -ge "$wanted" ] || fail "only $ran of $wanted tests ran"
  printf '%s sanity tests passed\n' "$ran"
else
  ls "$results/ansible-test-$what"-*.xml >/dev/null 2>&1 || fail 'no report was written'
  grep -E '^=+ .*(passed|failed)' "$log" | tail -n 1
fi
