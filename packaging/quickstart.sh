#!/usr/bin/env bash
# From a fresh Debian 12 machine to a running application: installs what is missing, builds, starts a controller and
# one agent on loopback, deploys config/examples/hello.yaml and shows where it runs.
#   bash packaging/quickstart.sh [--yes]    again is fine: what runs is kept
#   bash packaging/quickstart.sh --down     removes all of it
# State: $ICOS_QUICKSTART_DIR (default ~/.icos-quickstart). Docker: the engine at $DOCKER_SOCKET (default
# /var/run/docker.sock) if it answers, else one of its own.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
state=${ICOS_QUICKSTART_DIR:-$HOME/.icos-quickstart}
bin=$root/build/release/bin
yes=no
down=no
for argument in "$@"; do
    case "$argument" in
        --yes) yes=yes ;;
        --down) down=yes ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "quickstart.sh: unknown argument '$argument' (--yes, --down)" >&2; exit 2 ;;
    esac
done

say() { printf '%s\n' "-- $*"; }
alive() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
stop_pid() { # pid file: asks, waits up to 10 s, then kills
    alive "$1" || { rm -f "$1"; return 0; }
    local pid; pid=$(cat "$1")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$1"
}
engine_answers() { curl -s -m 5 --unix-socket "$1" http://localhost/_ping 2>/dev/null | grep -q OK; }
engine() { docker -H "unix://$socket" "$@"; }
icos() { "$bin/icos" --controller "unix://$state/controller/controller.sock" "$@"; }

socket=${DOCKER_SOCKET:-/var/run/docker.sock}
[ -f "$state/docker/docker.sock.path" ] && socket=$(cat "$state/docker/docker.sock.path")

if [ "$down" = yes ]; then
    [ -d "$state" ] || { say "nothing to remove"; exit 0; }
    if alive "$state/controller.pid" && [ -x "$bin/icos" ]; then
        for app in $(icos get apps -o name 2>/dev/null); do icos delete "$app" --wait --timeout 60s || true; done
    fi
    stop_pid "$state/agent.pid"
    stop_pid "$state/controller.pid"
    if [ -f "$state/imported" ]; then engine image rm -f "$(cat "$state/imported")" >/dev/null 2>&1 || true; fi
    if [ -d "$state/docker" ]; then bash "$root/packaging/dockerd.sh" stop "$state/docker"; fi
    rm -rf "$state"
    say "removed $state and everything that was started"
    exit 0
fi

if [ "$yes" = no ] && [ -t 0 ]; then
    printf 'Installs missing Debian packages, builds in %s and starts a controller and an agent on loopback. Go on? [Y/n] ' "$root/build"
    read -r answer
    case "$answer" in [nN]*) exit 1 ;; esac
fi

bash "$root/packaging/install-tools.sh" build run
if [ ! -f "$root/build/release/build.ninja" ] || ! cmake --build "$root/build/release" -- -n 2>/dev/null | grep -q 'no work to do'; then
    say "building (a few minutes the first time)"
    (cd "$root" && cmake --preset release >/dev/null && cmake --build --preset release | tail -n 1)
fi

mkdir -p "$state/controller" "$state/agent"
chmod 700 "$state"
if ! engine_answers "$socket"; then
    say "no Docker engine answers at $socket: starting one of its own"
    bash "$root/packaging/dockerd.sh" start "$state/docker"
    socket=$state/docker/docker.sock
    echo "$socket" >"$state/docker/docker.sock.path"
fi

image=$(sed -nE 's/^ *image: *"?([^" ]+)"?.*/\1/p' "$root/config/examples/hello.yaml" | head -n 1)
if ! engine image inspect "$image" >/dev/null 2>&1; then
    if ! timeout 60 docker -H "unix://$socket" pull -q "$image" >/dev/null 2>&1; then
        say "no registry answers: making $image from Debian's busybox-static"
        bash "$root/packaging/busybox-image.sh" "$socket" "$image"
    fi
    echo "$image" >"$state/imported"
fi

if ! alive "$state/controller.pid"; then
    say "starting the controller"
    setsid "$bin/icos-controller" run --data-dir "$state/controller" \
        --set "listeners.tls_address=127.0.0.1" --set "controller.advertise=127.0.0.1" \
        >>"$state/controller.log" 2>&1 </dev/null &
    echo $! >"$state/controller.pid"
fi
for _ in $(seq 100); do
    icos get nodes -o name >/dev/null 2>&1 && break
    alive "$state/controller.pid" || { tail -n 20 "$state/controller.log" >&2; exit 1; }
    sleep 0.1
done

if [ ! -f "$state/agent/identity.json" ]; then
    say "joining this machine as a node"
    # shellcheck disable=SC2046 # the command is made of words
    join=$(icos node token -o json | jq -r .command)
    # shellcheck disable=SC2086
    "$bin"/$join --state-dir "$state/agent" --docker-socket "$socket" --no-start
fi
if ! alive "$state/agent.pid"; then
    say "starting the agent"
    setsid "$bin/icos-agent" run --state-dir "$state/agent" --docker-socket "$socket" >>"$state/agent.log" 2>&1 </dev/null &
    echo $! >"$state/agent.pid"
fi

say "deploying config/examples/hello.yaml"
icos apply -f "$root/config/examples/hello.yaml" --wait --timeout 2m
echo
icos status hello
echo
icos topology
echo
port=$(sed -nE 's/^ *- *"?([0-9]+):[0-9]+"?.*/\1/p' "$root/config/examples/hello.yaml" | head -n 1)
say "the application answers: curl http://127.0.0.1:$port/ ->"
curl -s -m 5 --retry 5 --retry-connrefused "http://127.0.0.1:$port/" | head -n 3
echo
say "API: https://127.0.0.1:7443/ (token in $state/controller/admin.token), plain on http://127.0.0.1:7480/"
say "shell: $bin/icos --controller unix://$state/controller/controller.sock get nodes"
say "remove all of it: bash packaging/quickstart.sh --down"
