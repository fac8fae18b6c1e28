#!/bin/sh
# `make lock`: resolves requirements/*.in anew and writes every lock, hashes included.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
sh scripts/env.sh run
tools=build/lock-env
if [ ! -x "$tools/bin/uv" ]; then
  build/env/bin/python -m venv "$tools"
  "$tools/bin/python" -m pip install --quiet --disable-pip-version-check uv
fi
for name in run dev sanity; do
  printf 'lock: requirements/%s.txt\n' "$name"
  # 3.11 is the oldest Python that a controller may have; a universal lock also serves the newer ones.
  "$tools/bin/uv" pip compile "requirements/$name.in" --quiet --universal --python-version 3.11 --generate-hashes \
    --no-annotate --custom-compile-command 'make lock' "$@" --output-file "requirements/$name.txt"
done
printf 'lock: requirements/bench.txt\n'
# One wheel that holds collections; the engine that it would bring along is in run.txt.
"$tools/bin/uv" pip compile requirements/bench.in --quiet --universal --python-version 3.11 --generate-hashes --no-deps \
  --no-annotate --custom-compile-command 'make lock' "$@" --output-file requirements/bench.txt
printf 'lock: wheels of Hermes\n'
PATH="$root/$tools/bin:$root/build/env/bin:$PATH" build/env/bin/python scripts/lock_wheels.py
printf 'lock: wheels of the queue\n'
PATH="$root/$tools/bin:$root/build/env/bin:$PATH" build/env/bin/python scripts/lock_wheels.py --dir requirements/hosts
