#!/usr/bin/env bash
# 2,000 reconnects of a real agent whose connections are reset all the time (RECONNECTS changes the number): memory, descriptors and
# threads of agent and controller do not grow with them, and what runs is left alone.
source "$(dirname "$0")/lib.sh"
reconnects=${RECONNECTS:-2000}
warm_up=$((reconnects / 4))  # allocators, caches and pools are as large as they get
extra_pids=()

start_docker
tls_port=$(free_port); plain_port=$(free_port)
# The controller says that it is at 127.0.0.2; there is the proxy.
start_controller --set controller.advertise=127.0.0.2
python3 "$root/tests/e2e/cutting_proxy.py" "127.0.0.2:$tls_port" "127.0.0.1:$tls_port" >"$work/proxy.out" 2>"$work/proxy.log" &
proxy_pid=$!
extra_pids+=("$proxy_pid")
eventually "the proxy listens" 10 grep -q listening "$work/proxy.out"

# A join is a few requests in a row, which this proxy does not let through: it goes to the controller itself.
command=$(icos node token -o json | jq -r .command)
# shellcheck disable=SC2086
"$bin"/${command//127.0.0.2/127.0.0.1} --name edge-1 --state-dir "$work/edge-1" --docker-socket "$socket" --no-start >"$work/join.out" 2>&1 ||
    fail "the node joins" "$(cat "$work/join.out")"
grep -rl "127.0.0.1:$tls_port" "$work/edge-1" | xargs -r sed -i "s/127.0.0.1:$tls_port/127.0.0.2:$tls_port/g"
"$bin/icos-agent" run --state-dir "$work/edge-1" --docker-socket "$socket" --reconnect-max-ms 10 >>"$work/edge-1.log" 2>&1 &
agent_pids[edge-1]=$!
agent=${agent_pids[edge-1]}

connected() { grep -c 'node connected' "$work/controller.log"; }
reached() { # reconnects, seconds
    local end=$((SECONDS + $2))
    while [ "$(connected)" -lt "$1" ] && [ $SECONDS -lt $end ] && kill -0 "$agent" 2>/dev/null; do sleep 0.2; done
    [ "$(connected)" -ge "$1" ]
}
cat >"$work/app.yaml" <<'Y'
name: steady
components:
  - {name: c, type: docker, manifests: [{name: m}]}
manifests:
  - name: m
    manifest: {services: {s: {image: "busybox:1", command: ["sleep", "1000000"]}}}
Y
check "an application is deployed through connections that break" icos apply -f "$work/app.yaml" --wait --timeout 60s
before=$(identity steady)

# The least of some looks: between them a connection is being made or not.
least() { # process, command that prints a number of it
    for _ in 1 2 3 4 5 6 7 8 9 10; do "$2" "$1"; sleep 0.05; done | sort -n | head -n 1
}
pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }
descriptors() { ls "/proc/$1/fd" | wc -l; }
threads() { awk '/^Threads:/ { print $2 }' "/proc/$1/status"; }
measure() { # prints PSS in KiB, descriptors, threads of a process
    echo "$(least "$1" pss) $(least "$1" descriptors) $(least "$1" threads)"
}
check "the first $warm_up reconnects" reached "$warm_up" 300
agent_before=$(measure "$agent"); controller_before=$(measure "$controller_pid")
check "$reconnects reconnects" reached "$reconnects" 600
agent_after=$(measure "$agent"); controller_after=$(measure "$controller_pid")

compare() { # name, before, after, KiB that it may have grown
    local memory_before fds_before threads_before memory fds threads
    read -r memory_before fds_before threads_before <<<"$2"
    read -r memory fds threads <<<"$3"
    echo "     $1: PSS $memory_before -> $memory KiB, descriptors $fds_before -> $fds, threads $threads_before -> $threads"
    check "$1: memory does not grow" test $((memory - memory_before)) -le "$4"
    check "$1: descriptors do not grow" test "$fds" -le "$fds_before"
    check "$1: threads do not grow" test "$threads" -le "$threads_before"
}
# 1 KiB lost by each reconnect would be three times what is allowed to the agent. The controller records an event of each, and caches pages of its database.
compare agent "$agent_before" "$agent_after" 512
compare controller "$controller_before" "$controller_after" 1024
equal "nothing was restarted" "$before" "$(identity steady)"
kill "$proxy_pid"; wait "$proxy_pid" 2>/dev/null
echo "     $(tail -n 1 "$work/proxy.out") connections"
finish
