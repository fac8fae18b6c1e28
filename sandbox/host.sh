#!/bin/sh
# One sandbox host: `host.sh up NAME` makes it, or starts it, or leaves it as it is, and waits until it can be
# logged into. It answers with one line of JSON: {"name", "port", "changed", "recipe": "current"|"older"}.
# Everything it needs comes in the environment; create.yml is its caller.
#   SANDBOX_NAME SANDBOX_DIR SANDBOX_NETWORK SANDBOX_CONTAINER   which fleet, where its files lie
#   SANDBOX_SUITE SANDBOX_LOGIN SANDBOX_MODEL SANDBOX_PORT SANDBOX_MEMORY   what kind of host
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
host=$2
container=$SANDBOX_CONTAINER
changed=false
boot_limit_s=90

fail() { printf 'sandbox host %s: %s\n' "$host" "$*" >&2; exit 1; }

# The preferred port, else the same one some hundreds higher; hosts that start side by side cannot meet.
free_port() {
  python3 - "$1" <<'PY'
import socket
import sys

for port in range(int(sys.argv[1]), 32768, 100):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
else:
    sys.exit("no free port")
PY
}

published_port() {
  docker container inspect --format '{{(index (index .HostConfig.PortBindings "22/tcp") 0).HostPort}}' "$container"
}

# Programs must see a host: no "docker" in a cgroup path, no /.dockerenv. Under cgroup v1 the container gets a
# parent of its own; under v2 a private namespace shows systemd its own root, which the entry makes writable.
create() {
  port=$(free_port "$SANDBOX_PORT")
  set -- --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_BOOT \
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
    --tmpfs /run --tmpfs /run/lock --stop-signal SIGRTMIN+3
  # A systemd that believes it is on a machine leaves its root read-only when it shuts down; no boot loader and no
  # fstab make it writable again at the next start.
  entry='rm -f /.dockerenv; mount -o remount,rw /'
  if [ "$(docker info --format '{{.CgroupVersion}}')" = 2 ]; then
    set -- "$@" --cgroupns private
    entry="$entry; mount -o remount,rw /sys/fs/cgroup"
  else
    set -- "$@" --cgroupns host --cgroup-parent "/fleet-$SANDBOX_NAME-$host" --volume /sys/fs/cgroup:/sys/fs/cgroup:rw
  fi
  docker container create --name "$container" --hostname "$host" \
    --network "$SANDBOX_NETWORK" --network-alias "$host" \
    --label "timmy.sandbox=$SANDBOX_NAME" --label "timmy.image=$image" \
    --memory "$SANDBOX_MEMORY" --publish "127.0.0.1:$port:22" "$@" \
    "$image" /bin/sh -c "$entry; exec /sbin/init" >/dev/null
}

