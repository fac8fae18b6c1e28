#!/bin/sh
# A Docker engine for the sandbox: `engine.sh up` asks for one and, on Debian as root, installs and starts it;
# `engine.sh down` stops the engine that `up` started, and no other.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
state=$root/build/engine
start_limit_s=60

say() { printf 'engine: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# A client on the PATH says nothing about an engine behind it, so the engine itself is asked.
answers() { command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; }

installs_here() { [ "$(id -u)" -eq 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null 2>&1; }

apt_install() {
  mkdir -p "$state"
  say "installing $*"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends "$@"; } \
    >"$state/apt.log" 2>&1 || fail "apt-get install $* failed; the log is build/engine/apt.log: $(tail -n 1 "$state/apt.log")"
}

# What the sandbox uses beside the engine.
need_tools() {
  missing=''
  for tool in ssh:openssh-client ssh-keygen:openssh-client tar:tar flock:util-linux; do
    command -v "${tool%%:*}" >/dev/null 2>&1 || missing="$missing ${tool##*:}"
  done
  [ -n "$missing" ] || return 0
  installs_here || fail "please install:$missing"
  # shellcheck disable=SC2086  # one package per word
  apt_install $missing
}

wait_for_answer() {
  waited=0
  until answers; do
    if [ "$waited" -ge "$start_limit_s" ] || ! "$@"; then
      return 1
    fi
    sleep 1
    waited=$((waited + 1))
    [ $((waited % 10)) -ne 0 ] || say "waiting for it to answer, ${waited}s"
  done
}

ours_runs() {
  [ -f "$state/dockerd.pid" ] && pid=$(cat "$state/dockerd.pid") && [ -n "$pid" ] &&
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q dockerd
}

start() {
  mkdir -p "$state"
  if [ -d /run/systemd/system ]; then
    say 'starting the docker service'
    systemctl start docker.service >"$state/dockerd.log" 2>&1 || fail "the docker service does not start: $(tail -n 1 "$state/dockerd.log")"
    : >"$state/service"
    wait_for_answer true || fail 'the docker service runs but does not answer; see: journalctl -u docker'
    return 0
  fi
  say 'starting dockerd'
  nohup setsid dockerd --pidfile "$state/dockerd.pid" >"$state/dockerd.log" 2>&1 </dev/null &
  sleep 1
  wait_for_answer ours_runs || fail "dockerd does not answer; the log is build/engine/dockerd.log: $(tail -n 1 "$state/dockerd.log")"
}

up() {
  need_tools
  answers && return 0
  hint='make check runs everything that needs no engine'
  [ -z "${DOCKER_HOST:-}" ] || fail "no engine answers at DOCKER_HOST=$DOCKER_HOST; start it or unset DOCKER_HOST ($hint)"
  if [ -S /var/run/docker.sock ] && docker info 2>&1 | grep -qi 'permission denied'; then
    fail "$(id -un) may not use the Docker engine; add the account to the group docker, or run as root ($hint)"
  fi
  installs_here || fail "no Docker engine answers; install and start Docker Engine (Debian and Ubuntu: the package docker.io) ($hint)"
  command -v dockerd >/dev/null 2>&1 || apt_install docker.io iptables
  # From Debian 13 on the client is a package of its own.
  command -v docker >/dev/null 2>&1 || apt_install docker-cli
  answers || start
  say "Docker $(docker version --format '{{.Server.Version}}') answers"
}

down() {
  if ours_runs; then
    say "stopping dockerd ($pid)"
    kill "$pid"
    waited=0
    while kill -0 "$pid" 2>/dev/null && [ "$waited" -lt 30 ]; do
      sleep 1
      waited=$((waited + 1))
    done
  elif [ -f "$state/service" ] && [ -d /run/systemd/system ]; then
    say 'stopping the docker service'
    systemctl stop docker.service docker.socket
  fi
  rm -rf "$state"
}

case ${1:-up} in
  up) up ;;
  down) down ;;
  *) printf 'usage: engine.sh up | down\n' >&2; exit 2 ;;
esac
