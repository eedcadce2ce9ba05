#!/usr/bin/env bash
# Benchmarks: prints one JSON object a line: {"bench","metric","value","unit","peer"?,"ratio"?}.
#   bash tests/bench/run.sh [apply|durability|start|memory|relay|build]...   default: all but relay and build
# Wants a release build (made if missing). "peer" rows are measured in the same run; "ratio" is ours / peer.
set -u
source "$(dirname "$0")/../e2e/lib.sh"
trap 'cleanup >/dev/null 2>&1' EXIT
benches=("$@")
[ ${#benches[@]} -eq 0 ] && benches=(apply durability start memory)
[ -x "$bin/icos-controller" ] || { (cd "$root" && cmake --preset release && cmake --build --preset release) >&2 || exit 1; }

row() { # bench metric value unit [peer ratio]
    if [ $# -ge 6 ]; then
        printf '{"bench":"%s","metric":"%s","value":%s,"unit":"%s","peer":"%s","ratio":%s}\n' "$@"
    else
        printf '{"bench":"%s","metric":"%s","value":%s,"unit":"%s"}\n' "$1" "$2" "$3" "$4"
    fi
}
now_ms() { date +%s%3N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
ratio() { awk "BEGIN { printf \"%.2f\", $1 / $2 }"; }
pss_kb() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }
api() { curl -s --unix-socket "$socket" -H 'Content-Type: application/json' "$@"; }

setup() {
    start_docker >&2
    start_controller >&2
    join_node edge-1 "$socket" >&2
    start_agent edge-1 "$socket"
    until icos get nodes | grep -qE '^edge-1 +ready'; do sleep 0.1; done
}

services=5
write_app() { # the same five services as descriptor and as compose file
    {
        printf 'name: bench\ncomponents:\n  - {name: c, type: docker, manifests: [{name: m}]}\nmanifests:\n  - name: m\n    manifest:\n      services:\n'
        for i in $(seq $services); do printf '        s%d: {image: "busybox:1", command: ["sleep", "1000"]}\n' "$i"; done
    } >"$work/bench.yaml"
    {
        printf 'version: "3.7"\nservices:\n'
        for i in $(seq $services); do printf '  s%d: {image: "busybox:1", command: ["sleep", "1000"]}\n' "$i"; done
    } >"$work/docker-compose.yml"
}
engine_calls() { # what the agent asks of the engine for that application, one after the other, by curl
    api -X POST http://e/v1.41/networks/create -d '{"Name":"bench-net","CheckDuplicate":true}' >/dev/null
    for i in $(seq $services); do
        api http://e/v1.41/images/busybox:1/json >/dev/null
        local id
        id=$(api -X POST "http://e/v1.41/containers/create?name=bench-$i" -d '{"Image":"busybox:1","Cmd":["sleep","1000"],"HostConfig":{"NetworkMode":"bench-net","LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}}}}' | jq -r .Id)
        api -X POST "http://e/v1.41/containers/$id/start" >/dev/null
        api "http://e/v1.41/containers/$id/json" >/dev/null
    done
}

bench_apply() {
    write_app
    local ours=() calls=() compose=()
    for _ in 1 2 3 4 5 6; do
        local t=$(now_ms)
        icos apply -f "$work/bench.yaml" --wait >/dev/null || return 1
        ours+=($(($(now_ms) - t)))
        icos delete bench --wait >/dev/null
        t=$(now_ms)
        engine_calls
        calls+=($(($(now_ms) - t)))
        for i in $(seq $services); do api -X DELETE "http://e/v1.41/containers/bench-$i?force=1" >/dev/null; done
        api -X DELETE http://e/v1.41/networks/bench-net >/dev/null
        if command -v docker-compose >/dev/null; then
            t=$(now_ms)
            (cd "$work" && DOCKER_HOST=unix://$socket docker-compose -p benchpeer up -d) >/dev/null 2>&1
            compose+=($(($(now_ms) - t)))
            (cd "$work" && DOCKER_HOST=unix://$socket docker-compose -p benchpeer down -t 0) >/dev/null 2>&1
        fi
    done
    local a b c
    a=$(printf '%s\n' "${ours[@]:1}" | median); b=$(printf '%s\n' "${calls[@]:1}" | median)
    row apply "apply to all running, $services containers" "$a" ms "curl script" "$(ratio "$a" "$b")"
    row apply "engine calls by a curl script" "$b" ms
    if [ ${#compose[@]} -gt 0 ]; then
        c=$(printf '%s\n' "${compose[@]:1}" | median)
        row apply "docker-compose up -d" "$c" ms
        row apply "apply to all running" "$a" ms docker-compose "$(ratio "$a" "$c")"
    fi
}

start_once() { # data directory -> milliseconds the controller says it took
    rm -f "$work/start.log"
    "$bin/icos-controller" run --data-dir "$1" --set listeners.tls_address=127.0.0.1 --set listeners.tls_port=0 --set listeners.plain_port=0 >"$work/start.log" 2>&1 &
    local pid=$!
    until grep -qs 'ready in' "$work/start.log"; do kill -0 $pid 2>/dev/null || { cat "$work/start.log" >&2; return 1; }; sleep 0.005; done
    grep -oE 'ready in [0-9]+' "$work/start.log" | grep -oE '[0-9]+'
    kill $pid
    wait $pid 2>/dev/null
}

bench_start() {
    local first=() again=()
    for _ in 1 2 3 4 5 6 7; do
        rm -rf "$work/start"
        first+=("$(start_once "$work/start")")
        again+=("$(start_once "$work/start")")
    done
    row start "controller start to ready, empty directory (makes its keys)" "$(printf '%s\n' "${first[@]:1}" | median)" ms
    row start "controller start to ready, existing directory" "$(printf '%s\n' "${again[@]:1}" | median)" ms
}

bench_memory() { # agent with 20 containers and a followed log; PSS sampled for $MEMORY_SECONDS (default 60)
    services=20
    write_app
    icos apply -f "$work/bench.yaml" --wait >/dev/null || return 1
    icos logs -f bench >/dev/null &
    extra_pids+=($!)
    local exporter=""
    if command -v prometheus-node-exporter >/dev/null; then
        prometheus-node-exporter --web.listen-address=127.0.0.1:"$(free_port)" >/dev/null 2>&1 &
        exporter=$!
        extra_pids+=("$exporter")
    fi
    local agent=() controller=() peer=() n=${MEMORY_SECONDS:-60}
    local cpu_before cpu_after ticks
    ticks=$(getconf CLK_TCK)
    cpu_before=$(awk '{ print $14 + $15 }' "/proc/${agent_pids[edge-1]}/stat")
    for _ in $(seq "$n"); do
        sleep 1
        agent+=("$(pss_kb "${agent_pids[edge-1]}")")
        controller+=("$(pss_kb "$controller_pid")")
        [ -n "$exporter" ] && peer+=("$(pss_kb "$exporter")")
    done
    cpu_after=$(awk '{ print $14 + $15 }' "/proc/${agent_pids[edge-1]}/stat")
    local a c p
    a=$(printf '%s\n' "${agent[@]}" | median); c=$(printf '%s\n' "${controller[@]}" | median)
    row memory "agent PSS, 20 containers, one followed log, median of $n s" "$(ratio "$a" 1024)" MiB
    row memory "agent CPU" "$(awk "BEGIN { printf \"%.2f\", ($cpu_after - $cpu_before) / $ticks / $n * 100 }")" "% of a core"
    row memory "controller PSS" "$(ratio "$c" 1024)" MiB
    if [ -n "$exporter" ]; then
        p=$(printf '%s\n' "${peer[@]}" | median)
        row memory "agent PSS" "$(ratio "$a" 1024)" MiB node_exporter "$(ratio "$a" "$p")"
    fi
    icos delete bench --wait >/dev/null
}

# Durable applies per second with 64 clients, against the rows that they left, in the groups in which the controller committed
# them, through plain SQLite with the same settings, on the same file system. What is not synced is not durable: no tmpfs.
bench_durability() {
    local place=${DURABILITY_DIR:-$work} clients=64 applies=${DURABILITY_APPLIES:-100} rounds=${DURABILITY_ROUNDS:-3}
    local tool=$root/build/bench/bin/icos-durability-bench
    (cd "$root" && cmake --preset bench >/dev/null && cmake --build build/bench --target icos-durability-bench >/dev/null) || return 1
    local system sync
    read -r system sync < <("$tool" file-system "$place")
    case "$system" in
        ext4 | xfs | btrfs | f2fs | zfs | overlay) ;;
        *) echo "run.sh: $place is on $system, where a sync means nothing: set DURABILITY_DIR to a directory on a disk" >&2; return 1 ;;
    esac
    row durability "fsync of 4 KiB on $system, p50" "$sync" ms
    local ours=() peer=() middle=() late=() groups=()
    for _ in $(seq "$rounds"); do
        local directory seconds p50 p99 count transactions replayed
        directory=$(mktemp -d "$place/durability.XXXXXX")
        controller_in "$directory" || return 1
        read -r seconds p50 p99 < <("$tool" apply "$directory/controller.sock" $clients "$applies")
        kill "$durable_pid"; wait "$durable_pid" 2>/dev/null
        [ -n "${seconds:-}" ] || return 1
        read -r count transactions replayed < <("$tool" replay "$directory/state.db" "$directory")
        [ "$count" = $((clients * applies)) ] || { echo "run.sh: $((clients * applies)) applies, $count recorded" >&2; return 1; }
        ours+=("$(awk "BEGIN { printf \"%.0f\", $count / $seconds }")")
        peer+=("$(awk "BEGIN { printf \"%.0f\", $count / $replayed }")")
        groups+=("$(awk "BEGIN { printf \"%.1f\", $count / $transactions }")")
        middle+=("$p50"); late+=("$p99")
        rm -rf "$directory"
    done
    local a b
    a=$(printf '%s\n' "${ours[@]}" | median); b=$(printf '%s\n' "${peer[@]}" | median)
    row durability "durable applies, $clients clients" "$a" 1/s "plain SQLite, same rows and groups" "$(ratio "$a" "$b")"
    row durability "the same rows in the same groups through plain SQLite" "$b" 1/s
    row durability "applies in a transaction, mean" "$(printf '%s\n' "${groups[@]}" | median)" applies
    row durability "apply to answer, p50" "$(printf '%s\n' "${middle[@]}" | median)" ms
    row durability "apply to answer, p99" "$(printf '%s\n' "${late[@]}" | median)" ms
}
controller_in() { # data directory; its process id is in durable_pid
    "$bin/icos-controller" run --data-dir "$1" --set listeners.tls_address=127.0.0.1 --set listeners.tls_port=0 \
        --set listeners.plain_port=0 >"$work/durable.log" 2>&1 &
    durable_pid=$!
    extra_pids+=("$durable_pid")
    until grep -qs 'ready in' "$work/durable.log"; do
        kill -0 "$durable_pid" 2>/dev/null || { tail -n 5 "$work/durable.log" >&2; return 1; }
        sleep 0.05
    done
}

bench_build() { # clean release build without a compiler cache, and one module's .cpp touched
    local dir=$work/build t
    t=$(now_ms)
    (cd "$root" && cmake --preset release -B "$dir" -DCMAKE_CXX_COMPILER_LAUNCHER= >/dev/null && cmake --build "$dir" >/dev/null) || return 1
    row build "clean release build" "$(awk "BEGIN { printf \"%.1f\", ($(now_ms) - $t) / 1000 }")" s
    (cd "$root" && cmake --preset dev >/dev/null && cmake --build --preset dev >/dev/null) || return 1
    touch "$root/modules/job_manager/job_manager_module.cpp"
    t=$(now_ms)
    (cd "$root" && CCACHE_DISABLE=1 cmake --build --preset dev --target icos-controller >/dev/null)
    row build "one module's .cpp touched, dev" "$(awk "BEGIN { printf \"%.1f\", ($(now_ms) - $t) / 1000 }")" s
}

bench_relay() { # through the agent's relay, and directly, over loopback
    (cd "$root" && cmake --preset bench >/dev/null && cmake --build --preset bench --target icos-relay-bench >/dev/null) || return 1
    "$root/build/bench/bin/icos-relay-bench"
}

extra_pids=()
ready=no
for bench in "${benches[@]}"; do
    case "$bench" in
        apply | memory) [ $ready = no ] && setup && ready=yes; "bench_$bench" ;;
        durability | start | relay | build) "bench_$bench" ;;
        *) echo "run.sh: unknown benchmark '$bench' (apply, durability, start, memory, relay, build)" >&2; exit 2 ;;
    esac
done