# Keys of this host and of its operator, laid into the tree before sshd has ever run.
place_keys() {
  stage=$SANDBOX_DIR/stage/$host
  rm -rf "$stage"
  umask 077
  mkdir -p "$stage/host/etc/ssh" "$stage/root/.ssh" "$stage/ops/.ssh"
  cp "$SANDBOX_DIR/keys/$host" "$stage/host/etc/ssh/ssh_host_ed25519_key"
  cp "$SANDBOX_DIR/keys/$host.pub" "$stage/host/etc/ssh/ssh_host_ed25519_key.pub"
  chmod 0644 "$stage/host/etc/ssh/ssh_host_ed25519_key.pub"
  cp "$SANDBOX_DIR/id_ed25519.pub" "$stage/ops/.ssh/authorized_keys"
  (cd "$stage/host" && tar -cf - --owner=0 --group=0 etc/ssh/*) | docker cp - "$container:/"
  (cd "$stage/ops" && tar -cf - --owner=1000 --group=1000 .ssh) | docker cp - "$container:/home/ops"
  if [ "$SANDBOX_LOGIN" = root ]; then
    cp "$SANDBOX_DIR/id_ed25519.pub" "$stage/root/.ssh/authorized_keys"
    (cd "$stage/root" && tar -cf - --owner=0 --group=0 .ssh) | docker cp - "$container:/root"
  fi
  rm -rf "$stage"
}

model_payload() { cat "$here"/model/*.py "$here/model/default.json" "$here/scripted-model.service" | sha256sum | cut -c1-64; }
model_wanted() { [ "$SANDBOX_MODEL" = true ] && [ -f "$here/model/scripted_model.py" ] && [ -f "$here/model/default.json" ]; }

# The scripted model, where the host wants one. A record of what was placed keeps a script that a test has
# changed since as it is.
place_model() {
  model_wanted || return 0
  wanted=$(model_payload)
  placed=$(docker cp "$container:/opt/sandbox/.payload" - 2>/dev/null | tar -xOf - 2>/dev/null || true)
  [ "$placed" != "$wanted" ] || return 0
  stage=$SANDBOX_DIR/stage/$host-model
  rm -rf "$stage"
  umask 022
  mkdir -p "$stage/opt/sandbox" "$stage/etc/systemd/system/multi-user.target.wants" "$stage/etc/tmpfiles.d"
  cp "$here"/model/*.py "$stage/opt/sandbox/"
  cp "$here/model/default.json" "$stage/opt/sandbox/script.json"
  printf '%s' "$wanted" >"$stage/opt/sandbox/.payload"
  cp "$here/scripted-model.service" "$stage/etc/systemd/system/scripted-model.service"
  ln -s ../scripted-model.service "$stage/etc/systemd/system/multi-user.target.wants/scripted-model.service"
  printf 'f /var/log/scripted-model.jsonl 0644 scripted-model scripted-model -\n' >"$stage/etc/tmpfiles.d/scripted-model.conf"
  chmod -R u=rwX,go=rX "$stage"
  (cd "$stage" && tar -cf - --owner=0 --group=0 opt/sandbox etc/systemd/system/scripted-model.service \
    etc/systemd/system/multi-user.target.wants/scripted-model.service etc/tmpfiles.d/scripted-model.conf) | docker cp - "$container:/"
  rm -rf "$stage"
  changed=true
  if [ "$running" = true ]; then
    docker exec "$container" systemd-tmpfiles --create scripted-model.conf
    docker exec "$container" systemctl daemon-reload
    docker exec "$container" systemctl restart scripted-model.service
  fi
}

wait_ready() {
  limit=$(($(date +%s) + boot_limit_s))
  while :; do
    state=$(docker exec "$container" systemctl is-system-running 2>/dev/null) || true
    case $state in running | degraded) break ;; esac
    [ "$(date +%s)" -lt "$limit" ] || fail "systemd says '${state:-nothing}' after $boot_limit_s s; see: docker logs $container"
    sleep 0.3
  done
  until ssh -n -o BatchMode=yes -o ConnectTimeout=3 -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes \
    -o UserKnownHostsFile="$SANDBOX_DIR/known_hosts.d/$host" -i "$SANDBOX_DIR/id_ed25519" \
    -p "$port" "$SANDBOX_LOGIN@127.0.0.1" true 2>"$SANDBOX_DIR/$host.ssh.log"; do
    [ "$(date +%s)" -lt "$limit" ] || fail "no login after $boot_limit_s s: $(tail -n 1 "$SANDBOX_DIR/$host.ssh.log")"
    sleep 0.3
  done
  rm -f "$SANDBOX_DIR/$host.ssh.log"
  model_wanted || return 0
  until docker exec "$container" curl --fail --silent --max-time 2 --output /dev/null http://127.0.0.1:11434/api/version; do
    [ "$(date +%s)" -lt "$limit" ] || fail "the scripted model does not answer; see: docker exec $container journalctl -u scripted-model"
    sleep 0.3
  done
}

[ "${1:-}" = up ] || { printf 'usage: host.sh up NAME\n' >&2; exit 2; }

image=$("$here/image.sh" tag "$SANDBOX_SUITE")
recipe=current
running=$(docker container inspect --format '{{.State.Running}}' "$container" 2>/dev/null || true)
if [ -z "$running" ]; then
  create
  # A host that exists has its keys: without them it must not stay.
  place_keys || { docker rm --force "$container" >/dev/null; fail 'its keys could not be placed'; }
  running=false
  changed=true
elif [ "$(docker container inspect --format '{{index .Config.Labels "timmy.image"}}' "$container")" != "$image" ]; then
  recipe=older
fi
port=$(published_port)
mkdir -p "$SANDBOX_DIR/known_hosts.d"
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$SANDBOX_DIR/keys/$host.pub")" >"$SANDBOX_DIR/known_hosts.d/$host"
place_model
if [ "$running" = false ]; then
  docker start "$container" >/dev/null
  changed=true
fi
wait_ready
printf '{"name": "%s", "port": %s, "changed": %s, "recipe": "%s"}\n' "$host" "$port" "$changed" "$recipe"
