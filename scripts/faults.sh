#!/bin/sh
# The fault trials (tests/faults), on a fleet of their own beside a sandbox that may stand. Without arguments the
# short form, which `make test` runs; `--full` is what `make faults` runs. All else that can be set is an option
# of pytest, listed by `faults.sh --help` under "faults". A line for each trial goes to build/faults.jsonl.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
sh scripts/env.sh dev
sandbox/engine.sh up
mkdir -p build/test
exec build/env/bin/python -m pytest tests/faults --junitxml build/test/faults.xml "$@"
