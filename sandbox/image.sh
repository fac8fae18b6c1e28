#!/bin/sh
# Host images: `image.sh build SUITE…` makes what is missing, `image.sh tag SUITE` prints a name,
# `image.sh clean` removes all of them. A tag carries the hash of the packages and of setup.sh, so that a
# changed recipe is a new image.
#   SANDBOX_MIRROR   Debian mirror for mmdebstrap (default: mmdebstrap's own)
#   SANDBOX_BASE     image to start from where a registry answers (default: debian:SUITE-slim)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$here/../build/image
repository=timmy-host
registry_answer_s=10
registry_pull_s=180

say() { printf 'image: %s\n' "$*" >&2; }

tag() {
  recipe=$(cat "$here/image/packages" "$here/image/setup.sh" | sha256sum | cut -c1-12)
  printf '%s:%s-%s\n' "$repository" "$1" "$recipe"
}

# True when the base image is here in the end. A registry that does not name the image within a few seconds is
# taken for absent: a black hole must not cost minutes.
pull() {
  base=$1 log=$2
  docker image inspect "$base" >/dev/null 2>&1 && return 0
  docker pull "$base" >"$log" 2>&1 &
  pid=$! waited=0
  while kill -0 "$pid" 2>/dev/null; do
    limit=$registry_answer_s
    grep -q 'Pulling from' "$log" && limit=$registry_pull_s
    if [ "$waited" -ge "$limit" ]; then
      kill "$pid" 2>/dev/null || true
      break
    fi
    sleep 1
    waited=$((waited + 1))
  done
  wait "$pid" 2>/dev/null
}

need_mmdebstrap() {
  command -v mmdebstrap >/dev/null 2>&1 && return 0
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    # Two builds may come here at once; the second waits and finds it done.
    (
      flock 9
      command -v mmdebstrap >/dev/null 2>&1 && exit 0
      say 'installing mmdebstrap'
      apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends mmdebstrap
    ) 9>"$work/apt.lock" >"$work/apt.log" 2>&1 || { say 'installing mmdebstrap failed; the log is build/image/apt.log'; return 1; }
    return 0
  fi
  say 'no image registry answers and mmdebstrap is missing; install it (Debian: apt-get install mmdebstrap)'
  return 1
}

from_registry() {
  suite=$1 base=${SANDBOX_BASE:-debian:$1-slim} builder=timmy-image-$1-$$
  pull "$base" "$work/$suite.pull.log" || return 1
  # Flattened by export and import: one layer, and none of the base image's environment.
  if {
    printf 'set -e\nexport DEBIAN_FRONTEND=noninteractive\napt-get -q update\napt-get -qy install --no-install-recommends %s\n' "$packages"
    sed 1d "$here/image/setup.sh"
  } | docker run --interactive --name "$builder" "$base" /bin/sh -s >"$work/$suite.log" 2>&1 &&
    docker export --output "$work/$suite.tar" "$builder" >>"$work/$suite.log" 2>&1; then
    status=0
  else
    status=1
  fi
  docker rm --force "$builder" >/dev/null 2>&1 || true
  return "$status"
}

from_mmdebstrap() {
  suite=$1
  # shellcheck disable=SC2016  # $1 is the tree, and is expanded by mmdebstrap's own shell
  mmdebstrap --variant=minbase --include="$(printf '%s' "$packages" | tr ' ' ',')" \
    --customize-hook='chroot "$1" /bin/sh -s < "$SETUP"' \
    "$suite" "$work/$suite.tar" ${SANDBOX_MIRROR:+"$SANDBOX_MIRROR"} >"$work/$suite.log" 2>&1
}

build_one() {
  suite=$1 image=$(tag "$1")
  if from_registry "$suite"; then
    origin='base image'
  else
    origin=mmdebstrap
    need_mmdebstrap || return 1
    from_mmdebstrap "$suite" || { say "$suite failed; the log is build/image/$suite.log: $(tail -n 1 "$work/$suite.log")"; return 1; }
  fi
  # The tag appears only when the whole image is in: an interrupted build leaves nothing that looks finished.
  docker import --change 'LABEL timmy.host-image=1' \
    "$work/$suite.tar" "$image" >>"$work/$suite.log" 2>&1 || { say "$suite: docker import failed"; return 1; }
  rm -f "$work/$suite.tar"
  printf 'built %s (%s)\n' "$image" "$origin"
}

build() {
  mkdir -p "$work"
  packages=$(tr '\n' ' ' <"$here/image/packages" | sed 's/ *$//')
  SETUP=$here/image/setup.sh
  export SETUP
  pids='' suites=''
  for suite in "$@"; do
    docker image inspect "$(tag "$suite")" >/dev/null 2>&1 && continue
    build_one "$suite" &
    pids="$pids $!" suites="$suites $suite"
  done
  [ -n "$pids" ] || return 0
  elapsed=0 failed=0
  for pid in $pids; do
    while kill -0 "$pid" 2>/dev/null; do
      sleep 1
      elapsed=$((elapsed + 1))
      [ $((elapsed % 10)) -ne 0 ] || say "building$suites, ${elapsed}s"
    done
    wait "$pid" || failed=1
  done
  return "$failed"
}

clean() {
  ids=$(docker image ls --quiet --filter label=timmy.host-image=1 | sort -u)
  # shellcheck disable=SC2086  # one id per word
  [ -z "$ids" ] || docker image rm --force $ids
  rm -rf "$work"
}

case ${1:-} in
  build) shift; build "$@" ;;
  tag) tag "$2" ;;
  clean) clean ;;
  *) printf 'usage: image.sh build SUITE… | tag SUITE | clean\n' >&2; exit 2 ;;
esac
