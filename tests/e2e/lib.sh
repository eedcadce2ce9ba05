# Sourced by the e2e tests: real programs, a real Docker engine, all in one scratch folder, stopped by pid at the end.
# A check prints "ok NAME" or "FAIL NAME"; tests/run.sh counts them.
set -u
extra_pids=()
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${ICOS_BIN:-$root/build/release/bin}
work=$(mktemp -d /tmp/icos-e2e.XXXXXX)
secrets_dir=/dev/shm/$(basename "$work")  # in memory, as agents want it
failures=0

ok() { echo "ok $1"; }
fail() { echo "FAIL $1"; failures=$((failures + 1)); [ $# -gt 1 ] && printf '     %s\n' "${@:2}"; return 0; }
check() { # name, command…
    local name=$1; shift
    if "$@" >"$work/check.out" 2>&1; then ok "$name"; else fail "$name" "$(head -c 2000 "$work/check.out")"; fi
}
equal() { # name, expected, actual
    if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "expected: $2" "actual:   $3"; fi
}
contains() { # name, needle, haystack
    if grep -qF -- "$2" <<<"$3"; then ok "$1"; else fail "$1" "expected to find: $2" "in: $(head -c 1500 <<<"$3")"; fi
}
eventually() { # name, seconds, command…
    local name=$1 seconds=$2; shift 2
    local end=$((SECONDS + seconds))
    until "$@" >"$work/check.out" 2>&1; do
        if [ $SECONDS -ge $end ]; then fail "$name" "$(head -c 2000 "$work/check.out")"; return; fi
        sleep 0.2
    done
    ok "$name"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
start_docker() { # [name]
    local name=${1:-docker}
    bash "$root/packaging/dockerd.sh" start "$work/$name" || exit 1
    [ "$name" = docker ] && socket=$work/docker/docker.sock
    bash "$root/packaging/busybox-image.sh" "$work/$name/docker.sock" busybox:1
}
docker_() { docker -H "unix://$socket" "$@"; }
start_controller() { # extra arguments…
    if [ -z "${tls_port:-}" ]; then tls_port=$(free_port); plain_port=$(free_port); fi
    "$bin/icos-controller" run --data-dir "$work/controller" --set listeners.tls_address=127.0.0.1 --set "listeners.tls_port=$tls_port" \
        --set "listeners.plain_port=$plain_port" --set controller.advertise=127.0.0.1 "$@" >>"$work/controller.log" 2>&1 &
    controller_pid=$!
    for _ in $(seq 100); do
        icos get nodes -o name >/dev/null 2>&1 && return 0
        kill -0 "$controller_pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "the controller does not start:"; tail -n 20 "$work/controller.log"; exit 1
}
start_proxy() { # port, target port: sets proxy_pid
    python3 "$root/tests/support/tcp_proxy.py" "$1" "$2" >>"$work/proxy.log" 2>&1 &
    proxy_pid=$!
    extra_pids+=("$proxy_pid")
    eventually "the proxy listens" 20 is_open "$1"
}
is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
icos() { "$bin/icos" --controller "unix://$work/controller/controller.sock" "$@"; }
join_node() { # name, docker socket, token options…
    local name=$1 engine=$2; shift 2
    local command
    command=$(icos node token "$@" -o json | jq -r .command)
    [ -n "${join_port:-}" ] && command=${command//$proxy_port/$join_port}  # past the proxy that the controller advertises
    # shellcheck disable=SC2086
    "$bin"/$command --name "$name" --state-dir "$work/$name" --docker-socket "$engine" --no-start
}
declare -A agent_pids
start_agent() { # name, docker socket
    "$bin/icos-agent" run --state-dir "$work/$1" --secrets-dir "$secrets_dir/$1" --docker-socket "$2" >>"$work/$1.log" 2>&1 &
    agent_pids[$1]=$!
}
stop_agent() { # name, [signal]
    kill "-${2:-TERM}" "${agent_pids[$1]}" 2>/dev/null
    wait "${agent_pids[$1]}" 2>/dev/null
}
containers() { docker_ ps -a --filter label=icos.eu/managed-by=icos-agent -q --no-trunc | sort; }
identity() { # id and start time of each container of an application
    docker_ ps -q --no-trunc --filter "label=app.icos.eu/name=$1" | sort | xargs -r docker -H "unix://$socket" inspect -f '{{.Id}} {{.State.StartedAt}}'
}
leftovers() {
    docker_ ps -aq --filter label=icos.eu/managed-by
    docker_ network ls -q --filter label=icos.eu/managed-by
    docker_ volume ls -q --filter label=icos.eu/managed-by
}
nothing_left() { [ -z "$(leftovers)" ]; }

cleanup() {
    [ "$BASHPID" = "$$" ] || return  # a subshell that inherited the trap
    for pid in "${agent_pids[@]:-}" "${controller_pid:-}" "${extra_pids[@]:-}"; do [ -n "$pid" ] && kill "$pid" 2>/dev/null; done
    wait 2>/dev/null
    for engine in "$work"/docker*/; do [ -d "$engine" ] && bash "$root/packaging/dockerd.sh" stop "$engine"; done
    if [ "$failures" -gt 0 ]; then
        for log in "$work"/*.log; do echo "--- end of $(basename "$log")"; tail -n 25 "$log"; done
    fi
    rm -rf "$work" "$secrets_dir"
}
finish() { [ "$failures" -eq 0 ]; exit $?; }
trap cleanup EXIT
