#!/bin/sh
# Runs inside a fresh Debian tree and turns it into a blank host: what a provider's image has, and no more.
set -eu

# The operator's own account; its key is placed per host. Locked password, as on a VPS with key login only.
useradd --create-home --uid 1000 --user-group --shell /bin/bash ops
install -d -m 0700 -o ops -g ops /home/ops/.ssh
install -d -m 0700 /root/.ssh
printf 'ops ALL=(ALL:ALL) NOPASSWD: ALL\n' > /etc/sudoers.d/ops
chmod 0440 /etc/sudoers.d/ops
useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin scripted-model

# Host keys and the machine's id belong to one host, never to an image.
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
rm -f /var/lib/dbus/machine-id

# Two timers would take the package lock a few seconds after boot, and no console is there for a getty.
systemctl mask apt-daily.timer apt-daily-upgrade.timer console-getty.service getty.target
systemctl enable ssh.service

# What a pulled image brings so that no service starts while it is built.
rm -f /usr/sbin/policy-rc.d /etc/apt/apt.conf.d/docker-*

apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log /var/log/bootstrap.log
