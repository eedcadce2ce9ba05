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
# Its own memory: shares of libraries depend on who else runs.
memory() { awk '/^Anonymous:/ { print $2 }' "/proc/$1/smaps_rollup"; }
descriptors() { ls "/proc/$1/fd" | wc -l; }
threads() { awk '/^Threads:/ { print $2 }' "/proc/$1/status"; }
measure() { # prints memory in KiB, descriptors, threads of a process
    echo "$(least "$1" memory) $(least "$1" descriptors) $(least "$1" threads)"
}
check "the first $warm_up reconnects" reached "$warm_up" 300
agent_before=$(measure "$agent"); controller_before=$(measure "$controller_pid")
check "$reconnects reconnects" reached "$reconnects" 600

fits() { # process, the most of memory, descriptors, threads: leaves in `now` what it has
    now=$(measure "$1")
    local memory fds threads
    read -r memory fds threads <<<"$now"
    [ "$memory" -le "$2" ] && [ "$fds" -le "$3" ] && [ "$threads" -le "$4" ]
}
compare() { # name, process, before, KiB that it may have grown
    local memory fds threads now end=$((SECONDS + 30))
    read -r memory fds threads <<<"$3"
    # What was lost stays lost; what is only under way is over soon.
    # A few more descriptors are no loss either: a read beside another opens the database once more, and keeps it.
    fds=$((fds + 4))
    until fits "$2" $((memory + $4)) "$fds" "$threads" || [ $SECONDS -ge $end ]; do sleep 0.5; done
    if fits "$2" $((memory + $4)) "$fds" "$threads"; then ok "$1: memory, descriptors and threads do not grow"
    else fail "$1: memory, descriptors and threads do not grow" "KiB, descriptors, threads: $3 -> $now"; fi
    echo "     $1: KiB, descriptors, threads: $3 -> $now"
}
# 1 KiB lost by each reconnect would be three times what is allowed to the agent. The controller records an event of each, and caches pages of its database.
compare agent "$agent" "$agent_before" 512
compare controller "$controller_pid" "$controller_before" 1024
equal "nothing was restarted" "$before" "$(identity steady)"
kill "$proxy_pid"; wait "$proxy_pid" 2>/dev/null
echo "     $(tail -n 1 "$work/proxy.out") connections"
finish
