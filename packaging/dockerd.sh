#!/usr/bin/env bash
# A Docker engine of its own, apart from the machine's: dockerd.sh start DIR | stop DIR | socket DIR
# Socket DIR/docker.sock, data DIR/data, log DIR/dockerd.log. It leaves the machine's firewall alone: containers reach
# each other and published ports work (through docker-proxy), but nothing is translated for the world outside.
# DOCKERD_STORAGE_DRIVER chooses the storage driver (overlay2 where the kernel has it, else vfs), DOCKERD_ADDRESS_POOL where
# networks get their addresses from (base=10.0.0.0/16,size=24; the engine's own pools are enough for 31 networks).
set -eu
[ $# -eq 2 ] || { sed -n 2,6p "$0" >&2; exit 2; }
verb=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
socket=$dir/docker.sock

answers() { [ -S "$socket" ] && curl -fsS --max-time 2 --unix-socket "$socket" http://localhost/_ping >/dev/null 2>&1; }
alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }
pid_of() { [ -f "$1" ] && cat "$1" || true; }
is_ours() { # only end a process that still is what the pid file says: numbers are used again
    { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null | grep -qF -- "$2"
}

start() {
    if answers; then return 0; fi
    [ ${#socket} -lt 100 ] || { echo "dockerd.sh: $socket is too long for a socket" >&2; exit 1; }
    command -v dockerd >/dev/null || { echo "dockerd.sh: install docker.io" >&2; exit 1; }
    [ "$(id -u)" = 0 ] || { echo "dockerd.sh: needs root" >&2; exit 1; }
    # The engine makes sockets below its exec root, so that has a short path.
    if [ ! -f "$dir/exec-root" ]; then mktemp -d /tmp/icos-dockerd.XXXXXX >"$dir/exec-root"; fi
    local exec_root driver
    exec_root=$(cat "$dir/exec-root")
    mkdir -p "$exec_root"
    driver=${DOCKERD_STORAGE_DRIVER:-}
    if [ -z "$driver" ]; then
        driver=vfs
        modprobe overlay 2>/dev/null || true
        if grep -qw overlay /proc/filesystems; then driver=overlay2; fi
    fi
    rm -f "$dir/dockerd.pid"
    setsid dockerd --host "unix://$socket" --data-root "$dir/data" --exec-root "$exec_root" --pidfile "$dir/dockerd.pid" \
        --storage-driver "$driver" ${DOCKERD_ADDRESS_POOL:+--default-address-pool "$DOCKERD_ADDRESS_POOL"} --bridge none --iptables=false --ip6tables=false --ip-masq=false \
        >>"$dir/dockerd.log" 2>&1 </dev/null &
    local child=$!
    for _ in $(seq 300); do
        if answers; then return 0; fi
        if ! alive "$child"; then break; fi
        sleep 0.1
    done
    echo "dockerd.sh: dockerd does not start:" >&2
    tail -n 15 "$dir/dockerd.log" >&2
    stop
    exit 1
}

stop() {
    local pid exec_root bridges
    # The engine leaves its networks' bridges; it makes them again when it starts, as after a reboot.
    bridges=$(curl -fsS --max-time 2 --unix-socket "$socket" http://localhost/networks 2>/dev/null |
        grep -oE '"Id":"[0-9a-f]{12}' | cut -d'"' -f4 || true)
    exec_root=$([ -f "$dir/exec-root" ] && cat "$dir/exec-root" || true)
    pid=$(pid_of "$dir/dockerd.pid")
    if alive "$pid" && is_ours "$pid" "$dir/dockerd.pid"; then
        kill "$pid"
        for _ in $(seq 200); do alive "$pid" || break; sleep 0.1; done
        if alive "$pid"; then kill -9 "$pid"; fi
    fi
    rm -f "$dir/dockerd.pid" "$socket"
    local bridge
    for bridge in $bridges; do ip link delete "br-$bridge" 2>/dev/null || true; done
    [ -n "$exec_root" ] || return 0
    # After a crash of dockerd its containerd and the shims go on; each is known by the socket it was given.
    local process
    for process in /proc/[0-9]*; do
        if is_ours "${process#/proc/}" "$exec_root/containerd"; then kill -9 "${process#/proc/}" 2>/dev/null || true; fi
    done
    awk -v root="$exec_root/" -v data="$dir/data/" 'index($2, root) == 1 || index($2 "/", data) == 1 {print $2}' /proc/mounts |
        sort -r | while read -r mount; do umount -l "$mount" 2>/dev/null || true; done
    rm -rf "$exec_root" "$dir/exec-root"
}

case $verb in
    start) start ;;
    stop) stop ;;
    socket) echo "$socket" ;;
    *) sed -n 2,6p "$0" >&2; exit 2 ;;
esac
